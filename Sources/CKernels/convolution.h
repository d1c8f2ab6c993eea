// Convolutions: each output element is one chain acc = fma(x, w, acc), taps outermost, input channels inside.
//
// A tile of ROWS grid points x up to PAIR panels is kept in registers. `rows` holds, per tap, where each of the tile's
// points reads; a tap outside the input reads zeros, which take part in the chain.
// WIDTH, ROWS and PAIR are set by the file that includes this.

enum { BLOCK = 8 };  // tiles whose addresses are worked out at once

#define UNROLL _Pragma("clang loop unroll(full)")

static void writeTile(const CKConvolution *c, float *const *targets, int count, int32_t panel, const vf *acc, int vectors) {
    for (int v = 0; v < vectors; v++) {
        int64_t lane = (int64_t)panel * CK_PANEL + v * WIDTH;
        vf bias = c->bias ? load(c->bias + lane) : splat(0);
        for (int i = 0; i < count; i++) {
            vf value = acc[i * vectors + v];
            if (c->bias) value = value + bias;
            if (c->accumulate) value = load(targets[i] + lane) + value;
            store(targets[i] + lane, value);
        }
    }
}

#define DENSE_TILE(NAME, PANELS) \
static void NAME(const CKConvolution *c, const float *const *rows, float *const *targets, int count, int32_t panel) { \
    enum { N = PANELS * VECTORS }; \
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
            vf b[N]; \
            UNROLL for (int p = 0; p < PANELS; p++) \
                UNROLL for (int v = 0; v < VECTORS; v++) b[p * VECTORS + v] = load(w + p * panelStride + k * CK_PANEL + v * WIDTH); \
            UNROLL for (int i = 0; i < ROWS; i++) { \
                vf a = splat(row[i][k]); \
                UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = vfma(a, b[v], acc[i * N + v]); \
            } \
        } \
    } \
    writeTile(c, targets, count, panel, acc, N); \
}

DENSE_TILE(denseTile1, 1)
#if PAIR == 2
DENSE_TILE(denseTile2, 2)
#endif

static void depthwiseTile(const CKConvolution *c, const float *const *rows, float *const *targets, int count, int32_t panel) {
    const float *panelWeights = c->weights + panel * c->panelStride;
    vf acc[ROWS * VECTORS];
    UNROLL for (int i = 0; i < ROWS * VECTORS; i++) acc[i] = splat(0);
    for (int32_t t = 0; t < c->tapCount; t++) {
        vf w[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) w[v] = load(panelWeights + c->taps[t].weights + v * WIDTH);
        UNROLL for (int i = 0; i < ROWS; i++) {
            const float *x = rows[t * ROWS + i] + (int64_t)panel * CK_PANEL;
            UNROLL for (int v = 0; v < VECTORS; v++) acc[i * VECTORS + v] = vfma(load(x + v * WIDTH), w[v], acc[i * VECTORS + v]);
        }
    }
    writeTile(c, targets, count, panel, acc, VECTORS);
}

/// Where the tile that starts at `pixel` reads and writes; points past the end read zeros and are not written.
static int tileAddresses(const CKConvolution *c, int64_t pixel, int64_t end, const float **rows, float **targets) {
    int count = end - pixel < ROWS ? (int)(end - pixel) : ROWS;
    const int64_t grid = (int64_t)c->gridHeight * c->gridWidth;
    for (int i = 0; i < ROWS; i++) {
        if (i >= count) {
            for (int32_t t = 0; t < c->tapCount; t++) rows[t * ROWS + i] = c->zeros;
            continue;
        }
        int64_t image = (pixel + i) / grid, rest = (pixel + i) % grid;
        int32_t a = (int32_t)(rest / c->gridWidth), b = (int32_t)(rest % c->gridWidth);
        targets[i] = c->output + image * c->outputImageStride + a * c->outputRowStride + b * c->outputPixelStride;
        const float *base = c->input + image * c->inputImageStride;
        for (int32_t t = 0; t < c->tapCount; t++) {
            int32_t y = a * c->step + c->taps[t].row, x = b * c->step + c->taps[t].column;
            int inside = y >= 0 && y < c->inputHeight && x >= 0 && x < c->inputWidth;
            rows[t * ROWS + i] = inside ? base + y * c->inputRowStride + x * c->inputPixelStride : c->zeros;
        }
    }
    return count;
}

