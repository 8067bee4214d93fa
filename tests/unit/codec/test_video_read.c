#include "codec/video.h"

#include "codec/png.h"
#include "make_video.h"
#include "pictures.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <libavutil/pixdesc.h>

static poet_clip read_clip(const char *path, const poet_video_options *options)
{
    poet_clip clip;
    CHECK_OK(poet_video_read(path, options, &clip));
    if (!clip.pixels)
        exit(CHECK_RESULT());
    return clip;
}

/* ---- fillers ---- */

static void fill_plane8(AVFrame *f, int plane, int value)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    int shift = plane == 1 || plane == 2 ? d->log2_chroma_h : 0;
    for (int y = 0; y < (f->height + (1 << shift) - 1) >> shift; y++)
        memset(f->data[plane] + y * f->linesize[plane], value, (size_t)f->linesize[plane]);
}

/* No colour, where the frame has chroma planes. */
static void fill_grey_chroma(AVFrame *f)
{
    for (int plane = 1; plane < 3 && f->data[plane]; plane++)
        fill_plane8(f, plane, 128);
}

/* Grey level 10 + 5 t. */
static void fill_count(AVFrame *f, int t)
{
    fill_grey_chroma(f);
    for (int y = 0; y < f->height; y++)
        memset(f->data[0] + y * f->linesize[0], 10 + 5 * t, (size_t)f->width);
}

/* Y 120, Cb 90, Cr 180, and half transparent where there is alpha. */
static void fill_yuv(AVFrame *f, int t)
{
    (void)t;
    fill_plane8(f, 0, 120);
    fill_plane8(f, 1, 90);
    fill_plane8(f, 2, 180);
    if (f->data[3])
        fill_plane8(f, 3, 64);
}

/* The same colour in ten bits. */
static void fill_yuv10(AVFrame *f, int t)
{
    static const int value[3] = {480, 360, 720};
    (void)t;
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < (plane ? (f->height + 1) / 2 : f->height); y++)
            for (int x = 0; x < f->linesize[plane] / 2; x++)
                ((uint16_t *)(void *)(f->data[plane] + y * f->linesize[plane]))[x] =
                    (uint16_t)value[plane];
}

/* Pixels that no YUV conversion would leave alone; BGR with or without a fourth byte. */
static int noise(int t, int y, int x, int c)
{
    return (t * 91 + y * 57 + x * 131 + c * 83) * 2654435761u >> 24;
}

static void fill_bgr0(AVFrame *f, int t)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            for (int c = 0; c < 3; c++)
                f->data[0][y * f->linesize[0] + 4 * x + c] = (uint8_t)noise(t, y, x, 2 - c);
}

static void fill_bgr24(AVFrame *f, int t)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            for (int c = 0; c < 3; c++)
                f->data[0][y * f->linesize[0] + 3 * x + c] = (uint8_t)noise(t, y, x, 2 - c);
}

/* A dark frame with a bright pixel block at the upper left. */
static void fill_corner(AVFrame *f, int t)
{
    (void)t;
    fill_grey_chroma(f);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            f->data[0][y * f->linesize[0] + x] = y < 4 && x < 8 ? 250 : 20;
}

/* ---- tests ---- */

/* Grey that does not say its range is what FFmpeg takes it for: all of it. */
static void test_grey(void)
{
    unsigned char picture[13 + 256] = "P5\n16 16\n255\n";
    for (int i = 0; i < 256; i++)
        picture[13 + i] = (unsigned char)i;
    write_bytes(scratch("grey.pgm"), picture, sizeof picture);
    poet_clip c = read_clip(scratch("grey.pgm"), NULL);
    for (int i = 0; i < 256; i++)
        CHECK_INT(c.pixels[3 * i], i);
    poet_clip_free(&c);
}

