#include "codec/video.h"

#include "codec/png.h"
#include "codec/write_internal.h"
#include "pictures.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <jansson.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const poet_video_tag tags[] = {{"prompt", "a \"red\" disc\nseed: 5\n moves \xe2\x86\x92"},
                                      {"seed", "7"},
                                      {"model", "sample"},
                                      {"codes", "1024"}};

/* What FFmpeg sees in the file. */
typedef struct probe {
    AVFormatContext *format;
    const AVCodecParameters *video;
} probe;

static probe probe_open(const char *path)
{
    probe p = {0};
    if (avformat_open_input(&p.format, path, NULL, NULL) < 0 ||
        avformat_find_stream_info(p.format, NULL) < 0) {
        fprintf(stderr, "%s cannot be probed\n", path);
        exit(1);
    }
    p.video = p.format->streams[0]->codecpar;
    return p;
}

static const char *metadata(const probe *p, const char *key)
{
    const AVDictionaryEntry *entry = av_dict_get(p->format->metadata, key, NULL, 0);
    return entry ? entry->value : "(none)";
}

/* Writes, reads back, compares: frames, size, rate, and PSNR of what is not padding. */
static void round_trip(const char *name, poet_clip *in, const poet_write_options *o, int h, int w,
                       double bound)
{
    char notice[POET_NOTICE_BYTES];
    poet_clip out, cut;
    const char *path = scratch(name);
    CHECK_OK(poet_video_write(path, in, o, notice));
    CHECK_STR(notice, "");
    CHECK_OK(poet_video_read(path, NULL, &out));
    if (!out.pixels)
        return;
    CHECK_INT(out.t, in->t);
    CHECK_INT(out.h, h);
    CHECK_INT(out.w, w);
    CHECK_CLOSE(out.fps, in->fps, in->t > 1 ? 0.01 * in->fps : 30);
    CHECK_OK(poet_clip_create(out.t, in->h, in->w, 1, &cut));
    for (int t = 0; t < out.t; t++)
        for (int y = 0; y < in->h; y++)
            memcpy(poet_clip_frame(&cut, t) + (size_t)(y * in->w) * 3,
                   poet_clip_frame(&out, t) + (size_t)(y * out.w) * 3, (size_t)in->w * 3);
    double db = psnr(in, &cut);
    if (!(db >= bound))
        fprintf(stderr, "%s: %.2f dB\n", name, db);
    CHECK(db >= bound);
    poet_clip_free(&cut);
    poet_clip_free(&out);
}

/* A sharp red edge loses colour to 4:2:0 whatever the encoder does, hence the low bounds here; that
 * ends when every pixel is enlarged, see test_crisp. */
static void test_formats(void)
{
    poet_clip clip = disc_clip(17, 64, 64, 8), odd = disc_clip(5, 35, 51, 12.5);
    poet_clip one = disc_clip(1, 64, 48, 8), fast = disc_clip(9, 32, 32, 23.976);
    round_trip("a.mp4", &clip, NULL, 64, 64, 31);
    round_trip("a.mov", &clip, NULL, 64, 64, 31);
    round_trip("a.webm", &clip, NULL, 64, 64, 31);
    round_trip("a.gif", &clip, NULL, 64, 64, 40);
    round_trip("odd.mp4", &odd, NULL, 36, 52, 29);
    round_trip("odd.webm", &odd, NULL, 36, 52, 29);
    round_trip("odd.gif", &odd, NULL, 35, 51, 40);
    round_trip("one.mp4", &one, NULL, 64, 48, 29);
    round_trip("one.webm", &one, NULL, 64, 48, 29);
    round_trip("one.gif", &one, NULL, 64, 48, 40);
    round_trip("one.png", &one, NULL, 64, 48, 99);
    round_trip("fast.mp4", &fast, NULL, 32, 32, 27);
    round_trip("fast.webm", &fast, NULL, 32, 32, 27);
    CHECK_OK(poet_video_write(scratch("rate.mp4"), &clip, &(poet_write_options){.bit_rate = 50000},
                              NULL));
    poet_clip_free(&clip);
    poet_clip_free(&odd);
    poet_clip_free(&one);
    poet_clip_free(&fast);
}

