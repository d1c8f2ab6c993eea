// The same plain C with the CPU's own fma instruction: what REPRO_ISA=scalar runs where there is one.
#include "CKernels.h"
#include <string.h>
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("fma"))), apply_to = function)
#define WIDTH 1
#define ROWS 2
#define PAIR 1
#define TABLE ck_scalar_fma
#include "vector.h"

#include "convolution.h"
#include "weight_gradient.h"
#include "winograd.h"
#include "strassen.h"
#include "elementwise.h"
#include "table.h"
#pragma clang attribute pop
#endif
