#include "codec/video.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/png.h"
#include "codec/scale_internal.h"
#include "codec/source_internal.h"

#include <math.h>
#include <string.h>

struct poet_video {
    char *path;
    poet_source *source;
    poet_video_options options;
    poet_video_info info;
    poet_clip picture;   /* the source's, as it comes */
    poet_scaler *scaler; /* NULL when it fits already */
    int scaler_h, scaler_w;
    uint8_t *frame;   /* (height,width,3): the current picture as it goes out */
    bool frame_ready; /* frame shows the source's current picture */
    int64_t given;
};

static poet_status check_options(const char *path, const poet_video_options *o)
{
    if (!(o->fps >= 0 && o->fps <= 1000))
        return POET_FAIL(POET_ERR_ARG, "%s: cannot be read at %g frames per second", path, o->fps);
    if (!(o->start >= 0 && o->start < 1e9))
        return POET_FAIL(POET_ERR_ARG, "%s: cannot be read from the second %g", path, o->start);
    if (o->max_frames < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: %d frames cannot be read", path, o->max_frames);
    if (o->width < 0 || o->height < 0 || o->width > 16384 || o->height > 16384 ||
        !o->width != !o->height)
        return POET_FAIL(POET_ERR_ARG, "%s: cannot be scaled to %d x %d pixels", path, o->width,
                         o->height);
    return POET_OK;
}

static poet_status open_source(const char *path, const poet_video_options *o, poet_source **out)
{
    bool png = poet_is_directory(path) || poet_png_is(path) ||
               (!poet_is_file(path) && poet_png_pattern(path));
    return png ? poet_source_open_png(path, o, out) : poet_source_open_av(path, o, out);
}

/* Converts the source's current picture, to see how large it is. */
static poet_status render_picture(poet_video *v)
{
    return v->source->render(v->source, &v->picture);
}

/* Makes v->frame show the picture. Later pictures of another size are fitted to the first. */
static poet_status fit_picture(poet_video *v)
{
    const poet_clip *p = &v->picture;
    const poet_video_info *i = &v->info;
    if (p->h == i->height && p->w == i->width) {
        memcpy(v->frame, p->pixels, poet_clip_frame_bytes(p));
        return POET_OK;
    }
    if (!v->scaler || v->scaler_h != p->h || v->scaler_w != p->w) {
        poet_scaler_destroy(v->scaler);
        v->scaler = NULL;
        POET_TRY(poet_scaler_create(p->h, p->w, i->height, i->width, v->options.fit,
                                    v->options.filter, v->options.background, &v->scaler));
        v->scaler_h = p->h;
        v->scaler_w = p->w;
    }
    poet_scaler_run(v->scaler, p->pixels, v->frame);
    return POET_OK;
}

static poet_status describe(poet_video *v)
{
    const poet_video_options *o = &v->options;
    POET_TRY(render_picture(v));
    v->info = (poet_video_info){.source_width = v->picture.w,
                                .source_height = v->picture.h,
                                .width = o->width ? o->width : v->picture.w,
                                .height = o->height ? o->height : v->picture.h,
                                .source_fps = v->source->fps,
                                .fps = o->fps > 0 ? o->fps : v->source->fps,
                                .duration = v->source->duration,
                                .source_frames = v->source->frames};
    v->frame = poet_alloc((size_t)v->info.width * (size_t)v->info.height * 3);
    return v->frame ? POET_OK : POET_ERR_NOMEM;
}

poet_status poet_video_open(const char *path, const poet_video_options *options, poet_video **out)
{
    *out = NULL;
    poet_video *v = poet_calloc(1, sizeof *v);
    if (!v)
        return POET_ERR_NOMEM;
    if (options)
        v->options = *options;
    if (!v->options.max_pixels)
        v->options.max_pixels = (size_t)64 << 20;
    if (!v->options.max_bytes)
        v->options.max_bytes = (size_t)1 << 30;
    poet_status status = check_options(path, &v->options);
    v->path = poet_strdup(path);
    if (!status && !v->path)
        status = POET_ERR_NOMEM;
    if (!status)
        status = open_source(path, &v->options, &v->source);
    if (!status)
        status = describe(v);
    if (!status)
        status = fit_picture(v);
    v->frame_ready = true;
    if (status) {
        poet_video_close(v);
        return status;
    }
    *out = v;
    return POET_OK;
}

const poet_video_info *poet_video_get_info(const poet_video *video)
{
    return &video->info;
}

void poet_video_close(poet_video *video)
{
    if (!video)
        return;
    if (video->source)
        video->source->close(video->source);
    poet_clip_free(&video->picture);
    poet_scaler_destroy(video->scaler);
    poet_free(video->frame);
    poet_free(video->path);
    poet_free(video);
}

/* The end of the last frame is often rounded: what shows for less than half a frame is not shown. */
static double end_slack(const poet_video *v)
{
    return 0.5 / fmax(v->info.fps, v->source->fps);
}

poet_status poet_video_next(poet_video *video, uint8_t *pixels, bool *got)
{
    poet_video *v = video;
    *got = false;
    if (v->options.max_frames && v->given >= v->options.max_frames)
        return POET_OK;
    double t = v->options.start + (double)v->given / v->info.fps;
    while (v->source->next <= t + v->source->jitter) {
        POET_TRY(v->source->step(v->source));
        v->frame_ready = false;
    }
    if (isinf(v->source->next) && t >= v->source->end - end_slack(v))
        return POET_OK;
    if (!v->frame_ready) {
        POET_TRY(render_picture(v));
        POET_TRY(fit_picture(v));
        v->frame_ready = true;
    }
    memcpy(pixels, v->frame, (size_t)v->info.width * (size_t)v->info.height * 3);
    v->given++;
    *got = true;
    return POET_OK;
}

/* ---- whole clips ---- */

/* Frames to make room for at first; the file's own count is only a hint. */
static size_t first_room(const poet_video *v)
{
    double expected = (v->info.duration - v->options.start) * v->info.fps + 2;
    double most = v->options.max_frames ? v->options.max_frames : 4096;
    return (size_t)fmax(1, fmin(fmin(expected, most), 4096));
}

static poet_status too_long(const poet_video *v)
{
    return POET_FAIL(POET_ERR_NOMEM,
                     "%s: frames of %d x %d pixels fill the limit of %zu bytes before the video "
                     "ends; read fewer or smaller frames",
                     v->path, v->info.width, v->info.height, v->options.max_bytes);
}

static poet_status grow(const poet_video *v, uint8_t **pixels, size_t *room, size_t most)
{
    size_t frame = (size_t)v->info.width * (size_t)v->info.height * 3;
    size_t wanted = *room ? 2 * *room : first_room(v);
    if (wanted > most)
        wanted = most;
    if (wanted <= *room)
        return too_long(v);
    uint8_t *grown = poet_realloc(*pixels, wanted * frame);
    if (!grown)
        return POET_ERR_NOMEM;
    *pixels = grown;
    *room = wanted;
    return POET_OK;
}

/* The limit is met only when another frame really comes, so the frame goes to a scratch place
 * first. */
static poet_status read_all(poet_video *v, uint8_t *scratch, poet_clip *out)
{
    size_t frame = (size_t)v->info.width * (size_t)v->info.height * 3, room = 0, count = 0;
    size_t most = v->options.max_bytes / frame;
    most = most < 1000000 ? most : 1000000;
    for (;;) {
        bool got;
        POET_TRY(poet_video_next(v, scratch, &got));
        if (!got)
            break;
        if (count == room)
            POET_TRY(grow(v, &out->pixels, &room, most));
        memcpy(out->pixels + count++ * frame, scratch, frame);
    }
    if (!count)
        return POET_FAIL(POET_ERR_FORMAT, "%s: ends before the second %g", v->path,
                         v->options.start);
    out->t = (int)count;
    out->h = v->info.height;
    out->w = v->info.width;
    out->fps = v->info.fps;
    return POET_OK;
}

poet_status poet_video_read(const char *path, const poet_video_options *options, poet_clip *out)
{
    poet_video *v;
    *out = (poet_clip){0};
    POET_TRY(poet_video_open(path, options, &v));
    uint8_t *scratch = poet_alloc((size_t)v->info.width * (size_t)v->info.height * 3);
    poet_status status = scratch ? read_all(v, scratch, out) : POET_ERR_NOMEM;
    poet_free(scratch);
    poet_video_close(v);
    if (status)
        poet_clip_free(out);
    return status;
}

poet_status poet_video_probe(const char *path, poet_video_info *out)
{
    poet_video *v;
    *out = (poet_video_info){0};
    POET_TRY(poet_video_open(path, NULL, &v));
    *out = v->info;
    poet_video_close(v);
    return POET_OK;
}
