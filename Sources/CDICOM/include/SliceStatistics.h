// Statistics of a slice's pixels in one pass, in integers: exact, so that the order of adding does not matter.
#ifndef SLICE_STATISTICS_H
#define SLICE_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Pixels as a file stores them: 16-bit words at any address, of which the lower `bits` (1 to 16) are the value, in two's complement if
// `is_signed`.
typedef struct {
    const void *words;
    size_t count;
    bool is_signed;
    int bits;
} StoredPixels;

// Writes the pixels' values.
void stored_values(StoredPixels pixels, int32_t *values);

// Smallest and largest value, and the sum of all.
typedef struct {
    int32_t minimum;
    int32_t maximum;
    int64_t sum;
} ValueRange;

// Bounds that values are clipped to: the upper one wins where they cross, as in numpy's clip.
typedef struct {
    int32_t low;
    int32_t high;
} ValueWindow;

// Measures pixels: as they are (`raw`), and with `intercept` added clipped to each window (`clipped`). Writes the sums of pixel and
// intercept to `hounsfield`, cut to 16 bits. Intercept and bounds must lie in -100,000 ... 100,000, and there must be a pixel.
void slice_measure(StoredPixels pixels, int32_t intercept, ValueWindow first, ValueWindow second, int16_t *hounsfield, ValueRange *raw,
                   ValueRange clipped[2]);

#ifdef __cplusplus
}
#endif

#endif
