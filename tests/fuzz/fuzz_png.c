/* PNG files, pixels and texts, with the checksums of their chunks made right. */
#include "base/bits.h"
#include "base/memory.h"
#include "codec/png.h"
#include "codec/tags_internal.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { SIGNATURE = 8, MAX_PIXELS = 1 << 12 };

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A chunk is its length, four letters, data, and a checksum of the letters and the data. */
static void mend(unsigned char *bytes, size_t size)
{
    for (size_t at = SIGNATURE; at + 12 <= size;) {
        size_t length = big_endian(bytes + at);
        if (length > size - at - 12)
            return;
        uint32_t crc = poet_crc32(0, bytes + at + 4, length + 4);
        for (size_t i = 0; i < 4; i++)
            bytes[at + 8 + length + i] = (unsigned char)(crc >> (24 - 8 * i));
        at += 12 + length;
    }
}

/* In place of the list of tags_read.c, which would bring FFmpeg with it. */
poet_status poet_tags_add(poet_tags *tags, const char *key, const char *value, size_t length)
{
    FUZZ_CHECK(key && strlen(value) == length);
    tags->count++;
    return POET_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t background[3] = {1, 2, 3};
    poet_tags tags = {0};
    poet_clip clip;
    unsigned char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    mend(bytes, size);
    const char *path = fuzz_file(bytes, size);
    if (poet_png_read(path, background, MAX_PIXELS, &clip) == POET_OK) {
        FUZZ_CHECK(clip.h > 0 && clip.w > 0 && clip.h <= MAX_PIXELS / clip.w);
        FUZZ_CHECK(poet_png_texts(path, &tags) == POET_OK);
        poet_clip_free(&clip);
    }
    free(bytes);
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}
