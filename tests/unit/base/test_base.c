/* base/: errors, memory, random numbers, bits, UTF-8 and files. */
#include "base/bits.h"
#include "base/file.h"
#include "base/matrix.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/task.h"
#include "base/utf8.h"
#include "tests/support/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_status(void)
{
    CHECK_FAILS(POET_FAIL(POET_ERR_FORMAT, "%s: broken", "a.bin"), POET_ERR_FORMAT,
                "a.bin: broken");
    poet_context(POET_ERR_FORMAT, "loading %s", "m");
    CHECK_STR(poet_error_message(), "loading m: a.bin: broken");
}

static void test_memory(void)
{
    size_t before = poet_memory_get_stats().blocks;
    char *a = poet_alloc(100);
    memset(a, 7, 100);
    a = poet_realloc(a, 1000);
    CHECK(a[99] == 7);
    poet_memory_fail_at(2);
    void *b = poet_alloc(8), *c = poet_alloc(8);
    CHECK(b && !c);
    poet_free(b);
    poet_free(a);
    CHECK(!poet_calloc((size_t)-1, 16));
    poet_arena *arena = poet_arena_create();
    char *big = poet_arena_alloc(arena, 100000);
    CHECK(big && big[99999] == 0);
    CHECK_STR(poet_arena_strdup(arena, "text"), "text");
    poet_arena_destroy(arena);
    CHECK_INT(poet_memory_get_stats().blocks, before);
}

static void test_philox(void)
{
    /* Known answers of the Random123 distribution: philox4x32, 10 rounds. */
    uint32_t out[4];
    poet_philox(0, 0, 0, out);
    CHECK(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c &&
          out[3] == 0x9b00dbd8);
    poet_philox(~0ULL, ~0ULL, ~0ULL, out);
    CHECK(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 &&
          out[3] == 0x6d5451fd);

    poet_rng rng;
    poet_rng_init(&rng, 5, 0);
    double sum = 0, square = 0;
    int histogram[7] = {0};
    for (int i = 0; i < 70000; i++) {
        double x = (double)poet_rng_normal(&rng);
        sum += x;
        square += x * x;
        histogram[poet_rng_below(&rng, 7)]++;
    }
    CHECK_CLOSE(sum / 70000, 0, 0.02);
    CHECK_CLOSE(square / 70000, 1, 0.03);
    for (int i = 0; i < 7; i++)
        CHECK_CLOSE(histogram[i], 10000, 400);

    uint32_t order[50];
    int seen[50] = {0};
    poet_rng_permutation(&rng, 50, order);
    for (int i = 0; i < 50; i++)
        seen[order[i]]++;
    for (int i = 0; i < 50; i++)
        CHECK_INT(seen[i], 1);
}

static void test_bits(void)
{
    CHECK_INT(poet_bits_for(1), 0);
    CHECK_INT(poet_bits_for(1024), 10);
    CHECK_INT(poet_bits_for(1025), 11);
    for (int width = 0; width <= 32; width++) {
        uint32_t codes[37], back[37];
        unsigned char packed[37 * 4];
        poet_rng rng;
        poet_rng_init(&rng, 1, (uint64_t)width);
        for (int i = 0; i < 37; i++)
            codes[i] = width ? poet_rng_u32(&rng) >> (32 - width) : 0;
        poet_bits_pack(codes, 37, width, packed);
        poet_bits_unpack(packed, 37, width, back);
        CHECK(memcmp(codes, back, sizeof codes) == 0);
    }
    CHECK(poet_crc32(0, "123456789", 9) == 0xCBF43926);
    CHECK(poet_crc32(poet_crc32(0, "1234", 4), "56789", 5) == 0xCBF43926);
}

