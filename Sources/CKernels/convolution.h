// Convolutions: each output element is one chain acc = fma(x, w, acc), taps outermost, input channels inside.
//
// A tile of ROWS grid points x up to PAIR panels is kept in registers. `rows` holds, per tap, where each of the tile's
// points reads; a tap outside the input reads zeros, which take part in the chain.
// WIDTH, ROWS and PAIR are set by the file that includes this.

enum { BLOCK = 8 };                // tiles whose addresses are computed at once
enum { SMALL_WEIGHTS = 1 << 16 };  // floats

#define UNROLL _Pragma("clang loop unroll(full)")

/// What follows the chain: bias, the sum with what is there, a batch norm with its activation, a residual.
static __attribute__((noinline)) void finishTile(const CKConvolution *c, float *const *targets, int count, int64_t lane, const vf *acc,
                                                 int vectors) {
    for (int v = 0; v < vectors; v++, lane += WIDTH) {
        vf bias = c->bias ? load(c->bias + lane) : splat(0);
        vf scale = c->scale ? load(c->scale + lane) : splat(0), shift = c->scale ? load(c->shift + lane) : splat(0);
        for (int i = 0; i < count; i++) {
            vf value = acc[i * vectors + v];
            if (c->bias) value = value + bias;
            if (c->accumulate) value = load(targets[i] + lane) + value;
            if (c->scale) value = activated(vfma(value, scale, shift), c->activation);
            if (c->residual) value = activated(value + load(c->residual + (targets[i] - c->output) + lane), c->residualActivation);
            if (c->bypassesCache) stream(targets[i] + lane, value);
            else store(targets[i] + lane, value);
        }
    }
}

/// The same where all that follows is a batch norm with swish: nothing to decide between the vectors, which then overlap.
static __attribute__((noinline)) void finishSwish(const CKConvolution *c, float *const *targets, int count, int64_t lane, const vf *acc,
                                                  int vectors) {
    for (int v = 0; v < vectors; v++, lane += WIDTH) {
        const vf scale = load(c->scale + lane), shift = load(c->shift + lane);
        if (c->bypassesCache)
            for (int i = 0; i < count; i++) stream(targets[i] + lane, activated(vfma(acc[i * vectors + v], scale, shift), CK_SWISH));
        else
            for (int i = 0; i < count; i++) store(targets[i] + lane, activated(vfma(acc[i * vectors + v], scale, shift), CK_SWISH));
    }
}

INLINE int isSwish(const CKConvolution *c) { return c->scale && !c->bias && !c->accumulate && c->activation == CK_SWISH && !c->residual; }

/// Whether all that follows the chain is a batch norm without an exponential function, with or without a residual.
INLINE int isAffine(const CKConvolution *c) {
    return c->scale && !c->bias && !c->accumulate && c->activation <= CK_RELU && c->residualActivation <= CK_RELU;
}

/// Does what follows the chain in registers, for a whole tile of an affine epilogue.
#define FINISH_AFFINE(POINTS, N) \
    UNROLL for (int v = 0; v < N; v++) { \
        const vf scale = load(c->scale + lane + v * WIDTH), shift = load(c->shift + lane + v * WIDTH); \
        UNROLL for (int i = 0; i < POINTS; i++) acc[i * N + v] = vfma(acc[i * N + v], scale, shift); \
    } \
    if (c->activation == CK_RELU) UNROLL for (int i = 0; i < POINTS * N; i++) acc[i] = activated(acc[i], CK_RELU); \
    if (c->residual) { \
        const int64_t there = c->residual - c->output; \
        UNROLL for (int i = 0; i < POINTS; i++) { \
            UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = acc[i * N + v] + load(targets[i] + there + lane + v * WIDTH); \
        } \
        if (c->residualActivation == CK_RELU) UNROLL for (int i = 0; i < POINTS * N; i++) acc[i] = activated(acc[i], CK_RELU); \
    }

/// Whether all that follows the chain is the sum with what is there.
INLINE int isSum(const CKConvolution *c) { return c->accumulate && !c->bias && !c->scale && !c->residual; }

