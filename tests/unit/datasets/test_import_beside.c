/* datasets/import: clips beside their captions in text files, whatever kind of file they are, and captions of PNG files. */
#include "base/file.h"
#include "codec/png.h"
#include "codec/video.h"
#include "datasets/dataset.h"
#include "datasets/import.h"
#include "datasets/import_internal.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

static char messages[2048];

static void listen_message(void *user, const char *sentence)
{
    (void)user;
    size_t length = strlen(messages);
    snprintf(messages + length, sizeof messages - length, "%s\n", sentence);
}

static const poet_task task = {.message = listen_message};

static void write_text(const char *name, const char *text)
{
    write_bytes(scratch(name), text, strlen(text));
}

/* "file=caption " of every item, in the order of the list. */
static void list_items(const char *folder, poet_import_report *report, char *text, size_t room)
{
    poet_import_list list;
    *report = (poet_import_report){0};
    const poet_import_sink sink = {.folder = scratch(folder), .task = &task, .report = report};
    messages[0] = text[0] = 0;
    CHECK_OK(poet_import_list_read(&sink, 0, &list));
    for (size_t i = 0; i < list.count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, room - length, "%s=%s ", list.item[i].file, list.item[i].caption);
    }
    poet_import_list_free(&list);
}

static void test_kinds(void)
{
    char items[1024];
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("kinds/below/e.d")));
    static const char *const clips[] = {"a.mp4", "a.json",  "b.2.mp4", "c.ts",        "p.png",
                                        "q.png", "a-1.gif", "noname",  "below/d.WEBP"};
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
        char name[64];
        snprintf(name, sizeof name, "kinds/%s", clips[i]);
        write_text(name, "");
    }
    write_text("kinds/a.txt", "A");
    write_text("kinds/b.txt", "of nothing: b.2.mp4 is another name");
    write_text("kinds/c.txt", "C");
    write_text("kinds/p.txt", "P");
    write_text("kinds/noname.txt", "of a file without an extension");
    write_text("kinds/below/d.txt", "D");
    write_text("kinds/below/e.txt", "beside a folder");
    write_text("kinds/UPPER.MP4", "");
    write_text("kinds/UPPER.TXT", "U");
    write_text("kinds/GONE.TXT", "G");
    list_items("kinds", &report, items, sizeof items);
    CHECK_STR(items, "UPPER.MP4=U a.mp4=A below/d.WEBP=D c.ts=C p.png=P ");
    CHECK_INT(report.skipped[POET_IMPORT_NO_CAPTION], 2); /* a-1.gif, b.2.mp4 */
    CHECK_INT(report.skipped[POET_IMPORT_NO_FILE], 4);
    CHECK(strstr(messages, "kinds/GONE.TXT: is a caption without a clip; skipped\n"));
    CHECK(strstr(messages, "kinds/b.txt: is a caption without a clip; skipped\n"));
    CHECK(strstr(messages, "kinds/noname.txt: is a caption without a clip; skipped\n"));
    CHECK(strstr(messages, "kinds/below/e.txt: is a caption without a clip; skipped\n"));
}

/* Where the captions are in one file, other texts are nobody's captions. */
static void test_other_texts(void)
{
    char items[256];
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("texts")));
    write_text("texts/a.mp4", "");
    write_text("texts/LICENSE.txt", "text");
    write_text("texts/captions.csv", "file,caption\na.mp4,A\n");
    list_items("texts", &report, items, sizeof items);
    CHECK_STR(items, "a.mp4=A ");
    CHECK_STR(messages, "");
}

static void test_unreadable_caption(void)
{
    char items[256], wanted[512];
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("broken")));
    write_text("broken/a.mp4", "");
    CHECK(symlink("nowhere", scratch("broken/a.txt")) == 0);
    list_items("broken", &report, items, sizeof items);
    CHECK_STR(items, "");
    CHECK_INT(report.skipped[POET_IMPORT_BAD_CAPTION], 1);
    snprintf(wanted, sizeof wanted, "%s: cannot be opened: No such file or directory; skipped\n",
             scratch("broken/a.txt"));
    CHECK_STR(messages, wanted);
}

static void write_picture(const char *name, int grey)
{
    uint8_t pixels[32 * 32 * 3];
    memset(pixels, grey, sizeof pixels);
    CHECK_OK(poet_png_write(scratch(name), pixels, 32, 32, NULL, 0));
}

static poet_import_options small(void)
{
    poet_import_options options = poet_import_defaults();
    options.t = 4;
    options.h = options.w = 32;
    options.heldout = 0;
    return options;
}

