/* Byte and bit order: little-endian fields, codes packed at any width, CRC-32. Used by every file
 * format. */
#ifndef POET_BASE_BITS_H
#define POET_BASE_BITS_H

#include <stddef.h>
#include <stdint.h>

void poet_put_u16(unsigned char *at, uint16_t value);
void poet_put_u32(unsigned char *at, uint32_t value);
void poet_put_u64(unsigned char *at, uint64_t value);
uint16_t poet_get_u16(const unsigned char *at);
uint32_t poet_get_u32(const unsigned char *at);
uint64_t poet_get_u64(const unsigned char *at);

/* Bits that one of k different codes needs: 0 for k <= 1, 10 for 1,024, 11 for 1,025. */
int poet_bits_for(uint64_t k);

/* Bytes that count codes of the given width (0..32 bits) take when packed. */
size_t poet_packed_bytes(size_t count, int width);

/* Packs codes, least significant bit first, the first code in the lowest bits of the first byte;
 * codes must fit the width. out has poet_packed_bytes(count, width) bytes. */
void poet_bits_pack(const uint32_t *codes, size_t count, int width, unsigned char *out);
void poet_bits_unpack(const unsigned char *in, size_t count, int width, uint32_t *codes);

/* CRC-32 (ISO-HDLC, the one of zlib and PNG); chain by passing the previous value, 0 to begin. */
uint32_t poet_crc32(uint32_t previous, const void *bytes, size_t count);

#endif
