// The micro-kernels of the engine, in one table per instruction set.
//
// Layout everywhere: NHWC, the channels of a pixel padded with zeros to a multiple of 16 (a "panel" is 16 channels).
// Weights: [output panel][tap][input channel of the block][16 output channels].
// docs/numerics.md specifies the order of every operation; all tables give the same bits.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { CK_PANEL = 16 };
/// What `weightGradientTree` takes at most: output pixels of the batch, and levels of the tree over the grains.
enum { CK_TREE_POINTS = 2048, CK_TREE_LEVELS = 8 };

/// The order of the tree over the grains, whose sums come one after the other: how many additions follow once a grain's sum is there,
/// each of the last two sums that wait. Like a binary counter: a sum of 2^k grains waits for each bit k of the number of grains so far,
/// and two of the same length are added at once; after the last grain, all that wait are.
static inline int32_t ck_tree_additions(int32_t grain, int32_t grains) {
    return grain + 1 < grains ? __builtin_ctz((uint32_t)grain + 1) : __builtin_popcount((uint32_t)grain);
}

/// The instruction sets that a table exists for.
typedef enum { CK_SCALAR = 0, CK_SCALAR_FMA = 1, CK_AVX2 = 2, CK_AVX512 = 3 } CKInstructionSet;

typedef enum { CK_IDENTITY = 0, CK_RELU = 1, CK_SWISH = 2, CK_SIGMOID = 3 } CKActivation;

/// One term of a convolution's sum: where it reads, relative to the grid, and where its weights lie in a panel.
typedef struct {
    int32_t row, column;
    int64_t weights;
} CKTap;

/// A convolution as a gather: grid point (a, b) of an image reads input pixels (a * step + tap.row, b * step + tap.column).
/// Forward passes and data gradients, dense, grouped and depthwise, are all of this form; a weight gradient is described as the
/// forward pass, with the output's gradient where the output was.
typedef struct {
    const float *input;
    /// While it reads an input pixel, the kernel prefetches what lies as far behind `prefetchBase`; NULL: the input's own next pixels.
    const float *prefetchBase;
    int64_t inputImageStride, inputRowStride, inputPixelStride;
    int32_t inputHeight, inputWidth;
    float *output;
    int64_t outputImageStride, outputRowStride, outputPixelStride;
    int32_t gridHeight, gridWidth;
    int32_t step;
    const CKTap *taps;
    int32_t tapCount;
    /// Input channels that each output channel sums over; 0 means depthwise (lane by lane).
    int32_t channels;
    /// Output panels that read the same block of `channels` input channels.
    int32_t panelsPerBlock;
    /// 4 or 8: groups of so many channels, whose weights lie as blocks of 16 inputs with zeros between the groups; 0 otherwise.
    int32_t group;
    const float *weights;
    int64_t panelStride;
    /// 1: the output is stored past the caches, being too large for them.
    int32_t bypassesCache;
    /// Whether any of what follows is set; in this order, after the chain:
    int32_t hasEpilogue;
    /// 1: the result is added to what the output holds.
    int32_t accumulate;
    /// Added; NULL for none.
    const float *bias;
    /// value = activation(fma(value, scale, shift)), a batch norm in evaluation; NULL for none.
    const float *scale, *shift;
    CKActivation activation;
    /// value = residualActivation(value + residual), read where the output is written; NULL for none.
    const float *residual;
    CKActivation residualActivation;
    /// At least as many zeros as an input pixel has floats: what a tap outside the input reads.
    const float *zeros;
} CKConvolution;

