// Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2015, https://arxiv.org/abs/1509.09308): a tile of 2 x 2 outputs takes
// 16 products a channel instead of 36. Inputs and weights are transformed, multiplied position by position as 16 matrix
// products, each of whose elements is one chain, and the products are transformed back. docs/numerics.md has the order.
// Included after convolution.h and weight_gradient.h, whose tiles do the products.
#include "winograd_sizes.h"

/// (d0 - d2, d1 + d2, d2 - d1, d3 - d1), down the columns of `d` and then along its rows.
INLINE void transformInput(vf d[POSITIONS]) {
    UNROLL for (int pass = 0; pass < 2; pass++) {
        UNROLL for (int i = 0; i < 4; i++) {
            const int first = pass ? 4 * i : i, step = pass ? 1 : 4;
            vf a = d[first], b = d[first + step], c = d[first + 2 * step], e = d[first + 3 * step];
            d[first] = a - c;
            d[first + step] = b + c;
            d[first + 2 * step] = c - b;
            d[first + 3 * step] = e - b;
        }
    }
}

/// (m0 + m1 + m2, m1 - m2 + m3), down the columns of `m` and then along its rows.
INLINE void transformOutput(const vf m[POSITIONS], vf y[4]) {
    vf t[8];
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = m[i] + m[4 + i] + m[8 + i];
        t[4 + i] = m[4 + i] - m[8 + i] + m[12 + i];
    }
    UNROLL for (int i = 0; i < 2; i++) {
        y[2 * i] = t[4 * i] + t[4 * i + 1] + t[4 * i + 2];
        y[2 * i + 1] = t[4 * i + 1] - t[4 * i + 2] + t[4 * i + 3];
    }
}

/// A tile's place: its image and its first output.
typedef struct {
    int64_t image;
    int32_t row, column;
} Tile;

INLINE Tile tileAt(const CKConvolution *c, int64_t tile) {
    const int64_t across = (c->gridWidth + 1) / 2, down = (c->gridHeight + 1) / 2;
    return (Tile){tile / (across * down), 2 * (int32_t)(tile / across % down), 2 * (int32_t)(tile % across)};
}

/// Transformed inputs of the tiles [first, first + count): [position][tile][pixel stride], positions `stride` apart.
static void transformInputs(const CKConvolution *c, int64_t first, int64_t count, int64_t stride, float *out) {
    for (int64_t n = 0; n < count; n++, out += c->inputPixelStride) {
        const Tile tile = tileAt(c, first + n);
        const float *pixels[POSITIONS];
        for (int i = 0; i < POSITIONS; i++) {
            const int32_t row = tile.row + i / 4 - 1, column = tile.column + i % 4 - 1;
            const int inside = row >= 0 && row < c->inputHeight && column >= 0 && column < c->inputWidth;
            pixels[i] =
                inside ? c->input + tile.image * c->inputImageStride + row * c->inputRowStride + column * c->inputPixelStride : c->zeros;
        }
        for (int64_t lane = 0; lane < c->inputPixelStride; lane += WIDTH) {
            vf d[POSITIONS];
            UNROLL for (int i = 0; i < POSITIONS; i++) d[i] = load(pixels[i] + lane);
            transformInput(d);
            UNROLL for (int i = 0; i < POSITIONS; i++) store(out + i * stride + lane, d[i]);
        }
    }
}

/// Transforms the products of one or two panels back and stores the outputs that lie on the map.
static void storeOutputs(const CKConvolution *c, int64_t first, int64_t count, const float *products, int64_t stride, int64_t width,
                         int64_t lane0) {
    for (int64_t n = 0; n < count; n++) {
        const Tile tile = tileAt(c, first + n);
        float *targets[4];
        int inside[4], all = 1;
        for (int i = 0; i < 4; i++) {
            const int32_t row = tile.row + i / 2, column = tile.column + i % 2;
            inside[i] = row < c->gridHeight && column < c->gridWidth;
            all &= inside[i];
            targets[i] = c->output + tile.image * c->outputImageStride + row * c->outputRowStride + column * c->outputPixelStride;
        }
        for (int64_t lane = 0; lane < width; lane += WIDTH) {
            vf m[POSITIONS], y[4];
            UNROLL for (int i = 0; i < POSITIONS; i++) m[i] = load(products + i * stride + n * PAIR * CK_PANEL + lane);
            transformOutput(m, y);
            if (all && !c->hasEpilogue) {
                if (c->bypassesCache) {
                    UNROLL for (int i = 0; i < 4; i++) stream(targets[i] + lane0 + lane, y[i]);
                } else {
                    UNROLL for (int i = 0; i < 4; i++) store(targets[i] + lane0 + lane, y[i]);
                }
            } else {
                for (int i = 0; i < 4; i++)
                    if (inside[i]) finishTile(c, targets + i, 1, lane0 + lane, y + i, 1);
            }
        }
    }
}

