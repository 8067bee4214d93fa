/* FFmpeg shows what there is of a cut GIF and says nothing; its block structure tells. */
#include "codec/av_internal.h"

#include "base/file.h"

enum { HEADER = 13, DESCRIPTOR = 10, TRAILER = 0x3b, EXTENSION = 0x21, IMAGE = 0x2c };

static size_t table_bytes(unsigned char flags)
{
    return flags & 0x80 ? (size_t)6 << (flags & 7) : 0;
}

/* Behind the sub-blocks that begin at `at`, or past size. */
static size_t skip_blocks(const unsigned char *bytes, size_t size, size_t at)
{
    while (at < size && bytes[at])
        at += bytes[at] + (size_t)1;
    return at + 1;
}

/* Walks from block to block until the trailer, or until the file or its sense ends. */
static bool reaches_trailer(const unsigned char *bytes, size_t size)
{
    size_t at = size > HEADER ? HEADER + table_bytes(bytes[10]) : size;
    while (at < size && bytes[at] != TRAILER) {
        if (bytes[at] == EXTENSION)
            at = skip_blocks(bytes, size, at + 2);
        else if (bytes[at] == IMAGE && size - at > DESCRIPTOR)
            at = skip_blocks(bytes, size, at + DESCRIPTOR + table_bytes(bytes[at + 9]) + 1);
        else
            return false;
    }
    return at < size;
}

poet_status poet_gif_check(const char *path)
{
    poet_map map;
    POET_TRY(poet_map_open(path, &map));
    bool whole = reaches_trailer(map.bytes, map.size);
    poet_map_close(&map);
    return whole ? POET_OK : POET_FAIL(POET_ERR_FORMAT, "%s: the GIF file is cut short", path);
}