static void test_rates(void)
{
    const char *path = scratch("thirty.mkv");
    video_recipe r = {.container = "matroska",
                      .encoder = "ffv1",
                      .pixels = AV_PIX_FMT_GRAY8,
                      .range = AVCOL_RANGE_JPEG,
                      .w = 16,
                      .h = 8,
                      .frames = 30,
                      .tick = {1, 30},
                      .fill = fill_count};
    CHECK(make_video(path, &r));
    poet_clip c = read_clip(path, NULL);
    CHECK_INT(c.t, 30);
    CHECK_CLOSE(c.fps, 30, 1e-3);
    for (int k = 0; k < c.t; k++)
        CHECK_INT(*poet_clip_frame(&c, k), 10 + 5 * k);
    poet_clip_free(&c);
    c = read_clip(path, &(poet_video_options){.fps = 8});
    CHECK_INT(c.t, 8);
    for (int k = 0; k < c.t; k++)
        CHECK_INT(*poet_clip_frame(&c, k), 10 + 5 * (k * 30 / 8));
    poet_clip_free(&c);
    c = read_clip(path, &(poet_video_options){.fps = 60, .max_frames = 9, .start = 0.1});
    CHECK_INT(c.t, 9);
    for (int k = 0; k < c.t; k++)
        CHECK_INT(*poet_clip_frame(&c, k), 10 + 5 * (3 + k / 2));
    poet_clip_free(&c);
    CHECK_FAILS(poet_video_read(path, &(poet_video_options){.start = 5}, &c), POET_ERR_FORMAT,
                "ends before the second 5");
    CHECK_FAILS(poet_video_read(path, &(poet_video_options){.max_bytes = 29 * 16 * 8 * 3}, &c),
                POET_ERR_NOMEM, "thirty.mkv: frames of 16 x 8");
    CHECK_OK(poet_video_read(path, &(poet_video_options){.max_bytes = 30 * 16 * 8 * 3}, &c));
    poet_clip_free(&c);
    CHECK_FAILS(poet_video_read(path, &(poet_video_options){.max_pixels = 100}, &c), POET_ERR_NOMEM,
                "16 x 8 pixels are larger than the limit");
    poet_video_info i;
    CHECK_OK(poet_video_probe(path, &i));
    CHECK_INT(i.source_width, 16);
    CHECK_INT(i.source_height, 8);
    CHECK_CLOSE(i.duration, 1, 0.002);
    CHECK_CLOSE((double)i.source_frames, 30, 0.5);
}

/* Centiseconds cannot hold thirty frames per second; the count is right all the same. An animated
 * PNG is a video too. */
static void test_animated_pictures(void)
{
    const int64_t times[] = {0, 3, 7, 10, 13, 17, 20};
    video_recipe r = {.container = "gif",
                      .encoder = "gif",
                      .pixels = AV_PIX_FMT_GRAY8,
                      .w = 16,
                      .h = 8,
                      .frames = 7,
                      .times = times,
                      .tick = {1, 100},
                      .fill = fill_count};
    CHECK(make_video(scratch("thirty.gif"), &r));
    poet_clip c = read_clip(scratch("thirty.gif"), &(poet_video_options){.fps = 30});
    CHECK_INT(c.t, 7);
    for (int k = 0; k < c.t; k++)
        CHECK_INT(*poet_clip_frame(&c, k), 10 + 5 * k);
    poet_clip_free(&c);
    r.container = r.encoder = "apng";
    r.times = NULL;
    r.tick = (AVRational){1, 10};
    CHECK(make_video(scratch("moving.png"), &r));
    c = read_clip(scratch("moving.png"), NULL);
    CHECK_INT(c.t, 7);
    CHECK_INT(*poet_clip_frame(&c, 6), 40);
    poet_clip_free(&c);
}

/* A slide show: each picture stays until the next one comes. */
static void test_variable_rate(void)
{
    const char *path = scratch("variable.mkv");
    const int64_t times[] = {0, 100, 900, 1000, 1250};
    video_recipe r = {.container = "matroska",
                      .encoder = "ffv1",
                      .pixels = AV_PIX_FMT_GRAY8,
                      .range = AVCOL_RANGE_JPEG,
                      .w = 16,
                      .h = 8,
                      .frames = 5,
                      .times = times,
                      .tick = {1, 1000},
                      .fill = fill_count};
    CHECK(make_video(path, &r));
    const int wanted[] = {0, 1, 1, 1, 3, 4};
    poet_clip c = read_clip(path, &(poet_video_options){.fps = 4, .max_frames = 6});
    CHECK(c.t >= 5);
    for (int k = 0; k < c.t; k++)
        CHECK_INT(*poet_clip_frame(&c, k), 10 + 5 * wanted[k]);
    poet_clip_free(&c);
}

