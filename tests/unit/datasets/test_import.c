/* datasets/import and shards: what can be used is kept, what cannot is named and counted. */
#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/video.h"
#include "datasets/dataset.h"
#include "datasets/import.h"
#include "datasets/import_internal.h"
#include "datasets/shards_internal.h"
#include "tests/support/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

/* root/name, in one of a few buffers. */
static const char *in_root(const char *name)
{
    static char buffer[8][256];
    static int next;
    char *path = buffer[next++ % 8];
    snprintf(path, sizeof buffer[0], "%s/%s", root, name);
    return path;
}

static void write_text(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(in_root(name), "wb");
    CHECK(file != NULL);
    if (file) {
        CHECK(fwrite(text, 1, size, file) == size);
        fclose(file);
    }
}

/* A video whose frame t is a plain grey that tells t and the video's number. */
static void write_video_at(const char *name, int frames, int number, double fps)
{
    poet_clip clip;
    char notice[POET_NOTICE_BYTES];
    CHECK_OK(poet_clip_create(frames, 48, 64, fps, &clip));
    for (int t = 0; t < frames; t++)
        memset(poet_clip_frame(&clip, t), 40 + 6 * t + 3 * number, poet_clip_frame_bytes(&clip));
    CHECK_OK(poet_video_write(in_root(name), &clip, NULL, notice));
    poet_clip_free(&clip);
}

static void write_video(const char *name, int frames, int number)
{
    write_video_at(name, frames, number, 8);
}

static void cut_file(const char *name, const char *to, size_t share)
{
    unsigned char *bytes;
    size_t size;
    CHECK_OK(poet_file_read(in_root(name), 1 << 24, &bytes, &size));
    write_text(to, (const char *)bytes, size * share / 100);
    poet_free(bytes);
}

/* Collects messages, and asks to stop after a number of questions. */
typedef struct listener {
    char text[8192];
    int questions, stop_at;
} listener;

static void listen_message(void *user, const char *sentence)
{
    listener *l = user;
    size_t length = strlen(l->text);
    snprintf(l->text + length, sizeof l->text - length, "%s\n", sentence);
}

static bool listen_stop(void *user)
{
    listener *l = user;
    return l->stop_at && ++l->questions >= l->stop_at;
}

static poet_task listen(listener *l)
{
    return (poet_task){
        .info = listen_message, .message = listen_message, .stop = listen_stop, .user = l};
}

static void make_folder(void)
{
    CHECK_OK(poet_make_directory(in_root("in/more")));
    write_video("in/a.mp4", 5, 0);
    write_video("in/more/b.mp4", 12, 1);
    write_video("in/short.mp4", 2, 2);
    write_video("in/alone.mp4", 5, 3);
    cut_file("in/a.mp4", "in/cut.mp4", 40);
    write_text("in/fake.mp4", "this is no video", 16);
    write_text("in/empty.mp4", "", 0);
    static const char lines[] =
        "{\"file\":\"a.mp4\",\"caption\":\"  a grey\\n clip \",\"split\":\"train\","
        "\"attributes\":{\"source\":\"film\",\"mood\":7}}\n"
        "{\"file\":\"more/b.mp4\",\"caption\":\"b\",\"split\":\"dev\","
        "\"attributes\":{\"source\":\"other\"}}\n"
        "{\"file\":\"short.mp4\",\"caption\":\"c \xC3\xA4\",\"split\":\"dev\","
        "\"attributes\":{\"source\":\"film\"}}\n"
        "not json\n"
        "[1]\n"
        "{\"caption\":\"no file\"}\n"
        "\n"
        "{\"file\":\"a.mp4\",\"caption\":\"again\"}\n"
        "{\"file\":\"gone.mp4\",\"caption\":\"gone\"}\n"
        "{\"file\":\"cut.mp4\",\"caption\":\"cut\"}\n"
        "{\"file\":\"fake.mp4\",\"caption\":\"fake\"}\n"
        "{\"file\":\"empty.mp4\",\"caption\":\"   \"}\n";
    write_text("in/captions.jsonl", lines, sizeof lines - 1);
}

