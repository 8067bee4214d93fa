/* Token files that are written in several goes: whatever ends one, and whatever becomes of its journal, the file has the bytes of
 * one that was written at once. */
#include "base/bits.h"
#include "codec/tokfile_internal.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { CLIPS = 5, CODES = 2 * 3 * 2, HEAD = 16 + 48 + 9 + 4 };

static const char run[] = "nine char"; /* HEAD counts them */

static const poet_tokfile_header header = {100, 2, 4, 8, 8, 8, 0x123456789abcdef0};

static unsigned char *whole; /* of a file that was written at once */
static size_t whole_size;

static poet_status add_clip(poet_tokfile_writer *w, uint32_t i)
{
    char caption[32];
    uint32_t codes[CODES];
    snprintf(caption, sizeof caption, "clip %u", i);
    poet_tokfile_clip clip = {1 + i % 2, 3, 1, i % 3 ? caption : "", "train/1"};
    for (uint32_t k = 0; k < CODES; k++)
        codes[k] = (i * 31 + k * 7) % 100;
    return poet_tokfile_add(w, &clip, codes);
}

/* The clips from those that are there up to a number. */
static poet_status add_up_to(poet_tokfile_writer *w, uint32_t n)
{
    for (uint32_t i = poet_tokfile_written(w); i < n; i++)
        POET_TRY(add_clip(w, i));
    return POET_OK;
}

static void write_whole(void)
{
    poet_tokfile_writer *w;
    CHECK_OK(poet_tokfile_create(scratch("whole.ptok"), &header, &w));
    CHECK_OK(add_up_to(w, CLIPS));
    CHECK_OK(poet_tokfile_commit(w));
    poet_tokfile_destroy(w);
    whole = read_bytes(scratch("whole.ptok"), &whole_size);
}

/* As a run that is ended behind n clips leaves it. */
static void leave(const char *name, uint32_t n)
{
    poet_tokfile_writer *w;
    CHECK_OK(poet_tokfile_resume(scratch(name), &header, run, &w));
    CHECK_OK(add_up_to(w, n));
    poet_tokfile_destroy(w);
    CHECK(!poet_is_file(scratch(name)));
}

static poet_status go_on(const char *path, uint32_t *there)
{
    poet_tokfile_writer *w;
    POET_TRY(poet_tokfile_resume(path, &header, run, &w));
    *there = poet_tokfile_written(w);
    poet_status status = add_up_to(w, CLIPS);
    if (!status)
        status = poet_tokfile_commit(w);
    poet_tokfile_destroy(w);
    return status;
}

/* Goes on with a.ptok to the end; how many clips were there. */
static uint32_t finish(void)
{
    size_t size;
    uint32_t there = UINT32_MAX;
    int files = scratch_files();
    CHECK_OK(go_on(scratch("a.ptok"), &there));
    if (there > CLIPS)
        return there;
    unsigned char *bytes = read_bytes(scratch("a.ptok"), &size);
    CHECK_INT(size, whole_size);
    CHECK(size == whole_size && memcmp(bytes, whole, size) == 0);
    poet_free(bytes);
    CHECK(!poet_is_file(scratch("a.ptok.partial")));
    CHECK_INT(scratch_files(), files); /* one for the other */
    unlink(scratch("a.ptok"));
    return there;
}

static void test_stops(void)
{
    for (uint32_t n = 1; n <= CLIPS; n++) {
        leave("a.ptok", n);
        CHECK_INT(finish(), n);
    }
    leave("a.ptok", 1);
    leave("a.ptok", 2);
    leave("a.ptok", 2);
    leave("a.ptok", 4);
    CHECK_INT(finish(), 4);
    int before = scratch_files();
    leave("a.ptok", 0); /* a journal without clips is not left */
    CHECK_INT(scratch_files(), before);
}

/* How many of the records of a journal end by a length: every one is an entry, a frame and a checksum. */
static uint32_t records_in(const unsigned char *journal, size_t length)
{
    size_t at = HEAD;
    for (uint32_t n = 0;; n++) {
        if (at + 36 > length)
            return n;
        at += 36 + poet_get_u32(journal + at + 28) + poet_get_u32(journal + at + 32) +
              poet_get_u32(journal + at + 8) + 4;
        if (at > length)
            return n;
    }
}

static void test_torn(void)
{
    size_t size;
    leave("a.ptok", 3);
    unsigned char *journal = read_bytes(scratch("a.ptok.partial"), &size);
    CHECK_INT(records_in(journal, size), 3);
    for (size_t length = 0; length < HEAD; length++) {
        uint32_t there;
        write_bytes(scratch("a.ptok.partial"), journal, length);
        CHECK_FAILS(go_on(scratch("a.ptok"), &there), POET_ERR_FORMAT, "a.ptok.partial: ");
    }
    for (size_t length = HEAD; length <= size; length++) {
        write_bytes(scratch("a.ptok.partial"), journal, length);
        CHECK_INT(finish(), records_in(journal, length));
    }
    poet_free(journal);
}