static void test_file(void)
{
    char directory[] = "/tmp/poet-base-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    char *path = poet_path_join(directory, "sub/a.Bin"), *sub = poet_path_join(directory, "sub");
    char extension[16];
    poet_path_extension(path, extension);
    CHECK_STR(extension, "bin");
    CHECK_OK(poet_make_directory(sub));

    poet_output *output;
    CHECK_OK(poet_output_create(path, &output));
    CHECK_OK(poet_output_write(output, "hello", 5));
    CHECK(!poet_is_file(path));
    poet_output_destroy(output);
    CHECK(!poet_is_file(path));
    CHECK_OK(poet_output_create(path, &output));
    CHECK_OK(poet_output_write(output, "hello", 5));
    CHECK_OK(poet_output_commit(output));
    poet_output_destroy(output);

    unsigned char *bytes;
    size_t size;
    poet_map map;
    CHECK_OK(poet_file_read(path, 100, &bytes, &size));
    CHECK(size == 5 && memcmp(bytes, "hello", 6) == 0);
    poet_free(bytes);
    CHECK_FAILS(poet_file_read(path, 4, &bytes, &size), POET_ERR_FORMAT, "a.Bin");
    CHECK_FAILS(poet_file_read(sub, 4, &bytes, &size), POET_ERR_IO, "not a regular file");
    CHECK_FAILS(poet_file_read("/nonexistent/x", 4, &bytes, &size), POET_ERR_IO, "/nonexistent/x");
    CHECK_FAILS(poet_output_create(sub, &output), POET_ERR_IO, "is a directory");
    CHECK_OK(poet_map_open(path, &map));
    CHECK(map.size == 5 && map.bytes[4] == 'o');
    poet_map_close(&map);
    unlink(path);
    rmdir(sub);
    rmdir(directory);
    poet_free(sub);
    poet_free(path);
}

/* The process at the other end of a pipe: a text in pieces, with time between them for the reader to find it empty. */
static pid_t write_slowly(const char *path, int pieces)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    FILE *file = fopen(path, "wb");
    for (int i = 0; i < pieces && file; i++) {
        usleep(20000);
        fprintf(file, "piece %d\n", i);
        fflush(file);
    }
    _exit(file && fclose(file) == 0 ? 0 : 1);
}

static void test_stream(void)
{
    char directory[] = "/tmp/poet-base-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    char *path = poet_path_join(directory, "pipe"), *file = poet_path_join(directory, "file");
    unsigned char *bytes;
    size_t size;
    int ended;
    CHECK_INT(mkfifo(path, 0600), 0);
    pid_t child = write_slowly(path, 3);
    CHECK_OK(poet_stream_read(path, 24, &bytes, &size));
    CHECK_STR((char *)bytes, "piece 0\npiece 1\npiece 2\n");
    CHECK_INT(size, 24);
    poet_free(bytes);
    CHECK(waitpid(child, &ended, 0) == child && ended == 0);
    CHECK_OK(poet_stream_read(path, 24, &bytes, &size)); /* nobody writes */
    CHECK(size == 0 && bytes[0] == 0);
    poet_free(bytes);
    CHECK_OK(poet_stream_read("/dev/null", 0, &bytes, &size));
    CHECK_INT(size, 0);
    poet_free(bytes);
    CHECK_FAILS(poet_stream_read("/dev/zero", 1 << 20, &bytes, &size), POET_ERR_FORMAT,
                "/dev/zero: has more than the 1048576 bytes");
    CHECK(!bytes);
    CHECK_FAILS(poet_stream_read(directory, 4, &bytes, &size), POET_ERR_IO,
                "is neither a file nor a pipe");
    FILE *regular = fopen(file, "wb");
    CHECK(regular && fputs("hello", regular) >= 0 && fclose(regular) == 0);
    CHECK_OK(poet_stream_read(file, 5, &bytes, &size));
    CHECK_STR((char *)bytes, "hello");
    poet_free(bytes);
    CHECK_FAILS(poet_stream_read(file, 4, &bytes, &size), POET_ERR_FORMAT, "at most 4");
    unlink(file);
    unlink(path);
    rmdir(directory);
    poet_free(file);
    poet_free(path);
}

/* "BEFORE.PID.tmp" */
static void touch(const char *directory, const char *before, long process)
{
    char name[64];
    snprintf(name, sizeof name, "%s%ld.tmp", before, process);
    char *path = poet_path_join(directory, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fclose(file) == 0);
    poet_free(path);
}