enum { MAX_TAPS = 64 };

static void convolution(const CKConvolution *c, int64_t pixel0, int64_t pixel1, int32_t panel0, int32_t panel1) {
    const float *rows[BLOCK][MAX_TAPS * ROWS];
    float *targets[BLOCK][ROWS];
    int counts[BLOCK];
    for (int64_t first = pixel0; first < pixel1; first += BLOCK * ROWS) {
        int tiles = 0;
        for (int64_t pixel = first; pixel < pixel1 && tiles < BLOCK; pixel += ROWS, tiles++)
            counts[tiles] = tileAddresses(c, pixel, pixel1, rows[tiles], targets[tiles]);
        for (int32_t panel = panel0; panel < panel1;) {
            int32_t left = panel1 - panel, inBlock = c->panelsPerBlock - panel % c->panelsPerBlock;
            int width = PAIR == 2 && c->channels && left >= 2 && inBlock >= 2 ? 2 : 1;
            for (int tile = 0; tile < tiles; tile++) {
                if (!c->channels) depthwiseTile(c, rows[tile], targets[tile], counts[tile], panel);
#if PAIR == 2
                else if (width == 2) denseTile2(c, rows[tile], targets[tile], counts[tile], panel);
#endif
                else denseTile1(c, rows[tile], targets[tile], counts[tile], panel);
            }
            panel += width;
        }
    }
}

// Weight gradients: each element is one chain over a grain's grid points, in order; partial sums are kept in `sums`.

enum { POINTS = 256 };  // grid points whose addresses are worked out at once

/// Where tap `tap` reads for the grid points [point0, point0 + count) of a run of images.
static void pointAddresses(const CKWeightGradient *g, const CKTap *tap, int64_t point0, int count, const float **x) {
    const int64_t grid = (int64_t)g->gridHeight * g->gridWidth;
    int64_t image = point0 / grid, rest = point0 % grid;
    int32_t a = (int32_t)(rest / g->gridWidth), b = (int32_t)(rest % g->gridWidth);
    for (int i = 0; i < count; i++) {
        int32_t row = a * g->step + tap->row, column = b * g->step + tap->column;
        int inside = row >= 0 && row < g->inputHeight && column >= 0 && column < g->inputWidth;
        x[i] = inside ? g->input + image * g->inputImageStride + row * g->inputRowStride + column * g->inputPixelStride : g->zeros;
        if (++b == g->gridWidth) {
            b = 0;
            if (++a == g->gridHeight) { a = 0; image++; }
        }
    }
}

#define GRADIENT_TILE(NAME, CHANNELS, PANELS) \
static void NAME(const float *const *x, int64_t offset, const float *dy, int64_t dyStride, int count, float *sums, int64_t panelStride) { \
    enum { N = PANELS * VECTORS }; \
    vf acc[CHANNELS * N]; \
    UNROLL for (int i = 0; i < CHANNELS; i++) \
        UNROLL for (int p = 0; p < PANELS; p++) \
            UNROLL for (int v = 0; v < VECTORS; v++) acc[i * N + p * VECTORS + v] = load(sums + p * panelStride + i * CK_PANEL + v * WIDTH); \
    for (int n = 0; n < count; n++) { \
        const float *xn = x[n] + offset; \
        vf d[N]; \
        UNROLL for (int v = 0; v < N; v++) d[v] = load(dy + n * dyStride + v * WIDTH); \
        UNROLL for (int i = 0; i < CHANNELS; i++) { \
            vf a = splat(xn[i]); \
            UNROLL for (int v = 0; v < N; v++) acc[i * N + v] = vfma(a, d[v], acc[i * N + v]); \
        } \
    } \
    UNROLL for (int i = 0; i < CHANNELS; i++) \
        UNROLL for (int p = 0; p < PANELS; p++) \
            UNROLL for (int v = 0; v < VECTORS; v++) store(sums + p * panelStride + i * CK_PANEL + v * WIDTH, acc[i * N + p * VECTORS + v]); \
}

GRADIENT_TILE(gradientTileRows1, ROWS, 1)
GRADIENT_TILE(gradientTileOne1, 1, 1)
#if PAIR == 2
GRADIENT_TILE(gradientTileRows2, ROWS, 2)
GRADIENT_TILE(gradientTileOne2, 1, 2)
GRADIENT_TILE(gradientTileFour1, 4, 1)
GRADIENT_TILE(gradientTileFour2, 4, 2)
#endif

