/* datasets/import: captions in tables and text files, odd files, videos without a caption, splits by name. */
#include "datasets/import_internal.h"
#include "tests/unit/datasets/import_folder.h"

#include <sys/stat.h>

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

/* Of the first training clip. */
static void check_first_caption(const char *folder, const char *caption)
{
    poet_dataset *data;
    poet_example e;
    CHECK_OK(poet_dataset_open(scratch(folder), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 0, &e));
    CHECK_STR(e.caption, caption);
    poet_example_free(&e);
    poet_dataset_close(data);
}

/* captions.csv with an empty caption before a good one, an invalid and a huge one, and captions in text files; the hash split keeps
 * one of the two out. */
static void test_other_captions(void)
{
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("csv")));
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "csv/%d.mp4", i);
        write_video(name, 5, i);
    }
    char lines[6000] = "caption,file\n,0.mp4\n\"one, two\",0.mp4\n\xFF\xFE,1.mp4\nfine,2.mp4\n";
    size_t length = strlen(lines);
    memset(lines + length, 'x', 5000);
    strcpy(lines + length + 5000, ",3.mp4\nshort row\n");
    write_bytes(scratch("csv/captions.csv"), lines, strlen(lines));
    CHECK_OK(poet_import(scratch("csv"), scratch("csv-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.heldout, 1);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_CAPTION], 3);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_LINE], 1);
    CHECK_INT(report.skipped[POET_IMPORT_REPEATED], 0);
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 0);

    unlink(scratch("csv/captions.csv"));
    write_bytes(scratch("csv/1.txt"), "from a text file\n", 17);
    options.heldout = 0;
    CHECK_OK(poet_import(scratch("csv"), scratch("csv-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 1);
    CHECK_INT(report.heldout, 0);
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 3);
    check_first_caption("csv-out", "from a text file");

    CHECK_FAILS(poet_import(scratch("nowhere"), scratch("x"), &options, NULL, NULL), POET_ERR_IO,
                "nowhere");
    options.level = 50;
    CHECK_FAILS(poet_import(scratch("csv"), scratch("x"), &options, NULL, NULL), POET_ERR_ARG,
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
    CHECK_OK(poet_make_directory(scratch("odd/more")));
    write_video("odd/a.mp4", 5, 0);
    write_video("odd/more/b.mp4", 5, 1);
    write_video("odd/\xFF.mp4", 5, 2);
    CHECK(mkfifo(scratch("odd/pipe.mp4"), 0600) == 0);
    CHECK(symlink("..", scratch("odd/more/loop")) == 0);
    static const char lines[] = "\xEF\xBB\xBF{\"file\":\"./a.mp4\",\"caption\":\"a\"}\r\n"
                                "{\"file\":\".//more/b.mp4\",\"caption\":\"b\"}\n";
    write_bytes(scratch("odd/captions.jsonl"), lines, sizeof lines - 1);
    options.uncaptioned = true;
    CHECK_OK(poet_import(scratch("odd"), scratch("odd-out"), &options, &task, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_LINE], 0);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_NAME], 1);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 1); /* the pipe */
    CHECK(strstr(l.text, "odd/more/loop: is a link to a folder that holds it; skipped"));
    CHECK(strstr(l.text, "its name is not UTF-8"));

    unlink(scratch("odd/captions.jsonl"));
    write_bytes(scratch("odd/a.txt"), "\xEF\xBB\xBFmarked", 9);
    options.heldout = 0;
    CHECK_OK(poet_import(scratch("odd"), scratch("odd-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 1); /* the pipe */
    check_first_caption("odd-out", "marked");
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
    CHECK_OK(poet_import(scratch("in"), scratch("in-all"), &options, NULL, &report));
    CHECK_INT(report.clips, 5); /* a, b twice, short, and alone */
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 0);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 3); /* cut, fake, empty */
    CHECK_OK(poet_dataset_open(scratch("in-all"), NULL, &data));
    poet_dataset_name(data, POET_SPLIT_SEEN, 0, name);
    CHECK_STR(name, "more/b.mp4");
    poet_dataset_name(data, POET_SPLIT_SEEN, 1, name);
    CHECK_STR(name, "more/b.mp4, frame 5");
    poet_dataset_name(data, POET_SPLIT_SEEN, 2, name);
    CHECK_STR(name, "");
    poet_dataset_close(data);

    options.heldout = 0;
    CHECK_OK(poet_import(scratch("csv"), scratch("csv-all"), &options, NULL, &report));
    CHECK_INT(report.clips, 4);
    CHECK_OK(poet_dataset_open(scratch("csv-all"), NULL, &data));
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
    CHECK_OK(poet_make_directory(scratch("splits")));
    static const char lines[] = "{\"file\":\"0.mp4\",\"caption\":\"zero\",\"split\":\"train\"}\n"
                                "{\"file\":\"1.mp4\",\"caption\":\"one\",\"split\":\"trian\"}\n"
                                "{\"file\":\"2.mp4\",\"caption\":\"two\",\"split\":7}\n"
                                "{\"file\":\"3.mp4\",\"caption\":\"three\",\"split\":null}\n"
                                "{\"file\":\"4.mp4\",\"caption\":\"four\",\"split\":\"\"}\n";
    write_bytes(scratch("splits/captions.jsonl"), lines, sizeof lines - 1);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "splits/%d.mp4", i);
        write_video(name, 5, i);
    }
    options.heldout = 1;
    CHECK_OK(poet_import(scratch("splits"), scratch("splits-out"), &options, &task, &report));
    CHECK_INT(report.unknown_splits, 2);
    CHECK_INT(report.heldout, 4);
    const char *told = strstr(l.text, "splits/captions.jsonl:2: there is no split \"trian\"");
    CHECK(told && strstr(told, "a hash of the source's name decides"));
    CHECK(strstr(l.text, "captions.jsonl:3") == NULL);

    unlink(scratch("splits/captions.jsonl"));
    static const char rows[] = "file,caption,split\n0.mp4,zero,train\n1.mp4,one,Test\n";
    write_bytes(scratch("splits/captions.csv"), rows, sizeof rows - 1);
    l.text[0] = 0;
    CHECK_OK(poet_import(scratch("splits"), scratch("splits-out"), &options, &task, &report));
    CHECK_INT(report.unknown_splits, 1);
    CHECK(strstr(l.text, "splits/captions.csv, row 3: there is no split \"Test\"") != NULL);
}

