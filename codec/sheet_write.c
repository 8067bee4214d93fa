/* Frames on a grid: sprite sheets with Aseprite's JSON, and contact sheets. */
#include "base/file.h"
#include "base/memory.h"
#include "codec/png.h"
#include "codec/write_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 2, MAX_SHEET_SIDE = 65535 };

typedef struct sheet {
    uint8_t *pixels; /* (h,w,3) */
    int h, w;
} sheet;

static poet_status sheet_create(const char *path, double h, double w, uint8_t ground, sheet *out)
{
    *out = (sheet){0};
    if (h > MAX_SHEET_SIDE || w > MAX_SHEET_SIDE || h * w > (double)(1 << 30))
        return POET_FAIL(POET_ERR_ARG, "%s: a sheet of %.0f x %.0f pixels is too large", path, w,
                         h);
    out->h = (int)h;
    out->w = (int)w;
    out->pixels = poet_alloc((size_t)out->h * (size_t)out->w * 3);
    if (!out->pixels)
        return POET_ERR_NOMEM;
    memset(out->pixels, ground, (size_t)out->h * (size_t)out->w * 3);
    return POET_OK;
}

/* Puts frame t at (top, left), each pixel as a square. */
static void paste(sheet *s, int top, int left, const poet_clip *clip, int t, int enlarge)
{
    const uint8_t *frame = poet_clip_frame(clip, t);
    for (int y = 0; y < clip->h * enlarge; y++) {
        uint8_t *to = s->pixels + ((size_t)(top + y) * (size_t)s->w + (size_t)left) * 3;
        const uint8_t *from = frame + (size_t)(y / enlarge) * (size_t)clip->w * 3;
        for (int x = 0; x < clip->w * enlarge; x++)
            memcpy(to + 3 * x, from + (size_t)(x / enlarge) * 3, 3);
    }
}

/* ---- Aseprite's JSON ---- */

static void put_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (*p < ' ')
            fprintf(f, "\\u%04x", *p);
        else
            fputc(*p, f);
    }
    fputc('"', f);
}

/* The path's last component without its extension. */
static void base_name(const char *path, char *out, size_t room)
{
    const char *slash = strrchr(path, '/');
    snprintf(out, room, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out)
        *dot = 0;
}

static void put_frame(FILE *f, const char *base, const poet_clip *clip, int t, int columns,
                      bool hash)
{
    char name[320];
    int duration = (int)(1000 * (t + 1) / clip->fps + 0.5) - (int)(1000 * t / clip->fps + 0.5);
    snprintf(name, sizeof name, "%s %d.png", base, t);
    fputs(hash ? "   " : "   {\n    \"filename\": ", f);
    put_string(f, name);
    fputs(hash ? ": {\n" : ",\n", f);
    fprintf(f,
            "    \"frame\": { \"x\": %d, \"y\": %d, \"w\": %d, \"h\": %d },\n"
            "    \"rotated\": false,\n"
            "    \"trimmed\": false,\n"
            "    \"spriteSourceSize\": { \"x\": 0, \"y\": 0, \"w\": %d, \"h\": %d },\n"
            "    \"sourceSize\": { \"w\": %d, \"h\": %d },\n"
            "    \"duration\": %d\n"
            "   }%s\n",
            t % columns * clip->w, t / columns * clip->h, clip->w, clip->h, clip->w, clip->h,
            clip->w, clip->h, duration, t + 1 < clip->t ? "," : "");
}

static void put_meta(FILE *f, const char *path, const char *base, const poet_clip *clip,
                     const sheet *s, const poet_write_options *o)
{
    const char *slash = strrchr(path, '/');
    fputs(" \"meta\": {\n  \"app\": \"pocketpoet\",\n  \"version\": \"1.0\",\n  \"image\": ", f);
    put_string(f, slash ? slash + 1 : path);
    fprintf(f,
            ",\n  \"format\": \"RGB888\",\n  \"size\": { \"w\": %d, \"h\": %d },\n"
            "  \"scale\": \"1\",\n  \"frameTags\": [\n   { \"name\": ",
            s->w, s->h);
    put_string(f, o->action ? o->action : base);
    fprintf(f, ", \"from\": 0, \"to\": %d, \"direction\": \"forward\" }\n  ]", clip->t - 1);
    if (o->tag_count)
        fputs(",\n  \"pocketpoet\": {", f);
    for (int i = 0; i < o->tag_count; i++) {
        fputs(i ? ",\n   " : "\n   ", f);
        put_string(f, o->tags[i].key);
        fputs(": ", f);
        put_string(f, o->tags[i].value);
    }
    fputs(o->tag_count ? "\n  }\n }\n" : "\n }\n", f);
}

