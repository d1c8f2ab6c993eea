// Everything that is not a convolution: lanes run along channels, sums along pixels in order.

#define FOR_LANES(stride) for (int64_t lane = 0; lane < (stride); lane += WIDTH)

static void channelSums(const float *x, int64_t pixels, int64_t stride, int64_t lane0, int64_t lane1, double *sum, double *squares) {
    for (int64_t lane = lane0; lane < lane1; lane += WIDTH) {
        vd s = widen(splat(0)), q = s;
        for (int64_t p = 0; p < pixels; p++) {
            vd value = widen(load(x + p * stride + lane));
            s = s + value;
            q = q + value * value;
        }
        storeDouble(sum + lane, s);
        storeDouble(squares + lane, q);
    }
}

static void pixelSum(const float *x, int64_t pixels, int64_t stride, float *sum) {
    FOR_LANES(stride) {
        vf s = splat(0);
        for (int64_t p = 0; p < pixels; p++) s = s + load(x + p * stride + lane);
        store(sum + lane, s);
    }
}

#define NORMALIZE(NAME, KIND) \
static void NAME(const float *x, float *y, int64_t pixels, int64_t stride, const float *scale, const float *shift) { \
    for (int64_t p = 0; p < pixels; p++) \
        FOR_LANES(stride) { \
            vf z = vfma(load(x + p * stride + lane), load(scale + lane), load(shift + lane)); \
            store(y + p * stride + lane, activated(z, KIND)); \
        } \
}
NORMALIZE(normalizeIdentity, CK_IDENTITY)
NORMALIZE(normalizeReLU, CK_RELU)
NORMALIZE(normalizeSwish, CK_SWISH)

static void normalize(const float *x, float *y, int64_t pixels, int64_t stride, const float *scale, const float *shift, CKActivation kind) {
    (kind == CK_RELU ? normalizeReLU : kind == CK_SWISH ? normalizeSwish : normalizeIdentity)(x, y, pixels, stride, scale, shift);
}

#define GRADIENT_SUMS(NAME, KIND) \
static void NAME(const float *x, float *dy, int64_t pixels, int64_t stride, int64_t lane0, int64_t lane1, const float *scale, const float *shift, const float *mean, double *sum, double *products) { \
    for (int64_t lane = lane0; lane < lane1; lane += WIDTH) { \
        const vf a = load(scale + lane), b = load(shift + lane), m = load(mean + lane); \
        vd s = widen(splat(0)), q = s; \
        for (int64_t p = 0; p < pixels; p++) { \
            vf value = load(x + p * stride + lane); \
            vf dz = activationGradient(vfma(value, a, b), load(dy + p * stride + lane), KIND); \
            if (KIND != CK_IDENTITY) store(dy + p * stride + lane, dz); \
            s = s + widen(dz); \
            q = q + widen(dz * (value - m)); \
        } \
        storeDouble(sum + lane, s); \
        storeDouble(products + lane, q); \
    } \
}
GRADIENT_SUMS(gradientSumsIdentity, CK_IDENTITY)
GRADIENT_SUMS(gradientSumsReLU, CK_RELU)
GRADIENT_SUMS(gradientSumsSwish, CK_SWISH)

static void normalizeGradientSums(const float *x, float *dy, int64_t pixels, int64_t stride, int64_t lane0, int64_t lane1, const float *scale, const float *shift, const float *mean, CKActivation kind, double *sum, double *products) {
    (kind == CK_RELU ? gradientSumsReLU : kind == CK_SWISH ? gradientSumsSwish : gradientSumsIdentity)(x, dy, pixels, stride, lane0, lane1, scale, shift, mean, sum, products);
}

static void normalizeGradient(const float *x, float *dz, int64_t pixels, int64_t stride, const float *gain, const float *slope, const float *offset) {
    for (int64_t p = 0; p < pixels; p++)
        FOR_LANES(stride) {
            vf expected = vfma(load(x + p * stride + lane), load(slope + lane), load(offset + lane));
            float *d = dz + p * stride + lane;
            store(d, load(gain + lane) * (load(d) - expected));
        }
}

static void activate(const float *x, float *y, int64_t count, CKActivation kind) {
    for (int64_t i = 0; i < count; i += WIDTH) store(y + i, activated(load(x + i), kind));
}

INLINE void put(float *target, vf value, int32_t accumulate) {
    store(target, accumulate ? load(target) + value : value);
}

static void activateGradient(const float *x, const float *dy, float *dx, int64_t count, CKActivation kind, int32_t accumulate) {
    for (int64_t i = 0; i < count; i += WIDTH) put(dx + i, activationGradient(load(x + i), load(dy + i), kind), accumulate);
}

static void add(const float *a, const float *b, float *y, int64_t count, CKActivation kind) {
    for (int64_t i = 0; i < count; i += WIDTH) {
        vf z = load(a + i) + load(b + i);
        store(y + i, kind == CK_RELU ? activated(z, CK_RELU) : z);
    }
}

static void addGradient(const float *y, const float *dy, float *dx, int64_t count, CKActivation kind, int32_t accumulate) {
    for (int64_t i = 0; i < count; i += WIDTH) {
        vf d = load(dy + i);
        put(dx + i, kind == CK_RELU ? activationGradient(load(y + i), d, CK_RELU) : d, accumulate);
    }
}

static void scale(const float *x, const float *s, float *y, int64_t pixels, int64_t stride, int32_t accumulate) {
    for (int64_t p = 0; p < pixels; p++)
        FOR_LANES(stride) put(y + p * stride + lane, load(x + p * stride + lane) * load(s + lane), accumulate);
}