/// Elementwise operations that follow each other on a map, as one pass:
///
///     y = outer(activation(fma(x, scale, shift)) * factors * gain + residual)
///
/// and its backward pass, from dy to dx. What is NULL is left out.
typedef struct {
    const float *x;
    /// Written by `fuse`; read by the gradients where `outer` is ReLU and dy is not masked yet.
    float *y;
    /// Pixels of one image, and floats from one to the next.
    int64_t pixels, stride;
    /// A batch norm as scale and shift per channel, with its activation: identity, ReLU or swish.
    const float *scale, *shift;
    CKActivation activation;
    /// Squeeze-excite factors, `stride` per image, and drop-connect gains, one per image.
    const float *factors, *gains;
    const float *residual;
    /// Identity or ReLU.
    CKActivation outer;

    /// 1: y is stored past the caches, being too large for them.
    int32_t bypassesCache;

    /// The gradient of y. The first gradient kernel that is given y multiplies it with outer's derivative.
    float *dy;
    /// A gradient for each channel of an image's activation, the global average's.
    const float *share;
    /// The batch norm's mean, and slope and offset of its gradient.
    const float *mean, *slope, *offset;
    /// 1: `fusionSums` leaves the gradient before the activation in dy.
    int32_t storesGradient;
    /// The gradient of x; may be dy. 1: added to what is there.
    float *dx;
    int32_t accumulate;
} CKFusion;

/// Max pooling; windows are clipped to the input.
typedef struct {
    int32_t inputHeight, inputWidth, outputHeight, outputWidth;
    int32_t kernel, stride, padding;
    int64_t pixelStride;
} CKPooling;

typedef struct {
    float learningRate;  // lr / (1 - beta1^t)
    float beta1, beta2, oneMinusBeta1, oneMinusBeta2;
    float inverseCorrection;  // 1 / sqrt(1 - beta2^t)
    float epsilon;
} CKAdam;

