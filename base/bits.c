#include "base/bits.h"

#include <string.h>

void poet_put_u16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

void poet_put_u32(unsigned char *at, uint32_t value)
{
    poet_put_u16(at, (uint16_t)value);
    poet_put_u16(at + 2, (uint16_t)(value >> 16));
}

void poet_put_u64(unsigned char *at, uint64_t value)
{
    poet_put_u32(at, (uint32_t)value);
    poet_put_u32(at + 4, (uint32_t)(value >> 32));
}

uint16_t poet_get_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t poet_get_u32(const unsigned char *at)
{
    return poet_get_u16(at) | (uint32_t)poet_get_u16(at + 2) << 16;
}

uint64_t poet_get_u64(const unsigned char *at)
{
    return poet_get_u32(at) | (uint64_t)poet_get_u32(at + 4) << 32;
}

int poet_bits_for(uint64_t k)
{
    int bits = 0;
    while (bits < 64 && k > (1ULL << bits))
        bits++;
    return bits;
}

size_t poet_packed_bytes(size_t count, int width)
{
    return (count * (size_t)width + 7) / 8;
}

void poet_bits_pack(const uint32_t *codes, size_t count, int width, unsigned char *out)
{
    uint64_t window = 0;
    int held = 0;
    for (size_t i = 0; i < count; i++) {
        window |= (uint64_t)codes[i] << held;
        for (held += width; held >= 8; held -= 8) {
            *out++ = (unsigned char)window;
            window >>= 8;
        }
    }
    if (held)
        *out = (unsigned char)window;
}

void poet_bits_unpack(const unsigned char *in, size_t count, int width, uint32_t *codes)
{
    uint64_t window = 0;
    int held = 0;
    uint64_t mask = (1ULL << width) - 1;
    for (size_t i = 0; i < count; i++) {
        for (; held < width; held += 8)
            window |= (uint64_t)*in++ << held;
        codes[i] = (uint32_t)(window & mask);
        window >>= width;
        held -= width;
    }
}

uint32_t poet_crc32(uint32_t previous, const void *bytes, size_t count)
{
    /* Half-byte table: 64 bytes of constants, one lookup for four bits. */
    static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                       0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                       0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                       0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    const unsigned char *p = bytes;
    uint32_t crc = ~previous;
    for (size_t i = 0; i < count; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}
