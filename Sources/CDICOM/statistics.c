#include "SliceStatistics.h"

// Plain loops, which the compiler turns into vector code: for AVX2 or AVX-512 where the processor has it, which is twice as fast.
#if defined(__x86_64__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

// So many values of at most 200,000 add up in 32 bits.
enum { BLOCK = 4096 };

static inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t clip(int32_t value, ValueWindow window) { return smaller(larger(value, window.low), window.high); }

// A word at any address.
typedef uint16_t Word __attribute__((aligned(1)));

// To the top and back, so that what is above the value goes, or becomes its sign.
static inline int32_t value_of(Word word, bool is_signed, int unused) {
    const uint32_t top = (uint32_t)word << unused;
    return is_signed ? (int32_t)top >> unused : (int32_t)(top >> unused);
}

FOR_EACH_PROCESSOR
void stored_values(StoredPixels pixels, int32_t *values) {
    const Word *words = pixels.words;
    const int unused = 32 - pixels.bits;
    if (pixels.is_signed)
        for (size_t i = 0; i < pixels.count; ++i) values[i] = value_of(words[i], true, unused);
    else
        for (size_t i = 0; i < pixels.count; ++i) values[i] = value_of(words[i], false, unused);
}

// Sums of a block's pixels, and their range so far.
typedef struct {
    int32_t low, high, sum, first, second;
} Block;

// One block, with a loop for each kind of pixels.
static inline __attribute__((always_inline)) void measure(const Word *words, size_t count, bool is_signed, int unused, int32_t intercept,
                                                          ValueWindow first, ValueWindow second, int16_t *hounsfield, Block *block) {
    int32_t low = block->low, high = block->high, sum = 0, sum1 = 0, sum2 = 0;
    for (size_t i = 0; i < count; ++i) {
        const int32_t value = value_of(words[i], is_signed, unused);
        const int32_t unit = value + intercept;
        low = smaller(low, value), high = larger(high, value), sum += value;
        sum1 += clip(unit, first), sum2 += clip(unit, second);
        hounsfield[i] = (int16_t)smaller(larger(unit, INT16_MIN), INT16_MAX);
    }
    *block = (Block){low, high, sum, sum1, sum2};
}

FOR_EACH_PROCESSOR
void slice_measure(StoredPixels pixels, int32_t intercept, ValueWindow first, ValueWindow second, int16_t *hounsfield, ValueRange *raw,
                   ValueRange clipped[2]) {
    const int unused = 32 - pixels.bits;
    Block block = {.low = INT32_MAX, .high = INT32_MIN};
    int64_t sums[3] = {0, 0, 0};
    for (size_t start = 0; start < pixels.count; start += BLOCK) {
        const size_t count = pixels.count - start < BLOCK ? pixels.count - start : BLOCK;
        const Word *words = (const Word *)pixels.words + start;
        if (pixels.is_signed) measure(words, count, true, unused, intercept, first, second, hounsfield + start, &block);
        else measure(words, count, false, unused, intercept, first, second, hounsfield + start, &block);
        sums[0] += block.sum, sums[1] += block.first, sums[2] += block.second;
    }
    *raw = (ValueRange){block.low, block.high, sums[0]};
    // Clipping keeps the order of values.
    const int32_t low = block.low + intercept, high = block.high + intercept;
    clipped[0] = (ValueRange){clip(low, first), clip(high, first), sums[1]};
    clipped[1] = (ValueRange){clip(low, second), clip(high, second), sums[2]};
}