#define FINISH_SUM(POINTS, N) \
    UNROLL for (int i = 0; i < POINTS; i++) { \
        UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = load(targets[i] + lane + v * WIDTH) + acc[i * N + v]; \
    }

/// Asks for what the end of a tile adds to its sums, before they begin.
INLINE void prefetchAddends(const CKConvolution *c, float *const *targets, int count, int32_t panel, const int panels) {
    if (!c->accumulate && !c->residual) return;
    const int64_t lane = (int64_t)panel * CK_PANEL + (c->residual ? c->residual - c->output : 0);
    for (int i = 0; i < count; i++)
        for (int p = 0; p < panels; p++) __builtin_prefetch(targets[i] + lane + p * CK_PANEL);
}

/// Stores a tile. The copy lets the compiler keep `acc` in registers, whatever comes after.
#define WRITE_TILE(POINTS, N) \
    int64_t lane = (int64_t)panel * CK_PANEL; \
    if (count == POINTS && (!c->hasEpilogue || isAffine(c) || isSum(c))) { \
        if (c->accumulate) { \
            FINISH_SUM(POINTS, N) \
        } else if (c->hasEpilogue) { \
            FINISH_AFFINE(POINTS, N) \
        } \
        if (c->bypassesCache) { \
            UNROLL for (int i = 0; i < POINTS; i++) { \
                UNROLL for (int v = 0; v < N; v++) stream(targets[i] + lane + v * WIDTH, acc[i * N + v]); \
            } \
        } else { \
            UNROLL for (int i = 0; i < POINTS; i++) { \
                UNROLL for (int v = 0; v < N; v++) store(targets[i] + lane + v * WIDTH, acc[i * N + v]); \
            } \
        } \
    } else { \
        vf finished[POINTS * N]; \
        UNROLL for (int i = 0; i < POINTS * N; i++) finished[i] = acc[i]; \
        if (isSwish(c)) finishSwish(c, targets, count, lane, finished, N); \
        else finishTile(c, targets, count, lane, finished, N); \
    }

/// Each input channel's step prefetches `pace` floats of `ahead`, which arrive while the sums go on.
#define DENSE_TILE(NAME, PANELS) \
    static void NAME(const CKConvolution *c, const float *const *rows, float *const *targets, int count, int32_t panel, \
                     const float *ahead, int64_t pace) { \
        enum { N = PANELS * VECTORS }; \
        prefetchAddends(c, targets, count, panel, PANELS); \
        vf acc[ROWS * N]; \
        UNROLL for (int i = 0; i < ROWS * N; i++) acc[i] = splat(0); \
        const int64_t block = (int64_t)(panel / c->panelsPerBlock) * c->channels; \
        const float *panelWeights = c->weights + panel * c->panelStride; \
        const int64_t channels = c->channels, panelStride = c->panelStride; \
        for (int32_t t = 0; t < c->tapCount; t++) { \
            const float *w = panelWeights + c->taps[t].weights; \
            const float *row[ROWS]; \
            UNROLL for (int i = 0; i < ROWS; i++) row[i] = rows[t * ROWS + i] + block; \
            for (int64_t k = 0; k < channels; k++) { \
                __builtin_prefetch(ahead + k * pace); \
                vf b[N]; \
                UNROLL for (int p = 0; p < PANELS; p++) { \
                    UNROLL for (int v = 0; v < VECTORS; v++) b[p * VECTORS + v] = load(w + p * panelStride + k * CK_PANEL + v * WIDTH); \
                } \
                UNROLL for (int i = 0; i < ROWS; i++) { \
                    vf a = splat(row[i][k]); \
                    UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = vfma(a, b[v], acc[i * N + v]); \
                } \
            } \
        } \
        WRITE_TILE(ROWS, N) \
    }

DENSE_TILE(denseTile1, 1)
#if PAIR == 2
DENSE_TILE(denseTile2, 2)
#define WIDE_TILE denseTile2
#else
#define WIDE_TILE denseTile1
#endif

