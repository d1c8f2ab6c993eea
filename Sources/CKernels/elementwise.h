// Everything that is not a convolution: lanes run along channels, sums along pixels in order.
// WIDTH and UNROLL come from the files included before.

#define FOR_LANES(stride) for (int64_t lane = 0; lane < (stride); lane += WIDTH)

// Sums over pixels keep as many channels in registers as fit, so that a pixel's memory is read in one go.
enum { RUN = WIDTH == 16 ? 4 : 2 };

// clang-format off
/// Calls CALL with N = RUN for runs of RUN vectors and for single ones at the end.
#define FOR_RUNS(lane0, lane1, CALL) \
    for (int64_t lane = lane0; lane < (lane1);) { \
        if (lane + RUN * WIDTH <= (lane1)) { enum { N = RUN }; CALL; lane += RUN * WIDTH; } \
        else { enum { N = 1 }; CALL; lane += WIDTH; } \
    }

/// Pixels that sums go through at a time, all channels after each other: few enough for the caches, so that memory is read
/// about in order.
INLINE int64_t chunkPixels(int64_t stride) { return stride >= 8192 ? 1 : 8192 / stride; }

/// Calls CALL for chunks [start, start + count) of the pixels, in each for runs of the lanes.
#define FOR_CHUNKS(pixels, stride, lane0, lane1, CALL) \
    for (int64_t start = 0, size = chunkPixels(stride); start < (pixels); start += size) { \
        const int64_t count = (pixels) - start < size ? (pixels) - start : size; \
        FOR_RUNS(lane0, lane1, CALL) \
    }
// clang-format on

INLINE void beginSums(vd *s, const double *from, int fresh, const int n) {
    UNROLL for (int v = 0; v < n; v++) s[v] = fresh ? widen(splat(0)) : loadDouble(from + v * WIDTH);
}

INLINE void channelSumsRun(const float *x, int64_t pixels, int64_t stride, double *sum, double *squares, int fresh, const int n) {
    vd s[RUN], q[RUN];
    beginSums(s, sum, fresh, n);
    beginSums(q, squares, fresh, n);
    for (int64_t p = 0; p < pixels; p++, x += stride) {
        UNROLL for (int v = 0; v < n; v++) {
            vd value = widen(load(x + v * WIDTH));
            s[v] = s[v] + value;
            q[v] = q[v] + value * value;
        }
    }
    UNROLL for (int v = 0; v < n; v++) {
        storeDouble(sum + v * WIDTH, s[v]);
        storeDouble(squares + v * WIDTH, q[v]);
    }
}

static void channelSums(const float *x, int64_t pixels, int64_t stride, int64_t lane0, int64_t lane1, double *sum, double *squares) {
    FOR_CHUNKS(pixels, stride, lane0, lane1,
               channelSumsRun(x + start * stride + lane, count, stride, sum + lane, squares + lane, start == 0, N))
}

// Fusions: KIND is the activation, or NO_NORM where x is taken as it is; both are constants once inlined.

enum { NO_NORM = -1 };

// clang-format off
#define BY_KIND(f, CALL) \
    if (!(f)->scale) { enum { KIND = NO_NORM }; CALL; } \
    else if ((f)->activation == CK_RELU) { enum { KIND = CK_RELU }; CALL; } \
    else if ((f)->activation == CK_SWISH) { enum { KIND = CK_SWISH }; CALL; } \
    else { enum { KIND = CK_IDENTITY }; CALL; }
// clang-format on

/// The parts of [pixel0, pixel1) that lie in one image, one after the other.
#define FOR_IMAGES(f, pixel0, pixel1, CALL) \
    for (int64_t first = pixel0; first < (pixel1);) { \
        int64_t image = first / (f)->pixels, last = (image + 1) * (f)->pixels; \
        if (last > (pixel1)) last = pixel1; \
        CALL; \
        first = last; \
    }

INLINE vf normalised(const CKFusion *f, vf x, int64_t lane, const int kind) {
    return kind == NO_NORM ? x : vfma(x, load(f->scale + lane), load(f->shift + lane));
}

