#include "codec/tokfile_internal.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"

#include <string.h>
#include <zstd.h>

struct poet_tokfile {
    char *path;
    poet_map map;
    poet_tokfile_header header;
    size_t count;
    const unsigned char **entries; /* (count) into the map */
};

const char *poet_tokfile_header_flaw(const poet_tokfile_header *h)
{
    if (h->codes < 1 || h->codes > (uint32_t)1 << 31)
        return "the codebook has an impossible size";
    if (h->levels < 1 || h->levels > 64)
        return "the number of residual levels is not 1 to 64";
    if (h->patch_t - 1 >= 65535 || h->patch_h - 1 >= 65535 || h->patch_w - 1 >= 65535)
        return "the patch has an impossible size";
    if (!(h->fps > 0 && h->fps <= 1000))
        return "the frame rate is not above 0 and at most 1000";
    return NULL;
}

bool poet_tokfile_grid_fits(uint32_t t, uint32_t h, uint32_t w, uint32_t levels)
{
    const uint64_t most = POET_TOKFILE_MAX_CODES, side = POET_TOKFILE_MAX_SIDE;
    return t - 1 < side && h - 1 < side && w - 1 < side && (uint64_t)t * h <= most / w &&
           (uint64_t)t * h * w <= most / levels;
}

bool poet_tokfile_is(const char *path)
{
    unsigned char begin[sizeof POET_TOKFILE_MAGIC - 1];
    char extension[16];
    FILE *file = poet_is_file(path) ? fopen(path, "rb") : NULL;
    if (!file)
        return false;
    size_t n = fread(begin, 1, sizeof begin, file);
    fclose(file);
    poet_path_extension(path, extension);
    return strcmp(extension, "ptok") == 0 ||
           (n == sizeof begin && memcmp(begin, POET_TOKFILE_MAGIC, sizeof begin) == 0);
}

static poet_status broken(const poet_tokfile *f, const char *what)
{
    return POET_FAIL(POET_ERR_FORMAT, "%s: %s", f->path, what);
}

static poet_status read_header(poet_tokfile *f)
{
    const unsigned char *b = f->map.bytes;
    poet_tokfile_header *h = &f->header;
    if (f->map.size < 8 || memcmp(b, POET_TOKFILE_MAGIC, 8) != 0)
        return broken(f, "is not a token file");
    if (f->map.size < POET_TOKFILE_HEADER + POET_TOKFILE_FOOTER)
        return broken(f, "the token file is cut short");
    if (poet_get_u32(b + 8) != POET_TOKFILE_VERSION)
        return POET_FAIL(POET_ERR_FORMAT,
                         "%s: is a token file of version %u; this program reads %d", f->path,
                         poet_get_u32(b + 8), POET_TOKFILE_VERSION);
    if (poet_crc32(0, b, 44) != poet_get_u32(b + 44))
        return broken(f, "the header of the token file is damaged (checksum)");
    uint64_t fps = poet_get_u64(b + 28);
    *h = (poet_tokfile_header){.codes = poet_get_u32(b + 12),
                               .levels = poet_get_u32(b + 16),
                               .patch_t = poet_get_u16(b + 20),
                               .patch_h = poet_get_u16(b + 22),
                               .patch_w = poet_get_u16(b + 24),
                               .tokenizer = poet_get_u64(b + 36)};
    memcpy(&h->fps, &fps, sizeof fps);
    const char *flaw = poet_tokfile_header_flaw(h);
    return flaw ? broken(f, flaw) : POET_OK;
}

/* A string of bytes bytes with its final 0, and no other. */
static bool is_string(const unsigned char *at, size_t bytes)
{
    return memchr(at, 0, bytes) == at + bytes - 1;
}

bool poet_tokfile_read_entry(const unsigned char **at, const unsigned char *end, uint32_t levels,
                             uint64_t *offset)
{
    const unsigned char *e = *at;
    if ((size_t)(end - e) < POET_TOKFILE_ENTRY || poet_get_u64(e) != *offset)
        return false;
    size_t caption = poet_get_u32(e + 28), source = poet_get_u32(e + 32);
    size_t left = (size_t)(end - e) - POET_TOKFILE_ENTRY;
    if (caption < 1 || source < 1 || caption > POET_TOKFILE_MAX_CAPTION ||
        source > POET_TOKFILE_MAX_SOURCE || caption + source > left)
        return false;
    *offset += poet_get_u32(e + 8);
    *at = e + POET_TOKFILE_ENTRY + caption + source;
    return is_string(e + POET_TOKFILE_ENTRY, caption) &&
           is_string(e + POET_TOKFILE_ENTRY + caption, source) &&
           poet_tokfile_grid_fits(poet_get_u32(e + 16), poet_get_u32(e + 20), poet_get_u32(e + 24),
                                  levels);
}

