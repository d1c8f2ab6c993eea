// Matrix products by halves (Strassen 1969, in Winograd's form with 7 products of halves instead of 8): 1x1 convolutions whose
// pixels, input channels and output channels are each taken in two. docs/numerics.md has the sums.
// Included after convolution.h.
#include "strassen_sizes.h"

enum { AHEAD = 32 * CK_PANEL };  // floats from the weights in use to those that are prefetched

/// Keeps what a tile holds.
#define COPY(TO, FROM) UNROLL for (int i = 0; i < SIZE; i++) TO[i] = FROM[i];

/// Stores a tile for the first or second pixels of its pairs.
#define WRITE_HALF(N, PIXEL) \
    { \
        float *const *targets = pairTargets[PIXEL]; \
        const int count = counts[PIXEL]; \
        WRITE_TILE(ROWS, N) \
    }

// ROWS pairs of pixels x up to PAIR panels of each half. The products follow each other in the registers, each starting from what
// its sum holds already; `x` has their left sides, PRODUCTS rows of `pieceStride` for each pair. With each product, the next `piece`
// floats of `ahead` are prefetched.
#define STRASSEN_TILE(NAME, PANELS) \
    static void NAME(const CKConvolution *c, const float *x, int64_t pieceStride, float *const(*pairTargets)[ROWS], const int *counts, \
                     int32_t panel, const float *ahead, int64_t piece) { \
        enum { N = PANELS * VECTORS, SIZE = ROWS * N }; \
        const int64_t half = c->channels / 2, rowStride = PRODUCTS * pieceStride, panelStride = c->panelStride; \
        const float *w = c->weights + panel * panelStride; \
        for (int pixel = 0; pixel < 2; pixel++) { \
            prefetchAddends(c, pairTargets[pixel], counts[pixel], panel, PANELS); \
            prefetchAddends(c, pairTargets[pixel], counts[pixel], panel + c->panelsPerBlock / 2, PANELS); \
        } \
        vf acc[SIZE], first[SIZE], second[SIZE], third[SIZE]; \
        UNROLL for (int i = 0; i < SIZE; i++) acc[i] = splat(0); \
        for (int product = 0; product < PRODUCTS; product++, w += half * CK_PANEL, ahead += piece) { \
            prefetch(ahead, piece); \
            const float *a = x + product * pieceStride; \
            for (int64_t k = 0; k < half; k++, a++) { \
                vf b[N]; \
                UNROLL for (int p = 0; p < PANELS; p++) { \
                    const float *wk = w + p * panelStride + k * CK_PANEL; \
                    __builtin_prefetch(wk + AHEAD); \
                    UNROLL for (int v = 0; v < VECTORS; v++) b[p * VECTORS + v] = load(wk + v * WIDTH); \
                } \
                UNROLL for (int i = 0; i < ROWS; i++) { \
                    vf value = splat(a[i * rowStride]); \
                    UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = vfma(value, b[v], acc[i * N + v]); \
                } \
            } \
            switch (product) { \
                case 0: COPY(first, acc) break; \
                case 1: COPY(second, acc) break; \
                case 2: COPY(third, acc) break; \
                case 3: WRITE_HALF(N, 1) COPY(acc, first) break; \
                case 4: WRITE_HALF(N, 0) UNROLL for (int i = 0; i < SIZE; i++) acc[i] = splat(0); break; \
                case 5: \
                    UNROLL for (int i = 0; i < SIZE; i++) first[i] = second[i] + acc[i], acc[i] = third[i] + acc[i]; \
                    panel += c->panelsPerBlock / 2; \
                    WRITE_HALF(N, 1) COPY(acc, first) break; \
                default: WRITE_HALF(N, 0) \
            } \
        } \
    }

STRASSEN_TILE(strassenTile1, 1)
#if PAIR == 2
STRASSEN_TILE(strassenTile2, 2)
#else
#define strassenTile2 strassenTile1  // PAIR is 1
#endif

