#include "codec/tokfile_internal.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"

#include <string.h>
#include <zstd.h>

/* Packed codes are nearly incompressible: a higher level takes time and gains nothing. */
enum { ZSTD_LEVEL = 3 };

/* A block that grows. */
typedef struct buffer {
    unsigned char *bytes;
    size_t used, room;
} buffer;

struct poet_tokfile_writer {
    poet_output *output;
    poet_tokfile_journal *journal; /* NULL: none is kept */
    char *path;
    poet_tokfile_header header;
    uint64_t at; /* bytes written */
    uint32_t count;
    buffer index, packed, compressed;
};

/* Makes room for more bytes behind those used. */
static poet_status reserve(buffer *b, size_t more)
{
    if (b->room - b->used >= more)
        return POET_OK;
    size_t room = b->used + more + b->room / 2;
    unsigned char *grown = poet_realloc(b->bytes, room);
    if (!grown)
        return POET_ERR_NOMEM;
    b->bytes = grown;
    b->room = room;
    return POET_OK;
}

static poet_status put(poet_tokfile_writer *w, const void *bytes, size_t count)
{
    w->at += count;
    return poet_output_write(w->output, bytes, count);
}

void poet_tokfile_put_header(const poet_tokfile_header *header,
                             unsigned char bytes[POET_TOKFILE_HEADER])
{
    const poet_tokfile_header *h = header;
    uint64_t fps;
    memcpy(&fps, &h->fps, sizeof fps);
    memset(bytes, 0, POET_TOKFILE_HEADER);
    memcpy(bytes, POET_TOKFILE_MAGIC, 8);
    poet_put_u32(bytes + 8, POET_TOKFILE_VERSION);
    poet_put_u32(bytes + 12, h->codes);
    poet_put_u32(bytes + 16, h->levels);
    poet_put_u16(bytes + 20, (uint16_t)h->patch_t);
    poet_put_u16(bytes + 22, (uint16_t)h->patch_h);
    poet_put_u16(bytes + 24, (uint16_t)h->patch_w);
    poet_put_u64(bytes + 28, fps);
    poet_put_u64(bytes + 36, h->tokenizer);
    poet_put_u32(bytes + 44, poet_crc32(0, bytes, 44));
}

static poet_status put_header(poet_tokfile_writer *w)
{
    unsigned char bytes[POET_TOKFILE_HEADER];
    poet_tokfile_put_header(&w->header, bytes);
    return put(w, bytes, sizeof bytes);
}

poet_status poet_tokfile_create(const char *path, const poet_tokfile_header *header,
                                poet_tokfile_writer **out)
{
    *out = NULL;
    const char *flaw = poet_tokfile_header_flaw(header);
    if (flaw)
        return POET_FAIL(POET_ERR_ARG, "%s: %s", path, flaw);
    poet_tokfile_writer *w = poet_calloc(1, sizeof *w);
    if (!w)
        return POET_ERR_NOMEM;
    w->header = *header;
    w->path = poet_strdup(path);
    poet_status status = w->path ? poet_output_create(path, &w->output) : POET_ERR_NOMEM;
    if (!status)
        status = put_header(w);
    if (status) {
        poet_tokfile_destroy(w);
        return status;
    }
    *out = w;
    return POET_OK;
}

static poet_status check_clip(const poet_tokfile_writer *w, const poet_tokfile_clip *clip,
                              const uint32_t *codes, size_t count)
{
    if (!poet_tokfile_grid_fits(clip->t, clip->h, clip->w, w->header.levels))
        return POET_FAIL(POET_ERR_ARG, "%s: a clip of %u x %u x %u tokens cannot be stored",
                         w->path, clip->t, clip->h, clip->w);
    if (strlen(clip->caption) >= POET_TOKFILE_MAX_CAPTION ||
        strlen(clip->source) >= POET_TOKFILE_MAX_SOURCE)
        return POET_FAIL(POET_ERR_ARG, "%s: the caption or the name of clip %u is too long",
                         w->path, w->count);
    if (w->count == UINT32_MAX)
        return POET_FAIL(POET_ERR_ARG, "%s: holds as many clips as a token file can", w->path);
    for (size_t i = 0; i < count; i++)
        if (codes[i] >= w->header.codes)
            return POET_FAIL(POET_ERR_ARG,
                             "%s: code %u at %zu of clip %u is outside the codebook of %u", w->path,
                             codes[i], i, w->count, w->header.codes);
    return POET_OK;
}

/* codes -> w->compressed. */
static poet_status compress(poet_tokfile_writer *w, const uint32_t *codes, size_t count)
{
    int width = poet_bits_for(w->header.codes);
    size_t bytes = poet_packed_bytes(count, width), bound = ZSTD_compressBound(bytes);
    w->packed.used = w->compressed.used = 0;
    POET_TRY(reserve(&w->packed, bytes));
    POET_TRY(reserve(&w->compressed, bound));
    poet_bits_pack(codes, count, width, w->packed.bytes);
    size_t size = ZSTD_compress(w->compressed.bytes, bound, w->packed.bytes, bytes, ZSTD_LEVEL);
    if (ZSTD_isError(size))
        return POET_FAIL(POET_ERR_NOMEM, "%s: compression of clip %u failed: %s", w->path, w->count,
                         ZSTD_getErrorName(size));
    w->compressed.used = size;
    return POET_OK;
}

