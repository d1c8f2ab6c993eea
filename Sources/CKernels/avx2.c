// 8 lanes: AVX2 and FMA. A tile of 6 x 16 takes 12 of the 16 registers.
#include "CKernels.h"
#include <string.h>
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"), min_vector_width(256))), apply_to = function)
#define WIDTH 8
#define ROWS 6
#define PAIR 1
#define TABLE ck_avx2
#include "vector.h"

#include "convolution.h"
#include "weight_gradient.h"
#include "winograd.h"
#include "strassen.h"
#include "elementwise.h"
#include "table.h"
#pragma clang attribute pop
#endif
