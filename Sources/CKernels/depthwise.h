// Depthwise convolutions: tiles of COLUMNS grid points of a row, TALL rows below each other, a panel of channels at a time.
//
// The taps of a kernel row lie side by side, so a pixel that is loaded once serves all of them; what is below each other is still in
// the first-level cache. Each output's chain is the taps in their order, as everywhere.

enum { COLUMNS = 8, TALL = 4, MOST_STEP = 2, MOST_SIDE = 5 };

/// Where a tile reads: the pixels under its grid points and between them, zeros outside of the input.
typedef struct {
    const float *pixels[(TALL - 1) * MOST_STEP + MOST_SIDE][(COLUMNS - 1) * MOST_STEP + MOST_SIDE];
} Patch;

/// One row of a tile and one panel; `side` is the number of taps in a kernel row, and a constant once inlined, as `step` is.
INLINE void depthwiseRow(const CKConvolution *c, const Patch *patch, int row, float *const *targets, int count, int32_t panel,
                         const int side, const int step) {
    const float *weights = c->weights + panel * c->panelStride;
    const int height = c->tapCount / side;
    vf acc[COLUMNS * VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) {
        const int64_t lane = (int64_t)panel * CK_PANEL + v * WIDTH;
        const CKTap *tap = c->taps;
        vf sums[COLUMNS];
        UNROLL for (int i = 0; i < COLUMNS; i++) sums[i] = splat(0);
        for (int r = row * step; r < row * step + height; r++) {
            vf x[(COLUMNS - 1) * MOST_STEP + MOST_SIDE];
            UNROLL for (int j = 0; j < (COLUMNS - 1) * step + side; j++) x[j] = load(patch->pixels[r][j] + lane);
            UNROLL for (int k = 0; k < side; k++, tap++) {
                const vf w = load(weights + tap->weights + v * WIDTH);
                UNROLL for (int i = 0; i < COLUMNS; i++) sums[i] = vfma(x[i * step + k], w, sums[i]);
            }
        }
        UNROLL for (int i = 0; i < COLUMNS; i++) acc[i * VECTORS + v] = sums[i];
    }
    WRITE_TILE(COLUMNS, VECTORS)
}

typedef void (*DepthwiseRow)(const CKConvolution *, const Patch *, int, float *const *, int, int32_t);

#define DEPTHWISE_ROW(SIDE, STEP) \
    static void depthwiseRow##SIDE##STEP(const CKConvolution *c, const Patch *patch, int row, float *const *targets, int count, \
                                         int32_t panel) { \
        depthwiseRow(c, patch, row, targets, count, panel, SIDE, STEP); \
    }

// clang-format off
DEPTHWISE_ROW(1, 1) DEPTHWISE_ROW(2, 1) DEPTHWISE_ROW(3, 1) DEPTHWISE_ROW(4, 1) DEPTHWISE_ROW(5, 1)
DEPTHWISE_ROW(1, 2) DEPTHWISE_ROW(2, 2) DEPTHWISE_ROW(3, 2) DEPTHWISE_ROW(4, 2) DEPTHWISE_ROW(5, 2)

static const DepthwiseRow depthwiseRows[MOST_STEP][MOST_SIDE] = {
    {depthwiseRow11, depthwiseRow21, depthwiseRow31, depthwiseRow41, depthwiseRow51},
    {depthwiseRow12, depthwiseRow22, depthwiseRow32, depthwiseRow42, depthwiseRow52},
};
// clang-format on

/// The grid points (a, b) to (a + height, b + width) of an image, all of these panels.
static void depthwiseTile(const CKConvolution *c, int64_t image, int32_t a, int32_t b, int height, int width, int side, int32_t panel0,
                          int32_t panel1) {
    const int step = c->step, kernelHeight = c->tapCount / side;
    const float *input = c->input + image * c->inputImageStride;
    const int32_t top = a * step + (c->tapCount ? c->taps[0].row : 0), left = b * step + (c->tapCount ? c->taps[0].column : 0);
    Patch patch;
    // Points past the tile's width read zeros, and are not written.
    const int columns = (COLUMNS - 1) * step + side, read = (width - 1) * step + side;
    const int before = left < 0 ? -left : 0, after = c->inputWidth - left < read ? c->inputWidth - left : read;
    for (int r = 0; r < (height - 1) * step + kernelHeight; r++) {
        const int isInside = top + r >= 0 && top + r < c->inputHeight;
        const float *row = input + (top + r) * c->inputRowStride + left * c->inputPixelStride;
        for (int j = 0; j < columns; j++)
            patch.pixels[r][j] = isInside && j >= before && j < after ? row + j * c->inputPixelStride : c->zeros;
    }
    float *targets[TALL][COLUMNS];
    for (int row = 0; row < height; row++)
        for (int i = 0; i < width; i++)
            targets[row][i] = c->output + image * c->outputImageStride + (a + row) * c->outputRowStride + (b + i) * c->outputPixelStride;
    // Each panel of this tile prefetches a piece of what the next tile is the first to read, in the order in which it lies.
    const int32_t nextRow = top + kernelHeight - step, nextColumn = left + side + (COLUMNS - 1) * step;
    const float *prefetchBase = input + nextRow * c->inputRowStride + nextColumn * c->inputPixelStride;
    const int64_t piece = COLUMNS * step * CK_PANEL;
    const DepthwiseRow rowOf = depthwiseRows[step - 1][side - 1];
    for (int32_t panel = panel0; panel < panel1; panel++)
        for (int row = 0; row < height; row++) {
            for (int r = row * step; r < (row + 1) * step; r++)
                if (nextRow + r >= 0 && nextRow + r < c->inputHeight) prefetch(prefetchBase + r * c->inputRowStride + panel * piece, piece);
            rowOf(c, &patch, row, targets[row], width, panel);
        }
}

/// Taps in a kernel row: those that lie in the first one's.
static int tapsInRow(const CKConvolution *c) {
    int side = 0;
    while (side < c->tapCount && c->taps[side].row == c->taps[0].row) side++;
    return side ? side : 1;
}

static void depthwise(const CKConvolution *c, int64_t pixel0, int64_t pixel1, int32_t panel0, int32_t panel1) {
    const int side = tapsInRow(c);
    for (int64_t pixel = pixel0; pixel < pixel1;) {
        const Point at = pointOf(c, pixel);
        const int64_t left = pixel1 - pixel;
        const int32_t b0 = at.b;
        // Whole rows together, or the part of one.
        int32_t height = 1, b1 = c->gridWidth;
        if (b0 == 0 && left >= c->gridWidth) {
            height = left / c->gridWidth < TALL ? (int32_t)(left / c->gridWidth) : TALL;
            if (height > c->gridHeight - at.a) height = c->gridHeight - at.a;
        } else if (left < b1 - b0) {
            b1 = b0 + (int32_t)left;
        }
        for (int32_t b = b0; b < b1; b += COLUMNS)
            depthwiseTile(c, at.image, at.a, b, height, b1 - b < COLUMNS ? b1 - b : COLUMNS, side, panel0, panel1);
        pixel += (int64_t)height * (b1 - b0);
    }
    if (c->bypassesCache) endStreams();
}
