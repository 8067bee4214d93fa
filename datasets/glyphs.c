#include "datasets/glyphs.h"

#include "base/memory.h"

#include <string.h>
#include <zlib.h>

/* gzread also reads files that are not compressed. */
static poet_status read_all(const char *path, uint8_t **bytes, size_t *size)
{
    enum { LIMIT = 1 << 30, STEP = 1 << 20 };

    poet_status status = POET_OK;
    size_t room = 0;
    gzFile file = gzopen(path, "rb");
    *bytes = NULL;
    *size = 0;
    if (!file)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be opened", path);
    for (int got = 1; got > 0;) {
        if (room - *size < STEP) {
            room = *size + *size / 2 + STEP;
            uint8_t *grown = room <= LIMIT ? poet_realloc(*bytes, room) : NULL;
            if (!grown) {
                status = room <= LIMIT ? POET_ERR_NOMEM
                                       : POET_FAIL(POET_ERR_FORMAT, "%s: larger than 1 GiB", path);
                break;
            }
            *bytes = grown;
        }
        got = gzread(file, *bytes + *size, STEP);
        if (got < 0)
            status = POET_FAIL(POET_ERR_FORMAT, "%s: damaged gzip file", path);
        else
            *size += (size_t)got;
    }
    if (gzclose(file) != Z_OK && status == POET_OK)
        status = POET_FAIL(POET_ERR_FORMAT, "%s: truncated gzip file", path);
    return status;
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* IDX: 0, 0, type 8 (bytes), dimensions, then their sizes and the data. */
static poet_status check_idx(const char *path, const uint8_t *bytes, size_t size, int dimensions,
                             uint32_t *dimension)
{
    size_t head = 4 + 4 * (size_t)dimensions;
    if (size < head || bytes[0] || bytes[1] || bytes[2] != 8 || bytes[3] != dimensions)
        return POET_FAIL(POET_ERR_FORMAT, "%s: not an IDX file of bytes with %d dimensions", path,
                         dimensions);
    uint64_t need = 1;
    for (int i = 0; i < dimensions; i++) {
        dimension[i] = big_endian(bytes + 4 + 4 * i);
        if (dimension[i] == 0 || dimension[i] > (1U << 24))
            return POET_FAIL(POET_ERR_FORMAT, "%s: a dimension of %u", path, dimension[i]);
        need = need > (1U << 30) ? need : need * dimension[i];
    }
    if (need > size - head)
        return POET_FAIL(POET_ERR_FORMAT, "%s: truncated", path);
    return POET_OK;
}

/* Counting sort of the glyphs by label. */
static poet_status sort_by_digit(const char *path, const uint8_t *label, poet_glyphs *g)
{
    int next[10], count[10] = {0};
    for (int i = 0; i < g->count; i++) {
        if (label[i] > 9)
            return POET_FAIL(POET_ERR_FORMAT, "%s: label %d is not a digit", path, label[i]);
        count[label[i]]++;
    }
    for (int d = 0; d < 10; d++) {
        if (!count[d])
            return POET_FAIL(POET_ERR_FORMAT, "%s: no example of the digit %d", path, d);
        next[d] = g->first[d];
        g->first[d + 1] = g->first[d] + count[d];
    }
    for (int i = 0; i < g->count; i++)
        g->index[next[label[i]]++] = i;
    return POET_OK;
}

poet_status poet_glyphs_open(const char *images, const char *labels, poet_glyphs *out)
{
    uint8_t *label = NULL;
    size_t size = 0, label_size = 0;
    uint32_t shape[3] = {0}, count = 0;
    poet_status status;
    *out = (poet_glyphs){0};
    POET_TRY_DONE(read_all(images, &out->bytes, &size));
    POET_TRY_DONE(check_idx(images, out->bytes, size, 3, shape));
    POET_TRY_DONE(read_all(labels, &label, &label_size));
    POET_TRY_DONE(check_idx(labels, label, label_size, 1, &count));
    if (count != shape[0]) {
        status = POET_FAIL(POET_ERR_MISMATCH, "%s has %u images but %s has %u labels", images,
                           shape[0], labels, count);
        goto done;
    }
    out->count = (int)count;
    out->h = (int)shape[1];
    out->w = (int)shape[2];
    out->pixels = out->bytes + 16;
    out->index = poet_calloc(count, sizeof *out->index);
    status = out->index ? sort_by_digit(labels, label + 8, out) : POET_ERR_NOMEM;
done:
    poet_free(label);
    if (status != POET_OK)
        poet_glyphs_close(out);
    return status;
}

void poet_glyphs_close(poet_glyphs *glyphs)
{
    poet_free(glyphs->bytes);
    poet_free(glyphs->index);
    *glyphs = (poet_glyphs){0};
}
