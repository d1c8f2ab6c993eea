// Weight gradients: each element is one chain over a grain's grid points, in order; partial sums are kept in `sums`.
// Included after convolution.h.

enum { POINTS = 64 };  // grid points at a time: what they read stays in the cache

/// Where tap `tap` reads for the grid points [point0, point0 + count) of a run of images.
static void pointAddresses(const CKConvolution *g, const CKTap *tap, int64_t point0, int count, const float **x) {
    const int64_t grid = (int64_t)g->gridHeight * g->gridWidth;
    int64_t image = point0 / grid, rest = point0 % grid;
    int32_t a = (int32_t)(rest / g->gridWidth), b = (int32_t)(rest % g->gridWidth);
    for (int i = 0; i < count; i++) {
        int32_t row = a * g->step + tap->row, column = b * g->step + tap->column;
        int inside = row >= 0 && row < g->inputHeight && column >= 0 && column < g->inputWidth;
        x[i] = inside ? g->input + image * g->inputImageStride + row * g->inputRowStride + column * g->inputPixelStride : g->zeros;
        if (++b == g->gridWidth) {
            b = 0;
            if (++a == g->gridHeight) {
                a = 0;
                image++;
            }
        }
    }
}

/// What a tile prefetches, a little with each point: `count` floats a point from `input` on, and, if `gradient` is set, the output's
/// gradient of the next points.
typedef struct {
    const float *input;
    int64_t count;
    int32_t gradient;
} Ahead;

// A tile of CHANNELS input channels x PANELS output panels; `fresh` starts from zero instead of from what `sums` holds.
#define GRADIENT_TILE(NAME, CHANNELS, PANELS) \
    static void NAME(const float *const *x, int64_t offset, const float *dy, int64_t dyStride, int64_t count, float *sums, \
                     int64_t panelStride, int fresh, Ahead ahead) { \
        enum { N = PANELS * VECTORS }; \
        vf acc[CHANNELS * N]; \
        if (fresh) { \
            UNROLL for (int i = 0; i < CHANNELS * N; i++) acc[i] = splat(0); \
        } else { \
            UNROLL for (int i = 0; i < CHANNELS; i++) { \
                UNROLL for (int p = 0; p < PANELS; p++) { \
                    UNROLL for (int v = 0; v < VECTORS; v++) acc[i * N + p * VECTORS + v] = \
                        load(sums + p * panelStride + i * CK_PANEL + v * WIDTH); \
                } \
            } \
        } \
        const float *later = dy + (ahead.gradient ? POINTS * dyStride : 0); \
        for (int64_t n = 0; n < count; n++) { \
            __builtin_prefetch(ahead.input + n * ahead.count); \
            UNROLL for (int p = 0; p < PANELS; p++) __builtin_prefetch(later + n * dyStride + p * CK_PANEL); \
            const float *xn = x[n] + offset; \
            vf d[N]; \
            UNROLL for (int v = 0; v < N; v++) d[v] = load(dy + n * dyStride + v * WIDTH); \
            UNROLL for (int i = 0; i < CHANNELS; i++) { \
                vf a = splat(xn[i]); \
                UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = vfma(a, d[v], acc[i * N + v]); \
            } \
        } \
        UNROLL for (int i = 0; i < CHANNELS; i++) { \
            UNROLL for (int p = 0; p < PANELS; p++) { \
                UNROLL for (int v = 0; v < VECTORS; v++) \
                    store(sums + p * panelStride + i * CK_PANEL + v * WIDTH, acc[i * N + p * VECTORS + v]); \
            } \
        } \
    }

GRADIENT_TILE(gradientTileRows1, ROWS, 1)
#if ROWS > 1
GRADIENT_TILE(gradientTileOne1, 1, 1)
#else
#define gradientTileOne1 gradientTileRows1
#endif
#if PAIR == 2
GRADIENT_TILE(gradientTileRows2, ROWS, 2)
GRADIENT_TILE(gradientTileOne2, 1, 2)
GRADIENT_TILE(gradientTileFour1, 4, 1)
GRADIENT_TILE(gradientTileFour2, 4, 2)
#endif