/* Enlarged twice, each pixel has a chroma sample of its own. */
static void test_crisp(void)
{
    const char *names[] = {"crisp.mp4", "crisp.webm"};
    poet_clip in = disc_clip(17, 64, 64, 8), out;
    for (int k = 0; k < 2; k++) {
        CHECK_OK(
            poet_video_write(scratch(names[k]), &in, &(poet_write_options){.enlarge = 2}, NULL));
        CHECK_OK(poet_video_read(scratch(names[k]),
                                 &(poet_video_options){.width = 64, .height = 64}, &out));
        double db = psnr(&in, &out);
        if (!(db > 37))
            fprintf(stderr, "%s: %.2f dB\n", names[k], db);
        CHECK(db > 37);
        poet_clip_free(&out);
    }
    poet_clip_free(&in);
}

/* The few colours of pixel art come back exactly, enlarged or not. */
static void test_gif_exact(void)
{
    poet_clip in, out, back;
    CHECK_OK(poet_clip_create(9, 20, 24, 10, &in));
    for (size_t i = 0; i < 9 * poet_clip_frame_bytes(&in); i++)
        in.pixels[i] = (uint8_t)((i / 3 / 40 + i / (3 * 480) * i % 5) % 6 * 51);
    CHECK_OK(poet_video_write(scratch("art.gif"), &in, &(poet_write_options){.enlarge = 3}, NULL));
    CHECK_OK(poet_video_read(scratch("art.gif"), NULL, &out));
    CHECK_INT(out.h, 60);
    CHECK_OK(poet_clip_scale(&out, 20, 24, POET_FIT_STRETCH, POET_FILTER_NEAREST,
                             (const uint8_t[3]){0}, &back));
    CHECK(psnr(&in, &back) == 99);
    poet_clip_free(&out);
    poet_clip_free(&back);
    /* Every pixel another colour: the LZW dictionary fills up and begins again. */
    for (size_t i = 0; i < 9 * poet_clip_frame_bytes(&in); i++)
        in.pixels[i] = (uint8_t)(i * 2654435761u >> 13);
    CHECK_OK(
        poet_video_write(scratch("noise.gif"), &in, &(poet_write_options){.enlarge = 4}, NULL));
    CHECK_OK(poet_video_read(scratch("noise.gif"), NULL, &out));
    CHECK_INT(out.t, 9);
    CHECK_OK(poet_clip_scale(&out, 20, 24, POET_FIT_STRETCH, POET_FILTER_NEAREST,
                             (const uint8_t[3]){0}, &back));
    CHECK(psnr(&in, &back) > 20);
    poet_clip_free(&out);
    poet_clip_free(&back);
    poet_clip_free(&in);
}

static void test_mp4_details(void)
{
    poet_clip clip = disc_clip(9, 32, 32, 8);
    const char *path = scratch("details.mp4");
    CHECK_OK(
        poet_video_write(path, &clip, &(poet_write_options){.tags = tags, .tag_count = 4}, NULL));
    probe p = probe_open(path);
    CHECK_INT(p.video->format, AV_PIX_FMT_YUV420P);
    CHECK_INT(p.video->color_space, AVCOL_SPC_BT709);
    CHECK_INT(p.video->color_primaries, AVCOL_PRI_BT709);
    CHECK_INT(p.video->color_trc, AVCOL_TRC_BT709);
    CHECK_INT(p.video->color_range, AVCOL_RANGE_MPEG);
    CHECK_STR(metadata(&p, "title"), tags[0].value);
    CHECK(strstr(metadata(&p, "comment"), "\nseed: 7\nmodel: sample\ncodes: 1024") != NULL);
    avformat_close_input(&p.format);
    size_t size;
    unsigned char *bytes = read_bytes(path, &size);
    unsigned char *index = memmem(bytes, size, "moov", 4), *data = memmem(bytes, size, "mdat", 4);
    CHECK(index && data && index < data);
    poet_free(bytes);
    poet_clip_free(&clip);
}

