#include "PairHash.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <string.h>

enum { MESSAGES = 2, BLOCK = 64 };

// clang-format off
// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
// clang-format on

// The working variables a ... h of both messages as the instructions want them: a, b, e, f and c, d, g, h, from the top.
typedef struct {
    __m128i abef[MESSAGES];
    __m128i cdgh[MESSAGES];
} State;

static bool find_instructions(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

// Asked once: a virtual machine takes longer to answer than a slice's tenth to hash.
static bool has_instructions(void) {
    enum { UNKNOWN, MISSING, PRESENT };
    static atomic_int answer = UNKNOWN;
    int known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (known == UNKNOWN) {
        known = find_instructions() ? PRESENT : MISSING;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known == PRESENT;
}

// Four rounds for each message at a time, so that neither waits for the other. `words` holds the last 16 of the message schedule.
__attribute__((target("sha,ssse3,sse4.1"))) static void hash_blocks(State *state, const uint8_t *const messages[MESSAGES], size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    State now = *state;
    for (size_t block = 0; block < blocks; ++block) {
        const State before = now;
        __m128i words[MESSAGES][4];
        for (int m = 0; m < MESSAGES; ++m)
            for (int i = 0; i < 4; ++i) {
                const __m128i *place = (const __m128i *)(messages[m] + block * BLOCK) + i;
                words[m][i] = _mm_shuffle_epi8(_mm_loadu_si128(place), big_endian);
            }
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; ++i) {
            const __m128i constant = _mm_loadu_si128((const __m128i *)(constants + 4 * i));
#pragma clang loop unroll(full)
            for (int m = 0; m < MESSAGES; ++m) {
                __m128i *w = words[m];
                const __m128i sum = _mm_add_epi32(w[i & 3], constant);
                now.cdgh[m] = _mm_sha256rnds2_epu32(now.cdgh[m], now.abef[m], sum);
                now.abef[m] = _mm_sha256rnds2_epu32(now.abef[m], now.cdgh[m], _mm_shuffle_epi32(sum, 0x0e));
                // The words that come 16 later; the last 16 are there already.
                if (i >= 12) continue;
                const __m128i seven = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
                const __m128i part = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]), seven);
                w[i & 3] = _mm_sha256msg2_epu32(part, w[(i + 3) & 3]);
            }
        }
        for (int m = 0; m < MESSAGES; ++m) {
            now.abef[m] = _mm_add_epi32(now.abef[m], before.abef[m]);
            now.cdgh[m] = _mm_add_epi32(now.cdgh[m], before.cdgh[m]);
        }
    }
    *state = now;
}

// What is left of a message after its whole blocks, a one, zeros and the length in bits (FIPS 180-4, 5.1.1): one or two blocks.
static size_t pad(const uint8_t *message, size_t count, uint8_t tail[2 * BLOCK]) {
    const size_t rest = count % BLOCK, blocks = rest < BLOCK - 8 ? 1 : 2;
    memset(tail, 0, 2 * BLOCK);
    if (rest > 0) memcpy(tail, message + count - rest, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; ++i) tail[blocks * BLOCK - 1 - i] = (uint8_t)((uint64_t)count * 8 >> 8 * i);
    return blocks;
}

static void put(const uint32_t value, uint8_t *bytes) {
    for (int i = 0; i < 4; ++i) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

// What one message has left when the other has ended.
static void hash_rest(State *state, int m, const uint8_t *rest, size_t blocks) {
    const uint8_t *const both[MESSAGES] = {rest, rest};
    State now = *state;
    hash_blocks(&now, both, blocks);
    state->abef[m] = now.abef[m];
    state->cdgh[m] = now.cdgh[m];
}

bool sha256_pair(const uint8_t *first, size_t first_count, const uint8_t *second, size_t second_count, uint8_t digests[64]) {
    if (!has_instructions()) return false;
    // The square roots of the first eight primes (5.3.3), in the instructions' order.
    const __m128i abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    const __m128i cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    State state = {{abef, abef}, {cdgh, cdgh}};
    const uint8_t *const messages[MESSAGES] = {first, second};
    const size_t counts[MESSAGES] = {first_count, second_count};
    const size_t common = (first_count < second_count ? first_count : second_count) / BLOCK;
    hash_blocks(&state, messages, common);
    for (int m = 0; m < MESSAGES; ++m) {
        if (counts[m] / BLOCK > common) hash_rest(&state, m, messages[m] + common * BLOCK, counts[m] / BLOCK - common);
        uint8_t tail[2 * BLOCK];
        const size_t blocks = pad(messages[m], counts[m], tail);
        hash_rest(&state, m, tail, blocks);
    }
    for (int m = 0; m < MESSAGES; ++m) {
        uint32_t feba[4], hgdc[4];
        _mm_storeu_si128((__m128i *)feba, state.abef[m]);
        _mm_storeu_si128((__m128i *)hgdc, state.cdgh[m]);
        const uint32_t digest[8] = {feba[3], feba[2], hgdc[3], hgdc[2], feba[1], feba[0], hgdc[1], hgdc[0]};
        for (int i = 0; i < 8; ++i) put(digest[i], digests + 32 * m + 4 * i);
    }
    return true;
}

#else

bool sha256_pair(const uint8_t *first, size_t first_count, const uint8_t *second, size_t second_count, uint8_t digests[64]) {
    return false;
}

#endif
