/* MP4, MOV and WebM through FFmpeg's encoders. Everything that could make equal clips differ is
 * fixed: one thread, no dates, no random identifiers, no choice by processor. */
#include "base/file.h"
#include "base/memory.h"
#include "codec/av_internal.h"
#include "codec/write_internal.h"
#include "codec/yuv_internal.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>
#include <string.h>

enum { DEFAULT_CRF = 14 };

struct poet_av_writer {
    const char *path;
    poet_clip shape; /* height, width and rate */
    const poet_write_options *options;
    poet_output *output;
    int64_t frames;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *packet;
};

/* ---- the encoder ---- */

static int even(int side)
{
    return (side + 1) / 2 * 2;
}

static void describe_frames(const poet_av_writer *w, AVCodecContext *c)
{
    AVRational rate = av_d2q(w->shape.fps, 1000000);
    c->width = even(w->shape.w);
    c->height = even(w->shape.h);
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
static void set_quality(const poet_av_writer *w, AVCodecContext *c, const char *encoder)
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
        c->bit_rate = (int64_t)(w->shape.fps * c->width * c->height) + 200000;
    }
}

/* Opens the encoder; false when this FFmpeg lacks it or it does not start. */
static bool try_encoder(poet_av_writer *w, const char *name)
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

static poet_status open_encoder(poet_av_writer *w, const char *const *encoders, const char **used)
{
    for (const char *const *name = encoders; *name; name++)
        if (try_encoder(w, *name)) {
            *used = *name;
            return POET_OK;
        }
    return POET_FAIL(POET_ERR_UNSUPPORTED,
                     "%s: this FFmpeg has no encoder for it at %d x %d pixels and %g frames per "
                     "second",
                     w->path, w->shape.w, w->shape.h, w->shape.fps);
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

static int set_tags(poet_av_writer *w)
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

static int write_header(poet_av_writer *w)
{
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "movflags", "+faststart+write_colr", 0);
    int error = avformat_write_header(w->format, &settings);
    av_dict_free(&settings);
    return error;
}

static int open_container(poet_av_writer *w)
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

static int write_packets(poet_av_writer *w)
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

static int write_frame(poet_av_writer *w, const uint8_t *pixels)
{
    AVFrame *f = w->frame;
    int error = av_frame_make_writable(f);
    if (error < 0)
        return error;
    uint8_t *planes[3] = {f->data[0], f->data[1], f->data[2]};
    poet_rgb_to_yuv420(pixels, w->shape.h, w->shape.w, planes, f->linesize);
    f->pts = w->frames++;
    f->quality = w->codec->global_quality;
    error = avcodec_send_frame(w->codec, f);
    return error < 0 ? error : write_packets(w);
}

static int finish(poet_av_writer *w)
{
    int error = avcodec_send_frame(w->codec, NULL);
    if (error >= 0)
        error = write_packets(w);
    if (error >= 0)
        error = av_write_trailer(w->format);
    if (error >= 0)
        error = w->format->pb->error;
    int closing = avio_closep(&w->format->pb);
    return error < 0 ? error : closing;
}

static int allocate(poet_av_writer *w, const char *container)
{
    char *url = av_asprintf("file:%s", poet_output_path(w->output));
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

static int allocate_frame(poet_av_writer *w)
{
    w->frame->format = w->codec->pix_fmt;
    w->frame->width = w->codec->width;
    w->frame->height = w->codec->height;
    return av_frame_get_buffer(w->frame, 0);
}

static poet_status write_error(const poet_av_writer *w, int error)
{
    return error < 0 ? poet_av_fail(POET_ERR_IO, w->path, "cannot be written", error) : POET_OK;
}

static poet_status begin(poet_av_writer *w, const char *container, const char *const *encoders,
                         const char **used)
{
    POET_TRY(poet_output_create(w->path, &w->output));
    poet_av_begin();
    POET_TRY(write_error(w, allocate(w, container)));
    POET_TRY(open_encoder(w, encoders, used));
    POET_TRY(write_error(w, open_container(w)));
    return write_error(w, allocate_frame(w));
}

poet_status poet_av_create(const char *path, const poet_clip *shape,
                           const poet_write_options *options, const char *container,
                           const char *const *encoders, const char **used, poet_av_writer **out)
{
    *out = NULL;
    poet_av_writer *w = poet_calloc(1, sizeof *w);
    if (!w)
        return POET_ERR_NOMEM;
    w->path = path;
    w->shape = *shape;
    w->options = options;
    poet_status status = begin(w, container, encoders, used);
    if (status)
        poet_av_destroy(w);
    else
        *out = w;
    return status;
}

poet_status poet_av_add(poet_av_writer *writer, const uint8_t *frame)
{
    poet_av_begin();
    return write_error(writer, write_frame(writer, frame));
}

poet_status poet_av_commit(poet_av_writer *writer)
{
    poet_av_begin();
    POET_TRY(write_error(writer, finish(writer)));
    return poet_output_commit(writer->output);
}

void poet_av_destroy(poet_av_writer *writer)
{
    poet_av_writer *w = writer;
    if (!w)
        return;
    if (w->format)
        avio_closep(&w->format->pb);
    avformat_free_context(w->format);
    avcodec_free_context(&w->codec);
    av_frame_free(&w->frame);
    av_packet_free(&w->packet);
    poet_output_destroy(w->output);
    poet_free(w);
}
