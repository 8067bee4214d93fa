/* What poet_video_write_bytes announces against what writing takes. */
#include "codec/video.h"
#include "pictures.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* Bytes that a process comes to hold while it writes a clip of 512x512 pixels: a new one each time, for a peak never falls. */
static double bytes_to_write(const char *path, int t)
{
    int pipe_ends[2];
    double bytes = 0;
    CHECK_INT(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rusage before, after;
        poet_clip clip = disc_clip(t, 64, 64, 8);
        getrusage(RUSAGE_SELF, &before);
        bool written =
            poet_video_write(path, &clip, &(poet_write_options){.enlarge = 8}, NULL) == POET_OK;
        getrusage(RUSAGE_SELF, &after);
        bytes = (double)(after.ru_maxrss - before.ru_maxrss) * 1024;
        _exit(written && write(pipe_ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 1);
    }
    close(pipe_ends[1]);
    CHECK(read(pipe_ends[0], &bytes, sizeof bytes) == sizeof bytes);
    close(pipe_ends[0]);
    CHECK(waitpid(child, NULL, 0) == child);
    return bytes;
}

/* Memory that encoders take is announced, also of clips shorter than they look ahead; not several times of it. */
static void test_memory(void)
{
    static const char *const names[] = {"memory.webm", "memory.mp4"};
    for (int k = 0; k < 2; k++)
        for (int t = 1; t <= 17; t += 16) {
            poet_clip shape = {.t = t, .h = 64, .w = 64};
            double taken = bytes_to_write(scratch(names[k]), t);
            double announced = (double)poet_video_write_bytes(names[k], &shape, 8);
            if (!(taken <= announced && announced <= 3 * taken))
                fprintf(stderr, "%s of %d frames: %.0f bytes, announced %.0f\n", names[k], t, taken,
                        announced);
            CHECK(taken <= announced && announced <= 3 * taken);
        }
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
    return 77; /* its shadow is memory too */
#endif
    scratch_begin();
    test_memory();
    scratch_end();
    return CHECK_RESULT();
}
