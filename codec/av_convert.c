/* swscale does the colour arithmetic at the coded size; the rest is done on its output. */
#include "base/memory.h"
#include "codec/av_internal.h"
#include "codec/pixels_internal.h"
#include "codec/scale_internal.h"

#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

/* What a swscale context was made for. */
typedef struct conversion {
    int w, h, format, matrix, full_range, chroma_location;
} conversion;

struct poet_av_converter {
    struct SwsContext *sws;
    conversion made_for;
    uint8_t background[3];
    uint8_t *rows; /* swscale's output: padded rows of RGB or RGBA */
    size_t rows_bytes;
    poet_clip upright; /* before orientation and aspect */
    poet_clip square;  /* before orientation */
};

poet_status poet_av_converter_create(const uint8_t background[3], poet_av_converter **out)
{
    *out = poet_calloc(1, sizeof **out);
    if (!*out)
        return POET_ERR_NOMEM;
    memcpy((*out)->background, background, 3);
    return POET_OK;
}

void poet_av_converter_destroy(poet_av_converter *converter)
{
    if (!converter)
        return;
    sws_freeContext(converter->sws);
    av_free(converter->rows);
    poet_clip_free(&converter->upright);
    poet_clip_free(&converter->square);
    poet_free(converter);
}

/* Untagged: the guess that players make. */
static int colour_matrix(const AVFrame *frame)
{
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M: return SWS_CS_ITU601;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return frame->width >= 1280 || frame->height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
}

/* Untagged grey is full, as FFmpeg has it. */
static bool is_full_range(const AVFrame *frame, const AVPixFmtDescriptor *format)
{
    bool grey = format->nb_components < 3;
    switch (frame->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ411P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ444P: return true;
    default:
        return frame->color_range == AVCOL_RANGE_JPEG ||
               (grey && frame->color_range == AVCOL_RANGE_UNSPECIFIED);
    }
}

/* Where chroma samples lie, in 1/256 of a luma sample; -513 lets swscale choose. */
static void set_chroma_position(struct SwsContext *sws, int location)
{
    int x = -513, y = -513;
    if (location == AVCHROMA_LOC_LEFT || location == AVCHROMA_LOC_TOPLEFT)
        x = 0;
    if (location == AVCHROMA_LOC_CENTER || location == AVCHROMA_LOC_TOP)
        x = 128;
    if (location == AVCHROMA_LOC_LEFT || location == AVCHROMA_LOC_CENTER)
        y = 128;
    if (location == AVCHROMA_LOC_TOPLEFT || location == AVCHROMA_LOC_TOP)
        y = 0;
    av_opt_set_int(sws, "src_h_chr_pos", x, 0);
    av_opt_set_int(sws, "src_v_chr_pos", y, 0);
}

static struct SwsContext *make_sws(const conversion *c, int out_format, bool is_yuv)
{
    struct SwsContext *sws = sws_alloc_context();
    if (!sws)
        return NULL;
    av_opt_set_int(sws, "srcw", c->w, 0);
    av_opt_set_int(sws, "srch", c->h, 0);
    av_opt_set_int(sws, "src_format", c->format, 0);
    av_opt_set_int(sws, "dstw", c->w, 0);
    av_opt_set_int(sws, "dsth", c->h, 0);
    av_opt_set_int(sws, "dst_format", out_format, 0);
    av_opt_set_int(sws, "sws_flags",
                   SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT, 0);
    av_opt_set(sws, "sws_dither", "none", 0);
    if (is_yuv)
        set_chroma_position(sws, c->chroma_location);
    if (sws_init_context(sws, NULL, NULL) < 0) {
        sws_freeContext(sws);
        return NULL;
    }
    if (is_yuv)
        sws_setColorspaceDetails(sws, sws_getCoefficients(c->matrix), c->full_range,
                                 sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    return sws;
}

static poet_status prepare(poet_av_converter *v, const AVFrame *frame, int out_format,
                           const AVPixFmtDescriptor *format)
{
    conversion wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted = (conversion){.w = frame->width,
                          .h = frame->height,
                          .format = frame->format,
                          .matrix = colour_matrix(frame),
                          .full_range = is_full_range(frame, format),
                          .chroma_location = frame->chroma_location};
    if (v->sws && memcmp(&wanted, &v->made_for, sizeof wanted) == 0)
        return POET_OK;
    sws_freeContext(v->sws);
    v->sws = make_sws(&wanted, out_format, !(format->flags & AV_PIX_FMT_FLAG_RGB));
    if (!v->sws)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "pixels of the kind %s cannot be converted",
                         format->name);
    v->made_for = wanted;
    return POET_OK;
}