INLINE void fuseImage(const CKFusion *f, int64_t image, int64_t first, int64_t last, const int kind) {
    const float *factors = f->factors ? f->factors + image * f->stride : NULL;
    const vf gain = splat(f->gains ? f->gains[image] : 1.0f);  // times 1 is exact
    for (int64_t at = first * f->stride; at < last * f->stride; at += f->stride)
        FOR_LANES(f->stride) {
            vf value = normalised(f, load(f->x + at + lane), lane, kind);
            if (kind > CK_IDENTITY) value = activated(value, kind);
            if (factors) value = value * load(factors + lane);
            value = value * gain;
            if (f->residual) value = value + load(f->residual + at + lane);
            if (f->outer == CK_RELU) value = activated(value, CK_RELU);
            if (f->bypassesCache) stream(f->y + at + lane, value);
            else store(f->y + at + lane, value);
        }
}

static void fuse(const CKFusion *f, int64_t pixel0, int64_t pixel1) {
    BY_KIND(f, FOR_IMAGES(f, pixel0, pixel1, fuseImage(f, image, first, last, KIND)))
    if (f->bypassesCache) endStreams();
}

INLINE void averageRun(const CKFusion *f, const float *x, int64_t pixels, int64_t lane, double *sums, int fresh, const int kind,
                       const int n) {
    vd sum[RUN];
    beginSums(sum, sums, fresh, n);
    for (int64_t p = 0; p < pixels; p++, x += f->stride) {
        UNROLL for (int v = 0; v < n; v++) {
            vf value = normalised(f, load(x + v * WIDTH), lane + v * WIDTH, kind);
            if (kind > CK_IDENTITY) value = activated(value, kind);
            sum[v] = sum[v] + widen(value);
        }
    }
    UNROLL for (int v = 0; v < n; v++) storeDouble(sums + v * WIDTH, sum[v]);
}

static void averageSums(const CKFusion *f, int64_t pixel0, int64_t pixel1, int64_t lane0, int64_t lane1, double *sums) {
    const float *x = f->x + pixel0 * f->stride;
    const int begins = pixel0 % f->pixels == 0;
    BY_KIND(f, FOR_CHUNKS(pixel1 - pixel0, f->stride, lane0, lane1,
                          averageRun(f, x + start * f->stride + lane, count, lane, sums + lane, begins && start == 0, KIND, N)))
}

/// The gradient of y, multiplied with outer's derivative where that is still to be done.
INLINE vf maskedGradient(const CKFusion *f, int64_t at) {
    vf dy = load(f->dy + at);
    if (f->outer == CK_RELU && f->y) {
        dy = activationGradient(load(f->y + at), dy, CK_RELU);
        store(f->dy + at, dy);
    }
    return dy;
}

INLINE void factorGradientRun(const CKFusion *f, int64_t at, int64_t pixels, int64_t lane, vf gain, double *sums, int fresh, const int kind,
                              const int n) {
    vd sum[RUN];
    beginSums(sum, sums, fresh, n);
    for (int64_t p = 0; p < pixels; p++, at += f->stride) {
        UNROLL for (int v = 0; v < n; v++) {
            vf value = normalised(f, load(f->x + at + v * WIDTH), lane + v * WIDTH, kind);
            if (kind > CK_IDENTITY) value = activated(value, kind);
            sum[v] = sum[v] + widen(value * (maskedGradient(f, at + v * WIDTH) * gain));
        }
    }
    UNROLL for (int v = 0; v < n; v++) storeDouble(sums + v * WIDTH, sum[v]);
}

static void factorGradient(const CKFusion *f, int64_t image, int64_t lane0, int64_t lane1, double *sums, float *gradient) {
    const vf gain = splat(f->gains ? f->gains[image] : 1.0f);
    const int64_t first = image * f->pixels;
    BY_KIND(f, FOR_CHUNKS(f->pixels, f->stride, lane0, lane1,
                          factorGradientRun(f, (first + start) * f->stride + lane, count, lane, gain, sums + lane, start == 0, KIND, N)))
    for (int64_t lane = lane0; lane < lane1; lane += WIDTH) store(gradient + lane, narrow(loadDouble(sums + lane)));
}