static void test_other_metadata(void)
{
    poet_clip clip = disc_clip(3, 32, 32, 8);
    const poet_write_options o = {.tags = tags, .tag_count = 4};
    CHECK_OK(poet_video_write(scratch("tags.webm"), &clip, &o, NULL));
    probe p = probe_open(scratch("tags.webm"));
    CHECK_STR(metadata(&p, "title"), tags[0].value);
    CHECK_STR(metadata(&p, "SEED"), "7");
    avformat_close_input(&p.format);
    size_t size;
    CHECK_OK(poet_video_write(scratch("tags.gif"), &clip, &o, NULL));
    unsigned char *bytes = read_bytes(scratch("tags.gif"), &size);
    CHECK(memmem(bytes, size, "\nseed: 7\n", 9) != NULL);
    CHECK(memmem(bytes, size, "NETSCAPE2.0\3\1\0\0\0", 16) != NULL);
    poet_free(bytes);
    CHECK_OK(poet_video_write(scratch("once.gif"), &clip, &(poet_write_options){.play_once = true},
                              NULL));
    bytes = read_bytes(scratch("once.gif"), &size);
    CHECK(memmem(bytes, size, "NETSCAPE", 8) == NULL);
    poet_free(bytes);
    poet_clip_free(&clip);
}

/* What was written comes out again, whatever the container made of it. */
static void test_tags(void)
{
    static const char *const names[] = {"t.mp4", "t.mov", "t.webm", "t.gif", "t.png"};
    poet_clip clip = disc_clip(3, 32, 32, 8);
    const poet_write_options o = {.tags = tags, .tag_count = 4}, none = {0};
    for (int k = 0; k < 5; k++) {
        poet_tags found;
        CHECK_OK(poet_video_write(scratch(names[k]), &clip, &o, NULL));
        CHECK_OK(poet_tags_read(scratch(names[k]), &found));
        CHECK_INT(found.count, 4);
        for (int i = 0; i < found.count; i++) {
            const char *value = "(none)";
            for (int j = 0; j < 4; j++)
                if (strcmp(tags[j].key, found.tag[i].key) == 0)
                    value = tags[j].value;
            CHECK_STR(found.tag[i].value, value);
        }
        poet_tags_free(&found);
        CHECK_OK(poet_video_write(scratch(names[k]), &clip, &none, NULL));
        CHECK_OK(poet_tags_read(scratch(names[k]), &found));
        CHECK_INT(found.count, 0);
        poet_tags_free(&found);
    }
    /* A title of somebody else's is no prompt, and a comment no list. */
    static const poet_video_tag foreign[] = {{"prompt", "Sea"}, {"comment", "seed: none\nat all"}};
    poet_tags found;
    CHECK_OK(poet_png_write(scratch("f.png"), clip.pixels, 32, 32, foreign, 2));
    CHECK_OK(poet_tags_read(scratch("f.png"), &found));
    CHECK_INT(found.count, 2);
    CHECK_STR(found.tag[0].key, "title");
    CHECK_STR(found.tag[0].value, "Sea");
    CHECK_STR(found.tag[1].value, "seed: none\nat all");
    poet_tags_free(&found);
    CHECK_FAILS(poet_tags_read(scratch("t.json"), &found), POET_ERR_FORMAT, "t.json");
    CHECK_FAILS(poet_tags_read(scratch("nothing"), &found), POET_ERR_IO, "nothing");
    poet_clip_free(&clip);
}

