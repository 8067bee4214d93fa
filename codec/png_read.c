#include "codec/png.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/pixels_internal.h"
#include "codec/tags_internal.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum { CHUNK_LIMIT = 8 << 20 };

/* Everything that must survive libpng's longjmp lives here. */
typedef struct png_decoder {
    const unsigned char *bytes;
    size_t size, at;
    png_structp png;
    png_infop info;
    uint8_t *rgba; /* (h,w,4) */
    int h, w;
    bool no_memory;
    char error[128];
} png_decoder;

static void on_error(png_structp png, png_const_charp message)
{
    png_decoder *d = png_get_error_ptr(png);
    snprintf(d->error, sizeof d->error, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t bytes)
{
    png_decoder *d = png_get_mem_ptr(png);
    /* A chunk may claim to be longer than its file, and libpng only warns of one above its limit. */
    if (bytes > 2 * CHUNK_LIMIT)
        return NULL;
    void *block = poet_alloc(bytes);
    d->no_memory = d->no_memory || !block;
    return block;
}

static void on_free(png_structp png, png_voidp block)
{
    (void)png;
    poet_free(block);
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
    png_decoder *d = png_get_io_ptr(png);
    if (count > d->size - d->at)
        png_error(png, "the file ends early");
    memcpy(out, d->bytes + d->at, count);
    d->at += count;
}

/* Asks libpng for 8-bit RGBA whatever the file holds. */
static void want_rgba(png_structp png)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
}

/* Everything before the pixels. Like all of libpng here, under the caller's setjmp. */
static void read_head(png_decoder *d)
{
    png_set_read_fn(d->png, d, on_read);
    png_set_user_limits(d->png, 16384, 16384);
    png_set_chunk_malloc_max(d->png, CHUNK_LIMIT);
    png_read_info(d->png, d->info);
}

/* The part of libpng that jumps out of itself on errors; false then. */
static bool decode_rows(png_decoder *d, size_t max_pixels)
{
    if (setjmp(png_jmpbuf(d->png)))
        return false;
    read_head(d);
    d->h = (int)png_get_image_height(d->png, d->info);
    d->w = (int)png_get_image_width(d->png, d->info);
    if ((size_t)d->h * (size_t)d->w > max_pixels) {
        d->no_memory = true;
        png_error(d->png, "the picture is larger than the limit");
    }
    want_rgba(d->png);
    int passes = png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    d->rgba = poet_alloc((size_t)d->h * (size_t)d->w * 4);
    if (!d->rgba) {
        d->no_memory = true;
        png_error(d->png, "out of memory");
    }
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < d->h; y++)
            png_read_row(d->png, d->rgba + (size_t)y * (size_t)d->w * 4, NULL);
    png_read_end(d->png, NULL);
    return true;
}

static poet_status cannot_read(const png_decoder *d, const char *path)
{
    return POET_FAIL(d->no_memory ? POET_ERR_NOMEM : POET_ERR_FORMAT,
                     "%s: is not a readable PNG file: %s", path, d->error);
}

static poet_status open_decoder(png_decoder *d, poet_map *map, const char *path)
{
    POET_TRY(poet_map_open(path, map));
    d->bytes = map->bytes;
    d->size = map->size;
    d->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, d, on_error, on_warning, d, on_malloc,
                                      on_free);
    if (d->png)
        d->info = png_create_info_struct(d->png);
    return d->info ? POET_OK : POET_FAIL(POET_ERR_NOMEM, "%s: out of memory in libpng", path);
}

static void close_decoder(png_decoder *d, poet_map *map)
{
    png_destroy_read_struct(&d->png, &d->info, NULL);
    poet_free(d->rgba);
    poet_map_close(map);
}

static poet_status decode(png_decoder *d, const char *path, const uint8_t background[3],
                          size_t max_pixels, poet_clip *out)
{
    if (!decode_rows(d, max_pixels))
        return cannot_read(d, path);
    POET_TRY(poet_clip_create(1, d->h, d->w, 1, out));
    poet_compose(d->rgba, (size_t)d->h * (size_t)d->w, background, out->pixels);
    return POET_OK;
}

poet_status poet_png_read(const char *path, const uint8_t background[3], size_t max_pixels,
                          poet_clip *out)
{
    png_decoder d = {0};
    poet_map map;
    *out = (poet_clip){0};
    poet_status status = open_decoder(&d, &map, path);
    if (!status)
        status = decode(&d, path, background, max_pixels, out);
    close_decoder(&d, &map);
    return status;
}

static bool decode_head(png_decoder *d)
{
    if (setjmp(png_jmpbuf(d->png)))
        return false;
    read_head(d);
    return true;
}

poet_status poet_png_texts(const char *path, poet_tags *tags)
{
    png_decoder d = {0};
    poet_map map;
    png_textp text = NULL;
    poet_status status = open_decoder(&d, &map, path);
    if (!status && !decode_head(&d))
        status = cannot_read(&d, path);
    int count = status ? 0 : (int)png_get_text(d.png, d.info, &text, NULL);
    for (int i = 0; i < count && !status; i++)
        status = poet_tags_add(tags, text[i].key, text[i].text, strlen(text[i].text));
    close_decoder(&d, &map);
    return status;
}

/* Whether a chunk acTL comes before the pixels. The file stands behind the signature. */
static bool is_animated(FILE *file)
{
    unsigned char head[8];
    while (fread(head, 1, sizeof head, file) == sizeof head && memcmp(head + 4, "IDAT", 4) != 0) {
        if (memcmp(head + 4, "acTL", 4) == 0)
            return true;
        if (fseeko(file, (off_t)png_get_uint_32(head) + 4, SEEK_CUR) != 0) /* and a checksum */
            break;
    }
    return false;
}

bool poet_png_is(const char *path)
{
    unsigned char head[8] = {0};
    FILE *file = poet_is_file(path) ? fopen(path, "rb") : NULL;
    if (!file)
        return false;
    bool is_png = fread(head, 1, sizeof head, file) == sizeof head && png_sig_cmp(head, 0, 8) == 0;
    bool animated = is_png && is_animated(file);
    fclose(file);
    return is_png && !animated;
}
