// CRC-32C, by the processor's own instruction (SSE 4.2, ARMv8 CRC) or by tables.
//
// The register holds polynomials over GF(2) with the coefficient of x^0 in the highest bit, as the instructions have it. One
// instruction takes 8 bytes and has a latency of 3 cycles, so long inputs are cut into three streams that run side by side. Their
// registers are put together again by linearity: the register after A then B is that of A shifted by B's length, plus that of B alone.

#include "CChecksum.h"

#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define POLYNOMIAL 0x82F63B78u
#define LONG_STREAM 4096
#define SHORT_STREAM 256

// slices[k][b]: the register after byte b and k zero bytes.
static uint32_t slices[8][256];
// shifts[k][b]: the register b << 8k after a stream's length of zero bytes.
static uint32_t long_shifts[4][256];
static uint32_t short_shifts[4][256];
static bool has_instruction;

static uint32_t product(uint32_t a, uint32_t b) {
    uint32_t sum = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit) sum ^= b;
        b = (b & 1) ? (b >> 1) ^ POLYNOMIAL : b >> 1;
    }
    return sum;
}

static void fill_shifts(uint32_t shifts[4][256], size_t byte_count) {
    uint32_t power = 1u << 31;          // x^0
    uint32_t square = 1u << (31 - 8);   // x^8, one byte
    for (size_t left = byte_count; left != 0; left >>= 1) {
        if (left & 1) power = product(power, square);
        square = product(square, square);
    }
    for (int place = 0; place < 4; place++)
        for (uint32_t byte = 0; byte < 256; byte++) shifts[place][byte] = product(byte << (8 * place), power);
}

// Runs before main: afterwards the tables never change, and any thread may read them.
__attribute__((constructor)) static void fill_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        slices[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = slices[slice - 1][byte];
            slices[slice][byte] = (before >> 8) ^ slices[0][before & 0xFF];
        }
    fill_shifts(long_shifts, LONG_STREAM);
    fill_shifts(short_shifts, SHORT_STREAM);
#if defined(__x86_64__)
    __builtin_cpu_init();
    has_instruction = __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__linux__)
    has_instruction = (getauxval(AT_HWCAP) & (1 << 7)) != 0;   // HWCAP_CRC32
#elif defined(__aarch64__) && defined(__APPLE__)
    has_instruction = true;
#endif
}

static uint64_t load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint32_t whence_crc32c_portable(uint32_t crc, const void *start, size_t count) {
    const uint8_t *bytes = start;
    crc = ~crc;
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word = load(bytes) ^ crc;
        crc = 0;
        for (int place = 0; place < 8; place++) crc ^= slices[7 - place][(word >> (8 * place)) & 0xFF];
    }
    for (; count > 0; bytes++, count--) crc = (crc >> 8) ^ slices[0][(crc ^ *bytes) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define TAKE_WORD(crc, word) ((uint32_t)__builtin_ia32_crc32di((crc), (word)))
#define TAKE_BYTE(crc, byte) __builtin_ia32_crc32qi((crc), (byte))
#elif defined(__aarch64__)
#define WITH_INSTRUCTION __attribute__((target("crc")))
#define TAKE_WORD(crc, word) __builtin_arm_crc32cd((crc), (word))
#define TAKE_BYTE(crc, byte) __builtin_arm_crc32cb((crc), (byte))
#endif

#ifdef WITH_INSTRUCTION
static uint32_t shifted(uint32_t crc, uint32_t shifts[4][256]) {
    return shifts[0][crc & 0xFF] ^ shifts[1][(crc >> 8) & 0xFF] ^ shifts[2][(crc >> 16) & 0xFF] ^ shifts[3][crc >> 24];
}

// Three streams of `length` bytes, one behind the other in memory.
WITH_INSTRUCTION static inline uint32_t three_streams(uint32_t crc, const uint8_t *bytes, size_t length, uint32_t shifts[4][256]) {
    uint32_t first = crc, second = 0, third = 0;
    for (size_t at = 0; at < length; at += 8) {
        first = TAKE_WORD(first, load(bytes + at));
        second = TAKE_WORD(second, load(bytes + length + at));
        third = TAKE_WORD(third, load(bytes + 2 * length + at));
    }
    return shifted(shifted(first, shifts) ^ second, shifts) ^ third;
}

WITH_INSTRUCTION static uint32_t with_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    crc = ~crc;
    for (; count >= 3 * LONG_STREAM; bytes += 3 * LONG_STREAM, count -= 3 * LONG_STREAM)
        crc = three_streams(crc, bytes, LONG_STREAM, long_shifts);
    for (; count >= 3 * SHORT_STREAM; bytes += 3 * SHORT_STREAM, count -= 3 * SHORT_STREAM)
        crc = three_streams(crc, bytes, SHORT_STREAM, short_shifts);
    for (; count >= 8; bytes += 8, count -= 8) crc = TAKE_WORD(crc, load(bytes));
    for (; count > 0; bytes++, count--) crc = TAKE_BYTE(crc, *bytes);
    return ~crc;
}
#endif

bool whence_crc32c_has_instruction(void) { return has_instruction; }

uint32_t whence_crc32c(uint32_t crc, const void *bytes, size_t count) {
#ifdef WITH_INSTRUCTION
    if (has_instruction) return with_instruction(crc, bytes, count);
#endif
    return whence_crc32c_portable(crc, bytes, count);
}