static poet_status read_index(poet_tokfile *f)
{
    const unsigned char *footer = f->map.bytes + f->map.size - POET_TOKFILE_FOOTER;
    if (poet_crc32(0, footer, 24) != poet_get_u32(footer + 24))
        return broken(f, "the token file is cut short, or its end is damaged (checksum)");
    uint64_t offset = poet_get_u64(footer), bytes = poet_get_u64(footer + 8);
    uint64_t space = f->map.size - POET_TOKFILE_FOOTER;
    f->count = poet_get_u32(footer + 16);
    if (offset < POET_TOKFILE_HEADER || offset > space || bytes != space - offset ||
        f->count > bytes / POET_TOKFILE_ENTRY)
        return broken(f, "the index of the token file does not fit the file");
    const unsigned char *at = f->map.bytes + offset, *end = at + bytes;
    if (poet_crc32(0, at, (size_t)bytes) != poet_get_u32(footer + 20))
        return broken(f, "the index of the token file is damaged (checksum)");
    f->entries = poet_calloc(f->count, sizeof *f->entries);
    if (!f->entries)
        return POET_ERR_NOMEM;
    uint64_t clip = POET_TOKFILE_HEADER;
    for (size_t i = 0; i < f->count; i++) {
        f->entries[i] = at;
        if (!poet_tokfile_read_entry(&at, end, f->header.levels, &clip))
            return POET_FAIL(POET_ERR_FORMAT, "%s: clip %zu is badly described in the index",
                             f->path, i);
    }
    return at == end && clip == offset ? POET_OK
                                       : broken(f, "the clips do not fill the token file");
}

poet_status poet_tokfile_open(const char *path, poet_tokfile **out)
{
    *out = NULL;
    poet_tokfile *f = poet_calloc(1, sizeof *f);
    if (!f)
        return POET_ERR_NOMEM;
    f->path = poet_strdup(path);
    poet_status status = f->path ? poet_map_open(path, &f->map) : POET_ERR_NOMEM;
    if (!status)
        status = read_header(f);
    if (!status)
        status = read_index(f);
    if (status) {
        poet_tokfile_close(f);
        return status;
    }
    *out = f;
    return POET_OK;
}

void poet_tokfile_close(poet_tokfile *file)
{
    if (!file)
        return;
    poet_map_close(&file->map);
    poet_free(file->entries);
    poet_free(file->path);
    poet_free(file);
}

uint64_t poet_tokfile_contents(const poet_tokfile *file)
{
    const unsigned char *end = file->map.bytes + file->map.size;
    return file->count ? poet_hash64(0, file->entries[0], (size_t)(end - file->entries[0])) : 0;
}

const poet_tokfile_header *poet_tokfile_get_header(const poet_tokfile *file)
{
    return &file->header;
}

size_t poet_tokfile_count(const poet_tokfile *file)
{
    return file->count;
}

poet_tokfile_clip poet_tokfile_info(const poet_tokfile *file, size_t i)
{
    const unsigned char *e = file->entries[i];
    const char *caption = (const char *)e + POET_TOKFILE_ENTRY;
    return (poet_tokfile_clip){.t = poet_get_u32(e + 16),
                               .h = poet_get_u32(e + 20),
                               .w = poet_get_u32(e + 24),
                               .caption = caption,
                               .source = caption + poet_get_u32(e + 28)};
}

size_t poet_tokfile_code_count(const poet_tokfile *file, size_t i)
{
    poet_tokfile_clip clip = poet_tokfile_info(file, i);
    return (size_t)clip.t * clip.h * clip.w * file->header.levels;
}

static poet_status damaged_clip(const poet_tokfile *f, size_t i, const char *how)
{
    return POET_FAIL(POET_ERR_FORMAT, "%s: clip %zu is damaged (%s)", f->path, i, how);
}

/* The packed codes of a clip that passed its checksum. */
static poet_status decompress(const poet_tokfile *f, size_t i, unsigned char *packed, size_t bytes)
{
    const unsigned char *e = f->entries[i], *clip = f->map.bytes + poet_get_u64(e);
    size_t size = ZSTD_decompress(packed, bytes, clip, poet_get_u32(e + 8));
    if (ZSTD_isError(size))
        return damaged_clip(f, i, ZSTD_getErrorName(size));
    return size == bytes ? POET_OK : damaged_clip(f, i, "wrong length");
}

poet_status poet_tokfile_read(const poet_tokfile *file, size_t i, uint32_t *codes)
{
    if (i >= file->count)
        return POET_FAIL(POET_ERR_ARG, "%s: has no clip %zu, only %zu", file->path, i, file->count);
    const unsigned char *e = file->entries[i];
    if (poet_crc32(0, file->map.bytes + poet_get_u64(e), poet_get_u32(e + 8)) !=
        poet_get_u32(e + 12))
        return damaged_clip(file, i, "checksum");
    size_t count = poet_tokfile_code_count(file, i);
    int width = poet_bits_for(file->header.codes);
    size_t bytes = poet_packed_bytes(count, width);
    unsigned char *packed = poet_alloc(bytes);
    if (!packed)
        return POET_ERR_NOMEM;
    poet_status status = decompress(file, i, packed, bytes);
    if (!status)
        poet_bits_unpack(packed, count, width, codes);
    poet_free(packed);
    for (size_t k = 0; !status && k < count; k++)
        if (codes[k] >= file->header.codes)
            status = POET_FAIL(POET_ERR_FORMAT,
                               "%s: code %u at %zu of clip %zu is outside the codebook of %u",
                               file->path, codes[k], k, i, file->header.codes);
    return status;
}

poet_status poet_tokfile_check_fingerprint(const poet_tokfile *file, uint64_t tokenizer)
{
    if (file->header.tokenizer == tokenizer)
        return POET_OK;
    return POET_FAIL(POET_ERR_MISMATCH,
                     "%s: holds codes of the tokenizer %016llx, not of %016llx; it wants "
                     "that one, or codes that are encoded or remapped for this one",
                     file->path, (unsigned long long)file->header.tokenizer,
                     (unsigned long long)tokenizer);
}