/* A head that is not its own is refused, and stays as it is; of records, those before the damage are kept. */
static void test_flipped(void)
{
    size_t size, left;
    leave("a.ptok", 3);
    unsigned char *journal = read_bytes(scratch("a.ptok.partial"), &size);
    for (size_t i = 0; i < size; i++) {
        uint32_t there;
        uint32_t before = records_in(journal, i);
        journal[i] ^= 0x10;
        write_bytes(scratch("a.ptok.partial"), journal, size);
        if (i < HEAD) {
            CHECK_FAILS(go_on(scratch("a.ptok"), &there), POET_ERR_FORMAT, "a.ptok.partial: ");
            unsigned char *bytes = read_bytes(scratch("a.ptok.partial"), &left);
            CHECK(left == size && memcmp(bytes, journal, size) == 0);
            poet_free(bytes);
        } else {
            CHECK_INT(finish(), before);
        }
        journal[i] ^= 0x10;
    }
    poet_free(journal);
}

static void test_refusals(void)
{
    poet_tokfile_writer *w, *second;
    poet_tokfile_header other = header;
    leave("a.ptok", 2);
    other.tokenizer = 1;
    CHECK_FAILS(poet_tokfile_resume(scratch("a.ptok"), &other, run, &w), POET_ERR_MISMATCH,
                "of the tokenizer 123456789abcdef0, not of 0000000000000001");
    other = header;
    other.fps = 9;
    CHECK_FAILS(poet_tokfile_resume(scratch("a.ptok"), &other, run, &w), POET_ERR_MISMATCH,
                "use the same options");
    CHECK_FAILS(poet_tokfile_resume(scratch("a.ptok"), &header, "another", &w), POET_ERR_MISMATCH,
                "a.ptok.partial: was begun with nine char, not another;");
    CHECK_OK(poet_tokfile_resume(scratch("a.ptok"), &header, run, &w));
    CHECK_FAILS(poet_tokfile_resume(scratch("a.ptok"), &header, run, &second), POET_ERR_IO,
                "a.ptok.partial: another process is writing it");
    poet_tokfile_destroy(w);
    CHECK_INT(finish(), 2);
    write_bytes(scratch("a.ptok.partial"), "half of something else", 22);
    CHECK_FAILS(poet_tokfile_resume(scratch("a.ptok"), &header, run, &w), POET_ERR_FORMAT,
                "a.ptok.partial: is in the way");
    CHECK(poet_is_file(scratch("a.ptok.partial")));
    unlink(scratch("a.ptok.partial"));
    mkdir(scratch("a.ptok.partial"), 0777);
    CHECK_FAILS(poet_tokfile_resume(scratch("a.ptok"), &header, run, &w), POET_ERR_IO,
                "a.ptok.partial: ");
    rmdir(scratch("a.ptok.partial"));
    CHECK(!poet_is_file(scratch("a.ptok")));
}

/* The disk takes so many bytes a file: what fits is kept. */
static void test_full_disk(void)
{
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t limit = 1; limit < 400; limit += 7) {
        uint32_t there;
        small = old;
        small.rlim_cur = limit;
        setrlimit(RLIMIT_FSIZE, &small);
        poet_status status = go_on(scratch("a.ptok"), &there);
        setrlimit(RLIMIT_FSIZE, &old);
        CHECK_INT(status, POET_ERR_IO);
        CHECK(strstr(poet_error_message(), ": cannot be written: ") != NULL);
        CHECK(!poet_is_file(scratch("a.ptok")));
    }
    CHECK(finish() >= 3);
}

/* Every allocation fails in turn; nothing leaks, and what was kept is not lost. */
static void test_no_memory(void)
{
    poet_status status = POET_ERR_NOMEM;
    uint32_t there;
    leave("a.ptok", 2);
    size_t blocks = poet_memory_get_stats().blocks;
    for (int n = 1; n < 1000 && status == POET_ERR_NOMEM; n++) {
        poet_memory_fail_at(n);
        status = go_on(scratch("a.ptok"), &there);
        CHECK_INT(poet_memory_get_stats().blocks, blocks);
        CHECK(!status || poet_is_file(scratch("a.ptok.partial")));
    }
    poet_memory_fail_at(0);
    CHECK_INT(status, POET_OK);
    CHECK(there >= 2);
    CHECK(!poet_is_file(scratch("a.ptok.partial")));
    unlink(scratch("a.ptok"));
}

int main(void)
{
    scratch_begin();
    write_whole();
    test_stops();
    test_torn();
    test_flipped();
    test_refusals();
    test_full_disk();
    test_no_memory();
    poet_free(whole);
    scratch_end();
    return CHECK_RESULT();
}