/* What a dead process left for one name goes; what a living one has, and what only looks like it, stays. */
static void test_clean(void)
{
    char directory[] = "/tmp/poet-base-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    CHECK(waitpid(dead, NULL, 0) == dead);
    char *path = poet_path_join(directory, "a.st"), *deep = poet_path_join(path, "b/c");
    touch(directory, "a.st.", dead);
    touch(directory, "a.st.", getpid());
    touch(directory, "a.st.x", dead);
    touch(directory, "b.st.", dead);
    FILE *file = fopen(path, "wb");
    CHECK(file && fclose(file) == 0);
    poet_output_clean(path);
    poet_output_clean(deep); /* there is no such directory */
    int left = 0;
    DIR *open = opendir(directory);
    for (struct dirent *entry; (entry = readdir(open));) {
        char gone[64];
        snprintf(gone, sizeof gone, "a.st.%ld.tmp", (long)dead);
        CHECK(strcmp(entry->d_name, gone) != 0);
        left += entry->d_name[0] != '.';
    }
    closedir(open);
    CHECK_INT(left, 4);

    CHECK_OK(poet_can_make_directory(directory));
    CHECK_FAILS(poet_can_make_directory(deep), POET_ERR_IO, "a.st: exists and is not a directory");
    CHECK_OK(poet_can_make_directory("no-folder-of-this-name/b"));
    CHECK(!poet_is_directory("no-folder-of-this-name"));
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", directory);
    CHECK(system(command) == 0);
    poet_free(deep);
    poet_free(path);
}

static void write_text(const char *directory, const char *name)
{
    char *path = poet_path_join(directory, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fputs(directory, file) >= 0 && fclose(file) == 0);
    poet_free(path);
}

/* Whether it was written to a directory of that name. */
static bool comes_from(const char *path, const char *directory)
{
    unsigned char *bytes = NULL;
    size_t size;
    bool same = poet_file_read(path, 100, &bytes, &size) == POET_OK &&
                strcmp((const char *)bytes, directory) == 0;
    poet_free(bytes);
    return same;
}

/* First where there is no other, then where there is one with a file more. */
static void test_place(void)
{
    char top[] = "/tmp/poet-base-XXXXXX";
    static const char *const none[] = {NULL}, *const own[] = {"c", NULL};
    CHECK(mkdtemp(top) != NULL && chdir(top) == 0);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(poet_make_directory("new/deep"));
        write_text("new", "a");
        write_text("new/deep", "c");
        CHECK_OK(poet_place_directory("new", "old", own));
        CHECK(!poet_is_directory("new"));
        CHECK(comes_from("old/a", "new") && comes_from("old/deep/c", "new/deep"));
        CHECK(poet_is_file("old/b") == (round > 0) && !poet_is_file("old/c"));
        write_text("old", "a");
        write_text("old", "b");
        write_text("old", "c");
    }
    CHECK(comes_from("old/b", "old"));
    CHECK_FAILS(poet_place_directory("new", "old", none), POET_ERR_IO,
                "old: cannot be put in place");
    CHECK_OK(poet_make_directory("new"));
    CHECK_FAILS(poet_place_directory("new", "old/a", none), POET_ERR_IO,
                "old/a: cannot be put in place");
    CHECK(chdir("/") == 0);
    poet_remove_directory(top);
    CHECK(!poet_is_directory(top));
    poet_remove_directory(top);
}