/* Two clips of one source on two sides: the line that comes first decides, whatever the names. */
static void test_contradiction(void)
{
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("sides")));
    static const char lines[] = "{\"file\":\"z.mp4\",\"caption\":\"z\",\"split\":\"train\","
                                "\"attributes\":{\"source\":\"s\"}}\n"
                                "{\"file\":\"a.mp4\",\"caption\":\"a\",\"split\":\"test\","
                                "\"attributes\":{\"source\":\"s\"}}\n";
    write_bytes(scratch("sides/captions.jsonl"), lines, sizeof lines - 1);
    write_video("sides/a.mp4", 5, 0);
    write_video("sides/z.mp4", 5, 1);
    CHECK_OK(poet_import(scratch("sides"), scratch("sides-out"), &options, NULL, &report));
    CHECK_INT(report.clips, 2);
    CHECK_INT(report.heldout, 0);
    CHECK_INT(report.moved, 1);
}

/* A caption that is no text, and none at all; the video of such a line has been named. */
static void test_no_text(void)
{
    listener l = {0};
    poet_task task = listen(&l);
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("texts")));
    write_video("texts/a.mp4", 5, 0);
    write_video("texts/b.mp4", 5, 1);
    write_video("texts/c.mp4", 5, 2);
    static const char lines[] = "{\"file\":\"a.mp4\",\"caption\":5}\n"
                                "{\"file\":\"b.mp4\"}\n"
                                "{\"file\":\"c.mp4\",\"caption\":[]}\n"
                                "{\"file\":\"c.mp4\",\"caption\":\"c\"}\n";
    write_bytes(scratch("texts/captions.jsonl"), lines, sizeof lines - 1);
    CHECK_OK(poet_import(scratch("texts"), scratch("texts-out"), &options, &task, &report));
    CHECK_INT(report.clips, 1);
    CHECK_INT(report.skipped[POET_IMPORT_BAD_LINE], 2);
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 1);
    CHECK(strstr(l.text, "texts/captions.jsonl:1: its caption is not a text; skipped"));
    CHECK(strstr(l.text, "texts/b.mp4: has no caption; skipped"));
    CHECK(strstr(l.text, "a.mp4") == NULL);

    options.uncaptioned = true;
    CHECK_OK(poet_import(scratch("texts"), scratch("texts-out"), &options, &task, &report));
    CHECK_INT(report.clips, 2); /* b and c */
    CHECK_INT(report.skipped[POET_IMPORT_BAD_LINE], 2);
}

static void check_simplified(const char *name, const char *wanted)
{
    char text[64];
    strcpy(text, name);
    poet_import_simplify(scratch("names"), text);
    CHECK_STR(text, wanted);
}

static void test_spellings(void)
{
    CHECK_OK(poet_make_directory(scratch("names/a/b")));
    CHECK(symlink("a/b", scratch("names/link")) == 0);
    check_simplified("f.mp4", "f.mp4");
    check_simplified(".//./a///b/./f.mp4", "a/b/f.mp4");
    check_simplified("a/../a/b/../f.mp4", "a/f.mp4");
    check_simplified("a/b/../../f.mp4", "f.mp4");
    check_simplified("a/b/../..", ".");
    check_simplified("./", ".");
    check_simplified("a/", "a");
    check_simplified("../../f.mp4", "../../f.mp4");
    check_simplified("a/../../f.mp4", "../f.mp4");
    check_simplified("link/../f.mp4", "link/../f.mp4"); /* a/f.mp4 */
    check_simplified("gone/../f.mp4", "gone/../f.mp4"); /* nothing */
    check_simplified("/..//./f.mp4", "/../f.mp4");
    check_simplified("/", "/");
}

/* One video under several names is one clip. */
static void test_repeats(void)
{
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("repeats/sub")));
    CHECK_OK(poet_make_directory(scratch("repeats/a")));
    write_video("repeats/sub/f.mp4", 5, 0);
    static const char rows[] = "file,caption\nsub//f.mp4,one\nsub/f.mp4,two\nsub/./f.mp4,three\n"
                               "a/../sub/f.mp4,four\n";
    write_bytes(scratch("repeats/captions.csv"), rows, sizeof rows - 1);
    options.uncaptioned = true;
    CHECK_OK(poet_import(scratch("repeats"), scratch("repeats-out"), &options, NULL, &report));
    CHECK_INT(report.sources, 1);
    CHECK_INT(report.skipped[POET_IMPORT_REPEATED], 3);
}

static void test_all(void)
{
    make_folder();
    test_csv();
    test_other_captions();
    test_odd_files();
    test_uncaptioned();
    test_unknown_splits();
    test_contradiction();
    test_no_text();
    test_spellings();
    test_repeats();
}

int main(void)
{
    return run_in_scratch(test_all);
}
