/* datasets/import and shards: what can be used is kept, what cannot is named and counted. */
#include "datasets/shards_internal.h"
#include "tests/unit/datasets/import_folder.h"

#include <sys/wait.h>

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

static void test_import(void)
{
    listener l = {0};
    poet_task task = listen(&l);
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_import(scratch("in"), scratch("out"), &options, &task, &report));
    check_report(&report);
    check_messages(l.text);

    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_dataset_open(scratch("out"), NULL, &data));
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
    CHECK_FAILS(poet_dataset_open(scratch("out"), &wrong, &data), POET_ERR_MISMATCH, "5 frames");
    l.text[0] = 0;
    CHECK_OK(poet_import(scratch("in"), scratch("out"), &options, &task, &report));
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
        status = poet_import(scratch("in"), scratch("resumed"), &options, &task, &report);
        CHECK(status == POET_OK || status == POET_ERR_INTERRUPTED);
        CHECK((status == POET_OK) == poet_is_file(scratch("resumed/manifest.json")));
    }
    CHECK(rounds > 1);
    check_report(&report);
    CHECK(!poet_is_file(scratch("resumed/import.json")));
    poet_dataset *a, *b;
    CHECK_OK(poet_dataset_open(scratch("out"), NULL, &a));
    CHECK_OK(poet_dataset_open(scratch("resumed"), NULL, &b));
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
    CHECK_OK(poet_manifest_read(scratch(path), &m));
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
    CHECK_OK(poet_file_read(scratch(name), 1 << 24, &bytes, &size));
    for (size_t at = POET_SHARD_HEAD; at < size; at += 37) {
        poet_dataset *data;
        poet_example e;
        bytes[at] ^= 4;
        write_bytes(scratch(name), bytes, size);
        CHECK_OK(poet_dataset_open(scratch("resumed"), NULL, &data));
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
        CHECK_OK(poet_manifest_read(scratch("resumed/manifest.json"), &m));
        bool first_shard = false;
        for (size_t i = 0; i < m.clips; i++)
            first_shard = first_shard || (m.clip[i].shard == 0 && m.clip[i].offset <= at &&
                                          at < m.clip[i].offset + m.clip[i].bytes);
        CHECK(noticed == first_shard);
        poet_manifest_destroy(&m);
    }
    poet_dataset *data;
    write_bytes(scratch(name), bytes, size - 1);
    CHECK_FAILS(poet_dataset_open(scratch("resumed"), NULL, &data), POET_ERR_FORMAT,
                "the manifest says");
    unlink(scratch(name));
    CHECK_FAILS(poet_dataset_open(scratch("resumed"), NULL, &data), POET_ERR_IO, "shard-");
    poet_free(bytes);

    /* The same import makes it anew. */
    poet_import_options options = small();
    poet_import_report report;
    listener l = {0};
    poet_task task = listen(&l);
    CHECK_OK(poet_import(scratch("in"), scratch("resumed"), &options, &task, &report));
    CHECK(strstr(l.text, "is gone or cut short") && !strstr(l.text, "these clips already"));
    CHECK_OK(poet_dataset_open(scratch("resumed"), NULL, &data));
    CHECK_OK(poet_dataset_verify(data, NULL));
    poet_dataset_close(data);
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
        write_bytes(scratch("broken.json"), broken[i], strlen(broken[i]));
        CHECK_FAILS(poet_manifest_read(scratch("broken.json"), &m), POET_ERR_FORMAT, "broken.json");
    }
}

/* An import without a usable clip leaves no file, and no folder that was not there before. */
static void test_nothing_left(void)
{
    poet_import_options options = small();
    CHECK_OK(poet_make_directory(scratch("useless")));
    cut_file("in/more/b.mp4", "useless/0.mp4", 60);
    write_bytes(scratch("useless/0.txt"), "cut", 3);
    CHECK_FAILS(poet_import(scratch("useless"), scratch("left/a//b/"), &options, NULL, NULL),
                POET_ERR_FORMAT, "useless: no captioned clip");
    CHECK(!poet_is_directory(scratch("left")));
    CHECK_OK(poet_make_directory(scratch("left/a")));
    CHECK_FAILS(poet_import(scratch("useless"), scratch("left/a/b"), &options, NULL, NULL),
                POET_ERR_FORMAT, "useless: no captioned clip");
    CHECK(!poet_is_directory(scratch("left/a/b")) && poet_is_directory(scratch("left/a")));
    CHECK_FAILS(poet_import(scratch("useless"), scratch("left/a"), &options, NULL, NULL),
                POET_ERR_FORMAT, "useless: no captioned clip");
    CHECK(poet_is_directory(scratch("left/a")));
    CHECK(rmdir(scratch("left/a")) == 0);
}