// Groups of 4 and 8 channels: a panel's inputs are its own 16 channels, and each lane needs the G of its group. Within a vector
// these are neighbours, so one load serves all of them. Weights are packed as [tap][G inputs][16 outputs].

#if WIDTH == 16
#define IN_GROUP(x, v, G, J) \
    __builtin_shufflevector(load(x), load(x), 0 / G * G + J, 1 / G * G + J, 2 / G * G + J, 3 / G * G + J, 4 / G * G + J, 5 / G * G + J, \
                            6 / G * G + J, 7 / G * G + J, 8 / G * G + J, 9 / G * G + J, 10 / G * G + J, 11 / G * G + J, 12 / G * G + J, \
                            13 / G * G + J, 14 / G * G + J, 15 / G * G + J)
#elif WIDTH == 8
#define IN_GROUP(x, v, G, J) \
    __builtin_shufflevector(load((x) + v * WIDTH), load((x) + v * WIDTH), 0 / G * G + J, 1 / G * G + J, 2 / G * G + J, 3 / G * G + J, \
                            4 / G * G + J, 5 / G * G + J, 6 / G * G + J, 7 / G * G + J)
#else
#define IN_GROUP(x, v, G, J) (x)[v / G * G + J]
#endif

#define EACH_OF_4(STEP, G) STEP(G, 0) STEP(G, 1) STEP(G, 2) STEP(G, 3)
#define EACH_OF_8(STEP, G) EACH_OF_4(STEP, G) STEP(G, 4) STEP(G, 5) STEP(G, 6) STEP(G, 7)

enum { STRIP = ROWS % 6 ? ROWS : 6 };  // rows whose chains alternate, so that no step waits for the one before

#define GROUP_STEP(G, J) \
    UNROLL for (int i = 0; i < STRIP; i++) sums[i] = vfma(IN_GROUP(x[i], v, G, J), load(w + J * CK_PANEL + v * WIDTH), sums[i]);

#define GROUP_TILE(NAME, G, EACH) \
    static void NAME(const CKConvolution *c, const float *packed, const float *const *rows, float *const *targets, int count, \
                     int32_t panel) { \
        vf acc[ROWS * VECTORS]; \
        UNROLL for (int v = 0; v < VECTORS; v++) { \
            UNROLL for (int strip = 0; strip < ROWS; strip += STRIP) { \
                vf sums[STRIP]; \
                UNROLL for (int i = 0; i < STRIP; i++) sums[i] = splat(0); \
                for (int32_t t = 0; t < c->tapCount; t++) { \
                    const float *w = packed + t * G * CK_PANEL; \
                    const float *x[STRIP]; \
                    UNROLL for (int i = 0; i < STRIP; i++) x[i] = rows[t * ROWS + strip + i] + (int64_t)panel * CK_PANEL; \
                    EACH(GROUP_STEP, G) \
                } \
                UNROLL for (int i = 0; i < STRIP; i++) acc[(strip + i) * VECTORS + v] = sums[i]; \
            } \
        } \
        WRITE_TILE(ROWS, VECTORS) \
    }

GROUP_TILE(groupTile4, 4, EACH_OF_4)
GROUP_TILE(groupTile8, 8, EACH_OF_8)

/// The weights of one panel without the zeros between the groups.
static void packGroups(const CKConvolution *c, int32_t panel, float *packed) {
    for (int32_t t = 0; t < c->tapCount; t++)
        for (int32_t j = 0; j < c->group; j++)
            for (int32_t lane = 0; lane < CK_PANEL; lane++)
                *packed++ = c->weights[panel * c->panelStride + c->taps[t].weights + (lane / c->group * c->group + j) * CK_PANEL + lane];
}

enum { MAX_TAPS = 64 };

/// What is the same for all tiles: the taps' distances in the input, and the farthest they reach.
typedef struct {
    int64_t offsets[MAX_TAPS];
    int32_t top, bottom, left, right;
} Reach;

