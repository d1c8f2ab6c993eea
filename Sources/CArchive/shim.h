// libarchive as it is: https://github.com/libarchive/libarchive/wiki/ManualPages
#include <archive.h>
#include <archive_entry.h>
