/* MP4, MOV and WebM through FFmpeg's encoders. Everything that could make equal clips differ is
 * fixed: one thread, no dates, no random identifiers, no choice by processor. */
#include "base/file.h"
#include "base/memory.h"
#include "codec/av_internal.h"
#include "codec/scale_internal.h"
#include "codec/write_internal.h"
#include "codec/yuv_internal.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>
#include <string.h>

enum { DEFAULT_CRF = 14 };

typedef struct av_writer {
    const char *path;
    const poet_clip *clip;
    const poet_write_options *options;
    int h, w;            /* of the video: the clip's, enlarged */
    poet_scaler *scaler; /* NULL: not enlarged */
    poet_clip large;     /* one frame */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *packet;
} av_writer;

/* ---- the encoder ---- */

static int even(int side)
{
    return (side + 1) / 2 * 2;
}

static void describe_frames(const av_writer *w, AVCodecContext *c)
{
    AVRational rate = av_d2q(w->clip->fps, 1000000);
    c->width = even(w->w);
    c->height = even(w->h);
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->framerate = rate;
    c->time_base = av_inv_q(rate);
    c->color_range = AVCOL_RANGE_MPEG;
    c->colorspace = AVCOL_SPC_BT709;
    c->color_primaries = AVCOL_PRI_BT709;
    c->color_trc = AVCOL_TRC_BT709;
    c->chroma_sample_location = AVCHROMA_LOC_CENTER;
    c->sample_aspect_ratio = (AVRational){1, 1};
    /* Without reordering there is no edit list, and every player starts at the first frame. */
    c->max_b_frames = 0;
    c->gop_size = 48;
    c->thread_count = 1;
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    if (w->format->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
}

/* The same wish in the encoders' different terms. */
static void set_quality(const av_writer *w, AVCodecContext *c, const char *encoder)
{
    int crf = w->options->crf ? w->options->crf : DEFAULT_CRF;
    c->bit_rate = w->options->bit_rate;
    if (strcmp(encoder, "libx264") == 0) {
        av_opt_set(c->priv_data, "preset", "medium", 0);
        av_opt_set(c->priv_data, "x264-params", "cpu-independent=1", 0);
        if (!c->bit_rate)
            av_opt_set_int(c->priv_data, "crf", crf, 0);
    } else if (strncmp(encoder, "libvpx", 6) == 0) {
        av_opt_set(c->priv_data, "deadline", "good", 0);
        av_opt_set_int(c->priv_data, "cpu-used", 2, 0);
        if (!c->bit_rate)
            av_opt_set_int(c->priv_data, "crf", crf * 63 / 51, 0);
        /* VP8 has no mode of constant quality: a rate that is never reached gives it. */
        if (!c->bit_rate && strcmp(encoder, "libvpx") == 0)
            c->bit_rate = (int64_t)100 * 1000 * 1000;
    } else if (strcmp(encoder, "mpeg4") == 0 && !c->bit_rate) {
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = FF_QP2LAMBDA * (crf < 12 ? 1 : crf / 6);
    } else if (!c->bit_rate) {
        c->bit_rate = (int64_t)(w->clip->fps * c->width * c->height) + 200000;
    }
}

/* Opens the encoder; false when this FFmpeg lacks it or it does not start. */
static bool try_encoder(av_writer *w, const char *name)
{
    const AVCodec *encoder = avcodec_find_encoder_by_name(name);
    w->codec = encoder ? avcodec_alloc_context3(encoder) : NULL;
    if (!w->codec)
        return false;
    describe_frames(w, w->codec);
    set_quality(w, w->codec, name);
    if (avcodec_open2(w->codec, encoder, NULL) >= 0)
        return true;
    avcodec_free_context(&w->codec);
    return false;
}

static poet_status open_encoder(av_writer *w, const char *const *encoders, const char **used)
{
    for (const char *const *name = encoders; *name; name++)
        if (try_encoder(w, *name)) {
            *used = *name;
            return POET_OK;
        }
    return POET_FAIL(POET_ERR_UNSUPPORTED,
                     "%s: this FFmpeg has no encoder for it at %d x %d pixels and %g frames per "
                     "second",
                     w->path, w->w, w->h, w->clip->fps);
}

const char *poet_av_encoder(const char *const *encoders)
{
    while (*encoders && !avcodec_find_encoder_by_name(*encoders))
        encoders++;
    return *encoders;
}

const char *poet_ffmpeg_version(void)
{
    return av_version_info();
}

/* ---- the container ---- */

static int set_tags(av_writer *w)
{
    const poet_write_options *o = w->options;
    const char *title = poet_tag_value(o, "prompt");
    AVDictionary **to = &w->format->metadata;
    int error = title ? av_dict_set(to, "title", title, 0) : 0;
    if (strcmp(w->format->oformat->name, "webm") == 0) {
        for (int i = 0; error >= 0 && i < o->tag_count; i++)
            error = av_dict_set(to, o->tags[i].key, o->tags[i].value, 0);
    } else if (error >= 0 && o->tag_count) {
        char *text = poet_tags_text(o);
        error = text ? av_dict_set(to, "comment", text, 0) : AVERROR(ENOMEM);
        poet_free(text);
    }
    return error;
}

static int write_header(av_writer *w)
{
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "movflags", "+faststart+write_colr", 0);
    int error = avformat_write_header(w->format, &settings);
    av_dict_free(&settings);
    return error;
}

