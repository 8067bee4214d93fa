/* GIF89a: one palette for the clip, each frame the rectangle that changed, unchanged pixels in it
 * transparent. Written here because FFmpeg's GIF muxer keeps no comments. */
#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/palette_internal.h"
#include "codec/write_internal.h"

#include <string.h>

enum { MAX_CODES = 4096, HASH_SLOTS = 8192 };

typedef struct gif_writer {
    poet_output *output;
    poet_palette *palette;
    int bits;           /* of the colour table */
    int transparent;    /* index that shows what was there before */
    uint8_t *indices;   /* (h,w) of the rectangle */
    uint8_t block[256]; /* data block under construction: its length, then the bytes */
    uint64_t hold;      /* bits not yet in the block */
    int held;
    uint32_t key[HASH_SLOTS]; /* LZW dictionary: prefix code and next index, 0 when free */
    uint16_t code[HASH_SLOTS];
} gif_writer;

/* ---- LZW (GIF89a specification, appendix F) ---- */

static poet_status put_byte(gif_writer *g, uint8_t byte)
{
    g->block[++g->block[0]] = byte;
    if (g->block[0] < 255)
        return POET_OK;
    poet_status status = poet_output_write(g->output, g->block, 256);
    g->block[0] = 0;
    return status;
}

static poet_status put_code(gif_writer *g, unsigned code, int width)
{
    g->hold |= (uint64_t)code << g->held;
    for (g->held += width; g->held >= 8; g->held -= 8, g->hold >>= 8)
        POET_TRY(put_byte(g, (uint8_t)g->hold));
    return POET_OK;
}

static poet_status end_codes(gif_writer *g)
{
    if (g->held)
        POET_TRY(put_byte(g, (uint8_t)g->hold));
    if (g->block[0])
        POET_TRY(poet_output_write(g->output, g->block, (size_t)g->block[0] + 1));
    g->hold = 0;
    g->held = g->block[0] = 0;
    return poet_output_write(g->output, "\0", 1);
}

/* The slot of prefix + index, or the free one where it belongs. */
static unsigned find_slot(const gif_writer *g, uint32_t key)
{
    unsigned at = key * 2654435761u >> 19;
    while (g->key[at] && g->key[at] != key)
        at = (at + 1) % HASH_SLOTS;
    return at;
}

static poet_status put_pixels(gif_writer *g, size_t n)
{
    const unsigned clear = 1u << g->bits;
    unsigned next = clear + 2, prefix = g->indices[0];
    int width = g->bits + 1;
    memset(g->key, 0, sizeof g->key);
    POET_TRY(put_code(g, clear, width));
    for (size_t i = 1; i < n; i++) {
        uint32_t key = (prefix << 8 | g->indices[i]) + 1;
        unsigned slot = find_slot(g, key);
        if (g->key[slot]) {
            prefix = g->code[slot];
            continue;
        }
        POET_TRY(put_code(g, prefix, width));
        prefix = g->indices[i];
        if (next == MAX_CODES) {
            POET_TRY(put_code(g, clear, width));
            memset(g->key, 0, sizeof g->key);
            next = clear + 2;
            width = g->bits + 1;
            continue;
        }
        g->key[slot] = key;
        g->code[slot] = (uint16_t)next;
        width += next++ == 1u << width;
    }
    POET_TRY(put_code(g, prefix, width));
    POET_TRY(put_code(g, clear + 1, width + (next == 1u << width && width < 12)));
    return end_codes(g);
}

/* ---- blocks ---- */

static poet_status put_header(gif_writer *g, const poet_clip *clip)
{
    uint8_t head[13] = "GIF89a", table[256 * 3] = {0};
    poet_put_u16(head + 6, (uint16_t)clip->w);
    poet_put_u16(head + 8, (uint16_t)clip->h);
    head[10] = (uint8_t)(0xf0 | (g->bits - 1)); /* global table, 8 bits per channel */
    for (int i = 0; i < poet_palette_count(g->palette); i++)
        memcpy(table + 3 * i, poet_palette_colour(g->palette, i), 3);
    POET_TRY(poet_output_write(g->output, head, sizeof head));
    return poet_output_write(g->output, table, (size_t)3 << g->bits);
}

static poet_status put_extensions(gif_writer *g, const poet_write_options *o)
{
    static const uint8_t loop[] = "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0" /* and its own 0 */;
    if (!o->play_once)
        POET_TRY(poet_output_write(g->output, loop, sizeof loop));
    if (!o->tag_count)
        return POET_OK;
    char *text = poet_tags_text(o);
    if (!text)
        return POET_ERR_NOMEM;
    poet_status status = poet_output_write(g->output, "\x21\xfe", 2);
    for (const char *at = text; !status && *at; at += g->block[0]) {
        g->block[0] = (uint8_t)strnlen(at, 255);
        memcpy(g->block + 1, at, g->block[0]);
        status = poet_output_write(g->output, g->block, (size_t)g->block[0] + 1);
    }
    g->block[0] = 0;
    poet_free(text);
    return status ? status : poet_output_write(g->output, "\0", 1);
}