/* The same frames, whether the video is read in one piece, frame by frame, or from the middle. */
static void test_stream(void)
{
    const char *path = scratch("long.mp4");
    video_recipe r = {.container = "mp4",
                      .encoder = "mpeg4",
                      .pixels = AV_PIX_FMT_YUV420P,
                      .w = 64,
                      .h = 48,
                      .frames = 240,
                      .tick = {1, 10},
                      .fill = fill_count};
    CHECK(make_video(path, &r));
    poet_clip all = read_clip(path, NULL);
    CHECK_INT(all.t, 240);
    poet_video *v;
    CHECK_OK(poet_video_open(path, NULL, &v));
    uint8_t *frame = poet_alloc(poet_clip_frame_bytes(&all));
    bool got = true;
    int count = 0, different = 0;
    for (; got && count <= 240; count += got) {
        CHECK_OK(poet_video_next(v, frame, &got));
        different +=
            got && memcmp(frame, poet_clip_frame(&all, count), poet_clip_frame_bytes(&all));
    }
    CHECK_INT(count, 240);
    CHECK_INT(different, 0);
    poet_video_close(v);
    poet_free(frame);
    poet_clip part = read_clip(path, &(poet_video_options){.start = 15.3, .max_frames = 20});
    CHECK(memcmp(part.pixels, poet_clip_frame(&all, 153), 20 * poet_clip_frame_bytes(&all)) == 0);
    poet_clip_free(&part);
    poet_clip_free(&all);
}

/* The colour of fill_yuv by the formulas of the standards. */
static void expect_colour(const poet_clip *c, double kr, double kb, bool full, double y, double cb,
                          double cr)
{
    double luma = full ? y : (y - 16) * 255 / 219, scale = full ? 1 : 255.0 / 224;
    double b = luma + 2 * (1 - kb) * (cb - 128) * scale,
           r = luma + 2 * (1 - kr) * (cr - 128) * scale;
    double g = (luma - kr * r - kb * b) / (1 - kr - kb);
    const uint8_t *p = poet_clip_frame(c, 0) + (size_t)(c->w * (c->h / 2) + c->w / 2) * 3;
    CHECK_CLOSE(p[0], fmin(r, 255), 1.5);
    CHECK_CLOSE(p[1], g, 1.5);
    CHECK_CLOSE(p[2], b, 1.5);
}

static void test_colours(void)
{
    const char *path = scratch("colour.mkv");
    video_recipe r = {.container = "matroska",
                      .encoder = "ffv1",
                      .pixels = AV_PIX_FMT_YUV420P,
                      .w = 33,
                      .h = 17,
                      .frames = 2,
                      .tick = {1, 10},
                      .fill = fill_yuv};

    const struct {
        enum AVColorSpace matrix;
        double kr, kb;
    } kinds[] = {{AVCOL_SPC_BT709, 0.2126, 0.0722},
                 {AVCOL_SPC_SMPTE170M, 0.299, 0.114},
                 {AVCOL_SPC_UNSPECIFIED, 0.299, 0.114},
                 {AVCOL_SPC_BT2020_NCL, 0.2627, 0.0593}};

    for (int k = 0; k < 4; k++)
        for (int full = 0; full < 2; full++) {
            r.matrix = kinds[k].matrix;
            r.range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
            CHECK(make_video(path, &r));
            poet_clip c = read_clip(path, NULL);
            CHECK_INT(c.w, 33);
            CHECK_INT(c.h, 17);
            expect_colour(&c, kinds[k].kr, kinds[k].kb, full, 120, 90, 180);
            poet_clip_free(&c);
        }
    r.matrix = AVCOL_SPC_BT709;
    r.range = AVCOL_RANGE_MPEG;
    r.pixels = AV_PIX_FMT_YUV420P10;
    r.fill = fill_yuv10;
    CHECK(make_video(path, &r));
    poet_clip c = read_clip(path, NULL);
    expect_colour(&c, 0.2126, 0.0722, false, 120, 90, 180);
    poet_clip_free(&c);
    r.fill = fill_yuv;
    r.pixels = AV_PIX_FMT_YUV420P;
    r.matrix = AVCOL_SPC_UNSPECIFIED; /* untagged and large: BT.709 */
    r.w = 1280;
    r.h = 720;
    CHECK(make_video(path, &r));
    c = read_clip(path, NULL);
    expect_colour(&c, 0.2126, 0.0722, false, 120, 90, 180);
    poet_clip_free(&c);
}