static int open_container(av_writer *w)
{
    w->stream = avformat_new_stream(w->format, NULL);
    if (!w->stream)
        return AVERROR(ENOMEM);
    int error = avcodec_parameters_from_context(w->stream->codecpar, w->codec);
    w->stream->time_base = w->codec->time_base;
    w->stream->avg_frame_rate = w->codec->framerate;
    w->stream->sample_aspect_ratio = w->codec->sample_aspect_ratio;
    if (error >= 0)
        error = set_tags(w);
    if (error >= 0)
        error = avio_open(&w->format->pb, w->format->url, AVIO_FLAG_WRITE);
    return error >= 0 ? write_header(w) : error;
}

static int write_packets(av_writer *w)
{
    for (;;) {
        int error = avcodec_receive_packet(w->codec, w->packet);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return 0;
        if (error < 0)
            return error;
        w->packet->stream_index = w->stream->index;
        w->packet->duration = 1;
        av_packet_rescale_ts(w->packet, w->codec->time_base, w->stream->time_base);
        error = av_interleaved_write_frame(w->format, w->packet);
        if (error < 0)
            return error;
    }
}

/* Frame t as it is written. */
static const uint8_t *frame_pixels(const av_writer *w, int t)
{
    const uint8_t *pixels = poet_clip_frame(w->clip, t);
    if (!w->scaler)
        return pixels;
    poet_scaler_run(w->scaler, pixels, w->large.pixels);
    return w->large.pixels;
}

static int write_frame(av_writer *w, int t)
{
    AVFrame *f = w->frame;
    int error = av_frame_make_writable(f);
    if (error < 0)
        return error;
    uint8_t *planes[3] = {f->data[0], f->data[1], f->data[2]};
    poet_rgb_to_yuv420(frame_pixels(w, t), w->h, w->w, planes, f->linesize);
    f->pts = t;
    f->quality = w->codec->global_quality;
    error = avcodec_send_frame(w->codec, f);
    return error < 0 ? error : write_packets(w);
}

static int write_all(av_writer *w)
{
    w->frame->format = w->codec->pix_fmt;
    w->frame->width = w->codec->width;
    w->frame->height = w->codec->height;
    int error = av_frame_get_buffer(w->frame, 0);
    for (int t = 0; error >= 0 && t < w->clip->t; t++)
        error = write_frame(w, t);
    if (error >= 0)
        error = avcodec_send_frame(w->codec, NULL);
    if (error >= 0)
        error = write_packets(w);
    if (error >= 0)
        error = av_write_trailer(w->format);
    if (error >= 0)
        error = w->format->pb->error;
    int closing = avio_closep(&w->format->pb);
    return error < 0 ? error : closing;
}

static void release(av_writer *w)
{
    if (w->format)
        avio_closep(&w->format->pb);
    avformat_free_context(w->format);
    avcodec_free_context(&w->codec);
    av_frame_free(&w->frame);
    av_packet_free(&w->packet);
    poet_scaler_destroy(w->scaler);
    poet_clip_free(&w->large);
}

/* Frames are enlarged one by one: a whole clip of large ones would take hundreds of megabytes. */
static poet_status enlarge(av_writer *w)
{
    const uint8_t unused[3] = {0};
    int by = w->options->enlarge > 1 ? w->options->enlarge : 1;
    w->h = by * w->clip->h;
    w->w = by * w->clip->w;
    if (by == 1)
        return POET_OK;
    POET_TRY(poet_clip_create(1, w->h, w->w, w->clip->fps, &w->large));
    return poet_scaler_create(w->clip->h, w->clip->w, w->h, w->w, POET_FIT_STRETCH,
                              POET_FILTER_NEAREST, unused, &w->scaler);
}

static int create(av_writer *w, const char *temporary, const char *container)
{
    char *url = av_asprintf("file:%s", temporary);
    if (!url)
        return AVERROR(ENOMEM);
    int error = avformat_alloc_output_context2(&w->format, NULL, container, url);
    av_free(url);
    w->frame = av_frame_alloc();
    w->packet = av_packet_alloc();
    if (error >= 0 && (!w->frame || !w->packet))
        error = AVERROR(ENOMEM);
    if (error >= 0)
        w->format->flags |= AVFMT_FLAG_BITEXACT;
    return error;
}

poet_status poet_av_write(const char *path, const poet_clip *clip,
                          const poet_write_options *options, const char *container,
                          const char *const *encoders, const char **used)
{
    poet_output *output;
    av_writer w = {.path = path, .clip = clip, .options = options};
    POET_TRY(poet_output_create(path, &output));
    poet_av_begin();
    poet_status status = enlarge(&w);
    int error = status ? 0 : create(&w, poet_output_path(output), container);
    if (!status && error >= 0)
        status = open_encoder(&w, encoders, used);
    if (!status && error >= 0)
        error = open_container(&w);
    if (!status && error >= 0)
        error = write_all(&w);
    if (!status && error < 0)
        status = poet_av_fail(POET_ERR_IO, path, "cannot be written", error);
    release(&w);
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    return status;
}