static Reach reach(const CKConvolution *c) {
    Reach r = {.top = 0, .bottom = 0, .left = 0, .right = 0};
    for (int32_t t = 0; t < c->tapCount; t++) {
        CKTap tap = c->taps[t];
        r.offsets[t] = tap.row * c->inputRowStride + tap.column * c->inputPixelStride;
        if (tap.row < r.top) r.top = tap.row;
        if (tap.row > r.bottom) r.bottom = tap.row;
        if (tap.column < r.left) r.left = tap.column;
        if (tap.column > r.right) r.right = tap.column;
    }
    return r;
}

/// A grid point, to go from one to the next without divisions.
typedef struct {
    int64_t image;
    int32_t a, b;
} Point;

INLINE Point pointOf(const CKConvolution *c, int64_t pixel) {
    const int64_t grid = (int64_t)c->gridHeight * c->gridWidth;
    return (Point){pixel / grid, (int32_t)(pixel % grid / c->gridWidth), (int32_t)(pixel % grid % c->gridWidth)};
}

/// Where the tile of the next `count` points reads and writes; points past the end read zeros and are not written.
static void tileAddresses(const CKConvolution *c, const Reach *r, Point *next, int count, const float **rows, float **targets) {
    Point at = *next;
    const int isPoint = c->tapCount == 1 && c->taps[0].row == 0 && c->taps[0].column == 0 &&
                        (c->gridHeight - 1) * c->step < c->inputHeight && (c->gridWidth - 1) * c->step < c->inputWidth;
    for (int i = 0; i < count;) {
        // The points up to the end of the row.
        const int end = c->gridWidth - at.b < count - i ? i + c->gridWidth - at.b : count;
        const int32_t y = at.a * c->step;
        int32_t x = at.b * c->step;
        const float *base = c->input + at.image * c->inputImageStride + y * c->inputRowStride + x * c->inputPixelStride;
        float *target = c->output + at.image * c->outputImageStride + at.a * c->outputRowStride + at.b * c->outputPixelStride;
        const int rowsInside = y + r->top >= 0 && y + r->bottom < c->inputHeight;
        at.b += end - i;
        for (; i < end; i++, x += c->step, base += c->step * c->inputPixelStride, target += c->outputPixelStride) {
            targets[i] = target;
            if (isPoint) {
                rows[i] = base;
            } else if (rowsInside && x + r->left >= 0 && x + r->right < c->inputWidth) {
                for (int32_t t = 0; t < c->tapCount; t++) rows[t * ROWS + i] = base + r->offsets[t];
            } else {
                for (int32_t t = 0; t < c->tapCount; t++) {
                    int32_t row = y + c->taps[t].row, column = x + c->taps[t].column;
                    int inside = row >= 0 && row < c->inputHeight && column >= 0 && column < c->inputWidth;
                    rows[t * ROWS + i] = inside ? base + r->offsets[t] : c->zeros;
                }
            }
        }
        if (at.b == c->gridWidth) {
            at.b = 0;
            if (++at.a == c->gridHeight) {
                at.a = 0;
                at.image++;
            }
        }
    }
    *next = at;
    for (int i = count; i < ROWS; i++)
        for (int32_t t = 0; t < c->tapCount; t++) rows[t * ROWS + i] = c->zeros;
}

/// Tiles of groups read narrow columns of wide pixels. What the next tile is the first to read is prefetched in one run, a piece with
/// each panel of this one.
static void prefetchPiece(const CKConvolution *c, const Reach *r, int64_t pixel, int32_t panel) {
    const int64_t grid = (int64_t)c->gridHeight * c->gridWidth;
    const int64_t row = pixel % grid / c->gridWidth * c->step + r->bottom, column = pixel % grid % c->gridWidth * c->step + r->right;
    const int64_t piece = ROWS * c->step * CK_PANEL;
    if (row < c->inputHeight)
        prefetch(c->input + pixel / grid * c->inputImageStride + row * c->inputRowStride + column * c->inputPixelStride + panel * piece,
                 piece);
}

enum { PAGE = 1024, MOST_SPREAD = 2 * PAGE };  // floats