/* Equal clips, equal bytes. */
static void test_reproducible(void)
{
    const char *names[] = {"r1.mp4", "r2.mp4", "r1.webm", "r2.webm", "r1.gif", "r2.gif"};
    poet_clip clip = disc_clip(17, 64, 64, 8);
    for (int k = 0; k < 6; k++)
        CHECK_OK(poet_video_write(scratch(names[k]), &clip,
                                  &(poet_write_options){.tags = tags, .tag_count = 4}, NULL));
    for (int k = 0; k < 6; k += 2) {
        size_t n, m;
        unsigned char *a = read_bytes(scratch(names[k]), &n);
        unsigned char *b = read_bytes(scratch(names[k + 1]), &m);
        CHECK(n == m && memcmp(a, b, n) == 0);
        poet_free(a);
        poet_free(b);
    }
    poet_clip_free(&clip);
}

static poet_status write_with(const char *name, const poet_clip *clip, const char *const *encoders,
                              const char **used)
{
    poet_av_writer *w;
    poet_write_options o = {0};
    poet_status status = poet_av_create(scratch(name), clip, &o, "mp4", encoders, used, &w);
    for (int t = 0; t < clip->t && !status; t++)
        status = poet_av_add(w, poet_clip_frame(clip, t));
    if (!status)
        status = poet_av_commit(w);
    poet_av_destroy(w);
    return status;
}

/* As it would go on an FFmpeg without H.264. */
static void test_fall_back(void)
{
    static const char *const encoders[] = {"no_such_encoder", "mpeg4", NULL}, *const none[] = {
                                                                                  NULL};
    poet_clip clip = disc_clip(9, 64, 64, 8), out;
    const char *used = "";
    CHECK_OK(write_with("old.mp4", &clip, encoders, &used));
    CHECK_STR(used, "mpeg4");
    CHECK_OK(poet_video_read(scratch("old.mp4"), NULL, &out));
    CHECK(psnr(&clip, &out) > 30);
    poet_clip_free(&out);
    CHECK_FAILS(write_with("not.mp4", &clip, none, &used), POET_ERR_UNSUPPORTED,
                "not.mp4: this FFmpeg has no encoder");
    CHECK(!poet_is_file(scratch("not.mp4")));
    poet_clip_free(&clip);
}

static int int_at(const json_t *object, const char *a, const char *b)
{
    return (int)json_integer_value(json_object_get(json_object_get(object, a), b));
}

static void test_sheet(void)
{
    poet_clip clip = disc_clip(7, 16, 20, 8), sheet, again;
    poet_write_options o = {.tags = tags, .tag_count = 4, .enlarge = 2, .action = "walk"};
    CHECK_OK(poet_video_write(scratch("hero.png"), &clip, &o, NULL));
    CHECK_OK(poet_png_read(scratch("hero.png"), (const uint8_t[3]){0}, 1 << 20, &sheet));
    CHECK_INT(sheet.w, 3 * 40);
    CHECK_INT(sheet.h, 3 * 32);
    json_t *json = json_load_file(scratch("hero.json"), 0, NULL);
    const json_t *frames = json_object_get(json, "frames"), *meta = json_object_get(json, "meta");
    CHECK_INT(json_array_size(frames), 7);
    for (size_t t = 0; t < 7; t++) {
        const json_t *f = json_array_get(frames, t);
        int x = int_at(f, "frame", "x"), y = int_at(f, "frame", "y");
        CHECK_INT(int_at(f, "frame", "w"), 40);
        CHECK_INT(int_at(f, "sourceSize", "h"), 32);
        CHECK_INT(int_at(f, "spriteSourceSize", "w"), 40);
        CHECK(json_is_false(json_object_get(f, "rotated")));
        CHECK(json_is_false(json_object_get(f, "trimmed")));
        CHECK_INT(json_integer_value(json_object_get(f, "duration")), 125);
        for (int i = 0; i < 16 * 20; i++)
            CHECK(memcmp(poet_clip_frame(&clip, (int)t) + 3 * i,
                         sheet.pixels + ((y + i / 20 * 2) * sheet.w + x + i % 20 * 2) * 3, 3) == 0);
    }
    CHECK_STR(json_string_value(json_object_get(json_array_get(frames, 3), "filename")),
              "hero 3.png");
    CHECK_STR(json_string_value(json_object_get(meta, "image")), "hero.png");
    CHECK_INT(int_at(meta, "size", "w"), 120);
    const json_t *tag = json_array_get(json_object_get(meta, "frameTags"), 0);
    CHECK_STR(json_string_value(json_object_get(tag, "name")), "walk");
    CHECK_INT(json_integer_value(json_object_get(tag, "to")), 6);
    CHECK_STR(json_string_value(json_object_get(json_object_get(meta, "pocketpoet"), "prompt")),
              tags[0].value);
    json_decref(json);
    o.sheet_hash = true;
    o.sheet_columns = 100;
    CHECK_OK(poet_video_write(scratch("hash.png"), &clip, &o, NULL));
    json = json_load_file(scratch("hash.json"), 0, NULL);
    CHECK_INT(int_at(json_object_get(json_object_get(json, "frames"), "hash 6.png"), "frame", "x"),
              240);
    json_decref(json);
    CHECK_OK(poet_png_read(scratch("hash.png"), (const uint8_t[3]){0}, 1 << 20, &again));
    CHECK_INT(again.h, 32);
    poet_clip_free(&again);
    poet_clip_free(&sheet);
    poet_clip_free(&clip);
}