static void expect_noise(const poet_clip *c)
{
    int wrong = 0;
    for (int t = 0; t < c->t; t++)
        for (int y = 0; y < c->h; y++)
            for (int x = 0; x < c->w; x++)
                for (int k = 0; k < 3; k++)
                    wrong += poet_clip_frame(c, t)[(y * c->w + x) * 3 + k] != noise(t, y, x, k);
    CHECK_INT(wrong, 0);
}

static void test_exact_rgb(void)
{
    video_recipe r = {.container = "matroska",
                      .encoder = "ffv1",
                      .pixels = AV_PIX_FMT_BGR0,
                      .w = 37,
                      .h = 21,
                      .frames = 3,
                      .tick = {1, 10},
                      .fill = fill_bgr0};
    CHECK(make_video(scratch("rgb.mkv"), &r));
    poet_clip c = read_clip(scratch("rgb.mkv"), NULL);
    expect_noise(&c);
    poet_clip_free(&c);
    r.container = "mp4";
    r.encoder = "libx264rgb";
    r.pixels = AV_PIX_FMT_BGR24;
    r.preset = "0";
    r.fill = fill_bgr24;
    if (!make_video(scratch("rgb.mp4"), &r))
        return;
    c = read_clip(scratch("rgb.mp4"), NULL);
    expect_noise(&c);
    poet_clip_free(&c);
}

static void test_alpha(void)
{
    video_recipe r = {.container = "matroska",
                      .encoder = "ffv1",
                      .pixels = AV_PIX_FMT_YUVA420P,
                      .matrix = AVCOL_SPC_SMPTE170M,
                      .range = AVCOL_RANGE_MPEG,
                      .w = 32,
                      .h = 16,
                      .frames = 2,
                      .tick = {1, 10},
                      .fill = fill_yuv};
    CHECK(make_video(scratch("alpha.mkv"), &r));
    poet_clip black = read_clip(scratch("alpha.mkv"), NULL);
    poet_clip red =
        read_clip(scratch("alpha.mkv"), &(poet_video_options){.background = {255, 0, 0}});
    /* Colour 204 of 255 red, a quarter of it there. */
    double r601 = (120 - 16) * 255.0 / 219 + 1.402 * (180 - 128) * 255.0 / 224;
    CHECK_CLOSE(black.pixels[0], r601 * 64 / 255, 1.5);
    CHECK_CLOSE(red.pixels[0], r601 * 64 / 255 + 255.0 * 191 / 255, 1.5);
    CHECK_INT(red.pixels[1], black.pixels[1]);
    poet_clip_free(&black);
    poet_clip_free(&red);
    r.container = "webm";
    r.encoder = "libvpx-vp9";
    r.metadata_key = "alpha_mode";
    r.metadata_value = "1";
    if (!make_video(scratch("alpha.webm"), &r))
        return;
    black = read_clip(scratch("alpha.webm"), NULL);
    CHECK_CLOSE(black.pixels[0], r601 * 64 / 255, 4);
    poet_clip_free(&black);
}

/* Writes a display matrix into the track header of an MP4 (ISO/IEC 14496-12, 8.3.2). */
static void set_matrix(const char *path, const int32_t matrix[9])
{
    size_t size;
    unsigned char *bytes = read_bytes(path, &size), *at = memmem(bytes, size, "tkhd", 4);
    CHECK(at != NULL);
    for (int i = 0; at && i < 9; i++)
        for (int k = 0; k < 4; k++)
            at[44 + 4 * i + k] = (unsigned char)((uint32_t)matrix[i] >> (24 - 8 * k));
    write_bytes(path, bytes, size);
    poet_free(bytes);
}

