#include "codec/video.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/scale_internal.h"
#include "codec/write_internal.h"

#include <stdio.h>
#include <string.h>

/* In the order of preference; the last is not H.264. */
static const char *const mp4_encoders[] = {
    "libx264", "libopenh264", "h264_videotoolbox", "h264_v4l2m2m", "h264_nvenc", "mpeg4", NULL};

static const char *const webm_encoders[] = {"libvpx-vp9", "libvpx", NULL};

const char *poet_tag_value(const poet_write_options *options, const char *key)
{
    for (int i = 0; i < options->tag_count; i++)
        if (strcmp(options->tags[i].key, key) == 0)
            return options->tags[i].value;
    return NULL;
}

char *poet_tags_text(const poet_write_options *options)
{
    size_t room = 1, at = 0;
    for (int i = 0; i < options->tag_count; i++)
        room += strlen(options->tags[i].key) + 2 * strlen(options->tags[i].value) + 3;
    char *text = poet_calloc(room, 1);
    for (int i = 0; text && i < options->tag_count; i++) {
        at += (size_t)snprintf(text + at, room - at, "%s%s: ", i ? "\n" : "", options->tags[i].key);
        for (const char *c = options->tags[i].value; *c; c++) {
            text[at++] = *c;
            if (*c == '\n')
                text[at++] = ' '; /* no line of a value passes for a key */
        }
    }
    return text;
}

/* A GIF's palette and a sheet's grid want the whole clip. */
typedef poet_status (*write_whole_fn)(const char *path, const poet_clip *clip,
                                      const poet_write_options *options);

struct poet_video_writer {
    char *path;
    poet_write_options options;
    poet_clip
        frames;  /* what is written: enlarged; where the whole clip is wanted, it is kept here */
    size_t room; /* frames that there is memory for */
    int64_t added;
    poet_av_writer *av; /* or NULL */
    write_whole_fn write_whole;
    const char *encoder; /* of av */
    size_t frame_bytes;  /* as they come */
    poet_scaler *scaler; /* NULL where nothing is enlarged */
    uint8_t *large;      /* one frame */
};

static poet_status check(const char *path, const poet_write_options *o)
{
    if (o->enlarge < 0 || o->enlarge > 64)
        return POET_FAIL(POET_ERR_ARG, "%s: cannot be enlarged %d times; 1 to 64 are possible",
                         path, o->enlarge);
    if (o->crf < 0 || o->crf > 51 || o->bit_rate < 0 || o->sheet_columns < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: crf %d, bit rate %d or %d columns is out of range",
                         path, o->crf, o->bit_rate, o->sheet_columns);
    return POET_OK;
}

static poet_status unknown_extension(const char *path)
{
    return POET_FAIL(POET_ERR_ARG,
                     "%s: the name must end in .mp4, .mov, .webm, .gif or .png, which says what to "
                     "write",
                     path);
}

static poet_status open_by_extension(poet_video_writer *w)
{
    char extension[16];
    const poet_write_options *o = &w->options;
    poet_path_extension(w->path, extension);
    if (strcmp(extension, "mp4") == 0 || strcmp(extension, "mov") == 0)
        return poet_av_create(w->path, &w->frames, o, extension, mp4_encoders, &w->encoder, &w->av);
    if (strcmp(extension, "webm") == 0)
        return poet_av_create(w->path, &w->frames, o, "webm", webm_encoders, &w->encoder, &w->av);
    if (strcmp(extension, "gif") == 0)
        w->write_whole = poet_gif_write;
    if (strcmp(extension, "png") == 0)
        w->write_whole = poet_sheet_write;
    return w->write_whole ? POET_OK : unknown_extension(w->path);
}

static poet_status prepare_enlarging(poet_video_writer *w, int h, int w_in)
{
    const uint8_t unused[3] = {0};
    if (w->frames.h == h)
        return POET_OK;
    POET_TRY(poet_scaler_create(h, w_in, w->frames.h, w->frames.w, POET_FIT_STRETCH,
                                POET_FILTER_NEAREST, unused, &w->scaler));
    w->large = poet_alloc(poet_clip_frame_bytes(&w->frames));
    return w->large ? POET_OK : POET_ERR_NOMEM;
}

poet_status poet_video_create(const char *path, int h, int w, double fps,
                              const poet_write_options *options, poet_video_writer **out)
{
    *out = NULL;
    poet_video_writer *writer = poet_calloc(1, sizeof *writer);
    if (!writer)
        return POET_ERR_NOMEM;
    if (options)
        writer->options = *options;
    poet_status status = check(path, &writer->options);
    int enlarge = writer->options.enlarge > 1 ? writer->options.enlarge : 1;
    writer->frames = (poet_clip){.h = h * enlarge, .w = w * enlarge, .fps = fps};
    writer->frame_bytes = (size_t)h * (size_t)w * 3;
    writer->path = poet_strdup(path);
    if (!status && !writer->path)
        status = POET_ERR_NOMEM;
    if (!status)
        status = prepare_enlarging(writer, h, w);
    if (!status)
        status = open_by_extension(writer);
    if (status)
        poet_video_destroy(writer);
    else
        *out = writer;
    return status;
}

