#include "codec/png.h"

#include "base/file.h"

#include <ctype.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct png_encoder {
    poet_output *output;
    poet_status status; /* of the last write to the output */
    png_structp png;
    png_infop info;
    char error[128];
} png_encoder;

static void on_error(png_structp png, png_const_charp message)
{
    png_encoder *e = png_get_error_ptr(png);
    snprintf(e->error, sizeof e->error, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep bytes, size_t count)
{
    png_encoder *e = png_get_io_ptr(png);
    e->status = poet_output_write(e->output, bytes, count);
    if (e->status)
        png_error(png, "the file cannot be written");
}

static void on_flush(png_structp png)
{
    (void)png;
}

static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 128)
        text++;
    return !*text;
}

/* PNG keywords are 1 to 79 bytes and by custom begin with a capital. libpng copies both strings. */
static void set_text(png_encoder *e, const poet_video_tag *tag)
{
    char key[80];
    snprintf(key, sizeof key, "%s", strcmp(tag->key, "prompt") == 0 ? "Title" : tag->key);
    key[0] = (char)toupper((unsigned char)key[0]);
    png_text text = {.compression = is_ascii(tag->value) ? PNG_TEXT_COMPRESSION_NONE
                                                         : PNG_ITXT_COMPRESSION_NONE,
                     .key = key,
                     .text = (char *)(uintptr_t)tag->value,
                     .text_length = strlen(tag->value)};
    png_set_text(e->png, e->info, &text, 1);
}

/* What is written, as one argument. */
typedef struct picture {
    const uint8_t *pixels;
    int h, w;
    const poet_video_tag *tags;
    int tag_count;
} picture;

/* The part of libpng that jumps out of itself on errors; false then. */
static bool encode_picture(png_encoder *e, const picture *p)
{
    if (setjmp(png_jmpbuf(e->png)))
        return false;
    png_set_write_fn(e->png, e, on_write, on_flush);
    png_set_user_limits(e->png, 1 << 20, 1 << 20);
    png_set_IHDR(e->png, e->info, (png_uint_32)p->w, (png_uint_32)p->h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (int i = 0; i < p->tag_count; i++)
        set_text(e, &p->tags[i]);
    png_write_info(e->png, e->info);
    for (int y = 0; y < p->h; y++)
        png_write_row(e->png, p->pixels + (size_t)y * (size_t)p->w * 3);
    png_write_end(e->png, e->info);
    return true;
}

static poet_status encode(png_encoder *e, const char *path, const picture *p)
{
    if (!e->png || !e->info)
        return POET_FAIL(POET_ERR_NOMEM, "%s: out of memory in libpng", path);
    if (encode_picture(e, p))
        return poet_output_commit(e->output);
    return e->status ? e->status : POET_FAIL(POET_ERR_FORMAT, "%s: %s", path, e->error);
}

poet_status poet_png_write(const char *path, const uint8_t *pixels, int h, int w,
                           const poet_video_tag *tags, int tag_count)
{
    png_encoder e = {0};
    POET_TRY(poet_output_create(path, &e.output));
    e.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &e, on_error, on_warning);
    if (e.png)
        e.info = png_create_info_struct(e.png);
    poet_status status = encode(&e, path, &(picture){pixels, h, w, tags, tag_count});
    png_destroy_write_struct(&e.png, &e.info);
    poet_output_destroy(e.output);
    return status;
}
