// The scalar specification: plain C, one lane at a time, fma through libm where the compiler's target has none.
#define WIDTH 1
#define ROWS 1
#define PAIR 1
#define TABLE ck_scalar
#include "vector.h"

#include "convolution.h"
#include "weight_gradient.h"
#include "winograd.h"
#include "strassen.h"
#include "elementwise.h"
#include "table.h"