static void pixelDot(const float *a, const float *b, int64_t pixels, int64_t stride, float *sum) {
    FOR_LANES(stride) {
        vf s = splat(0);
        for (int64_t p = 0; p < pixels; p++) s = vfma(load(a + p * stride + lane), load(b + p * stride + lane), s);
        store(sum + lane, s);
    }
}

static void broadcast(const float *s, float *y, int64_t pixels, int64_t stride, int32_t accumulate) {
    for (int64_t p = 0; p < pixels; p++)
        FOR_LANES(stride) put(y + p * stride + lane, load(s + lane), accumulate);
}

/// The winner is the first maximum in the order of the window, as in PyTorch; its index in the window is kept.
static void maxPool(const CKPooling *pool, const float *x, float *y, uint8_t *winner, int32_t row0, int32_t row1) {
    const int64_t stride = pool->pixelStride;
    for (int32_t row = row0; row < row1; row++)
        for (int32_t column = 0; column < pool->outputWidth; column++)
            FOR_LANES(stride) {
                int64_t out = ((int64_t)row * pool->outputWidth + column) * stride + lane;
                vf best = splat(0);
                vi index = bits(splat(0));
                int first = 1;
                for (int32_t tap = 0; tap < pool->kernel * pool->kernel; tap++) {
                    int32_t r = row * pool->stride - pool->padding + tap / pool->kernel;
                    int32_t c = column * pool->stride - pool->padding + tap % pool->kernel;
                    if (r < 0 || r >= pool->inputHeight || c < 0 || c >= pool->inputWidth) continue;
                    vf value = load(x + ((int64_t)r * pool->inputWidth + c) * stride + lane);
                    vi wins = first ? ~bits(splat(0)) : greater(value, best);
                    best = choose(wins, value, best);
                    index = (wins & tap) | (~wins & index);
                    first = 0;
                }
                store(y + out, best);
                if (!winner) continue;
                int32_t indices[WIDTH];
                memcpy(indices, &index, sizeof indices);
                for (int i = 0; i < WIDTH; i++) winner[out + i] = (uint8_t)indices[i];
            }
}

/// Each input pixel gathers from the windows that it won, in the order of the output.
static void maxPoolGradient(const CKPooling *pool, const float *dy, const uint8_t *winner, float *dx, int32_t row0, int32_t row1, int32_t accumulate) {
    const int64_t stride = pool->pixelStride;
    for (int32_t row = row0; row < row1; row++)
        for (int32_t column = 0; column < pool->inputWidth; column++)
            FOR_LANES(stride) {
                vf sum = splat(0);
                int32_t r0 = row + pool->padding - pool->kernel + 1, c0 = column + pool->padding - pool->kernel + 1;
                r0 = r0 < 0 ? 0 : (r0 + pool->stride - 1) / pool->stride;
                c0 = c0 < 0 ? 0 : (c0 + pool->stride - 1) / pool->stride;
                for (int32_t r = r0; r < pool->outputHeight && r * pool->stride - pool->padding <= row; r++)
                    for (int32_t c = c0; c < pool->outputWidth && c * pool->stride - pool->padding <= column; c++) {
                        int32_t tap = (row - r * pool->stride + pool->padding) * pool->kernel + column - c * pool->stride + pool->padding;
                        int64_t out = ((int64_t)r * pool->outputWidth + c) * stride + lane;
                        int32_t won[WIDTH];
                        for (int i = 0; i < WIDTH; i++) won[i] = -(winner[out + i] == tap);
                        vi mask;
                        memcpy(&mask, won, sizeof mask);
                        sum = sum + fromBits(mask & bits(load(dy + out)));
                    }
                put(dx + ((int64_t)row * pool->inputWidth + column) * stride + lane, sum, accumulate);
            }
}

static void accumulate(float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i += WIDTH) store(a + i, load(a + i) + load(b + i));
}

static void transposeWeights(const float *weights, int64_t panelStride, int32_t taps, int32_t inputs, int32_t outputs, int32_t panel, float *out) {
    int32_t lanes = inputs - panel * CK_PANEL < CK_PANEL ? inputs - panel * CK_PANEL : CK_PANEL;
    for (int32_t t = 0; t < taps; t++)
        for (int32_t o = 0; o < outputs; o++, out += CK_PANEL) {
            const float *w = weights + o / CK_PANEL * panelStride + ((int64_t)t * inputs + panel * CK_PANEL) * CK_PANEL + o % CK_PANEL;
            for (int32_t i = 0; i < lanes; i++) out[i] = w[i * CK_PANEL];
            for (int32_t i = lanes; i < CK_PANEL; i++) out[i] = 0;
        }
}

static void adam(const CKAdam *s, float *parameter, const float *gradient, float *mean, float *variance, int64_t count) {
    for (int64_t i = 0; i < count; i += WIDTH) {
        vf g = load(gradient + i);
        vf m = vfma(splat(s->beta1), load(mean + i), splat(s->oneMinusBeta1) * g);
        vf v = vfma(splat(s->beta2), load(variance + i), splat(s->oneMinusBeta2) * (g * g));
        store(mean + i, m);
        store(variance + i, v);
        vf denominator = vfma(vsqrt(v), splat(s->inverseCorrection), splat(s->epsilon));
        store(parameter + i, load(parameter + i) - splat(s->learningRate) * (m / denominator));
    }
}
