// CRC-32 of bytes.
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// CRC-32 as zip has it (ISO 3309, reflected polynomial EDB88320) of the bytes that gave `checksum` and these after them. Of no bytes it
// is 0.
uint32_t crc32_after(uint32_t checksum, const uint8_t *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
