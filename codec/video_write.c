#include "codec/video.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/write_internal.h"

#include <stdio.h>
#include <string.h>

/* In the order of preference; the last is not H.264. */
static const char *const mp4_encoders[] = {
    "libx264", "libopenh264", "h264_videotoolbox", "h264_v4l2m2m", "h264_nvenc", "mpeg4", NULL};

/* What an encoder holds, in frames of RGB: those it looks ahead at, and its own. x264 was seen to hold 23 of a clip of 17. */
enum { LOOKAHEAD = 48, ENCODER_FRAMES = 8 };

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
        room += strlen(options->tags[i].key) + strlen(options->tags[i].value) + 3;
    char *text = poet_calloc(room, 1);
    for (int i = 0; text && i < options->tag_count; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%s: %s", i ? "\n" : "",
                               options->tags[i].key, options->tags[i].value);
    return text;
}

static poet_status check(const char *path, const poet_clip *clip, const poet_write_options *o)
{
    if (!clip->pixels || clip->t < 1)
        return POET_FAIL(POET_ERR_ARG, "%s: there are no frames to write", path);
    if (o->enlarge < 0 || o->enlarge > 64)
        return POET_FAIL(POET_ERR_ARG, "%s: cannot be enlarged %d times; 1 to 64 are possible",
                         path, o->enlarge);
    if (o->crf < 0 || o->crf > 51 || o->bit_rate < 0 || o->sheet_columns < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: crf %d, bit rate %d or %d columns is out of range",
                         path, o->crf, o->bit_rate, o->sheet_columns);
    return POET_OK;
}

static poet_status write_mp4(const char *path, const poet_clip *clip, const poet_write_options *o,
                             const char *container, char *notice)
{
    const char *used = NULL;
    POET_TRY(poet_av_write(path, clip, o, container, mp4_encoders, &used));
    if (strcmp(used, "mpeg4") == 0)
        snprintf(notice, POET_NOTICE_BYTES,
                 "%.120s is MPEG-4 part 2, which not every player shows: this FFmpeg has no H.264 "
                 "encoder (libx264)",
                 path);
    return POET_OK;
}

static poet_status unknown_extension(const char *path)
{
    return POET_FAIL(POET_ERR_ARG,
                     "%s: the name must end in .mp4, .mov, .webm, .gif or .png, which says what to "
                     "write",
                     path);
}

static poet_status write_by_extension(const char *path, const poet_clip *clip,
                                      const poet_write_options *o, char *notice)
{
    char extension[16];
    const char *used;
    poet_path_extension(path, extension);
    if (strcmp(extension, "mp4") == 0 || strcmp(extension, "mov") == 0)
        return write_mp4(path, clip, o, extension, notice);
    if (strcmp(extension, "webm") == 0)
        return poet_av_write(path, clip, o, "webm", webm_encoders, &used);
    if (strcmp(extension, "gif") == 0)
        return poet_gif_write(path, clip, o);
    if (strcmp(extension, "png") == 0)
        return poet_sheet_write(path, clip, o);
    return unknown_extension(path);
}

/* Videos are enlarged by their writer, frame by frame. */
static bool is_video(const char *path)
{
    char extension[16];
    poet_path_extension(path, extension);
    return strcmp(extension, "gif") != 0 && strcmp(extension, "png") != 0;
}

size_t poet_video_write_bytes(const char *path, const poet_clip *shape, int enlarge)
{
    size_t side = enlarge > 1 ? (size_t)enlarge : 1;
    size_t frame = poet_clip_frame_bytes(shape) * side * side;
    size_t t = (size_t)shape->t, looked_at = t < LOOKAHEAD ? t : LOOKAHEAD;
    return is_video(path) ? (looked_at + ENCODER_FRAMES) * frame : 2 * t * frame;
}

poet_status poet_video_write(const char *path, const poet_clip *clip,
                             const poet_write_options *options, char notice[POET_NOTICE_BYTES])
{
    char unread[POET_NOTICE_BYTES];
    const poet_write_options plain = {0}, *o = options ? options : &plain;
    char *note = notice ? notice : unread;
    note[0] = 0;
    POET_TRY(check(path, clip, o));
    if (o->enlarge <= 1 || is_video(path))
        return write_by_extension(path, clip, o, note);
    poet_clip large;
    const uint8_t unused[3] = {0};
    POET_TRY(poet_clip_scale(clip, clip->h * o->enlarge, clip->w * o->enlarge, POET_FIT_STRETCH,
                             POET_FILTER_NEAREST, unused, &large));
    poet_status status = write_by_extension(path, &large, o, note);
    poet_clip_free(&large);
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