static poet_import_options small(void)
{
    poet_import_options o = poet_import_defaults();
    o.t = 5;
    o.h = o.w = 32;
    return o;
}

static void check_report(const poet_import_report *r)
{
    CHECK_INT(r->sources, 3);
    CHECK_INT(r->clips, 4); /* a: 1, b: 2 and a remainder, short: 1 */
    CHECK_INT(r->heldout, 2);
    CHECK_INT(r->padded, 1);
    CHECK_INT(r->moved, 1);
    CHECK_INT(r->skipped[POET_IMPORT_BAD_LINE], 3);
    CHECK_INT(r->skipped[POET_IMPORT_BAD_CAPTION], 1);
    CHECK_INT(r->skipped[POET_IMPORT_REPEATED], 1);
    CHECK_INT(r->skipped[POET_IMPORT_NO_FILE], 1);
    CHECK_INT(r->skipped[POET_IMPORT_NO_CAPTION], 1); /* alone */
    CHECK_INT(r->skipped[POET_IMPORT_BROKEN], 2);
}

static void check_messages(const char *text)
{
    static const char *const wanted[] = {"captions.jsonl:4",
                                         "captions.jsonl:5",
                                         "captions.jsonl:6",
                                         "gone.mp4: there is no such file",
                                         "alone.mp4: has no caption",
                                         "cut.mp4",
                                         "fake.mp4",
                                         "empty.mp4: its caption is empty",
                                         "short.mp4: goes to the other side"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        CHECK(strstr(text, wanted[i]) != NULL);
        if (!strstr(text, wanted[i]))
            fprintf(stderr, "no \"%s\" in:\n%s", wanted[i], text);
    }
}

static void check_grey(const poet_example *e, int first, int number, bool still)
{
    for (int t = 0; t < e->clip.t; t++) {
        int shown = still && t > 1 ? 1 : t;
        CHECK_CLOSE(poet_clip_frame(&e->clip, t)[3 * 500], 40 + 6 * (first + shown) + 3 * number,
                    3);
    }
}

static void test_import(void)
{
    listener l = {0};
    poet_task task = listen(&l);
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_import(in_root("in"), in_root("out"), &options, &task, &report));
    check_report(&report);
    check_messages(l.text);

    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_dataset_open(in_root("out"), NULL, &data));
    CHECK_OK(poet_dataset_verify(data, NULL));
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_TRAIN), 2);
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_SEEN), 2);
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_UNSEEN), 0);
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 0, &e));
    CHECK_STR(e.caption, "a grey clip");
    CHECK(strstr(e.attributes, "\"mood\":7") != NULL);
    CHECK(e.clip.t == 5 && e.clip.h == 32 && e.clip.w == 32);
    check_grey(&e, 0, 0, false);
    poet_example_free(&e);
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 1, &e));
    check_grey(&e, 0, 2, true);
    poet_example_free(&e);
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_SEEN, 1, &e));
    check_grey(&e, 5, 1, false);
    poet_example_free(&e);
    poet_dataset_close(data);

    poet_dataset_options wrong = {.t = 9};
    CHECK_FAILS(poet_dataset_open(in_root("out"), &wrong, &data), POET_ERR_MISMATCH, "5 frames");
    l.text[0] = 0;
    CHECK_OK(poet_import(in_root("in"), in_root("out"), &options, &task, &report));
    CHECK(strstr(l.text, "already") != NULL);
    check_report(&report);
}

