// The vector type of one instruction set. WIDTH (lanes) is set by the file that includes this.
//
// Every operation here rounds lane by lane as IEEE 754 says, so WIDTH does not show in the bits.
#include "CKernels.h"
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // no vector crosses a call: all of this is inlined

#define INLINE static inline __attribute__((always_inline))

#if WIDTH == 1
typedef float vf;
typedef int32_t vi;
typedef double vd;
typedef float vfu;
typedef double vdu;
INLINE vf vfma(vf a, vf b, vf c) { return __builtin_fmaf(a, b, c); }
INLINE vf splat(float x) { return x; }
INLINE vi greater(vf a, vf b) { return -(a > b); }
INLINE vi atMost(vf a, vf b) { return -(a <= b); }
INLINE vi isNone(vf x) { return -(x != x); }
INLINE vi toInt(vf x) { return (vi)x; }
INLINE vf vsqrt(vf x) { return __builtin_sqrtf(x); }
INLINE vd widen(vf x) { return (double)x; }
INLINE vf interleaveLow(vf a, vf b) { return (void)b, a; }
INLINE vf interleaveHigh(vf a, vf b) { return (void)a, b; }
INLINE vf narrow(vd x) { return (float)x; }
#else
typedef float vf __attribute__((vector_size(WIDTH * 4)));
typedef int32_t vi __attribute__((vector_size(WIDTH * 4)));
typedef double vd __attribute__((vector_size(WIDTH * 8)));
typedef float vfu __attribute__((vector_size(WIDTH * 4), aligned(4)));
typedef double vdu __attribute__((vector_size(WIDTH * 8), aligned(8)));
INLINE vf vfma(vf a, vf b, vf c) { return __builtin_elementwise_fma(a, b, c); }
INLINE vf splat(float x) { return x - (vf){}; }
INLINE vi greater(vf a, vf b) { return (vi)(a > b); }
INLINE vi atMost(vf a, vf b) { return (vi)(a <= b); }
INLINE vi isNone(vf x) { return (vi)(x != x); }
INLINE vi toInt(vf x) { return __builtin_convertvector(x, vi); }
INLINE vf vsqrt(vf x) { return __builtin_elementwise_sqrt(x); }
INLINE vd widen(vf x) { return __builtin_convertvector(x, vd); }
INLINE vf narrow(vd x) { return __builtin_convertvector(x, vf); }
#endif

#if WIDTH == 16
INLINE vf interleaveLow(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
INLINE vf interleaveHigh(vf a, vf b) { return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); }
#elif WIDTH == 8
INLINE vf interleaveLow(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
INLINE vf interleaveHigh(vf a, vf b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#endif

enum { VECTORS = CK_PANEL / WIDTH };  // vectors in a panel

INLINE vf load(const float *p) { return *(const vfu *)p; }
INLINE void store(float *p, vf x) { *(vfu *)p = x; }
/// Stores past the caches, for what nobody reads before it would have left them anyway; `p` is aligned to a vector.
INLINE void stream(float *p, vf x) {
#if WIDTH == 1
    *p = x;
#else
    __builtin_nontemporal_store(x, (vf *)p);
#endif
}
/// Makes what was streamed visible to other threads, as they expect it after this one has said that it is done.
INLINE void endStreams(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}
/// Prefetches a run of memory, from its start to its end, as the hardware does it fastest.
INLINE void prefetch(const float *p, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) __builtin_prefetch(p + i);
}
INLINE vd loadDouble(const double *p) { return *(const vdu *)p; }
INLINE void storeDouble(double *p, vd x) { *(vdu *)p = x; }

INLINE vi bits(vf x) {
    vi r;
    memcpy(&r, &x, sizeof r);
    return r;
}
INLINE vf fromBits(vi x) {
    vf r;
    memcpy(&r, &x, sizeof r);
    return r;
}
/// mask ? a : b, lane by lane; a mask is all ones or all zeros.
INLINE vf choose(vi mask, vf a, vf b) { return fromBits((mask & bits(a)) | (~mask & bits(b))); }

/// e^-x within 1 ulp for x in [-88, 87]; clamped outside.
/// Cody-Waite reduction by ln 2 in two parts, then a polynomial of degree 6 with minimal greatest error, all in fma. The remainder is
/// that of x and not of -x, so the odd coefficients' signs are turned: docs/numerics.md's bits with nothing to negate.
INLINE vf vexpOfNegative(vf x) {
    x = choose(greater(x, splat(87.0f)), splat(87.0f), x);
    x = choose(greater(splat(-88.0f), x), splat(-88.0f), x);
    const vf magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    vf n = vfma(x, splat(-1.44269504f), magic) - magic;
    vf r = vfma(n, splat(0.693359375f), x);
    r = vfma(n, splat(-2.12194440e-4f), r);
    vf p = splat(0.0013814539f);
    p = vfma(p, r, splat(-0.008368745f));
    p = vfma(p, r, splat(0.04166839f));
    p = vfma(p, r, splat(-0.16666521f));
    p = vfma(p, r, splat(0.49999994f));
    p = vfma(p, r, splat(-1.0f));
    p = vfma(p, r, splat(1.0f));
    return fromBits(bits(p) + (toInt(n) << 23));
}

INLINE vf vsigmoid(vf x) { return splat(1.0f) / (splat(1.0f) + vexpOfNegative(x)); }

INLINE vf activated(vf z, CKActivation kind) {
    switch (kind) {
        case CK_RELU: return fromBits(~atMost(z, splat(0)) & bits(z));
        case CK_SWISH: return z / (splat(1.0f) + vexpOfNegative(z));
        case CK_SIGMOID: return vsigmoid(z);
        default: return z;
    }
}

/// dy times the activation's derivative at z.
INLINE vf activationGradient(vf z, vf dy, CKActivation kind) {
    switch (kind) {
        case CK_RELU: return fromBits(~atMost(z, splat(0)) & bits(dy));
        case CK_SWISH: {
            vf s = vsigmoid(z);
            return dy * (s * vfma(z, splat(1.0f) - s, splat(1.0f)));
        }
        case CK_SIGMOID: {
            vf s = vsigmoid(z);
            return dy * (s * (splat(1.0f) - s));
        }
        default: return dy;
    }
}
