#include "CRC32.h"

#include <pthread.h>
#include <stdbool.h>

// table[k][byte] is the register after a byte and k zeros.
static uint32_t table[8][256];

static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
        table[0][byte] = value;
    }
    for (int k = 1; k < 8; ++k)
        for (int byte = 0; byte < 256; ++byte) table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 255];
}

// The register after some bytes, eight at a time: Kounavis and Berry 2005, "A systematic approach to building high performance
// software-based CRC generators" (slicing by 8).
static uint32_t with_table(uint32_t value, const uint8_t *bytes, size_t count) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_table);
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t eight = 0;
        for (int i = 0; i < 8; ++i) eight |= (uint64_t)bytes[i] << 8 * i;
        eight ^= value;
        value = 0;
        for (int i = 0; i < 8; ++i) value ^= table[7 - i][eight >> 8 * i & 255];
    }
    for (; count > 0; --count, ++bytes) value = value >> 8 ^ table[0][(value ^ *bytes) & 255];
    return value;
}

#if defined(__x86_64__)

#include <immintrin.h>

enum { LANES = 4, LANE = 16 };

static bool has_products(void) { return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"); }

// A remainder moved as many bytes ahead as the constants say, added to what lies there.
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i remainder, __m128i constants, __m128i there) {
    const __m128i low = _mm_clmulepi64_si128(remainder, constants, 0x00), high = _mm_clmulepi64_si128(remainder, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

// The register after a multiple of 16 bytes, at least 64 of them, by carry-less products: Gopal et al. 2009, "Fast CRC computation for
// generic polynomials using PCLMULQDQ instruction". To move d bits ahead, the constants are x^(d + 32) and x^(d - 32) modulo the
// polynomial, with their bits reversed.
__attribute__((target("pclmul,sse4.1"))) static uint32_t with_products(uint32_t value, const uint8_t *bytes, size_t count) {
    const __m128i *next = (const __m128i *)bytes, *end = next + count / LANE;
    __m128i remainders[LANES];
    for (int i = 0; i < LANES; ++i) remainders[i] = _mm_loadu_si128(next++);
    remainders[0] = _mm_xor_si128(remainders[0], _mm_cvtsi32_si128((int)value));
    const __m128i by_512_bits = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by_128_bits = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    for (; end - next >= LANES; next += LANES)
        for (int i = 0; i < LANES; ++i) remainders[i] = fold(remainders[i], by_512_bits, _mm_loadu_si128(next + i));
    __m128i remainder = remainders[0];
    for (int i = 1; i < LANES; ++i) remainder = fold(remainder, by_128_bits, remainders[i]);
    for (; next < end; ++next) remainder = fold(remainder, by_128_bits, _mm_loadu_si128(next));
    uint8_t last[LANE];
    _mm_storeu_si128((__m128i *)last, remainder);
    return with_table(0, last, LANE);
}

#else

enum { LANES = 4, LANE = 16 };

static bool has_products(void) { return false; }
static uint32_t with_products(uint32_t value, const uint8_t *bytes, size_t count) { return with_table(value, bytes, count); }

#endif

uint32_t crc32_after(uint32_t checksum, const uint8_t *bytes, size_t count) {
    uint32_t value = ~checksum;
    size_t done = 0;
    if (count >= LANES * LANE && has_products()) {
        done = count / LANE * LANE;
        value = with_products(value, bytes, done);
    }
    return ~with_table(value, bytes + done, count - done);
}