/* Stopped at any moment and started again, the import ends with the same clips. */
static void test_resume(void)
{
    poet_import_options options = small();
    poet_import_report report;
    int rounds = 0;
    for (poet_status status = POET_ERR_INTERRUPTED; status == POET_ERR_INTERRUPTED; rounds++) {
        listener l = {.stop_at = 9 + rounds};
        poet_task task = listen(&l);
        status = poet_import(in_root("in"), in_root("resumed"), &options, &task, &report);
        CHECK(status == POET_OK || status == POET_ERR_INTERRUPTED);
        CHECK((status == POET_OK) == poet_is_file(in_root("resumed/manifest.json")));
    }
    CHECK(rounds > 1);
    check_report(&report);
    CHECK(!poet_is_file(in_root("resumed/import.json")));
    poet_dataset *a, *b;
    CHECK_OK(poet_dataset_open(in_root("out"), NULL, &a));
    CHECK_OK(poet_dataset_open(in_root("resumed"), NULL, &b));
    for (uint64_t i = 0; i < 4; i++) {
        poet_split split = i < 2 ? POET_SPLIT_TRAIN : POET_SPLIT_SEEN;
        poet_example x, y;
        CHECK_OK(poet_dataset_read(a, split, i % 2, &x));
        CHECK_OK(poet_dataset_read(b, split, i % 2, &y));
        CHECK_STR(x.caption, y.caption);
        CHECK(memcmp(x.clip.pixels, y.clip.pixels, 5 * 32 * 32 * 3) == 0);
        poet_example_free(&x);
        poet_example_free(&y);
    }
    poet_dataset_close(a);
    poet_dataset_close(b);
}

static void find_shard(const char *folder, char *name, size_t room)
{
    poet_manifest m;
    char path[200];
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    CHECK_OK(poet_manifest_read(in_root(path), &m));
    snprintf(name, room, "%s/%s", folder, m.shard[0].file);
    poet_manifest_destroy(&m);
}

/* A flipped byte anywhere in a shard is noticed by verify, in a clip by reading it. */
static void test_damage(void)
{
    char name[200];
    find_shard("resumed", name, sizeof name);
    unsigned char *bytes;
    size_t size;
    CHECK_OK(poet_file_read(in_root(name), 1 << 24, &bytes, &size));
    for (size_t at = POET_SHARD_HEAD; at < size; at += 37) {
        poet_dataset *data;
        poet_example e;
        bytes[at] ^= 4;
        write_text(name, (const char *)bytes, size);
        CHECK_OK(poet_dataset_open(in_root("resumed"), NULL, &data));
        CHECK_FAILS(poet_dataset_verify(data, NULL), POET_ERR_FORMAT, "wrong checksum");
        bool noticed = false;
        for (uint64_t i = 0; i < 2; i++)
            for (int split = 0; split < 2; split++) {
                poet_status status = poet_dataset_read(data, (poet_split)split, i, &e);
                noticed = noticed || status == POET_ERR_FORMAT;
                if (status == POET_OK)
                    poet_example_free(&e);
            }
        poet_dataset_close(data);
        bytes[at] ^= 4;
        poet_manifest m;
        CHECK_OK(poet_manifest_read(in_root("resumed/manifest.json"), &m));
        bool first_shard = false;
        for (size_t i = 0; i < m.clips; i++)
            first_shard = first_shard || (m.clip[i].shard == 0 && m.clip[i].offset <= at &&
                                          at < m.clip[i].offset + m.clip[i].bytes);
        CHECK(noticed == first_shard);
        poet_manifest_destroy(&m);
    }
    poet_dataset *data;
    write_text(name, (const char *)bytes, size - 1);
    CHECK_FAILS(poet_dataset_open(in_root("resumed"), NULL, &data), POET_ERR_FORMAT,
                "the manifest says");
    unlink(in_root(name));
    CHECK_FAILS(poet_dataset_open(in_root("resumed"), NULL, &data), POET_ERR_IO, "shard-");
    poet_free(bytes);
}