/// Left sides of the seven products for a pair of pixels.
static void strassenInputs(const float *p, const float *q, int64_t half, int64_t pieceStride, float *out) {
    for (int64_t k = 0; k < half; k += WIDTH) {
        vf p1 = load(p + k), p2 = load(p + half + k), q1 = load(q + k), q2 = load(q + half + k);
        vf s1 = q1 + q2, s2 = s1 - p1;
        const vf pieces[PRODUCTS] = {p1, s2, p1 - q1, q2, p2, s1, p2 - s2};
        UNROLL for (int i = 0; i < PRODUCTS; i++) store(out + i * pieceStride + k, pieces[i]);
    }
}

/// Right sides: [panel of the first half][7][half of the channels][16].
static void strassenWeights(const float *weights, int32_t channels, int32_t panels, int32_t panel0, int32_t panel1, float *out) {
    const int64_t half = channels / 2 * CK_PANEL;
    for (int32_t panel = panel0; panel < panel1; panel++) {
        const float *low = weights + panel * 2 * half, *high = low + panels / 2 * 2 * half;
        float *target = out + panel * PRODUCTS * half;
        for (int64_t i = 0; i < half; i += WIDTH) {
            vf b11 = load(low + i), b21 = load(low + half + i), b12 = load(high + i), b22 = load(high + half + i);
            vf t1 = b12 - b11, t2 = b22 - t1;
            const vf pieces[PRODUCTS] = {b11, t2, b22 - b12, b21 - t2, b21, t1, b22};
            UNROLL for (int j = 0; j < PRODUCTS; j++) store(target + j * half + i, pieces[j]);
        }
    }
}

static void strassen(const CKConvolution *c, int64_t pair0, int64_t pair1, float *workspace) {
    const int64_t grid = (int64_t)c->gridHeight * c->gridWidth, pairs = (grid + 1) / 2;
    const int64_t half = c->channels / 2, pieceStride = strassenPieceStride(c->channels);
    const int32_t panels = c->panelsPerBlock / 2;
    // Each product prefetches a piece of what the next pairs read, where that is one run.
    const int64_t pieces = PRODUCTS * ((panels + PAIR - 1) / PAIR);
    const int64_t piece = c->step == 1 ? (2 * ROWS * c->inputPixelStride / pieces + CK_PANEL - 1) / CK_PANEL * CK_PANEL : 0;
    for (int64_t first = pair0; first < pair1; first += ROWS) {
        const int count = pair1 - first < ROWS ? (int)(pair1 - first) : ROWS;
        float *targets[2][ROWS];
        int counts[2] = {count, 0};
        for (int64_t pair = first; pair < first + count; pair++) {
            // An image's last pixel may have no partner. It comes last in the tile, which is too small for two of that kind.
            const int isSingle = 2 * (pair % pairs) + 1 == grid, i = isSingle ? count - 1 : counts[1]++;
            const float *x[2] = {c->zeros, c->zeros};
            for (int pixel = 0; pixel < 2 - isSingle; pixel++) {
                const int64_t image = pair / pairs, at = 2 * (pair % pairs) + pixel, row = at / c->gridWidth, column = at % c->gridWidth;
                x[pixel] = c->input + image * c->inputImageStride + (row * c->inputRowStride + column * c->inputPixelStride) * c->step;
                targets[pixel][i] = c->output + image * c->outputImageStride + row * c->outputRowStride + column * c->outputPixelStride;
            }
            strassenInputs(x[0], x[1], half, pieceStride, workspace + i * PRODUCTS * pieceStride);
        }
        // Rows beyond the last pair hold what was there before; their sums are not stored.
        const int64_t pixel = first / pairs * grid + 2 * (first % pairs);
        const float *ahead =
            c->prefetchBase ? c->prefetchBase + pixel * c->inputPixelStride : c->input + (pixel + 2 * ROWS) * c->inputPixelStride;
        for (int32_t panel = 0; panel < panels; panel += PAIR, ahead += PRODUCTS * piece)
            (panels - panel >= 2 ? strassenTile2 : strassenTile1)(c, workspace, pieceStride, (float *const(*)[ROWS])targets, counts, panel,
                                                                  ahead, piece);
    }
    if (c->bypassesCache) endStreams();
}