static void test_contact_sheet(void)
{
    poet_clip clips[2] = {disc_clip(9, 16, 16, 8), grey_clip(3, 8, 12, 8)}, sheet;
    CHECK_OK(poet_contact_sheet_write(scratch("contact.png"), clips, 2, 3, 2));
    CHECK_OK(poet_png_read(scratch("contact.png"), (const uint8_t[3]){0}, 1 << 20, &sheet));
    CHECK_INT(sheet.w, 3 * 34 + 2);
    CHECK_INT(sheet.h, 2 * 34 + 2);
    CHECK_INT(sheet.pixels[0], 255);
    CHECK(memcmp(sheet.pixels + (2 * sheet.w + 2) * 3, clips[0].pixels, 3) == 0);
    CHECK_INT(sheet.pixels[(36 * sheet.w + 70) * 3], 14); /* last column: last frame */
    poet_clip_free(&sheet);
    CHECK_FAILS(poet_contact_sheet_write(scratch("c.png"), clips, 0, 3, 2), POET_ERR_ARG,
                "0 clips");
    poet_clip_free(&clips[0]);
    poet_clip_free(&clips[1]);
}

static const char *const extensions[] = {"mp4", "webm", "gif", "png"};

/* Frame by frame, and in one piece: equal bytes. What is not committed leaves nothing. */
static void test_frame_by_frame(void)
{
    poet_clip clip = disc_clip(11, 40, 48, 8);
    poet_write_options o = {.tags = tags, .tag_count = 4, .enlarge = 2};
    poet_video_writer *w;
    for (int k = 0; k < 4; k++) {
        char whole[32], parts[32];
        size_t n, m;
        snprintf(whole, sizeof whole, "frames.%s", extensions[k]);
        CHECK_OK(poet_video_write(scratch(whole), &clip, &o, NULL));
        unsigned char *a = read_bytes(scratch(whole), &n);
        int before = scratch_files();
        snprintf(parts, sizeof parts, "begun.%s", extensions[k]);
        CHECK_OK(poet_video_create(scratch(parts), clip.h, clip.w, clip.fps, &o, &w));
        CHECK_OK(poet_video_add(w, clip.pixels, 3));
        poet_video_destroy(w);
        CHECK_INT(scratch_files(), before);
        CHECK_OK(poet_video_create(scratch(whole), clip.h, clip.w, clip.fps, &o, &w));
        for (int t = 0; t < clip.t; t += t ? 5 : 1)
            CHECK_OK(poet_video_add(w, poet_clip_frame(&clip, t), t ? 5 : 1));
        CHECK_OK(poet_video_commit(w, NULL));
        poet_video_destroy(w);
        unsigned char *b = read_bytes(scratch(whole), &m);
        CHECK(n == m && memcmp(a, b, n) == 0);
        poet_free(a);
        poet_free(b);
    }
    CHECK_OK(poet_video_create(scratch("none.mp4"), 16, 16, 8, NULL, &w));
    CHECK_FAILS(poet_video_commit(w, NULL), POET_ERR_ARG, "there are no frames to write");
    poet_video_destroy(w);
    poet_clip_free(&clip);
}