/* Broken manifests are refused with a sentence, never believed. */
static void test_manifest(void)
{
    static const char *const broken[] = {
        "",
        "{",
        "[]",
        "{\"format\":\"x\",\"version\":1}",
        "{\"format\":\"pocketpoet-dataset\",\"version\":2}",
        "{\"format\":\"pocketpoet-dataset\",\"version\":1,\"frames\":0,\"height\":1,\"width\":1,"
        "\"fps\":8.0,\"request\":\"\",\"sources\":0,\"broken\":0,\"padded\":0}",
        "{\"format\":\"pocketpoet-dataset\",\"version\":1,\"frames\":1,\"height\":1,\"width\":1,"
        "\"fps\":8.0,\"request\":\"\",\"sources\":0,\"broken\":0,\"padded\":0,\"shards\":[{"
        "\"file\":"
        "\"../x\",\"bytes\":99,\"crc32\":0}],\"clips\":[]}",
        "{\"format\":\"pocketpoet-dataset\",\"version\":1,\"frames\":1,\"height\":1,\"width\":1,"
        "\"fps\":8.0,\"request\":\"\",\"sources\":0,\"broken\":0,\"padded\":0,\"shards\":[{"
        "\"file\":"
        "\"x\",\"bytes\":99,\"crc32\":0}],\"clips\":[{\"file\":\"\",\"source\":\"\",\"start\":0,"
        "\"split\":\"train\",\"caption\":\"\",\"shard\":0,\"offset\":90,\"bytes\":10,\"crc32\":0,"
        "\"attributes\":{}}]}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        poet_manifest m;
        write_text("broken.json", broken[i], strlen(broken[i]));
        CHECK_FAILS(poet_manifest_read(in_root("broken.json"), &m), POET_ERR_FORMAT, "broken.json");
    }
}

static void test_csv(void)
{
    char text[] = "file,caption\r\n\"a,1.mp4\",\"said \"\"hi\"\"\nthere\"\r\nb.mp4,\n\"open,x";
    char *at = text, *field[4];
    CHECK_INT(poet_csv_row(&at, field, 4), 2);
    CHECK_STR(field[1], "caption");
    CHECK_INT(poet_csv_row(&at, field, 4), 2);
    CHECK_STR(field[0], "a,1.mp4");
    CHECK_STR(field[1], "said \"hi\"\nthere");
    CHECK_INT(poet_csv_row(&at, field, 4), 2);
    CHECK_STR(field[1], "");
    CHECK_INT(poet_csv_row(&at, field, 4), -1);
}

/* captions.csv with an empty caption before a good one, an invalid and a huge one, and captions in text files; the hash split keeps
 * one of the two out. */