/// A tile of at most `left` channels and `width` panels; returns how many channels it took.
static int gradientTile(const float *const *x, int64_t offset, int64_t left, const float *dy, int64_t dyStride, int64_t count, int width,
                        float *sums, int64_t panelStride, int fresh, Ahead ahead) {
#if PAIR == 2
    if (width == 2) {
        if (left >= ROWS) {
            gradientTileRows2(x, offset, dy, dyStride, count, sums, panelStride, fresh, ahead);
            return ROWS;
        }
        if (left >= 4) {
            gradientTileFour2(x, offset, dy, dyStride, count, sums, panelStride, fresh, ahead);
            return 4;
        }
        gradientTileOne2(x, offset, dy, dyStride, count, sums, panelStride, fresh, ahead);
        return 1;
    }
    if (left < ROWS && left >= 4) {
        gradientTileFour1(x, offset, dy, dyStride, count, sums, panelStride, fresh, ahead);
        return 4;
    }
#endif
    (void)width;
    if (left >= ROWS) {
        gradientTileRows1(x, offset, dy, dyStride, count, sums, panelStride, fresh, ahead);
        return ROWS;
    }
    gradientTileOne1(x, offset, dy, dyStride, count, sums, panelStride, fresh, ahead);
    return 1;
}

/// Panels that a tile may take from `panel` on: two where both read the same block.
INLINE int gradientWidth(const CKConvolution *g, int32_t panel, int32_t end) {
    return PAIR == 2 && g->channels && !g->group && end - panel >= 2 && g->panelsPerBlock - panel % g->panelsPerBlock >= 2 ? 2 : 1;
}

/// - prefetchBase: a run of `prefetchCount` floats to prefetch meanwhile, beside the output's gradient of the next points; NULL for nothing.
static void gradientPanels(const CKConvolution *g, const float *const *x, const float *dy, int64_t count, int32_t panel, int width,
                           float *sums, int fresh, const float *prefetchBase, int64_t prefetchCount) {
    const int64_t block = (int64_t)(panel / g->panelsPerBlock) * g->channels;
    const int64_t piece = prefetchCount * ROWS / g->channels;
    Ahead ahead = {.input = prefetchBase ? prefetchBase : dy, .count = (piece + POINTS - 1) / POINTS, .gradient = prefetchBase != NULL};
    for (int64_t k = 0; k < g->channels; ahead.input += piece, ahead.gradient = 0)
        k += gradientTile(x, block + k, g->channels - k, dy, g->outputPixelStride, count, width, sums + k * CK_PANEL, g->panelStride, fresh,
                          ahead);
}

/// What tiles that read narrow columns of wide pixels are the first to read of the next points: runs of which each panel prefetches a
/// piece, a cache line of either map with each point.
typedef struct {
    const float *input, *gradient;
    int32_t step;
} NextPoints;

/// The taps are in order, so the last reaches farthest.
static NextPoints nextPoints(const CKConvolution *g, int64_t point, int32_t panel) {
    const Point at = pointOf(g, point);
    const CKTap last = g->taps[g->tapCount - 1];
    const int64_t row = (int64_t)at.a * g->step + last.row, column = (int64_t)at.b * g->step + last.column;
    const int64_t piece = POINTS * CK_PANEL;
    const float *gradient = g->output + point * g->outputPixelStride + panel * piece;
    if (row >= g->inputHeight) return (NextPoints){.input = gradient, .gradient = gradient, .step = 1};
    const float *input =
        g->input + at.image * g->inputImageStride + row * g->inputRowStride + column * g->inputPixelStride + panel * piece * g->step;
    return (NextPoints){.input = input, .gradient = gradient, .step = g->step};
}

INLINE void prefetchPoint(NextPoints next, int n) {
    __builtin_prefetch(next.gradient + n * CK_PANEL);
    prefetch(next.input + n * next.step * CK_PANEL, next.step * CK_PANEL);
}

/// Depthwise: the taps' chains of one panel run side by side, up to 9 at once.
static void depthwiseGradient(const CKConvolution *g, const float *const (*x)[POINTS], int taps, const float *dy, int count, int32_t panel,
                              float *sums, int fresh, NextPoints next) {
    enum { MOST = 9 };
    const int64_t lane = (int64_t)panel * CK_PANEL;
    for (int v = 0; v < VECTORS; v++) {
        vf acc[MOST];
        UNROLL for (int t = 0; t < MOST; t++) acc[t] = t < taps && !fresh ? load(sums + t * CK_PANEL + v * WIDTH) : splat(0);
        for (int n = 0; n < count; n++) {
            if (v == 0) prefetchPoint(next, n);
            vf d = load(dy + n * g->outputPixelStride + v * WIDTH);
            UNROLL for (int t = 0; t < MOST; t++) acc[t] = vfma(load(x[t < taps ? t : 0][n] + lane + v * WIDTH), d, acc[t]);
        }
        for (int t = 0; t < taps; t++) store(sums + t * CK_PANEL + v * WIDTH, acc[t]);
    }
}