static void test_refusals(void)
{
    poet_clip clip = disc_clip(3, 32, 32, 8);
    CHECK_FAILS(poet_video_write(scratch("clip.avi"), &clip, NULL, NULL), POET_ERR_ARG,
                "clip.avi: the name must end in");
    CHECK_FAILS(poet_video_write(scratch("clip"), &clip, NULL, NULL), POET_ERR_ARG, "must end in");
    CHECK_FAILS(
        poet_video_write(scratch("a.mp4"), &clip, &(poet_write_options){.enlarge = -2}, NULL),
        POET_ERR_ARG, "-2 times");
    CHECK_FAILS(poet_video_write(scratch("a.mp4"), &clip, &(poet_write_options){.crf = 99}, NULL),
                POET_ERR_ARG, "crf 99");
    for (int k = 0; k < 4; k++) {
        char name[32];
        snprintf(name, sizeof name, "none/clip.%s", extensions[k]);
        CHECK_FAILS(poet_video_write(scratch(name), &clip, NULL, NULL), POET_ERR_IO,
                    "cannot be created: No such file");
        snprintf(name, sizeof name, "dir.%s", extensions[k]);
        CHECK_OK(poet_make_directory(scratch(name)));
        CHECK_FAILS(poet_video_write(scratch(name), &clip, NULL, NULL), POET_ERR_IO,
                    "is a directory");
        CHECK_OK(poet_make_directory(scratch("locked")));
        chmod(scratch("locked"), 0500);
        snprintf(name, sizeof name, "locked/clip.%s", extensions[k]);
        if (geteuid() != 0) /* root may write anywhere */
            CHECK_FAILS(poet_video_write(scratch(name), &clip, NULL, NULL), POET_ERR_IO,
                        "cannot be created: Permission denied");
    }
    poet_clip_free(&clip);
}

/* A limit on the size of files stands for the full disk, at many sizes: a sentence, and nothing is
 * left behind, not even where a file was before. */
static void test_full_disk(void)
{
    struct rlimit old, small;
    poet_clip clip = disc_clip(12, 64, 64, 8);
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    small = old;
    for (int k = 0; k < 4; k++) {
        char name[32];
        struct stat whole;
        snprintf(name, sizeof name, "disk.%s", extensions[k]);
        CHECK_OK(poet_video_write(scratch(name), &clip, NULL, NULL));
        CHECK(stat(scratch(name), &whole) == 0);
        int before = scratch_files();
        for (int part = 0; part < 8; part++) {
            small.rlim_cur = (rlim_t)(whole.st_size * part / 8);
            setrlimit(RLIMIT_FSIZE, &small);
            snprintf(name, sizeof name, "full.%s", extensions[k]);
            CHECK_FAILS(poet_video_write(scratch(name), &clip, NULL, NULL), POET_ERR_IO,
                        "cannot be written");
            setrlimit(RLIMIT_FSIZE, &old);
            CHECK_INT(scratch_files(), before);
        }
    }
    poet_clip_free(&clip);
}

int main(void)
{
    scratch_begin();
    test_formats();
    test_crisp();
    test_gif_exact();
    test_mp4_details();
    test_other_metadata();
    test_tags();
    test_reproducible();
    test_fall_back();
    test_sheet();
    test_contact_sheet();
    test_frame_by_frame();
    test_refusals();
    test_full_disk();
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    scratch_end();
    return CHECK_RESULT();
}
