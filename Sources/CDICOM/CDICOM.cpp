#include "CDICOM.h"
#include <dcmtk/dcmdata/dctk.h>
