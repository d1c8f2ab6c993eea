// libpng as it is: http://www.libpng.org/pub/png/libpng-manual.txt (the simplified API, section IV).
#include <png.h>
