#include "make_video.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "make_video: %s: %s\n", what, av_err2str(result));
        exit(1);
    }
}

static AVCodecContext *open_encoder(const video_recipe *r, const AVFormatContext *format)
{
    const AVCodec *encoder = avcodec_find_encoder_by_name(r->encoder);
    if (!encoder)
        return NULL;
    AVCodecContext *c = avcodec_alloc_context3(encoder);
    c->width = r->w;
    c->height = r->h;
    c->pix_fmt = r->pixels;
    c->time_base = r->tick;
    c->colorspace = r->matrix;
    c->color_range = r->range;
    c->sample_aspect_ratio = r->aspect;
    c->max_b_frames = 0;
    c->thread_count = 1;
    c->opaque = (void *)(uintptr_t)r->times;
    if (format->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (r->preset)
        av_opt_set(c->priv_data, "crf", r->preset, 0);
    must(avcodec_open2(c, encoder, NULL), r->encoder);
    return c;
}

static void drain(AVFormatContext *format, AVCodecContext *codec, AVPacket *packet)
{
    while (avcodec_receive_packet(codec, packet) >= 0) {
        packet->duration = codec->opaque ? 0 : 1; /* unknown where times are given */
        av_packet_rescale_ts(packet, codec->time_base, format->streams[0]->time_base);
        must(av_interleaved_write_frame(format, packet), "write");
    }
}

static void encode(AVFormatContext *format, AVCodecContext *codec, const video_recipe *r)
{
    AVPacket *packet = av_packet_alloc();
    for (int t = 0; t < r->frames; t++) {
        AVFrame *frame = av_frame_alloc();
        frame->format = r->pixels;
        frame->width = r->w;
        frame->height = r->h;
        must(av_frame_get_buffer(frame, 0), "frame");
        r->fill(frame, t);
        frame->pts = r->times ? r->times[t] : t;
        must(avcodec_send_frame(codec, frame), "encode");
        av_frame_free(&frame);
        drain(format, codec, packet);
    }
    must(avcodec_send_frame(codec, NULL), "flush");
    drain(format, codec, packet);
    av_packet_free(&packet);
}

bool make_video(const char *path, const video_recipe *r)
{
    AVFormatContext *format;
    av_log_set_level(AV_LOG_ERROR);
    must(avformat_alloc_output_context2(&format, NULL, r->container, path), r->container);
    AVCodecContext *codec = open_encoder(r, format);
    if (!codec) {
        avformat_free_context(format);
        return false;
    }
    AVStream *stream = avformat_new_stream(format, NULL);
    must(avcodec_parameters_from_context(stream->codecpar, codec), "parameters");
    stream->time_base = r->tick;
    stream->sample_aspect_ratio = r->aspect;
    if (r->metadata_key)
        av_dict_set(&stream->metadata, r->metadata_key, r->metadata_value, 0);
    must(avio_open(&format->pb, path, AVIO_FLAG_WRITE), path);
    must(avformat_write_header(format, NULL), "header");
    encode(format, codec, r);
    must(av_write_trailer(format), "trailer");
    avio_closep(&format->pb);
    avcodec_free_context(&codec);
    avformat_free_context(format);
    return true;
}

void make_sound(const char *path)
{
    static const unsigned char head[44] =
        "RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f"
        "\0\0\1\0\x08\0data\x40\x1f\0";
    unsigned char silence[8000];
    memset(silence, 128, sizeof silence);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(head, 1, sizeof head, file) != sizeof head ||
        fwrite(silence, 1, sizeof silence, file) != sizeof silence || fclose(file) != 0)
        exit(1);
}