/* A folder of pictures, some of them by a pattern, and what only looks like either. Frame for frame. */
static void test_sequences(void)
{
    poet_import_options options = small();
    poet_import_report report;
    poet_dataset *data;
    poet_example e;
    char name[64];
    messages[0] = 0;
    CHECK_OK(poet_make_directory(scratch("pictures/walk")));
    CHECK_OK(poet_make_directory(scratch("pictures/empty")));
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "pictures/walk/%c%02d.png", i < 4 ? 'f' : 'g', i);
        write_picture(name, 20 * i);
    }
    write_text("pictures/captions.csv", "file,caption\nwalk,all\nwalk/g%02d.png,four\nempty,none\n"
                                        "walk/h%02d.png,none\n.,none\n");
    CHECK_OK(poet_import(scratch("pictures"), scratch("out"), &options, &task, &report));
    CHECK_INT(report.sources, 2);
    CHECK_INT(report.clips, 3);
    CHECK_INT(report.skipped[POET_IMPORT_NO_FILE], 3);
    CHECK(strstr(messages, "pictures/empty: is a folder without PNG files; skipped"));
    CHECK(strstr(messages, "pictures/.: is a folder without PNG files; skipped"));
    CHECK(strstr(messages, "pictures/walk/h%02d.png: there is no such file; skipped"));
    CHECK_OK(poet_dataset_open(scratch("out"), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 2, &e));
    CHECK_STR(e.caption, "four");
    for (int t = 0; t < 4; t++)
        CHECK_INT(poet_clip_frame(&e.clip, t)[0], 20 * (4 + t));
    poet_example_free(&e);
    poet_dataset_close(data);

    write_picture("pictures/walk/g08.png", 0); /* a change of the pattern's files alone is seen */
    unlink(scratch("pictures/walk/g04.png"));
    write_text("pictures/captions.csv", "file,caption\nwalk/g%02d.png,four\n");
    CHECK_OK(poet_import(scratch("pictures"), scratch("out"), &options, NULL, &report));
    unlink(scratch("pictures/walk/g08.png"));
    write_picture("pictures/walk/g04.png", 40);
    CHECK_OK(poet_import(scratch("pictures"), scratch("out"), &options, NULL, &report));
    CHECK_OK(poet_dataset_open(scratch("out"), NULL, &data));
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, 0, &e));
    CHECK_INT(e.clip.pixels[0], 40);
    poet_example_free(&e);
    poet_dataset_close(data);
}

static void import_all(const char *what, int sources)
{
    poet_import_options options = small();
    poet_import_report report;
    options.uncaptioned = true;
    messages[0] = 0;
    CHECK_OK(poet_import(scratch(what), scratch("all"), &options, &task, &report));
    CHECK_INT(report.sources, sources);
    CHECK_STR(messages, "");
}

/* A folder of pictures, given itself, by a pattern, or below, where no caption names it or one of them. */
static void test_uncaptioned_sequences(void)
{
    char name[64];
    CHECK_OK(poet_make_directory(scratch("films/walk")));
    CHECK_OK(poet_make_directory(scratch("films/run")));
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "films/%s/%02d.png", i < 4 ? "walk" : "run", i);
        write_picture(name, 20 * i);
    }
    import_all("films/walk", 1);
    import_all("films/walk/%02d.png", 1);
    import_all("films", 2);
    write_text("films/walk/02.txt", "a picture alone");
    import_all("films", 2); /* run, and that picture */
    unlink(scratch("films/walk/02.txt"));
    write_text("films/captions.csv", "file,caption\nwalk/%02d.png,W\n");
    import_all("films", 2);
    write_text("films/captions.csv", "file,caption\nwalk,W\nrun/04.png,R\n");
    import_all("films", 2);
    write_text("films/captions.csv", "file,caption\nwalk/00.png,W\nwalk/01.png,W\n");
    import_all("films", 3);
    unlink(scratch("films/captions.csv"));

    poet_import_options options = small();
    CHECK_FAILS(poet_import(scratch("films"), scratch("none"), &options, NULL, NULL),
                POET_ERR_FORMAT, "films: no captioned clip");
    CHECK_FAILS(poet_import(scratch("films/run/%02d.png"), scratch("none"), &options, NULL, NULL),
                POET_ERR_FORMAT, "films/run/%02d.png: has no caption");
}

/* A picture of many frames, as synth writes it, is refused wherever it is named; one with other JSON beside it is not. */
static void test_sheets(void)
{
    poet_clip clip;
    poet_import_options options = small();
    poet_import_report report;
    CHECK_OK(poet_make_directory(scratch("sheets/train")));
    CHECK_OK(poet_clip_create(4, 32, 32, 8, &clip));
    memset(clip.pixels, 0, 4 * poet_clip_frame_bytes(&clip));
    CHECK_OK(poet_video_write(scratch("sheets/train/0.png"), &clip, NULL, NULL));
    poet_clip_free(&clip);
    write_picture("sheets/still.png", 20);
    write_text("sheets/still.json", "{\"frames\": 1, \"meta\": {}}");
    write_text("sheets/captions.csv", "file,caption\ntrain/0.png,0\ntrain,all\nstill.png,one\n");
    messages[0] = 0;
    CHECK_OK(poet_import(scratch("sheets"), scratch("stills"), &options, &task, &report));
    CHECK_INT(report.sources, 1);
    CHECK_INT(report.skipped[POET_IMPORT_BROKEN], 2);
    CHECK(strstr(messages, "sheets/train/0.png: is a sheet of frames"));
    CHECK(strstr(messages, "sheets/train: holds sheets of frames"));
    options.uncaptioned = true;
    CHECK_FAILS(poet_import(scratch("sheets/train"), scratch("none"), &options, NULL, NULL),
                POET_ERR_FORMAT, "train: no clip");
    CHECK_FAILS(poet_import(scratch("sheets/train/0.png"), scratch("none"), &options, NULL, NULL),
                POET_ERR_FORMAT, "train/0.png: is a sheet of frames");
}

int main(void)
{
    scratch_begin();
    test_kinds();
    test_other_texts();
    test_unreadable_caption();
    test_sequences();
    test_uncaptioned_sequences();
    test_sheets();
    scratch_end();
    return CHECK_RESULT();
}