/* fps 0 keeps every frame of every video, and the dataset has the rate of the first; another fps
 * resamples: frame k is the one on screen at k/fps. */
static void test_rates(void)
{
    poet_import_options options = small();
    poet_import_report report;
    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_make_directory(scratch("rates")));
    write_video_at("rates/a.mp4", 10, 0, 12);
    write_bytes(scratch("rates/a.txt"), "a", 1);
    write_video_at("rates/b.mp4", 10, 1, 24);
    write_bytes(scratch("rates/b.txt"), "b", 1);
    options.heldout = 0;
    options.fps = 0;
    CHECK_OK(poet_import(scratch("rates"), scratch("rates-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 4);
    CHECK_OK(poet_dataset_open(scratch("rates-out"), NULL, &data));
    CHECK_CLOSE(poet_dataset_geometry(data).fps, 12, 1e-9);
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 3, &e));
    check_grey(&e, 5, 1, false);
    poet_example_free(&e);
    poet_dataset_close(data);

    options.fps = 12;
    CHECK_OK(poet_import(scratch("rates"), scratch("rates-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 3);
    CHECK_OK(poet_dataset_open(scratch("rates-out"), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 2, &e));
    for (int t = 0; t < 5; t++)
        CHECK_CLOSE(poet_clip_frame(&e.clip, t)[1500], 40 + 6 * (2 * t) + 3, 3);
    poet_example_free(&e);
    poet_dataset_close(data);
}

static int count_entries(const char *folder)
{
    int count = 0;
    DIR *open = opendir(scratch(folder));
    for (struct dirent *e; open && (e = readdir(open));)
        count += e->d_name[0] != '.';
    if (open)
        closedir(open);
    return count;
}

static pid_t dead_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK(child > 0 && waitpid(child, NULL, 0) == child);
    return child;
}

/* Temporary files of an import that was killed go when the next one begins; others stay. */
static void test_killed(void)
{
    static const char *const names[] = {"shard-0123abcd-00000.zst", "manifest.json", "import.json"};
    poet_import_options options = small();
    char name[100];
    pid_t dead = dead_process();
    CHECK_OK(poet_make_directory(scratch("killed")));
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "killed/%s.%ld.tmp", names[i], (long)dead);
        write_bytes(scratch(name), "", 0);
        snprintf(name, sizeof name, "killed/%s.%ld.tmp", names[i], (long)getppid());
        write_bytes(scratch(name), "", 0);
    }
    snprintf(name, sizeof name, "killed/notes.%ld.tmp", (long)dead);
    write_bytes(scratch(name), "", 0);
    CHECK_OK(poet_import(scratch("in"), scratch("killed"), &options, NULL, NULL));
    CHECK_INT(count_entries("killed"), 2 + 3 + 1);
    CHECK(poet_is_file(scratch(name)));
}

/* Imports with other options that were stopped one after the other: their shards stay until a dataset is published. */
static void test_abandoned(void)
{
    poet_import_options options = small();
    for (int level = 1; level <= 2; level++) {
        listener l = {.stop_at = 20};
        poet_task task = listen(&l);
        options.level = level;
        CHECK_FAILS(poet_import(scratch("in"), scratch("abandoned"), &options, &task, NULL),
                    POET_ERR_INTERRUPTED, "the same command goes on");
        CHECK_INT(count_entries("abandoned"), level + 1); /* and import.json */
    }
    write_bytes(scratch("abandoned/shard-notes.zst"), "", 0);
    options.level = 3;
    CHECK_OK(poet_import(scratch("in"), scratch("abandoned"), &options, NULL, NULL));
    CHECK_INT(count_entries("abandoned"), 3);
    poet_dataset *data;
    CHECK_OK(poet_dataset_open(scratch("abandoned"), NULL, &data));
    CHECK_OK(poet_dataset_verify(data, NULL));
    poet_dataset_close(data);
}

static void test_all(void)
{
    make_folder();
    test_import();
    test_resume();
    test_damage();
    test_manifest();
    test_nothing_left();
    test_rates();
    test_killed();
    test_abandoned();
}

int main(void)
{
    return run_in_scratch(test_all);
}
