/* Token files. Their checksums are made right first: behind them is what has to hold by itself. */
#include "base/bits.h"
#include "base/memory.h"
#include "codec/tokfile.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { HEADER = 48, FOOTER = 28, ENTRY = 36, MAX_CODES = 1 << 16 };

/* The checksums of the clips that the index names, as far as it can be followed. */
static void mend_index(unsigned char *bytes, size_t begin, size_t end)
{
    for (size_t at = begin; at + ENTRY <= end;) {
        unsigned char *entry = bytes + at;
        uint64_t offset = poet_get_u64(entry), length = poet_get_u32(entry + 8);
        if (offset <= begin && length <= begin - offset)
            poet_put_u32(entry + 12, poet_crc32(0, bytes + offset, (size_t)length));
        at += ENTRY + (size_t)poet_get_u32(entry + 28) + poet_get_u32(entry + 32);
    }
}

static void mend(unsigned char *bytes, size_t size)
{
    unsigned char *footer = bytes + size - FOOTER;
    uint64_t begin = poet_get_u64(footer), end = size - FOOTER;
    poet_put_u32(bytes + 44, poet_crc32(0, bytes, 44));
    if (begin < end) {
        mend_index(bytes, (size_t)begin, (size_t)end);
        poet_put_u32(footer + 20, poet_crc32(0, bytes + begin, (size_t)(end - begin)));
    }
    poet_put_u32(footer + 24, poet_crc32(0, footer, 24));
}

static void read_clip(const poet_tokfile *file, size_t i)
{
    poet_tokfile_clip clip = poet_tokfile_info(file, i);
    size_t count = poet_tokfile_code_count(file, i);
    FUZZ_CHECK(clip.t && clip.h && clip.w && count);
    FUZZ_CHECK(strlen(clip.caption) < 1 << 20 && strlen(clip.source) < 1 << 16);
    if (count > MAX_CODES)
        return;
    uint32_t *codes = malloc(count * sizeof *codes);
    if (poet_tokfile_read(file, i, codes) == POET_OK)
        for (size_t k = 0; k < count; k++)
            FUZZ_CHECK(codes[k] < poet_tokfile_get_header(file)->codes);
    free(codes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    poet_tokfile *file;
    unsigned char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    if (size >= HEADER + FOOTER)
        mend(bytes, size);
    if (poet_tokfile_open(fuzz_file(bytes, size), &file) == POET_OK) {
        for (size_t i = 0; i < poet_tokfile_count(file); i++)
            read_clip(file, i);
        poet_tokfile_close(file);
    }
    free(bytes);
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}