static void test_other_captions(void)
{
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(in_root("csv")));
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "csv/%d.mp4", i);
        write_video(name, 5, i);
    }
    char lines[6000] = "caption,file\n,0.mp4\n\"one, two\",0.mp4\n\xFF\xFE,1.mp4\nfine,2.mp4\n";
    size_t length = strlen(lines);
    memset(lines + length, 'x', 5000);
    strcpy(lines + length + 5000, ",3.mp4\nshort row\n");
    write_text("csv/captions.csv", lines, strlen(lines));
    CHECK_OK(poet_import(in_root("csv"), in_root("csv-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.heldout, 1);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_CAPTION], 3);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_LINE], 1);
    CHECK_INT(report.skipped[POET_IMPORT_REPEATED], 0);
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 0);

    unlink(in_root("csv/captions.csv"));
    write_text("csv/1.txt", "from a text file\n", 17);
    options.heldout = 0;
    CHECK_OK(poet_import(in_root("csv"), in_root("csv-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 1);
    CHECK_INT(report.heldout, 0);
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 3);
    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_dataset_open(in_root("csv-out"), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 0, &e));
    CHECK_STR(e.caption, "from a text file");
    poet_example_free(&e);
    poet_dataset_close(data);

    CHECK_FAILS(poet_import(in_root("nowhere"), in_root("x"), &options, NULL, NULL), POET_ERR_IO,
                "nowhere");
    options.level = 50;
    CHECK_FAILS(poet_import(in_root("csv"), in_root("x"), &options, NULL, NULL), POET_ERR_ARG,
                "level 50");
}

/* A mark before the captions, "./" before a name, a name that is not UTF-8, a pipe that nobody writes to, and a link that
 * leads back: each clip is taken once, and nothing is waited for. */
static void test_odd_files(void)
{
    poet_import_options options = small();
    poet_import_report report;
    listener l = {0};
    poet_task task = listen(&l);
    CHECK_OK(poet_make_directory(in_root("odd/more")));
    write_video("odd/a.mp4", 5, 0);
    write_video("odd/more/b.mp4", 5, 1);
    write_video("odd/\xFF.mp4", 5, 2);
    CHECK(mkfifo(in_root("odd/pipe.mp4"), 0600) == 0);
    CHECK(symlink("..", in_root("odd/more/loop")) == 0);
    static const char lines[] = "\xEF\xBB\xBF{\"file\":\"./a.mp4\",\"caption\":\"a\"}\r\n"
                                "{\"file\":\".//more/b.mp4\",\"caption\":\"b\"}\n";
    write_text("odd/captions.jsonl", lines, sizeof lines - 1);
    options.uncaptioned = true;
    CHECK_OK(poet_import(in_root("odd"), in_root("odd-out"), &options, &task, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_LINE], 0);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_NAME], 1);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 1); /* the pipe */
    CHECK(strstr(l.text, "odd/more/loop: is a link to a folder that holds it; skipped"));
    CHECK(strstr(l.text, "its name is not UTF-8"));

    unlink(in_root("odd/captions.jsonl"));
    write_text("odd/a.txt", "\xEF\xBB\xBFmarked", 9);
    options.heldout = 0;
    CHECK_OK(poet_import(in_root("odd"), in_root("odd-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 1); /* the pipe */
    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_dataset_open(in_root("odd-out"), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 0, &e));
    CHECK_STR(e.caption, "marked");
    poet_example_free(&e);
    poet_dataset_close(data);
}

/* Videos without a caption, where that is allowed: beside captions.jsonl, which names some, and with no captions at all.
 * What cannot be decoded is left out as ever. */
static void test_uncaptioned(void)
{
    poet_import_options options = small();
    poet_import_report report;
    poet_dataset *data;
    poet_example e;
    char name[POET_CLIP_NAME_BYTES];
    options.uncaptioned = true;
    CHECK_OK(poet_import(in_root("in"), in_root("in-all"), &options, NULL, &report));
    CHECK_INT(report.clips, 5); /* a, b twice, short, and alone */
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 0);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 3); /* cut, fake, empty */
    CHECK_OK(poet_dataset_open(in_root("in-all"), NULL, &data));
    poet_dataset_name(data, POET_SPLIT_SEEN, 0, name);
    CHECK_STR(name, "more/b.mp4");
    poet_dataset_name(data, POET_SPLIT_SEEN, 1, name);
    CHECK_STR(name, "more/b.mp4, frame 5");
    poet_dataset_name(data, POET_SPLIT_SEEN, 2, name);
    CHECK_STR(name, "");
    poet_dataset_close(data);

    options.heldout = 0;
    CHECK_OK(poet_import(in_root("csv"), in_root("csv-all"), &options, NULL, &report));
    CHECK_INT(report.clips, 4);
    CHECK_OK(poet_dataset_open(in_root("csv-all"), NULL, &data));
    for (uint64_t i = 0; i < 4; i++) { /* 1.mp4 has a text beside it */
        CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, i, &e));
        CHECK_STR(e.caption, i == 1 ? "from a text file" : "");
        poet_example_free(&e);
    }
    poet_dataset_close(data);

    poet_dataset_options drawn = {.t = 5, .h = 32, .w = 32};
    CHECK_OK(poet_dataset_open("synth:shapes", &drawn, &data));
    poet_dataset_name(data, POET_SPLIT_TRAIN, 12, name);
    CHECK_STR(name, "train/12");
    poet_dataset_close(data);
}

