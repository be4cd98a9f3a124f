// CRC-32C (Castagnoli; RFC 3720, appendix B.4): the checksum of frames, and of whatever else is guarded so.
#ifndef WHENCE_CCHECKSUM_H
#define WHENCE_CCHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The checksum of `count` bytes behind bytes whose checksum is `crc` (0 for none). Uses the processor's instruction where it has one.
uint32_t whence_crc32c(uint32_t crc, const void *bytes, size_t count);

// The same by tables, on any processor.
uint32_t whence_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

// Whether the processor has an instruction for it.
bool whence_crc32c_has_instruction(void);

#endif
