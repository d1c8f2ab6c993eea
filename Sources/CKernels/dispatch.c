#include "CKernels.h"

#include "strassen_sizes.h"
#include "winograd_sizes.h"

extern const CKKernels ck_scalar, ck_scalar_fma, ck_avx2, ck_avx512;

int ck_supports(CKInstructionSet set) {
#if defined(__x86_64__)
    switch (set) {
        case CK_SCALAR: return 1;
        case CK_SCALAR_FMA: return __builtin_cpu_supports("fma");
        case CK_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case CK_AVX512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl");
    }
    return 0;
#else
    return set == CK_SCALAR;
#endif
}

CKInstructionSet ck_best_instruction_set(void) {
    for (int set = CK_AVX512; set > CK_SCALAR; set--)
        if (ck_supports((CKInstructionSet)set)) return (CKInstructionSet)set;
    return CK_SCALAR;
}

const CKKernels *ck_kernels(CKInstructionSet set) {
#if defined(__x86_64__)
    switch (set) {
        case CK_SCALAR_FMA: return &ck_scalar_fma;
        case CK_AVX2: return &ck_avx2;
        case CK_AVX512: return &ck_avx512;
        default: return &ck_scalar;
    }
#else
    (void)set;
    return &ck_scalar;
#endif
}

int64_t ck_winograd_workspace(int64_t pixelStride, int32_t panels) {
    const int64_t tiles = winogradTiles(pixelStride);
    return POSITIONS * (positionStride(tiles, pixelStride) + positionStride(tiles, (int64_t)panels * CK_PANEL));
}

int64_t ck_strassen_workspace(int32_t channels) { return MOST_PAIRS * PRODUCTS * strassenPieceStride(channels); }