/* Words that are no split: the first is told with its line, all are counted, the hash decides. */
static void test_unknown_splits(void)
{
    listener l = {0};
    poet_task task = listen(&l);
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(in_root("splits")));
    static const char lines[] = "{\"file\":\"0.mp4\",\"caption\":\"zero\",\"split\":\"train\"}\n"
                                "{\"file\":\"1.mp4\",\"caption\":\"one\",\"split\":\"trian\"}\n"
                                "{\"file\":\"2.mp4\",\"caption\":\"two\",\"split\":7}\n"
                                "{\"file\":\"3.mp4\",\"caption\":\"three\",\"split\":null}\n"
                                "{\"file\":\"4.mp4\",\"caption\":\"four\",\"split\":\"\"}\n";
    write_text("splits/captions.jsonl", lines, sizeof lines - 1);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "splits/%d.mp4", i);
        write_video(name, 5, i);
    }
    options.heldout = 1;
    CHECK_OK(poet_import(in_root("splits"), in_root("splits-out"), &options, &task, &report));
    CHECK_INT(report.unknown_splits, 2);
    CHECK_INT(report.heldout, 4);
    const char *told = strstr(l.text, "splits/captions.jsonl:2: there is no split \"trian\"");
    CHECK(told && strstr(told, "a hash of the source's name decides"));
    CHECK(strstr(l.text, "captions.jsonl:3") == NULL);

    unlink(in_root("splits/captions.jsonl"));
    static const char rows[] = "file,caption,split\n0.mp4,zero,train\n1.mp4,one,Test\n";
    write_text("splits/captions.csv", rows, sizeof rows - 1);
    l.text[0] = 0;
    CHECK_OK(poet_import(in_root("splits"), in_root("splits-out"), &options, &task, &report));
    CHECK_INT(report.unknown_splits, 1);
    CHECK(strstr(l.text, "splits/captions.csv, row 3: there is no split \"Test\"") != NULL);
}

/* An import without a usable clip leaves no file, and no folder that was not there before. */
static void test_nothing_left(void)
{
    poet_import_options options = small();
    CHECK_OK(poet_make_directory(in_root("useless")));
    cut_file("in/more/b.mp4", "useless/0.mp4", 60);
    write_text("useless/0.txt", "cut", 3);
    CHECK_FAILS(poet_import(in_root("useless"), in_root("left/a//b/"), &options, NULL, NULL),
                POET_ERR_FORMAT, "useless: no captioned clip");
    CHECK(!poet_is_directory(in_root("left")));
    CHECK_OK(poet_make_directory(in_root("left/a")));
    CHECK_FAILS(poet_import(in_root("useless"), in_root("left/a/b"), &options, NULL, NULL),
                POET_ERR_FORMAT, "useless: no captioned clip");
    CHECK(!poet_is_directory(in_root("left/a/b")) && poet_is_directory(in_root("left/a")));
    CHECK_FAILS(poet_import(in_root("useless"), in_root("left/a"), &options, NULL, NULL),
                POET_ERR_FORMAT, "useless: no captioned clip");
    CHECK(poet_is_directory(in_root("left/a")));
    CHECK(rmdir(in_root("left/a")) == 0);
}

/* fps 0 keeps every frame of every video, and the dataset has the rate of the first; another fps
 * resamples: frame k is the one on screen at k/fps. */
static void test_rates(void)
{
    poet_import_options options = small();
    poet_import_report report;
    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_make_directory(in_root("rates")));
    write_video_at("rates/a.mp4", 10, 0, 12);
    write_text("rates/a.txt", "a", 1);
    write_video_at("rates/b.mp4", 10, 1, 24);
    write_text("rates/b.txt", "b", 1);
    options.heldout = 0;
    options.fps = 0;
    CHECK_OK(poet_import(in_root("rates"), in_root("rates-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 4);
    CHECK_OK(poet_dataset_open(in_root("rates-out"), NULL, &data));
    CHECK_CLOSE(poet_dataset_geometry(data).fps, 12, 1e-9);
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 3, &e));
    check_grey(&e, 5, 1, false);
    poet_example_free(&e);
    poet_dataset_close(data);

    options.fps = 12;
    CHECK_OK(poet_import(in_root("rates"), in_root("rates-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 3);
    CHECK_OK(poet_dataset_open(in_root("rates-out"), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 2, &e));
    for (int t = 0; t < 5; t++)
        CHECK_CLOSE(poet_clip_frame(&e.clip, t)[1500], 40 + 6 * (2 * t) + 3, 3);
    poet_example_free(&e);
    poet_dataset_close(data);
}

int main(void)
{
    strcpy(root, "/tmp/poet-import-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    size_t before = poet_memory_get_stats().blocks;
    make_folder();
    test_import();
    test_resume();
    test_damage();
    test_manifest();
    test_csv();
    test_other_captions();
    test_odd_files();
    test_uncaptioned();
    test_unknown_splits();
    test_nothing_left();
    test_rates();
    CHECK_INT(poet_memory_get_stats().blocks, before);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
    return CHECK_RESULT();
}