static void put_json(FILE *f, const char *path, const poet_clip *clip, const sheet *s, int columns,
                     const poet_write_options *o)
{
    char base[256];
    base_name(path, base, sizeof base);
    fprintf(f, "{ \"frames\": %c\n", o->sheet_hash ? '{' : '[');
    for (int t = 0; t < clip->t; t++)
        put_frame(f, base, clip, t, columns, o->sheet_hash);
    fprintf(f, " %c,\n", o->sheet_hash ? '}' : ']');
    put_meta(f, path, base, clip, s, o);
    fputs("}\n", f);
}

/* "walk.png" -> "walk.json". */
static char *json_path(const char *path)
{
    size_t length = strlen(path);
    char *json = poet_alloc(length + 2);
    if (json)
        snprintf(json, length + 2, "%.*s.json", (int)(length - strlen(".png")), path);
    return json;
}

/* The JSON is complete under its temporary name before the picture appears. */
static poet_status write_pair(const char *path, const char *json, const poet_clip *clip,
                              const sheet *s, int columns, const poet_write_options *o)
{
    poet_output *output;
    POET_TRY(poet_output_create(json, &output));
    FILE *f = poet_output_stream(output);
    put_json(f, path, clip, s, columns, o);
    poet_status status = POET_OK;
    if (fflush(f) != 0 || ferror(f))
        status = POET_FAIL(POET_ERR_IO, "%s: cannot be written: %s", json, strerror(errno));
    if (!status)
        status = poet_png_write(path, s->pixels, s->h, s->w, o->tags, o->tag_count);
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    return status;
}

poet_status poet_sheet_write(const char *path, const poet_clip *clip,
                             const poet_write_options *options)
{
    sheet s;
    int columns = options->sheet_columns ? options->sheet_columns : (int)ceil(sqrt(clip->t));
    columns = columns < clip->t ? columns : clip->t;
    int rows = (clip->t + columns - 1) / columns;
    POET_TRY(sheet_create(path, (double)rows * clip->h, (double)columns * clip->w, 0, &s));
    for (int t = 0; t < clip->t; t++)
        paste(&s, t / columns * clip->h, t % columns * clip->w, clip, t, 1);
    char *json = json_path(path);
    poet_status status = json ? write_pair(path, json, clip, &s, columns, options) : POET_ERR_NOMEM;
    poet_free(json);
    poet_free(s.pixels);
    return status;
}

/* ---- contact sheets ---- */

poet_status poet_contact_sheet_write(const char *path, const poet_clip *clips, int count,
                                     int columns, int enlarge)
{
    if (count < 1 || columns < 1 || enlarge < 1 || enlarge > 64)
        return POET_FAIL(POET_ERR_ARG, "%s: %d clips in %d columns, %d times as large", path, count,
                         columns, enlarge);
    int h = 0, w = 0;
    for (int i = 0; i < count; i++) {
        h = clips[i].h > h ? clips[i].h : h;
        w = clips[i].w > w ? clips[i].w : w;
    }
    double step_y = (double)h * enlarge + GAP, step_x = (double)w * enlarge + GAP;
    sheet s;
    POET_TRY(sheet_create(path, count * step_y + GAP, columns * step_x + GAP, 255, &s));
    for (int i = 0; i < count; i++)
        for (int c = 0; c < columns; c++) {
            int last = clips[i].t - 1;
            int t = columns > 1 ? (int)((double)c * last / (columns - 1) + 0.5) : 0;
            paste(&s, GAP + i * (int)step_y, GAP + c * (int)step_x, &clips[i], t, enlarge);
        }
    poet_status status = poet_png_write(path, s.pixels, s.h, s.w, NULL, 0);
    poet_free(s.pixels);
    return status;
}