/// The gradient before the activation, of the value x at one place.
INLINE vf innerGradient(const CKFusion *f, vf x, int64_t at, int64_t lane, vf gain, const float *factors, const float *share,
                        const int kind) {
    vf d = maskedGradient(f, at) * gain;
    if (factors) d = d * load(factors + lane);
    if (share) d = d + load(share + lane);
    return kind > CK_IDENTITY ? activationGradient(normalised(f, x, lane, kind), d, kind) : d;
}

INLINE void fusionSumsRun(const CKFusion *f, int64_t image, int64_t at, int64_t pixels, int64_t lane, double *sum, double *products,
                          int fresh, const int kind, const int n) {
    vd s[RUN], q[RUN];
    beginSums(s, sum, fresh, n);
    beginSums(q, products, fresh, n);
    const vf gain = splat(f->gains ? f->gains[image] : 1.0f);
    const float *factors = f->factors ? f->factors + image * f->stride : NULL;
    const float *share = f->share ? f->share + image * f->stride : NULL;
    for (int64_t p = 0; p < pixels; p++, at += f->stride) {
        UNROLL for (int v = 0; v < n; v++) {
            const int64_t here = lane + v * WIDTH;
            vf x = load(f->x + at + v * WIDTH);
            vf dz = innerGradient(f, x, at + v * WIDTH, here, gain, factors, share, kind);
            if (f->storesGradient) store(f->dy + at + v * WIDTH, dz);
            s[v] = s[v] + widen(dz);
            q[v] = q[v] + widen(dz * (x - load(f->mean + here)));
        }
    }
    UNROLL for (int v = 0; v < n; v++) {
        storeDouble(sum + v * WIDTH, s[v]);
        storeDouble(products + v * WIDTH, q[v]);
    }
}

static void fusionSums(const CKFusion *f, int64_t image0, int64_t image1, int64_t lane0, int64_t lane1, double *sum, double *products) {
    for (int64_t image = image0; image < image1; image++) {
        const int64_t first = image * f->pixels;
        BY_KIND(f, FOR_CHUNKS(f->pixels, f->stride, lane0, lane1,
                              fusionSumsRun(f, image, (first + start) * f->stride + lane, count, lane, sum + lane, products + lane,
                                            image == image0 && start == 0, KIND, N)))
    }
}

INLINE void put(float *target, vf value, int32_t accumulate) { store(target, accumulate ? load(target) + value : value); }

INLINE void fusionGradientImage(const CKFusion *f, int64_t image, int64_t first, int64_t last, const int kind) {
    const vf gain = splat(f->gains ? f->gains[image] : 1.0f);
    const float *factors = f->factors ? f->factors + image * f->stride : NULL;
    const float *share = f->share ? f->share + image * f->stride : NULL;
    for (int64_t at = first * f->stride; at < last * f->stride; at += f->stride)
        FOR_LANES(f->stride) {
            vf x = kind == NO_NORM ? splat(0) : load(f->x + at + lane);
            vf dz = innerGradient(f, x, at + lane, lane, gain, factors, share, kind);
            if (kind != NO_NORM) dz = load(f->scale + lane) * (dz - vfma(x, load(f->slope + lane), load(f->offset + lane)));
            put(f->dx + at + lane, dz, f->accumulate);
        }
}

static void fusionGradient(const CKFusion *f, int64_t pixel0, int64_t pixel1) {
    BY_KIND(f, FOR_IMAGES(f, pixel0, pixel1, fusionGradientImage(f, image, first, last, KIND)))
}

static void activate(const float *x, float *y, int64_t count, CKActivation kind) {
    for (int64_t i = 0; i < count; i += WIDTH) store(y + i, activated(load(x + i), kind));
}

static void activateGradient(const float *x, const float *dy, float *dx, int64_t count, CKActivation kind, int32_t accumulate) {
    for (int64_t i = 0; i < count; i += WIDTH) put(dx + i, activationGradient(load(x + i), load(dy + i), kind), accumulate);
}