typedef struct rectangle {
    int top, left, bottom, right; /* the last two outside */
} rectangle;

/* What differs from the frame before; a single pixel when nothing does. */
static rectangle changed(const poet_clip *clip, int t)
{
    if (t == 0)
        return (rectangle){0, 0, clip->h, clip->w};
    const uint8_t *now = poet_clip_frame(clip, t), *before = poet_clip_frame(clip, t - 1);
    rectangle r = {clip->h, clip->w, 0, 0};
    for (int y = 0; y < clip->h; y++)
        for (int x = 0; x < clip->w; x++, now += 3, before += 3)
            if (memcmp(now, before, 3) != 0) {
                r.top = y < r.top ? y : r.top;
                r.left = x < r.left ? x : r.left;
                r.bottom = y + 1;
                r.right = x + 1 > r.right ? x + 1 : r.right;
            }
    return r.bottom ? r : (rectangle){0, 0, 1, 1};
}

static void fill_indices(gif_writer *g, const poet_clip *clip, int t, rectangle r)
{
    uint8_t *out = g->indices;
    for (int y = r.top; y < r.bottom; y++)
        for (int x = r.left; x < r.right; x++) {
            size_t at = ((size_t)y * (size_t)clip->w + (size_t)x) * 3;
            const uint8_t *now = poet_clip_frame(clip, t) + at;
            bool same = t && memcmp(now, poet_clip_frame(clip, t - 1) + at, 3) == 0;
            *out++ = (uint8_t)(same ? g->transparent : poet_palette_find(g->palette, now));
        }
}

/* Centiseconds from the clip's beginning, so that rounding does not add up. */
static int time_of(const poet_clip *clip, int t)
{
    return (int)(t * 100.0 / clip->fps + 0.5);
}

static poet_status put_frame(gif_writer *g, const poet_clip *clip, int t)
{
    rectangle r = changed(clip, t);
    uint8_t control[8] = {0x21, 0xf9, 4, 0x04 | 0x01}; /* keep what is there; transparency */
    uint8_t image[11] = {0x2c};
    int delay = time_of(clip, t + 1) - time_of(clip, t);
    poet_put_u16(control + 4, (uint16_t)(delay < 65535 ? delay : 65535));
    control[6] = (uint8_t)g->transparent;
    poet_put_u16(image + 1, (uint16_t)r.left);
    poet_put_u16(image + 3, (uint16_t)r.top);
    poet_put_u16(image + 5, (uint16_t)(r.right - r.left));
    poet_put_u16(image + 7, (uint16_t)(r.bottom - r.top));
    image[10] = (uint8_t)g->bits;
    POET_TRY(poet_output_write(g->output, control, sizeof control));
    POET_TRY(poet_output_write(g->output, image, sizeof image));
    fill_indices(g, clip, t, r);
    return put_pixels(g, (size_t)(r.bottom - r.top) * (size_t)(r.right - r.left));
}

static poet_status put_all(gif_writer *g, const char *path, const poet_clip *clip,
                           const poet_write_options *o)
{
    POET_TRY(poet_palette_create(clip, 255, &g->palette));
    g->transparent = poet_palette_count(g->palette);
    g->bits = poet_bits_for((uint64_t)g->transparent + 1);
    g->bits = g->bits < 2 ? 2 : g->bits; /* LZW begins with two bits */
    g->indices = poet_alloc((size_t)clip->h * (size_t)clip->w);
    if (!g->indices)
        return POET_ERR_NOMEM;
    POET_TRY(poet_output_create(path, &g->output));
    POET_TRY(put_header(g, clip));
    POET_TRY(put_extensions(g, o));
    for (int t = 0; t < clip->t; t++)
        POET_TRY(put_frame(g, clip, t));
    POET_TRY(poet_output_write(g->output, "\x3b", 1));
    return poet_output_commit(g->output);
}

poet_status poet_gif_write(const char *path, const poet_clip *clip,
                           const poet_write_options *options)
{
    if (clip->fps > POET_GIF_FPS) {
        poet_clip slower;
        POET_TRY(poet_clip_resample(clip, POET_GIF_FPS, 0, &slower));
        poet_status status = poet_gif_write(path, &slower, options);
        poet_clip_free(&slower);
        return status;
    }
    gif_writer *g = poet_calloc(1, sizeof *g);
    if (!g)
        return POET_ERR_NOMEM;
    poet_status status = put_all(g, path, clip, options);
    poet_output_destroy(g->output);
    poet_palette_destroy(g->palette);
    poet_free(g->indices);
    poet_free(g);
    return status;
}