/* The bright corner goes where a player would show it. */
static void test_rotation(void)
{
    const int32_t one = 1 << 16;

    const struct {
        int32_t matrix[9];
        int w, h, top, left;
    } turns[] = {{{one, 0, 0, 0, one, 0, 0, 0, 1 << 30}, 48, 32, 1, 1},
                 {{0, one, 0, -one, 0, 0, 0, 0, 1 << 30}, 32, 48, 1, 0},  /* 90 clockwise */
                 {{-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30}, 48, 32, 0, 0}, /* 180 */
                 {{0, -one, 0, one, 0, 0, 0, 0, 1 << 30}, 32, 48, 0, 1},  /* 270 */
                 {{-one, 0, 0, 0, one, 0, 0, 0, 1 << 30}, 48, 32, 1, 0}}; /* mirrored */

    const char *path = scratch("turned.mp4");
    video_recipe r = {.container = "mp4",
                      .encoder = "mpeg4",
                      .pixels = AV_PIX_FMT_YUV420P,
                      .w = 48,
                      .h = 32,
                      .frames = 2,
                      .tick = {1, 10},
                      .fill = fill_corner};
    for (int k = 0; k < 5; k++) {
        CHECK(make_video(path, &r));
        set_matrix(path, turns[k].matrix);
        poet_clip c = read_clip(path, NULL);
        CHECK_INT(c.w, turns[k].w);
        CHECK_INT(c.h, turns[k].h);
        for (int corner = 0; corner < 4; corner++) {
            int y = corner / 2 ? c.h - 1 : 0, x = corner % 2 ? c.w - 1 : 0;
            bool bright = (y == 0) == turns[k].top && (x == 0) == turns[k].left;
            CHECK((c.pixels[(y * c.w + x) * 3 + 1] > 128) == bright);
        }
        poet_clip_free(&c);
    }
}

static void test_aspect_and_size(void)
{
    const char *path = scratch("wide.mkv");
    video_recipe r = {.container = "matroska",
                      .encoder = "ffv1",
                      .pixels = AV_PIX_FMT_GRAY8,
                      .w = 30,
                      .h = 20,
                      .frames = 2,
                      .tick = {1, 10},
                      .aspect = {4, 3},
                      .fill = fill_count};
    CHECK(make_video(path, &r));
    poet_clip c = read_clip(path, NULL);
    CHECK_INT(c.w, 40);
    CHECK_INT(c.h, 20);
    poet_clip_free(&c);
    c = read_clip(path, &(poet_video_options){.width = 12, .height = 16});
    CHECK_INT(c.w, 12);
    CHECK_INT(c.h, 16);
    poet_clip_free(&c);
    CHECK_FAILS(poet_video_read(path, &(poet_video_options){.width = 12}, &c), POET_ERR_ARG,
                "12 x 0");
    CHECK_FAILS(poet_video_read(path, &(poet_video_options){.fps = -3}, &c), POET_ERR_ARG, "-3");
}

/* A directory, a pattern, one file; 10 comes after 9. */
static void test_png_sequence(void)
{
    poet_clip in = grey_clip(12, 6, 10, 8);
    for (int k = 0; k < 12; k++) {
        char name[32];
        snprintf(name, sizeof name, "walk/f%d.png", k);
        CHECK_OK(poet_make_directory(scratch("walk")));
        CHECK_OK(poet_png_write(scratch(name), poet_clip_frame(&in, k), 6, 10, NULL, 0));
    }
    write_bytes(scratch("walk/notes.txt"), "x", 1);
    const char *names[] = {"walk", "walk/", "walk/f%d.png"};
    for (int k = 0; k < 3; k++) {
        poet_clip c = read_clip(scratch(names[k]), &(poet_video_options){.fps = 8});
        CHECK(psnr(&in, &c) == 99);
        CHECK_CLOSE(c.fps, 8, 0);
        poet_clip_free(&c);
    }
    poet_clip c = read_clip(scratch("walk/f%02d.png"), NULL);
    CHECK_INT(c.t, 2);
    CHECK_INT(c.pixels[0], 70);
    poet_clip_free(&c);
    c = read_clip(scratch("walk/f3.png"), NULL);
    CHECK_INT(c.t, 1);
    CHECK_INT(c.pixels[0], 21);
    poet_clip_free(&c);
    CHECK_FAILS(poet_video_read(scratch("walk/g%d.png"), NULL, &c), POET_ERR_IO,
                "no file fits this pattern");
    write_bytes(scratch("walk/f4.png"), "x", 1);
    CHECK_FAILS(poet_video_read(scratch("walk"), NULL, &c), POET_ERR_FORMAT, "walk/f4.png: ");
    poet_clip_free(&in);
}

int main(void)
{
    scratch_begin();
    test_grey();
    test_rates();
    test_animated_pictures();
    test_variable_rate();
    test_stream();
    test_colours();
    test_exact_rgb();
    test_alpha();
    test_rotation();
    test_aspect_and_size();
    test_png_sequence();
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    scratch_end();
    return CHECK_RESULT();
}