static int rising(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* L L' X = B for two right sides; the direction of a zero pivot counts for nothing. */
static void test_solve(void)
{
    double m[] = {4, 0, 0, 2, 5, 0, 0, 4, 5}, b[] = {8, -2, 24, 11, 23, 16};
    poet_cholesky_factor(m, 3);
    poet_cholesky_solve(m, 3, b, 2);
    const double x[] = {1, 0, 2, -1, 3, 4};
    for (int i = 0; i < 6; i++)
        CHECK_CLOSE(b[i], x[i], 1e-12);
    double flat[] = {9, 0, 9, 9}, y[] = {18, 18};
    poet_cholesky_factor(flat, 2);
    poet_cholesky_solve(flat, 2, y, 1);
    CHECK_CLOSE(y[0], 2, 1e-12);
    CHECK(y[1] == 0);
}

/* 2 on the diagonal and -1 beside it: the eigenvalues are 2 - 2 cos(pi k / (n + 1)). */
static void test_eigenvalues(void)
{
    enum { SIDE = 24 };

    double m[SIDE * SIDE] = {0}, values[SIDE];
    for (int i = 0; i < SIDE; i++) {
        m[i * SIDE + i] = 2;
        if (i)
            m[i * SIDE + i - 1] = m[(i - 1) * SIDE + i] = -1;
    }
    poet_symmetric_eigenvalues(m, SIDE, values);
    qsort(values, SIDE, sizeof *values, rising);
    for (int k = 1; k <= SIDE; k++)
        CHECK_CLOSE(values[k - 1], 2 - 2 * cos(M_PI * k / (SIDE + 1)), 1e-12);
    double zero[4] = {0}, one[1] = {-3};
    poet_symmetric_eigenvalues(zero, 2, values);
    CHECK(values[0] == 0 && values[1] == 0);
    poet_symmetric_eigenvalues(one, 1, values);
    CHECK(values[0] == -3);
}

static void note_done(void *user, const poet_progress *progress)
{
    *(double *)user = progress->done;
}

static bool always(void *user)
{
    (void)user;
    return true;
}

static void test_task(void)
{
    double done = 0;
    poet_task going = {.progress = note_done, .user = &done};
    poet_task stopped = {.progress = note_done, .stop = always, .user = &done};
    CHECK_OK(poet_task_advance(&going, "import", 3, 10, "clips"));
    CHECK_FAILS(poet_task_advance(&stopped, "import", 4, 10, "clips"), POET_ERR_INTERRUPTED,
                "stopped after 4 of 10 clips");
    CHECK_CLOSE(done, 4, 0);
    CHECK_OK(poet_task_advance(&stopped, "import", 10, 10, "clips"));
    CHECK_OK(poet_task_advance(NULL, "import", 3, 10, "clips"));
}

static void test_utf8(void)
{
    static const struct {
        const char *text;
        long bad; /* -1: valid */
    } cases[] = {
        {"", -1},
        {"plain", -1},
        {"\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xEF\xBF\xBF \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF", -1},
        {"\xED\x9F\xBF\xEE\x80\x80", -1}, /* around the surrogates */
        {"ab\x80", 2},                    /* a continuation alone */
        {"\xC0\xAF", 0},                  /* overlong */
        {"\xC1\xBF", 0},                  /* overlong */
        {"x\xE0\x9F\xBF", 1},             /* overlong */
        {"x\xF0\x8F\xBF\xBF", 1},         /* overlong */
        {"\xED\xA0\x80", 0},              /* the first surrogate */
        {"\xED\xBF\xBF", 0},              /* the last surrogate */
        {"\xF4\x90\x80\x80", 0},          /* above U+10FFFF */
        {"\xF5\x80\x80\x80", 0},          /* above U+10FFFF */
        {"\xFF", 0},                      /* no byte of UTF-8 */
        {"\xE5\xB0\x8F\xE5\xB0", 3},      /* cut off */
        {"\xC3", 0},                      /* cut off */
        {"\xF0\x9F\x8E", 0},              /* cut off */
        {"\xE5\xB0x", 0},                 /* a letter where a continuation should be */
        {"\xC3\xC3\xA4", 0},              /* two first bytes */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bad = 999, bytes = strlen(cases[i].text);
        CHECK(poet_utf8_valid(cases[i].text, bytes, &bad) == (cases[i].bad < 0));
        CHECK_INT(bad, cases[i].bad < 0 ? 999 : cases[i].bad);
        CHECK(poet_utf8_valid(cases[i].text, bytes, NULL) == (cases[i].bad < 0));
    }
    CHECK(poet_utf8_valid("a\0b", 3, NULL));
    CHECK(!poet_utf8_valid("\xC3\xA4", 1, NULL));
}

int main(void)
{
    test_task();
    test_utf8();
    test_solve();
    test_eigenvalues();
    test_status();
    test_memory();
    test_philox();
    test_bits();
    test_file();
    test_stream();
    test_clean();
    test_place();
    return CHECK_RESULT();
}