enum { GROUP_TAPS = 3 };  // whose chains run side by side

#define GROUP_GRADIENT_STEP(G, J) acc[t * G + J] = vfma(IN_GROUP(xn, v, G, J), d, acc[t * G + J]);

/// Groups of 4 and 8: GROUP_TAPS taps of one panel, each as [G inputs][16 outputs].
#define GROUP_GRADIENT(NAME, G, EACH) \
    static void NAME(const float *const(*x)[POINTS], int64_t lane, const float *dy, int64_t dyStride, int count, float *sums, int fresh, \
                     NextPoints next) { \
        UNROLL for (int v = 0; v < VECTORS; v++) { \
            vf acc[GROUP_TAPS * G]; \
            UNROLL for (int j = 0; j < GROUP_TAPS * G; j++) acc[j] = fresh ? splat(0) : load(sums + j * CK_PANEL + v * WIDTH); \
            for (int n = 0; n < count; n++) { \
                if (v == 0) prefetchPoint(next, n); \
                vf d = load(dy + n * dyStride + v * WIDTH); \
                UNROLL for (int t = 0; t < GROUP_TAPS; t++) { \
                    const float *xn = x[t][n] + lane; \
                    EACH(GROUP_GRADIENT_STEP, G) \
                } \
            } \
            UNROLL for (int j = 0; j < GROUP_TAPS * G; j++) store(sums + j * CK_PANEL + v * WIDTH, acc[j]); \
        } \
    }

GROUP_GRADIENT(groupGradient4, 4, EACH_OF_4)
GROUP_GRADIENT(groupGradient8, 8, EACH_OF_8)

static void weightGradient(const CKConvolution *g, int64_t image0, int64_t image1, int32_t panel0, int32_t panel1, float *sums) {
    const float *x[9][POINTS];
    const int64_t grid = (int64_t)g->gridHeight * g->gridWidth;
    for (int64_t point = image0 * grid; point < image1 * grid; point += POINTS) {
        int count = image1 * grid - point < POINTS ? (int)(image1 * grid - point) : POINTS;
        const int fresh = point == image0 * grid;
        const float *dy = g->output + point * g->outputPixelStride;
        const int32_t together = !g->channels ? 9 : g->group ? GROUP_TAPS : 1;
        const float *prefetchBase = g->input + (point + POINTS) * g->inputPixelStride;
        const int64_t prefetchCount = g->tapCount == 1 && g->step == 1 ? POINTS * g->inputPixelStride : 0;
        for (int32_t tap = 0; tap < g->tapCount; tap += together) {
            int taps = g->tapCount - tap < together ? g->tapCount - tap : together;
            for (int t = 0; t < taps; t++) pointAddresses(g, g->taps + tap + t, point, count, x[t]);
            for (int32_t panel = panel0; panel < panel1;) {
                int width = gradientWidth(g, panel, panel1);
                float *tapSums = sums + (panel - panel0) * g->panelStride + g->taps[tap].weights;
                const float *panelGradient = dy + (int64_t)panel * CK_PANEL;
                // Once per point: the other taps read the same memory.
                const NextPoints after = tap == 0 && (g->group || !g->channels) ? nextPoints(g, point + POINTS, panel)
                                                                                : (NextPoints){panelGradient, panelGradient, 0};
                if (g->group)
                    (g->group == 4 ? groupGradient4 : groupGradient8)(
                        (const float *const(*)[POINTS])x, (int64_t)panel * CK_PANEL, panelGradient, g->outputPixelStride, count,
                        sums + (panel - panel0) * g->panelStride + tap * g->group * CK_PANEL, fresh, after);
                else if (g->channels)
                    gradientPanels(g, x[0], panelGradient, count, panel, width, tapSums, fresh, prefetchBase,
                                   panel == panel0 ? prefetchCount : 0);
                else depthwiseGradient(g, x, taps, panelGradient, count, panel, tapSums, fresh, after);
                panel += width;
            }
        }
    }
}