static void gradientPanels(const CKWeightGradient *g, const float *const *x, const float *dy, int count, int32_t panel, int width, float *sums) {
    const int64_t block = (int64_t)(panel / g->panelsPerBlock) * g->channels;
    (void)width;
    int32_t k = 0;
    for (; k + ROWS <= g->channels; k += ROWS) {
#if PAIR == 2
        if (width == 2) { gradientTileRows2(x, block + k, dy, g->gradientPixelStride, count, sums + k * CK_PANEL, g->panelStride); continue; }
#endif
        gradientTileRows1(x, block + k, dy, g->gradientPixelStride, count, sums + k * CK_PANEL, g->panelStride);
    }
#if PAIR == 2
    for (; k + 4 <= g->channels; k += 4) {
        if (width == 2) gradientTileFour2(x, block + k, dy, g->gradientPixelStride, count, sums + k * CK_PANEL, g->panelStride);
        else gradientTileFour1(x, block + k, dy, g->gradientPixelStride, count, sums + k * CK_PANEL, g->panelStride);
    }
#endif
    for (; k < g->channels; k++) {
#if PAIR == 2
        if (width == 2) { gradientTileOne2(x, block + k, dy, g->gradientPixelStride, count, sums + k * CK_PANEL, g->panelStride); continue; }
#endif
        gradientTileOne1(x, block + k, dy, g->gradientPixelStride, count, sums + k * CK_PANEL, g->panelStride);
    }
}

/// Depthwise: the taps' chains of one panel run side by side, up to 9 at once.
static void depthwiseGradient(const CKWeightGradient *g, const float *const (*x)[POINTS], int taps, const float *dy, int count, int32_t panel, float *sums) {
    enum { MOST = 9 };
    const int64_t lane = (int64_t)panel * CK_PANEL;
    for (int v = 0; v < VECTORS; v++) {
        vf acc[MOST];
        UNROLL for (int t = 0; t < MOST; t++) acc[t] = t < taps ? load(sums + t * CK_PANEL + v * WIDTH) : splat(0);
        for (int n = 0; n < count; n++) {
            vf d = load(dy + n * g->gradientPixelStride + v * WIDTH);
            UNROLL for (int t = 0; t < MOST; t++) acc[t] = vfma(load(x[t < taps ? t : 0][n] + lane + v * WIDTH), d, acc[t]);
        }
        for (int t = 0; t < taps; t++) store(sums + t * CK_PANEL + v * WIDTH, acc[t]);
    }
}

static void weightGradient(const CKWeightGradient *g, int64_t image0, int64_t image1, int32_t panel0, int32_t panel1, float *sums) {
    const float *x[9][POINTS];
    const int64_t grid = (int64_t)g->gridHeight * g->gridWidth;
    memset(sums, 0, sizeof(float) * (size_t)((panel1 - panel0) * g->panelStride));
    for (int64_t point = image0 * grid; point < image1 * grid; point += POINTS) {
        int count = image1 * grid - point < POINTS ? (int)(image1 * grid - point) : POINTS;
        const float *dy = g->gradient + point * g->gradientPixelStride;
        int32_t together = g->channels ? 1 : 9;
        for (int32_t tap = 0; tap < g->tapCount; tap += together) {
            int taps = g->tapCount - tap < together ? g->tapCount - tap : together;
            for (int t = 0; t < taps; t++) pointAddresses(g, g->taps + tap + t, point, count, x[t]);
            for (int32_t panel = panel0; panel < panel1;) {
                int32_t left = panel1 - panel, inBlock = g->panelsPerBlock - panel % g->panelsPerBlock;
                int width = PAIR == 2 && g->channels && left >= 2 && inBlock >= 2 ? 2 : 1;
                float *tapSums = sums + (panel - panel0) * g->panelStride + g->taps[tap].weights;
                const float *panelGradient = dy + (int64_t)panel * CK_PANEL;
                if (g->channels) gradientPanels(g, x[0], panelGradient, count, panel, width, tapSums);
                else depthwiseGradient(g, x, taps, panelGradient, count, panel, tapSums);
                panel += width;
            }
        }
    }
}