/* swscale writes whole vectors, so its rows are padded and copied from. */
static poet_status run_sws(poet_av_converter *v, const AVFrame *frame, int bytes_per_pixel,
                           int *stride)
{
    *stride = (frame->width * bytes_per_pixel + 63) / 64 * 64 + 64;
    size_t bytes = (size_t)*stride * (size_t)frame->height + 64;
    if (bytes > v->rows_bytes) {
        av_free(v->rows);
        v->rows = av_malloc(bytes);
        v->rows_bytes = v->rows ? bytes : 0;
    }
    if (!v->rows)
        return POET_FAIL(POET_ERR_NOMEM, "out of memory for a frame of %d x %d pixels",
                         frame->width, frame->height);
    uint8_t *planes[4] = {v->rows};
    int strides[4] = {*stride};
    int done = sws_scale(v->sws, (const uint8_t *const *)frame->data, frame->linesize, 0,
                         frame->height, planes, strides);
    if (done != frame->height)
        return POET_FAIL(POET_ERR_FORMAT, "a frame of %d x %d pixels could not be converted",
                         frame->width, frame->height);
    return POET_OK;
}

static poet_status to_rgb(poet_av_converter *v, const AVFrame *frame, poet_clip *out)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    if (!format)
        return POET_FAIL(POET_ERR_FORMAT, "pixels of an unknown kind");
    bool alpha = format->flags & AV_PIX_FMT_FLAG_ALPHA;
    int stride;
    POET_TRY(prepare(v, frame, alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24, format));
    POET_TRY(run_sws(v, frame, alpha ? 4 : 3, &stride));
    size_t w = (size_t)frame->width;
    for (int y = 0; y < frame->height; y++) {
        const uint8_t *row = v->rows + (size_t)y * (size_t)stride;
        if (alpha)
            poet_compose(row, w, v->background, out->pixels + (size_t)y * w * 3);
        else
            memcpy(out->pixels + (size_t)y * w * 3, row, w * 3);
    }
    return POET_OK;
}

static poet_status resize_picture(poet_clip *picture, int h, int w)
{
    if (picture->h == h && picture->w == w)
        return POET_OK;
    poet_clip_free(picture);
    return poet_clip_create(1, h, w, 1, picture);
}

/* The nearest quarter turn or mirroring: (x, y) goes to (a x + c y, b x + d y), each -1, 0 or 1. */
typedef struct turn {
    int a, b, c, d;
} turn;

static int sign(int32_t v)
{
    return (v > 0) - (v < 0);
}

static turn turn_of(const int32_t *m)
{
    turn upright = {1, 0, 0, 1};
    if (!m)
        return upright;
    if (llabs((long long)m[0]) >= llabs((long long)m[1])) {
        turn t = {sign(m[0]), 0, 0, sign(m[4])};
        return t.a && t.d ? t : upright;
    }
    turn t = {0, sign(m[1]), sign(m[3]), 0};
    return t.b && t.c ? t : upright;
}

static void apply_turn(turn t, const poet_clip *in, poet_clip *out)
{
    int right = in->w - 1, bottom = in->h - 1;
    int left_most = (t.a < 0 ? -right : 0) + (t.c < 0 ? -bottom : 0);
    int top_most = (t.b < 0 ? -right : 0) + (t.d < 0 ? -bottom : 0);
    for (int y = 0; y < in->h; y++)
        for (int x = 0; x < in->w; x++) {
            size_t to_x = (size_t)(t.a * x + t.c * y - left_most);
            size_t to_y = (size_t)(t.b * x + t.d * y - top_most);
            memcpy(out->pixels + (to_y * (size_t)out->w + to_x) * 3,
                   in->pixels + ((size_t)y * (size_t)in->w + (size_t)x) * 3, 3);
        }
}

/* Width in square pixels; ratios beyond 8 are taken for broken tags. */
static int square_width(int w, AVRational aspect)
{
    if (aspect.num <= 0 || aspect.den <= 0)
        return w;
    double ratio = av_q2d(aspect);
    if (ratio > 8 || ratio < 0.125)
        return w;
    int width = (int)(w * ratio + 0.5);
    return width < 1 ? 1 : width;
}

static poet_status make_square(poet_av_converter *v, int w)
{
    poet_scaler *scaler;
    POET_TRY(resize_picture(&v->square, v->upright.h, w));
    POET_TRY(poet_scaler_create(v->upright.h, v->upright.w, v->upright.h, w, POET_FIT_STRETCH,
                                POET_FILTER_SMOOTH, v->background, &scaler));
    poet_scaler_run(scaler, v->upright.pixels, v->square.pixels);
    poet_scaler_destroy(scaler);
    return POET_OK;
}

poet_status poet_av_convert(poet_av_converter *converter, const AVFrame *frame,
                            const int32_t *matrix, AVRational aspect, size_t max_pixels,
                            poet_clip *picture)
{
    int h = frame->height, w = square_width(frame->width, aspect);
    if ((size_t)h * (size_t)w > max_pixels)
        return POET_FAIL(POET_ERR_NOMEM, "a frame of %d x %d pixels is larger than the limit", w,
                         h);
    POET_TRY(resize_picture(&converter->upright, h, frame->width));
    POET_TRY(to_rgb(converter, frame, &converter->upright));
    if (w != frame->width)
        POET_TRY(make_square(converter, w));
    const poet_clip *seen = w != frame->width ? &converter->square : &converter->upright;
    turn t = turn_of(matrix);
    POET_TRY(resize_picture(picture, t.a ? seen->h : seen->w, t.a ? seen->w : seen->h));
    apply_turn(t, seen, picture);
    return POET_OK;
}