static void winograd(const CKConvolution *c, int64_t tile0, int64_t tile1, int32_t panel0, int32_t panel1, float *workspace) {
    const int64_t tiles = winogradTiles(c->inputPixelStride), width = PAIR * CK_PANEL;
    const int64_t inputStride = positionStride(tiles, c->inputPixelStride), productStride = positionStride(tiles, width);
    float *products = workspace + POSITIONS * inputStride;
    for (int64_t first = tile0; first < tile1; first += tiles) {
        const int64_t count = tile1 - first < tiles ? tile1 - first : tiles;
        transformInputs(c, first, count, inputStride, workspace);
        for (int32_t panel = panel0; panel < panel1; panel += PAIR) {
            const int pair = PAIR == 2 && panel1 - panel >= 2;
            for (int position = 0; position < POSITIONS; position++) {
                CKTap tap = {0, 0, (int64_t)position * c->channels * CK_PANEL};
                CKConvolution product = {.weights = c->weights + panel * c->panelStride,
                                         .panelStride = c->panelStride,
                                         .taps = &tap,
                                         .tapCount = 1,
                                         .channels = c->channels,
                                         .panelsPerBlock = INT32_MAX,
                                         .output = products};
                // Rows beyond the last tile hold what was there before; their products are not used.
                for (int64_t n = 0; n < count; n += ROWS) {
                    const float *rows[ROWS];
                    float *targets[ROWS];
                    for (int i = 0; i < ROWS; i++) {
                        rows[i] = workspace + position * inputStride + (n + i) * c->inputPixelStride;
                        targets[i] = products + position * productStride + (n + i) * width;
                    }
                    if (pair) WIDE_TILE(&product, rows, targets, ROWS, 0, rows[0], 0);
                    else denseTile1(&product, rows, targets, ROWS, 0, rows[0], 0);
                }
            }
            storeOutputs(c, first, count, products, productStride, pair ? width : CK_PANEL, (int64_t)panel * CK_PANEL);
        }
    }
    if (c->bypassesCache) endStreams();
}

/// (g0, (g0 + g2 + g1) / 2, (g0 + g2 - g1) / 2, g2), down the columns of the 3 x 3 taps and then along the rows.
static void winogradWeights(const float *weights, int32_t channels, int32_t flipped, int32_t panel0, int32_t panel1, float *out) {
    const int64_t matrix = (int64_t)channels * CK_PANEL;
    for (int32_t panel = panel0; panel < panel1; panel++)
        for (int64_t i = 0; i < matrix; i += WIDTH) {
            vf g[9], t[12];
            UNROLL for (int tap = 0; tap < 9; tap++) g[tap] = load(weights + ((int64_t)panel * 9 + (flipped ? 8 - tap : tap)) * matrix + i);
            UNROLL for (int column = 0; column < 3; column++) {
                vf a = g[column], b = g[3 + column], c = g[6 + column], ends = a + c;
                t[column] = a;
                t[3 + column] = splat(0.5f) * (ends + b);
                t[6 + column] = splat(0.5f) * (ends - b);
                t[9 + column] = c;
            }
            UNROLL for (int row = 0; row < 4; row++) {
                float *target = out + ((int64_t)panel * POSITIONS + 4 * row) * matrix + i;
                vf a = t[3 * row], b = t[3 * row + 1], c = t[3 * row + 2], ends = a + c;
                store(target, a);
                store(target + matrix, splat(0.5f) * (ends + b));
                store(target + 2 * matrix, splat(0.5f) * (ends - b));
                store(target + 3 * matrix, c);
            }
        }
}

