/* A folder of small videos for tests of the import, and what listens to its messages. */
#ifndef POET_TESTS_UNIT_DATASETS_IMPORT_FOLDER_H
#define POET_TESTS_UNIT_DATASETS_IMPORT_FOLDER_H

#include "base/file.h"
#include "base/memory.h"
#include "codec/video.h"
#include "datasets/dataset.h"
#include "datasets/import.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

/* A video whose frame t is a plain grey that tells t and the video's number. */
static inline void write_video_at(const char *name, int frames, int number, double fps)
{
    poet_clip clip;
    char notice[POET_NOTICE_BYTES];
    CHECK_OK(poet_clip_create(frames, 48, 64, fps, &clip));
    for (int t = 0; t < frames; t++)
        memset(poet_clip_frame(&clip, t), 40 + 6 * t + 3 * number, poet_clip_frame_bytes(&clip));
    CHECK_OK(poet_video_write(scratch(name), &clip, NULL, notice));
    poet_clip_free(&clip);
}

static inline void write_video(const char *name, int frames, int number)
{
    write_video_at(name, frames, number, 8);
}

static inline void cut_file(const char *name, const char *to, size_t share)
{
    unsigned char *bytes;
    size_t size;
    CHECK_OK(poet_file_read(scratch(name), 1 << 24, &bytes, &size));
    write_bytes(scratch(to), bytes, size * share / 100);
    poet_free(bytes);
}

/* Collects messages, and asks to stop after a number of questions. */
typedef struct listener {
    char text[8192];
    int questions, stop_at;
} listener;

static inline void listen_message(void *user, const char *sentence)
{
    listener *l = user;
    size_t length = strlen(l->text);
    snprintf(l->text + length, sizeof l->text - length, "%s\n", sentence);
}

static inline bool listen_stop(void *user)
{
    listener *l = user;
    return l->stop_at && ++l->questions >= l->stop_at;
}

static inline poet_task listen(listener *l)
{
    return (poet_task){
        .info = listen_message, .message = listen_message, .stop = listen_stop, .user = l};
}

/* in/: good videos, broken ones, and captions.jsonl with lines of every kind. */
static inline void make_folder(void)
{
    CHECK_OK(poet_make_directory(scratch("in/more")));
    write_video("in/a.mp4", 5, 0);
    write_video("in/more/b.mp4", 12, 1);
    write_video("in/short.mp4", 2, 2);
    write_video("in/alone.mp4", 5, 3);
    cut_file("in/a.mp4", "in/cut.mp4", 40);
    write_bytes(scratch("in/fake.mp4"), "this is no video", 16);
    write_bytes(scratch("in/empty.mp4"), "", 0);
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
    write_bytes(scratch("in/captions.jsonl"), lines, sizeof lines - 1);
}

static inline poet_import_options small(void)
{
    poet_import_options o = poet_import_defaults();
    o.t = 5;
    o.h = o.w = 32;
    return o;
}

/* Frame t of a video from `first` on; still: it has two frames, and the last stays. */
static inline void check_grey(const poet_example *e, int first, int number, bool still)
{
    for (int t = 0; t < e->clip.t; t++) {
        int shown = still && t > 1 ? 1 : t;
        CHECK_CLOSE(poet_clip_frame(&e->clip, t)[3 * 500], 40 + 6 * (first + shown) + 3 * number,
                    3);
    }
}

/* Runs the tests in a new directory, which is removed behind them. */
static inline int run_in_scratch(void (*tests)(void))
{
    scratch_begin();
    size_t before = poet_memory_get_stats().blocks;
    tests();
    CHECK_INT(poet_memory_get_stats().blocks, before);
    scratch_end();
    return CHECK_RESULT();
}

#endif
