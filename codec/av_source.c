/* Demuxing and decoding. Two frames are held: the current one and the one after it. */
#include "base/file.h"
#include "base/memory.h"
#include "codec/av_internal.h"
#include "codec/source_internal.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <math.h>
#include <string.h>

/* Longer gaps are joins of streams, not pauses. */
static const double longest_gap = 60;

typedef struct av_source {
    poet_source base;
    char *path;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *current, *ahead;
    poet_av_converter *converter;
    size_t max_pixels;
    double origin; /* the timestamp that is time 0, seconds; NAN until known */
    int64_t shown; /* frames that became current */
    bool keep_damaged;
    int damage; /* FFmpeg's error behind the current frame, 0 when all is well */
} av_source;

static av_source *self(poet_source *source)
{
    return (av_source *)source;
}

static void close_source(poet_source *source)
{
    av_source *s = self(source);
    poet_av_converter_destroy(s->converter);
    av_frame_free(&s->current);
    av_frame_free(&s->ahead);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->codec);
    avformat_close_input(&s->format);
    poet_free(s->path);
    poet_free(s);
}

/* ---- opening ---- */

static poet_status check_file(const char *path)
{
    poet_map map;
    POET_TRY(poet_map_open(path, &map));
    size_t size = map.size;
    poet_map_close(&map);
    return size ? POET_OK : POET_FAIL(POET_ERR_FORMAT, "%s: is empty", path);
}

