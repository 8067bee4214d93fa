/* Files that are no videos, or not any more: one sentence each, nothing on stderr, no leak. */
#include "codec/video.h"

#include "make_video.h"
#include "pictures.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>

static poet_status read_status(const char *path)
{
    poet_clip clip;
    poet_status status = poet_video_read(path, NULL, &clip);
    poet_clip_free(&clip);
    return status;
}

static void test_not_videos(void)
{
    write_bytes(scratch("empty.mp4"), "", 0);
    CHECK_FAILS(read_status(scratch("empty.mp4")), POET_ERR_FORMAT, "empty.mp4: is empty");
    CHECK_FAILS(read_status(scratch("none.mp4")), POET_ERR_IO,
                "none.mp4: cannot be opened: No such");
    CHECK_FAILS(read_status("/dev/zero"), POET_ERR_IO, "/dev/zero: is not a regular file");
    CHECK_OK(poet_make_directory(scratch("folder.mp4")));
    CHECK_FAILS(read_status(scratch("folder.mp4")), POET_ERR_IO, "a directory without PNG files");
    CHECK_INT(mkfifo(scratch("pipe.mp4"), 0600), 0);
    int writer = open(scratch("pipe.mp4"), O_RDWR); /* so that opening it does not wait */
    CHECK_FAILS(read_status(scratch("pipe.mp4")), POET_ERR_IO, "not a regular file");
    close(writer);
    make_sound(scratch("sound.wav"));
    CHECK_FAILS(read_status(scratch("sound.wav")), POET_ERR_FORMAT, "holds no video, only sound");
    const char *text = "Once upon a time there was a small red circle.\n\x1b[1mIt moved left.\n";
    const char *names[] = {"text.mp4", "text.txt", "text.webm", "text.gif", "text",
                           "text.ans", "text.png", "text.jpg",  "text.srt", "text.nfo"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        write_bytes(scratch(names[k]), text, strlen(text));
        CHECK_FAILS(read_status(scratch(names[k])), POET_ERR_FORMAT, names[k]);
    }
}

/* Playlists do not lead to other files of the disk's devices or the net. */
static void test_playlists(void)
{
    const char *net = "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n";
    write_bytes(scratch("net.m3u8"), net, strlen(net));
    CHECK_FAILS(read_status(scratch("net.m3u8")), POET_ERR_FORMAT, "net.m3u8: ");
}

/* A video that was cut is refused, unless what is missing is behind the last frame. */
static void test_cuts(void)
{
    const char *names[] = {"cut.mp4", "cut.webm", "cut.gif", "cut.mov"};
    poet_clip clip = disc_clip(12, 32, 32, 8);
    for (int k = 0; k < 4; k++) {
        size_t size;
        poet_clip got;
        const char *path = scratch(names[k]);
        CHECK_OK(poet_video_write(path, &clip, NULL, NULL));
        unsigned char *bytes = read_bytes(path, &size);
        for (int part = 0; part < 40; part++) {
            size_t n = size * (size_t)part / 40;
            write_bytes(path, bytes, n);
            poet_status status = poet_video_read(path, NULL, &got);
            bool whole = status == POET_OK && got.t == 12;
            if (!whole && status != POET_ERR_FORMAT)
                fprintf(stderr, "%s: %zu of %zu bytes gave %d frames, status %d\n", names[k], n,
                        size, got.t, (int)status);
            CHECK(whole || status == POET_ERR_FORMAT);
            CHECK(status == POET_OK || strstr(poet_error_message(), names[k]));
            poet_clip_free(&got);
            status = poet_video_read(path, &(poet_video_options){.keep_damaged = true}, &got);
            CHECK(status == POET_OK || status == POET_ERR_FORMAT);
            poet_clip_free(&got);
        }
        poet_free(bytes);
    }
    poet_clip_free(&clip);
}

/* Damage in the middle: any status, never a crash or a clip beyond the limit. */
static void test_flips(void)
{
    const char *names[] = {"flip.mp4", "flip.webm", "flip.gif"};
    poet_clip clip = disc_clip(6, 32, 32, 8), got;
    for (int k = 0; k < 3; k++) {
        size_t size;
        const char *path = scratch(names[k]);
        CHECK_OK(poet_video_write(path, &clip, NULL, NULL));
        unsigned char *bytes = read_bytes(path, &size);
        size_t step = size / 150 + 1;
        for (size_t i = 0; i < size; i += step) {
            bytes[i] ^= 0xff;
            write_bytes(path, bytes, size);
            poet_status status =
                poet_video_read(path, &(poet_video_options){.max_bytes = 1 << 20}, &got);
            CHECK(status != POET_OK || (size_t)got.t * poet_clip_frame_bytes(&got) <= 1 << 20);
            poet_clip_free(&got);
            bytes[i] ^= 0xff;
        }
        poet_free(bytes);
    }
    poet_clip_free(&clip);
}

static void test_no_memory(void)
{
    poet_clip clip = disc_clip(3, 16, 16, 8);
    const char *path = scratch("memory.gif");
    CHECK_OK(poet_video_write(path, &clip, NULL, NULL));
    size_t blocks = poet_memory_get_stats().blocks;
    poet_status status = POET_ERR_NOMEM;
    int n = 1;
    for (; n < 100 && status == POET_ERR_NOMEM; n++) {
        poet_memory_fail_at(n);
        status = read_status(path);
        CHECK_INT(poet_memory_get_stats().blocks, blocks);
    }
    poet_memory_fail_at(0);
    CHECK_INT(status, POET_OK);
    CHECK(n > 6);
    poet_clip_free(&clip);
}

/* FFmpeg must have kept quiet all the time. */
static int stderr_to(const char *path)
{
    fflush(stderr);
    int old = dup(2), file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(file, 2);
    close(file);
    return old;
}

int main(void)
{
    scratch_begin();
    char log[256];
    snprintf(log, sizeof log, "%s", scratch("log"));
    int old = stderr_to(log);
    test_not_videos();
    test_playlists();
    test_cuts();
    test_flips();
    test_no_memory();
    fflush(stderr);
    dup2(old, 2);
    size_t size;
    unsigned char *said = read_bytes(log, &size);
    fwrite(said, 1, size, stderr);
    CHECK_INT(size, 0);
    poet_free(said);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    scratch_end();
    return CHECK_RESULT();
}