static poet_status keep_frame(poet_video_writer *w, const uint8_t *frame)
{
    size_t bytes = poet_clip_frame_bytes(&w->frames);
    if ((size_t)w->frames.t == w->room) {
        size_t room = w->room ? 2 * w->room : 32;
        uint8_t *grown = poet_realloc(w->frames.pixels, room * bytes);
        if (!grown)
            return POET_ERR_NOMEM;
        w->frames.pixels = grown;
        w->room = room;
    }
    memcpy(poet_clip_frame(&w->frames, w->frames.t++), frame, bytes);
    return POET_OK;
}

poet_status poet_video_add(poet_video_writer *writer, const uint8_t *frames, int n)
{
    for (int i = 0; i < n; i++) {
        const uint8_t *frame = frames + (size_t)i * writer->frame_bytes;
        if (writer->scaler) {
            poet_scaler_run(writer->scaler, frame, writer->large);
            frame = writer->large;
        }
        POET_TRY(writer->av ? poet_av_add(writer->av, frame) : keep_frame(writer, frame));
        writer->added++;
    }
    return POET_OK;
}

poet_status poet_video_commit(poet_video_writer *writer, char notice[POET_NOTICE_BYTES])
{
    if (notice)
        notice[0] = 0;
    if (!writer->added)
        return POET_FAIL(POET_ERR_ARG, "%s: there are no frames to write", writer->path);
    if (!writer->av)
        return writer->write_whole(writer->path, &writer->frames, &writer->options);
    if (notice && strcmp(writer->encoder, "mpeg4") == 0)
        snprintf(notice, POET_NOTICE_BYTES,
                 "%.120s is MPEG-4 part 2, which not every player shows: this FFmpeg has no H.264 "
                 "encoder (libx264)",
                 writer->path);
    return poet_av_commit(writer->av);
}

void poet_video_destroy(poet_video_writer *writer)
{
    if (!writer)
        return;
    poet_av_destroy(writer->av);
    poet_scaler_destroy(writer->scaler);
    poet_clip_free(&writer->frames);
    poet_free(writer->large);
    poet_free(writer->path);
    poet_free(writer);
}

/* What an encoder holds: frames as large as RGB with a border, of which it takes some one by one with the clip's and has others
 * from its start, and bytes besides. */
typedef struct encoder_memory {
    size_t ahead, own, border, besides;
} encoder_memory;

/* Measured at 64 to 2048 pixels a side. libvpx makes room for all that it could look ahead at before the first frame. */
static const encoder_memory x264_memory = {48, 9, 32, 8 << 20}, vpx_memory = {0, 40, 64, 20 << 20};

static size_t encoder_bytes(const encoder_memory *e, size_t t, size_t h, size_t w)
{
    size_t frame = (h + 2 * e->border) * (w + 2 * e->border) * 3;
    return ((t < e->ahead ? t : e->ahead) + e->own) * frame + e->besides;
}

size_t poet_video_write_bytes(const char *path, const poet_clip *shape, int enlarge)
{
    char extension[16];
    size_t side = enlarge > 1 ? (size_t)enlarge : 1;
    size_t t = (size_t)shape->t, h = (size_t)shape->h * side, w = (size_t)shape->w * side;
    poet_path_extension(path, extension);
    if (strcmp(extension, "gif") == 0 || strcmp(extension, "png") == 0)
        return 2 * t * h * w * 3;
    return encoder_bytes(strcmp(extension, "webm") == 0 ? &vpx_memory : &x264_memory, t, h, w);
}

poet_status poet_video_write(const char *path, const poet_clip *clip,
                             const poet_write_options *options, char notice[POET_NOTICE_BYTES])
{
    poet_video_writer *writer;
    POET_TRY(poet_video_create(path, clip->h, clip->w, clip->fps, options, &writer));
    poet_status status = clip->pixels ? poet_video_add(writer, clip->pixels, clip->t) : POET_OK;
    if (!status)
        status = poet_video_commit(writer, notice);
    poet_video_destroy(writer);
    return status;
}

poet_status poet_video_can_write(const char *path)
{
    static const char *const known[] = {"mp4", "mov", "webm", "gif", "png"};
    char extension[16];
    poet_output *probe;
    bool found = false;
    poet_path_extension(path, extension);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        found = found || strcmp(extension, known[i]) == 0;
    if (!found)
        return unknown_extension(path);
    POET_TRY(poet_output_create(path, &probe));
    poet_output_destroy(probe);
    return POET_OK;
}

const char *poet_video_encoder(const char *extension)
{
    if (strcmp(extension, "mp4") == 0 || strcmp(extension, "mov") == 0)
        return poet_av_encoder(mp4_encoders);
    if (strcmp(extension, "webm") == 0)
        return poet_av_encoder(webm_encoders);
    return NULL;
}