// For dense convolutions of few points, all grains of a tile are summed before the next tile, so that partial sums stay in the
// first-level cache. A tile reads its channels of all points then; where pixels are far apart, they are copied to where those follow
// each other.

/// Copies the channels [channel0, channel1) of all points of a 1x1 convolution: [ROWS channels][points][ROWS].
static void packPoints(const CKConvolution *g, int64_t points, int32_t channel0, int32_t channel1, float *packed) {
    const float *x[CK_TREE_POINTS];
    pointAddresses(g, g->taps, 0, (int)points, x);
    // Some points at a time, whose pixels stay in the first-level cache.
    for (int64_t first = 0; first < points; first += ROWS) {
        const int64_t last = first + ROWS < points ? first + ROWS : points;
        for (int32_t k = channel0; k < channel1; k += ROWS) {
            const int32_t count = channel1 - k < ROWS ? channel1 - k : ROWS;
            float *target = packed + k * points;
            if (count == ROWS)
                for (int64_t n = first; n < last; n++) memcpy(target + n * ROWS, x[n] + k, sizeof(float) * ROWS);
            else
                for (int64_t n = first; n < last; n++) memcpy(target + n * ROWS, x[n] + k, sizeof(float) * (size_t)count);
        }
    }
}

/// One tile's sums of all grains, into the stack's first array; returns how many channels it took.
static int gradientTreeTile(const float *const *x, int64_t offset, int64_t left, const float *dy, int64_t dyStride, const int64_t *ends,
                            int32_t grains, int64_t grid, int width, float (*stack)[ROWS * PAIR * CK_PANEL]) {
    int taken = 0, height = 0;
    int64_t start = 0;
    for (int32_t grain = 0; grain < grains; grain++) {
        const int64_t end = ends[grain] * grid;
        taken = gradientTile(x + start, offset, left, dy + start * dyStride, dyStride, end - start, width, stack[height], ROWS * CK_PANEL,
                             1, (Ahead){.input = dy});
        start = end;
        height++;
        for (int32_t additions = ck_tree_additions(grain, grains); additions > 0; additions--, height--)
            for (int i = 0; i < ROWS * PAIR * CK_PANEL; i += WIDTH)
                store(stack[height - 2] + i, load(stack[height - 2] + i) + load(stack[height - 1] + i));
    }
    return taken;
}

static void weightGradientTree(const CKConvolution *g, const float *packed, const int64_t *ends, int32_t grains, int32_t panel0,
                               int32_t panel1, float *gradient, float *workspace) {
    const float *x[CK_TREE_POINTS];
    float stack[CK_TREE_LEVELS][ROWS * PAIR * CK_PANEL];
    const int64_t grid = (int64_t)g->gridHeight * g->gridWidth, points = ends[grains - 1] * grid;
    for (int32_t tap = 0; tap < g->tapCount; tap++) {
        if (packed)
            for (int64_t n = 0; n < points; n++) x[n] = packed + n * ROWS;
        else pointAddresses(g, g->taps + tap, 0, (int)points, x);
        for (int32_t panel = panel0; panel < panel1;) {
            const int width = gradientWidth(g, panel, panel1), lanes = width * CK_PANEL;
            const float *dy = g->output + (int64_t)panel * CK_PANEL;
            if (packed)
                for (int64_t n = 0; n < points; n++)
                    memcpy(workspace + n * lanes, dy + n * g->outputPixelStride, sizeof(float) * (size_t)lanes);
            for (int64_t k = 0; k < g->channels;) {
                const int64_t offset = packed ? k / ROWS * ROWS * points + k % ROWS : k;
                const int taken = gradientTreeTile(x, offset, g->channels - k, packed ? workspace : dy,
                                                   packed ? lanes : g->outputPixelStride, ends, grains, grid, width, stack);
                for (int p = 0; p < width; p++)
                    memcpy(gradient + (panel - panel0 + p) * g->panelStride + g->taps[tap].weights + k * CK_PANEL,
                           stack[0] + p * ROWS * CK_PANEL, sizeof(float) * (size_t)(taken * CK_PANEL));
                k += taken;
            }
            panel += width;
        }
    }
}
