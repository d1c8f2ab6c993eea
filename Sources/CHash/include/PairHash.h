// SHA-256 of two messages at once. CRC-32 is in CRC32.h.
#ifndef PAIR_HASH_H
#define PAIR_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// SHA-256 (FIPS 180-4) of two messages, one digest of 32 bytes after the other.
//
// A processor's instructions for SHA-256 wait for one another within a message, so that a second message is hashed in the gaps:
// both take little longer than one, as far as they are equally long. False, and nothing is written, if the processor has no such
// instructions.
bool sha256_pair(const uint8_t *first, size_t first_count, const uint8_t *second, size_t second_count, uint8_t digests[64]);

#ifdef __cplusplus
}
#endif

#endif
