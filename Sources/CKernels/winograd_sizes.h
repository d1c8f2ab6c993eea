// How a thread's Winograd workspace is laid out; the same for every instruction set.
#ifndef WINOGRAD_SIZES_H
#define WINOGRAD_SIZES_H
#include "CKernels.h"

enum { POSITIONS = 16, MOST_TILES = 60 };  // a multiple of every table's ROWS, and no more than a weight gradient's POINTS

/// Tiles at a time: their transformed inputs stay in the second-level cache.
static inline int64_t winogradTiles(int64_t pixelStride) {
    int64_t tiles = 12288 / pixelStride / 12 * 12;
    return tiles < 12 ? 12 : tiles > MOST_TILES ? MOST_TILES : tiles;
}

/// Floats from one position's matrix to the next. Odd in cache lines, so that the 16 do not share one cache set.
static inline int64_t positionStride(int64_t tiles, int64_t width) { return tiles * width + (tiles * width / 16 % 2 ? 32 : 16); }
#endif