/// All kernels of one instruction set. Ranges are half-open; pixels count over all images of the batch.
typedef struct {
    void (*convolution)(const CKConvolution *, int64_t pixel0, int64_t pixel1, int32_t panel0, int32_t panel1);
    /// One grain's chain for the panels [panel0, panel1), stored at `sums` (panel0 first), `panelStride` apart. Of groups of 4 and 8,
    /// the sums are [tap][group's inputs][16 outputs].
    void (*weightGradient)(const CKConvolution *, int64_t image0, int64_t image1, int32_t panel0, int32_t panel1, float *sums);
    /// Copies the input channels [channel0, channel1) of all points of a 1x1 convolution for `weightGradientTree`, CK_TREE_POINTS of
    /// them at most; channel0 is a multiple of 12, and `packed` has room for the channels rounded up to such a multiple.
    void (*packPoints)(const CKConvolution *, int64_t points, int32_t channel0, int32_t channel1, float *packed);
    /// The whole gradient of some panels, grains and tree included, for dense convolutions of few points: `ends` are the grains'
    /// last images + 1, `workspace` has 2 * 16 * CK_TREE_POINTS floats. `packed` is NULL where it reads the input as it is.
    void (*weightGradientTree)(const CKConvolution *, const float *packed, const int64_t *ends, int32_t grains, int32_t panel0,
                               int32_t panel1, float *gradient, float *workspace);
    /// Winograd's F(2x2, 3x3): 3x3 convolutions with stride 1 and padding 1, by tiles of 2 x 2 outputs. Weights come as
    /// [output panel][16 positions][channels][16] from `winogradWeights`; `workspace` has ck_winograd_workspace() floats.
    void (*winograd)(const CKConvolution *, int64_t tile0, int64_t tile1, int32_t panel0, int32_t panel1, float *workspace);
    /// Transforms the panels of weights that lie as [panel][9 taps][channels][16]; `flipped` turns the kernel by 180 degrees.
    void (*winogradWeights)(const float *weights, int32_t channels, int32_t flipped, int32_t panel0, int32_t panel1, float *out);
    /// As `weightGradient`, but the sums are transformed ones: [panel][16][channels][16].
    void (*winogradGradient)(const CKConvolution *, int64_t image0, int64_t image1, int32_t panel0, int32_t panel1, float *sums,
                             float *workspace);
    /// Transforms such sums into gradients that lie as [panel][9][channels][16].
    void (*winogradGradientWeights)(const float *sums, int32_t channels, int32_t panels, float *out);
    /// Strassen's products: 1x1 convolutions by pairs of neighbouring grid points of an image, whose last point may be alone; such
    /// images have more than 2 * 12 points. Weights come from `strassenWeights`; `workspace` has ck_strassen_workspace() floats.
    void (*strassen)(const CKConvolution *, int64_t pair0, int64_t pair1, float *workspace);
    /// Works out the weights' sides of the products, [panel of the first half][7][channels / 2][16], for some of these panels.
    void (*strassenWeights)(const float *weights, int32_t channels, int32_t panels, int32_t panel0, int32_t panel1, float *out);
    /// Chain of x and of x*x per channel, in double, over `pixels` pixels, for the channels [lane0, lane1).
    void (*channelSums)(const float *x, int64_t pixels, int64_t stride, int64_t lane0, int64_t lane1, double *sum, double *squares);
    void (*fuse)(const CKFusion *, int64_t pixel0, int64_t pixel1);
    /// Chains over the pixels [pixel0, pixel1) of one image of activation(fma(x, scale, shift)), for the channels [lane0, lane1), in
    /// double; an image's first pixel begins them.
    void (*averageSums)(const CKFusion *, int64_t pixel0, int64_t pixel1, int64_t lane0, int64_t lane1, double *sums);
    /// Chains over an image's pixels of the gradient of the factors; `sums` is for the sums.
    void (*factorGradient)(const CKFusion *, int64_t image, int64_t lane0, int64_t lane1, double *sums, float *gradient);
    /// Chains of dz and of dz * (x - mean) over images, in double; dz is the gradient before the activation.
    void (*fusionSums)(const CKFusion *, int64_t image0, int64_t image1, int64_t lane0, int64_t lane1, double *sum, double *products);
    /// dx = scale * (dz - fma(x, slope, offset)), or dz where there is no batch norm.
    void (*fusionGradient)(const CKFusion *, int64_t pixel0, int64_t pixel1);
    void (*activate)(const float *x, float *y, int64_t count, CKActivation);
    /// dx = dy * activation'(x), added to dx when `accumulate`.
    void (*activateGradient)(const float *x, const float *dy, float *dx, int64_t count, CKActivation, int32_t accumulate);
    /// y += s or y = s for every pixel, one s per channel.
    void (*broadcast)(const float *s, float *y, int64_t pixels, int64_t stride, int32_t accumulate);
    /// `winner` takes each output's index in its window; NULL where no gradient is wanted.
    void (*maxPool)(const CKPooling *, const float *x, float *y, uint8_t *winner, int32_t row0, int32_t row1);
    void (*maxPoolGradient)(const CKPooling *, const float *dy, const uint8_t *winner, float *dx, int32_t row0, int32_t row1,
                            int32_t accumulate);
    /// a += b.
    void (*accumulate)(float *a, const float *b, int64_t count);
    /// The panel of a data gradient's weights: out[tap][o][lane] = weights[o's panel][tap][16 * panel + lane][o's lane] for one block.
    void (*transposeWeights)(const float *weights, int64_t panelStride, int32_t taps, int32_t inputs, int32_t outputs, int32_t panel,
                             float *out);
    /// Returns whether all that it wrote are finite numbers.
    int32_t (*adam)(const CKAdam *, float *parameter, const float *gradient, float *mean, float *variance, int64_t count);
} CKKernels;

/// Floats that a thread's Winograd convolutions need, for maps of so many floats a pixel and so many output panels at a time.
int64_t ck_winograd_workspace(int64_t pixelStride, int32_t panels);

/// Floats that a thread's Strassen products need.
int64_t ck_strassen_workspace(int32_t channels);

/// The best instruction set that this CPU has.
CKInstructionSet ck_best_instruction_set(void);
/// Whether this CPU can run a table.
int ck_supports(CKInstructionSet);
const CKKernels *ck_kernels(CKInstructionSet);

#endif
