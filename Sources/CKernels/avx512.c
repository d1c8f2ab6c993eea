// 16 lanes: AVX-512. A tile of 12 x 32 takes 24 of the 32 registers.
// Without min_vector_width clang splits 512-bit vectors in two for most CPUs.
#include "CKernels.h"
#include <string.h>
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512))), \
                             apply_to = function)
#define WIDTH 16
#define ROWS 12
#define PAIR 2
#define TABLE ck_avx512
#include "vector.h"

#include "convolution.h"
#include "weight_gradient.h"
#include "winograd.h"
#include "strassen.h"
#include "elementwise.h"
#include "table.h"
#pragma clang attribute pop
#endif