/// Whether a tile's pixels lie multiples of 4096 bytes apart. They would meet in one set of the first-level cache, which holds
/// fewer than a tile has.
INLINE int meetInCache(const CKConvolution *c) {
    return c->tapCount == 1 && c->inputPixelStride % PAGE == 0 && c->channels <= MOST_SPREAD && c->channels == c->inputPixelStride;
}

/// Copies a tile's pixels to where they do not meet.
static void spread(const CKConvolution *c, const float **rows, float *copies) {
    for (int i = 0; i < ROWS; i++, copies += c->channels + CK_PANEL) {
        memcpy(copies, rows[i], sizeof(float) * (size_t)c->channels);
        rows[i] = copies;
    }
}

#include "depthwise.h"

enum { PACKED_PANELS = 16, PACKED_TAPS = 9 };

static void convolution(const CKConvolution *c, int64_t pixel0, int64_t pixel1, int32_t panel0, int32_t panel1) {
    if (!c->channels) return depthwise(c, pixel0, pixel1, panel0, panel1);
    float packed[PACKED_PANELS][PACKED_TAPS * 8 * CK_PANEL];
    if (c->group) {
        for (; panel1 - panel0 > PACKED_PANELS; panel0 += PACKED_PANELS) convolution(c, pixel0, pixel1, panel0, panel0 + PACKED_PANELS);
        for (int32_t panel = panel0; panel < panel1; panel++) packGroups(c, panel, packed[panel - panel0]);
    }
    const float *rows[BLOCK][MAX_TAPS * ROWS];
    float *targets[BLOCK][ROWS];
    int counts[BLOCK];
    const Reach r = reach(c);
    Point next = pointOf(c, pixel0);
    float copies[ROWS * (MOST_SPREAD + CK_PANEL)];
    const int spreads = meetInCache(c);
    // Few weights stay in the cache while one tile goes through all panels; of many, a panel serves several tiles, if these are not copied.
    const int together = spreads || (panel1 - panel0) * c->panelStride <= SMALL_WEIGHTS ? 1 : BLOCK;
    // A 1x1 convolution reads pixels one after the other: each tile prefetches a piece of the next tiles' pixels.
    const int isRun = c->tapCount == 1 && c->step == 1 && !c->group;
    const int64_t run = (int64_t)together * ROWS * c->inputPixelStride, pieces = (int64_t)together * ((panel1 - panel0 + PAIR - 1) / PAIR);
    const int64_t piece = isRun ? (run / pieces + CK_PANEL - 1) / CK_PANEL * CK_PANEL : 0, pace = (piece + c->channels - 1) / c->channels;
    for (int64_t first = pixel0; first < pixel1; first += together * ROWS) {
        int tiles = 0;
        const float *ahead =
            c->prefetchBase ? c->prefetchBase + first * c->inputPixelStride : c->input + (first + together * ROWS) * c->inputPixelStride;
        for (int64_t pixel = first; pixel < pixel1 && tiles < together; pixel += ROWS, tiles++) {
            counts[tiles] = pixel1 - pixel < ROWS ? (int)(pixel1 - pixel) : ROWS;
            tileAddresses(c, &r, &next, counts[tiles], rows[tiles], targets[tiles]);
        }
        if (spreads) spread(c, rows[0], copies);
        for (int32_t panel = panel0; panel < panel1;) {
            int32_t left = panel1 - panel, inBlock = c->panelsPerBlock - panel % c->panelsPerBlock;
            int width = PAIR == 2 && left >= 2 && inBlock >= 2 ? 2 : 1;
            for (int tile = 0; tile < tiles; tile++) {
                if (c->group) prefetchPiece(c, &r, first + together * ROWS, panel);
                if (c->group)
                    (c->group == 4 ? groupTile4 : groupTile8)(c, packed[panel - panel0], rows[tile], targets[tile], counts[tile], panel);
                else (width == PAIR ? WIDE_TILE : denseTile1)(c, rows[tile], targets[tile], counts[tile], panel, ahead, pace);
                ahead += piece;
            }
            panel += width;
        }
    }
    if (c->bypassesCache) endStreams();
}