poet_status poet_av_open(const char *path, AVFormatContext **out)
{
    *out = NULL;
    POET_TRY(check_file(path));
    poet_av_begin();
    char *url = av_asprintf("file:%s", path);
    AVDictionary *settings = NULL;
    /* Playlists and scripts must not reach the network or devices. */
    av_dict_set(&settings, "protocol_whitelist", "file", 0);
    int error = url ? avformat_open_input(out, url, NULL, &settings) : AVERROR(ENOMEM);
    av_dict_free(&settings);
    av_free(url);
    if (error < 0) {
        poet_av_fail(POET_ERR_FORMAT, path, "is not a video that FFmpeg can read", error);
        return POET_ERR_FORMAT;
    }
    /* FFmpeg would draw any .txt file as a terminal. */
    if (strcmp((*out)->iformat->name, "tty") == 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is a text file, not a video", path);
    return POET_OK;
}

static poet_status open_format(av_source *s)
{
    POET_TRY(poet_av_open(s->path, &s->format));
    if (strcmp(s->format->iformat->name, "gif") == 0 && !s->keep_damaged)
        POET_TRY(poet_gif_check(s->path));
    int error = avformat_find_stream_info(s->format, NULL);
    if (error < 0)
        return poet_av_fail(POET_ERR_FORMAT, s->path, "holds no readable streams", error);
    return POET_OK;
}

static poet_status find_stream(av_source *s)
{
    int index = av_find_best_stream(s->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (index >= 0 && !(s->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)) {
        s->stream = s->format->streams[index];
        for (unsigned i = 0; i < s->format->nb_streams; i++)
            if ((int)i != index)
                s->format->streams[i]->discard = AVDISCARD_ALL;
        return POET_OK;
    }
    index = av_find_best_stream(s->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    return POET_FAIL(POET_ERR_FORMAT, "%s: holds no video%s", s->path,
                     index >= 0 ? ", only sound" : "");
}

/* FFmpeg's own VP8 and VP9 decoders drop the alpha plane of WebM; libvpx's wrapper keeps it. */
static const AVCodec *find_decoder(const AVStream *stream)
{
    const AVCodec *codec = NULL;
    const AVDictionaryEntry *alpha = av_dict_get(stream->metadata, "alpha_mode", NULL, 0);
    if (alpha && strcmp(alpha->value, "1") == 0) {
        if (stream->codecpar->codec_id == AV_CODEC_ID_VP9)
            codec = avcodec_find_decoder_by_name("libvpx-vp9");
        if (stream->codecpar->codec_id == AV_CODEC_ID_VP8)
            codec = avcodec_find_decoder_by_name("libvpx");
    }
    return codec ? codec : avcodec_find_decoder(stream->codecpar->codec_id);
}

static poet_status open_decoder(av_source *s)
{
    const AVCodec *decoder = find_decoder(s->stream);
    const AVCodecParameters *parameters = s->stream->codecpar;
    if (parameters->codec_id == AV_CODEC_ID_NONE)
        return POET_FAIL(POET_ERR_FORMAT, "%s: its video is of no known kind", s->path);
    if (!decoder)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "%s: this FFmpeg has no decoder for %s", s->path,
                         avcodec_get_name(parameters->codec_id));
    if ((uint64_t)parameters->width * (uint64_t)parameters->height > s->max_pixels)
        return POET_FAIL(POET_ERR_NOMEM, "%s: frames of %d x %d pixels are larger than the limit",
                         s->path, parameters->width, parameters->height);
    s->codec = avcodec_alloc_context3(decoder);
    int error = s->codec ? avcodec_parameters_to_context(s->codec, parameters) : AVERROR(ENOMEM);
    if (error >= 0) {
        s->codec->pkt_timebase = s->stream->time_base;
        s->codec->max_pixels = (int64_t)s->max_pixels;
        /* Threads cost more than they bring on the small clips that are usual here. */
        s->codec->thread_count = parameters->width * parameters->height >= 640 * 360 ? 0 : 1;
        error = avcodec_open2(s->codec, decoder, NULL);
    }
    if (error < 0)
        return poet_av_fail(POET_ERR_FORMAT, s->path, "the video decoder could not be opened",
                            error);
    return POET_OK;
}

/* The nominal rate; nonsense becomes 25. */
static double guess_rate(AVFormatContext *format, AVStream *stream)
{
    double rate = av_q2d(av_guess_frame_rate(format, stream, NULL));
    double average = av_q2d(stream->avg_frame_rate);
    if (!(rate > 0 && rate <= 240))
        rate = average;
    return rate > 0.01 && rate <= 1000 ? rate : 25;
}

static void describe(av_source *s)
{
    poet_source *b = &s->base;
    double tick = av_q2d(s->stream->time_base);
    b->fps = guess_rate(s->format, s->stream);
    b->jitter = fmin(fmax(0.1 / b->fps, tick / 2), 0.25 / b->fps);
    if (s->stream->duration > 0)
        b->duration = (double)s->stream->duration * tick;
    else if (s->format->duration > 0)
        b->duration = (double)s->format->duration / AV_TIME_BASE;
    b->frames = s->stream->nb_frames;
    if (b->frames <= 0 && b->duration > 0 && b->duration * b->fps < 1e15)
        b->frames = (int64_t)(b->duration * b->fps + 0.5);
}

/* ---- decoding ---- */

/* One packet into the decoder, or the end. */
static int feed(av_source *s)
{
    poet_av_begin();
    int error = av_read_frame(s->format, s->packet);
    /* Some demuxers only mention that the file was cut. */
    if (error == AVERROR_EOF && poet_av_complained() && !s->keep_damaged)
        return AVERROR_INVALIDDATA;
    if (error == AVERROR_EOF)
        return avcodec_send_packet(s->codec, NULL);
    if (error < 0)
        return error;
    bool ours = s->packet->stream_index == s->stream->index;
    if (ours && (s->packet->flags & AV_PKT_FLAG_CORRUPT) && !s->keep_damaged)
        error = AVERROR_INVALIDDATA;
    else if (ours)
        error = avcodec_send_packet(s->codec, s->packet);
    av_packet_unref(s->packet);
    return error;
}

static bool is_damaged(const av_source *s, const AVFrame *frame)
{
    return !s->keep_damaged && s->shown &&
           (frame->decode_error_flags || (frame->flags & AV_FRAME_FLAG_CORRUPT));
}

/* Fills frame, or leaves AVERROR_EOF or the error of the damaged place. Errors before the first
 * frame are passed over: broadcasts begin in the middle of something. */
static int decode(av_source *s, AVFrame *frame)
{
    int failures = 0;
    for (;;) {
        int error = avcodec_receive_frame(s->codec, frame);
        if (error == AVERROR_EOF)
            return failures && !s->shown ? AVERROR_INVALIDDATA : AVERROR_EOF;
        if (error >= 0 && !is_damaged(s, frame))
            return error;
        if (error == AVERROR(EAGAIN))
            error = feed(s);
        else if (error >= 0)
            error = AVERROR_INVALIDDATA;
        if (error < 0 && ((s->shown && !s->keep_damaged) || ++failures > 1000))
            return error;
    }
}

static double duration_of(const av_source *s, const AVFrame *frame)
{
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    int64_t ticks = frame->duration;
#else
    int64_t ticks = frame->pkt_duration;
#endif
    double seconds = (double)ticks * av_q2d(s->stream->time_base);
    return seconds > 0 && seconds <= longest_gap ? seconds : 1 / s->base.fps;
}

/* Time of a frame that follows one at `previous`. */
static double time_of(av_source *s, const AVFrame *frame, double previous)
{
    double nominal = s->shown ? previous + 1 / s->base.fps : 0;
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE)
        return nominal;
    double stamp = (double)frame->best_effort_timestamp * av_q2d(s->stream->time_base);
    if (isnan(s->origin))
        s->origin = stamp;
    double time = stamp - s->origin;
    if (s->shown && (time < previous || time > previous + longest_gap)) {
        s->origin = stamp - nominal;
        return nominal;
    }
    return time;
}

static void look_ahead(av_source *s)
{
    av_frame_unref(s->ahead);
    int error = decode(s, s->ahead);
    s->base.next = INFINITY;
    if (error >= 0)
        s->base.next = time_of(s, s->ahead, s->base.time);
    else if (error != AVERROR_EOF && !s->keep_damaged)
        s->damage = error;
}

static poet_status damaged(av_source *s)
{
    char what[64];
    snprintf(what, sizeof what, "is damaged after %lld frames", (long long)s->shown);
    return poet_av_fail(POET_ERR_FORMAT, s->path, what, s->damage);
}

static poet_status step(poet_source *source)
{
    av_source *s = self(source);
    AVFrame *old = s->current;
    s->current = s->ahead;
    s->ahead = old;
    s->base.time = s->base.next;
    s->base.end = s->base.time + duration_of(s, s->current);
    s->shown++;
    look_ahead(s);
    return s->damage ? damaged(s) : POET_OK;
}

static const int32_t *display_matrix(const av_source *s)
{
    const AVFrameSideData *own = av_frame_get_side_data(s->current, AV_FRAME_DATA_DISPLAYMATRIX);
    if (own && own->size >= 9 * sizeof(int32_t))
        return (const int32_t *)(const void *)own->data;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    const AVPacketSideData *side =
        av_packet_side_data_get(s->stream->codecpar->coded_side_data,
                                s->stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    size_t size = side ? side->size : 0;
    const uint8_t *data = side ? side->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(s->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
    return size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data : NULL;
}

static poet_status render(poet_source *source, poet_clip *picture)
{
    av_source *s = self(source);
    AVRational aspect = av_guess_sample_aspect_ratio(s->format, s->stream, s->current);
    poet_status status = poet_av_convert(s->converter, s->current, display_matrix(s), aspect,
                                         s->max_pixels, picture);
    return status ? poet_context(status, "%s", s->path) : POET_OK;
}

/* Seeks a little before the wanted start; files that cannot seek are read through. */
static void seek_start(av_source *s, double start)
{
    double tick = av_q2d(s->stream->time_base);
    if (start < 5 || s->stream->start_time == AV_NOPTS_VALUE)
        return;
    s->origin = (double)s->stream->start_time * tick;
    int64_t target = (int64_t)((s->origin + start - 1) / tick);
    if (av_seek_frame(s->format, s->stream->index, target, AVSEEK_FLAG_BACKWARD) < 0)
        s->origin = NAN;
}

static poet_status decode_first(av_source *s)
{
    look_ahead(s);
    if (s->damage)
        return poet_av_fail(POET_ERR_FORMAT, s->path, "its video cannot be decoded", s->damage);
    if (isinf(s->base.next))
        return POET_FAIL(POET_ERR_FORMAT, "%s: holds a video stream without frames", s->path);
    return step(&s->base);
}

static poet_status open_all(av_source *s, const poet_video_options *options)
{
    POET_TRY(open_format(s));
    POET_TRY(find_stream(s));
    POET_TRY(open_decoder(s));
    describe(s);
    seek_start(s, options->start);
    return decode_first(s);
}

poet_status poet_source_open_av(const char *path, const poet_video_options *options,
                                poet_source **out)
{
    *out = NULL;
    av_source *s = poet_calloc(1, sizeof *s);
    if (!s)
        return POET_ERR_NOMEM;
    s->base = (poet_source){.step = step, .render = render, .close = close_source};
    s->origin = NAN;
    s->max_pixels = options->max_pixels;
    s->keep_damaged = options->keep_damaged;
    s->path = poet_strdup(path);
    s->packet = av_packet_alloc();
    s->current = av_frame_alloc();
    s->ahead = av_frame_alloc();
    poet_status status = poet_av_converter_create(options->background, &s->converter);
    if (!status && (!s->path || !s->packet || !s->current || !s->ahead))
        status = POET_FAIL(POET_ERR_NOMEM, "%s: out of memory", path);
    if (!status)
        status = open_all(s, options);
    if (status) {
        close_source(&s->base);
        return status;
    }
    *out = &s->base;
    return POET_OK;
}