/* The entry of the clip that is compressed, behind the index. */
static poet_status make_entry(poet_tokfile_writer *w, const poet_tokfile_clip *clip, size_t *bytes)
{
    size_t caption = strlen(clip->caption) + 1, source = strlen(clip->source) + 1;
    *bytes = POET_TOKFILE_ENTRY + caption + source;
    POET_TRY(reserve(&w->index, *bytes));
    unsigned char *entry = w->index.bytes + w->index.used;
    poet_put_u64(entry, w->at);
    poet_put_u32(entry + 8, (uint32_t)w->compressed.used);
    poet_put_u32(entry + 12, poet_crc32(0, w->compressed.bytes, w->compressed.used));
    poet_put_u32(entry + 16, clip->t);
    poet_put_u32(entry + 20, clip->h);
    poet_put_u32(entry + 24, clip->w);
    poet_put_u32(entry + 28, (uint32_t)caption);
    poet_put_u32(entry + 32, (uint32_t)source);
    memcpy(entry + POET_TOKFILE_ENTRY, clip->caption, caption);
    memcpy(entry + POET_TOKFILE_ENTRY + caption, clip->source, source);
    return POET_OK;
}

/* Writes the clip whose entry is behind the index, and counts it. */
static poet_status put_clip(poet_tokfile_writer *w, const poet_tokfile_record *record)
{
    POET_TRY(put(w, record->frame, record->frame_bytes));
    w->index.used += record->entry_bytes;
    w->count++;
    return POET_OK;
}

poet_status poet_tokfile_add(poet_tokfile_writer *writer, const poet_tokfile_clip *clip,
                             const uint32_t *codes)
{
    poet_tokfile_writer *w = writer;
    poet_tokfile_record record;
    size_t count = (size_t)clip->t * clip->h * clip->w * w->header.levels;
    POET_TRY(check_clip(w, clip, codes, count));
    POET_TRY(compress(w, codes, count));
    POET_TRY(make_entry(w, clip, &record.entry_bytes));
    record.entry = w->index.bytes + w->index.used;
    record.frame = w->compressed.bytes;
    record.frame_bytes = w->compressed.used;
    POET_TRY(w->journal ? poet_tokfile_journal_add(w->journal, &record) : POET_OK);
    return put_clip(w, &record);
}

/* Of a journal. */
static poet_status take_record(void *opaque, const poet_tokfile_record *record)
{
    poet_tokfile_writer *w = opaque;
    POET_TRY(reserve(&w->index, record->entry_bytes));
    memcpy(w->index.bytes + w->index.used, record->entry, record->entry_bytes);
    return put_clip(w, record);
}

poet_status poet_tokfile_resume(const char *path, const poet_tokfile_header *header,
                                const char *run, poet_tokfile_writer **out)
{
    POET_TRY(poet_tokfile_create(path, header, out));
    poet_status status =
        poet_tokfile_journal_open(path, header, run, take_record, *out, &(*out)->journal);
    if (status) {
        poet_tokfile_destroy(*out);
        *out = NULL;
    }
    return status;
}

uint32_t poet_tokfile_written(const poet_tokfile_writer *writer)
{
    return writer->count;
}

poet_status poet_tokfile_commit(poet_tokfile_writer *writer)
{
    poet_tokfile_writer *w = writer;
    unsigned char footer[POET_TOKFILE_FOOTER];
    POET_TRY(reserve(&w->index, 1)); /* there are bytes to point at, even without clips */
    poet_put_u64(footer, w->at);
    poet_put_u64(footer + 8, w->index.used);
    poet_put_u32(footer + 16, w->count);
    poet_put_u32(footer + 20, poet_crc32(0, w->index.bytes, w->index.used));
    poet_put_u32(footer + 24, poet_crc32(0, footer, 24));
    POET_TRY(put(w, w->index.bytes, w->index.used));
    POET_TRY(put(w, footer, sizeof footer));
    POET_TRY(poet_output_commit(w->output));
    poet_tokfile_journal_close(w->journal, false);
    w->journal = NULL;
    return POET_OK;
}

void poet_tokfile_destroy(poet_tokfile_writer *writer)
{
    if (!writer)
        return;
    poet_output_destroy(writer->output);
    poet_tokfile_journal_close(writer->journal, writer->count > 0);
    poet_free(writer->path);
    poet_free(writer->index.bytes);
    poet_free(writer->packed.bytes);
    poet_free(writer->compressed.bytes);
    poet_free(writer);
}
