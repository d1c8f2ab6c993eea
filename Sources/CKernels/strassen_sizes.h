// How a thread's workspace for Strassen's products is laid out; the same for every instruction set.
#ifndef STRASSEN_SIZES_H
#define STRASSEN_SIZES_H
#include "CKernels.h"

enum { PRODUCTS = 7, MOST_PAIRS = 12 };  // no table has more ROWS

/// Floats from the left side of one product to that of the next. Odd in cache lines where the channels' halves are even, so that
/// those of one product do not share one cache set.
static inline int64_t strassenPieceStride(int64_t channels) { return channels / 2 + 16; }
#endif