static void broadcast(const float *s, float *y, int64_t pixels, int64_t stride, int32_t accumulate) {
    for (int64_t p = 0; p < pixels; p++)
        FOR_LANES(stride) put(y + p * stride + lane, load(s + lane), accumulate);
}

/// The winner is the first maximum in the order of the window, as in PyTorch, and its index in the window is kept. What is no number
/// beats every number.
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
                    vi wins = first ? ~bits(splat(0)) : greater(value, best) | isNone(value);
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
static void maxPoolGradient(const CKPooling *pool, const float *dy, const uint8_t *winner, float *dx, int32_t row0, int32_t row1,
                            int32_t accumulate) {
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

/// A panel's square of 16 x 16: WIDTH rows at a time are shuffled together as often as WIDTH can be halved.
static void transposeSquare(const float *square, float *out) {
    for (int row = 0; row < CK_PANEL; row += WIDTH)
        for (int column = 0; column < CK_PANEL; column += WIDTH) {
            vf r[WIDTH], t[WIDTH];
            UNROLL for (int i = 0; i < WIDTH; i++) r[i] = load(square + (row + i) * CK_PANEL + column);
            UNROLL for (int size = WIDTH; size > 1; size /= 2) {
                UNROLL for (int i = 0; i < WIDTH / 2; i++) {
                    t[2 * i] = interleaveLow(r[i], r[i + WIDTH / 2]);
                    t[2 * i + 1] = interleaveHigh(r[i], r[i + WIDTH / 2]);
                }
                UNROLL for (int i = 0; i < WIDTH; i++) r[i] = t[i];
            }
            UNROLL for (int i = 0; i < WIDTH; i++) store(out + (column + i) * CK_PANEL + row, r[i]);
        }
}

static void transposeWeights(const float *weights, int64_t panelStride, int32_t taps, int32_t inputs, int32_t outputs, int32_t panel,
                             float *out) {
    int32_t lanes = inputs - panel * CK_PANEL < CK_PANEL ? inputs - panel * CK_PANEL : CK_PANEL;
    for (int32_t t = 0; t < taps; t++)
        for (int32_t first = 0; first < outputs; first += CK_PANEL) {
            const float *w = weights + first / CK_PANEL * panelStride + ((int64_t)t * inputs + panel * CK_PANEL) * CK_PANEL;
            int32_t count = outputs - first < CK_PANEL ? outputs - first : CK_PANEL;
            if (lanes == CK_PANEL && count == CK_PANEL) {
                transposeSquare(w, out);
            } else {
                for (int32_t o = 0; o < count; o++)
                    for (int32_t i = 0; i < CK_PANEL; i++) out[o * CK_PANEL + i] = i < lanes ? w[i * CK_PANEL + o] : 0;
            }
            out += count * CK_PANEL;
        }
}

static int32_t adam(const CKAdam *s, float *parameter, const float *gradient, float *mean, float *variance, int64_t count) {
    vf odd = splat(0);  // a sum of products with 0: 0 as long as they are of finite numbers
    for (int64_t i = 0; i < count; i += WIDTH) {
        vf g = load(gradient + i);
        vf m = vfma(splat(s->beta1), load(mean + i), splat(s->oneMinusBeta1) * g);
        vf v = vfma(splat(s->beta2), load(variance + i), splat(s->oneMinusBeta2) * (g * g));
        store(mean + i, m);
        store(variance + i, v);
        vf denominator = vfma(vsqrt(v), splat(s->inverseCorrection), splat(s->epsilon));
        vf p = load(parameter + i) - splat(s->learningRate) * (m / denominator);
        store(parameter + i, p);
        odd = vfma(p, splat(0), vfma(m, splat(0), vfma(v, splat(0), odd)));
    }
    float lanes[WIDTH];
    memcpy(lanes, &odd, sizeof lanes);
    for (int i = 0; i < WIDTH; i++)
        if (lanes[i] != 0) return 0;
    return 1;
}