/// (e0, e0 + e1, e0 - e1, e1) of the output gradient's tiles of 2 x 2, down the columns and then along the rows.
static void transformGradients(const CKConvolution *c, int64_t first, int64_t count, int64_t stride, int64_t lane0, int64_t lanes,
                               float *out) {
    for (int64_t n = 0; n < count; n++, out += lanes) {
        const Tile tile = tileAt(c, first + n);
        const float *pixels[4];
        for (int i = 0; i < 4; i++) {
            const int32_t row = tile.row + i / 2, column = tile.column + i % 2;
            const int inside = row < c->gridHeight && column < c->gridWidth;
            pixels[i] =
                inside ? c->output + tile.image * c->outputImageStride + row * c->outputRowStride + column * c->outputPixelStride + lane0
                       : c->zeros;
        }
        for (int64_t lane = 0; lane < lanes; lane += WIDTH) {
            vf e[4], t[8];
            UNROLL for (int i = 0; i < 4; i++) e[i] = load(pixels[i] + lane);
            UNROLL for (int column = 0; column < 2; column++) {
                t[column] = e[column];
                t[2 + column] = e[column] + e[2 + column];
                t[4 + column] = e[column] - e[2 + column];
                t[6 + column] = e[2 + column];
            }
            UNROLL for (int row = 0; row < 4; row++) {
                float *target = out + 4 * row * stride + lane;
                store(target, t[2 * row]);
                store(target + stride, t[2 * row] + t[2 * row + 1]);
                store(target + 2 * stride, t[2 * row] - t[2 * row + 1]);
                store(target + 3 * stride, t[2 * row + 1]);
            }
        }
    }
}

static void winogradGradient(const CKConvolution *c, int64_t image0, int64_t image1, int32_t panel0, int32_t panel1, float *sums,
                             float *workspace) {
    const int64_t tiles = winogradTiles(c->inputPixelStride), lanes = (int64_t)(panel1 - panel0) * CK_PANEL;
    const int64_t inputStride = positionStride(tiles, c->inputPixelStride), gradientStride = positionStride(tiles, lanes);
    const int64_t matrix = (int64_t)c->channels * CK_PANEL, perImage = (int64_t)((c->gridWidth + 1) / 2) * ((c->gridHeight + 1) / 2);
    float *gradients = workspace + POSITIONS * inputStride;
    const CKConvolution product = {
        .channels = c->channels, .panelsPerBlock = INT32_MAX, .panelStride = POSITIONS * matrix, .outputPixelStride = lanes};
    for (int64_t first = image0 * perImage; first < image1 * perImage; first += tiles) {
        const int64_t left = image1 * perImage - first, count = left < tiles ? left : tiles;
        transformInputs(c, first, count, inputStride, workspace);
        transformGradients(c, first, count, gradientStride, (int64_t)panel0 * CK_PANEL, lanes, gradients);
        for (int position = 0; position < POSITIONS; position++) {
            const float *rows[MOST_TILES];
            for (int64_t n = 0; n < count; n++) rows[n] = workspace + position * inputStride + n * c->inputPixelStride;
            for (int32_t panel = panel0; panel < panel1; panel += PAIR)
                gradientPanels(&product, rows, gradients + position * gradientStride + (int64_t)(panel - panel0) * CK_PANEL, count, 0,
                               PAIR == 2 && panel1 - panel >= 2 ? 2 : 1, sums + (panel - panel0) * product.panelStride + position * matrix,
                               first == image0 * perImage, NULL, 0);
        }
    }
}

/// (m0 + h, (m1 - m2) / 2, h + m3) with h = (m1 + m2) / 2, down the columns and then along the rows.
static void winogradGradientWeights(const float *sums, int32_t channels, int32_t panels, float *out) {
    const int64_t matrix = (int64_t)channels * CK_PANEL;
    for (int32_t panel = 0; panel < panels; panel++)
        for (int64_t i = 0; i < matrix; i += WIDTH) {
            vf t[12];
            UNROLL for (int column = 0; column < 4; column++) {
                vf m[4];
                UNROLL for (int row = 0; row < 4; row++) m[row] = load(sums + ((int64_t)panel * POSITIONS + 4 * row + column) * matrix + i);
                vf half = splat(0.5f) * (m[1] + m[2]);
                t[column] = m[0] + half;
                t[4 + column] = splat(0.5f) * (m[1] - m[2]);
                t[8 + column] = half + m[3];
            }
            UNROLL for (int row = 0; row < 3; row++) {
                float *target = out + ((int64_t)panel * 9 + 3 * row) * matrix + i;
                const vf *m = t + 4 * row;
                vf half = splat(0.5f) * (m[1] + m[2]);
                store(target, m[0] + half);
                store(target + matrix, splat(0.5f) * (m[1] - m[2]));
                store(target + 2 * matrix, half + m[3]);
            }
        }
}
