#include "codec/tokfile.h"

#include "base/bits.h"
#include "base/rng.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { CLIPS = 3, MAX_CODES = 2 * 3 * 5 * 4 };

static const char *const captions[CLIPS] = {"a red circle", "", "ein gr\xc3\xbcner \"Kreis\"\n"};

static poet_tokfile_header header_of(uint32_t codes, uint32_t levels)
{
    return (poet_tokfile_header){.codes = codes,
                                 .levels = levels,
                                 .patch_t = 4,
                                 .patch_h = 8,
                                 .patch_w = 8,
                                 .fps = 8.5,
                                 .tokenizer = 0x123456789abcdef0};
}

static poet_tokfile_clip clip_of(int i)
{
    return (poet_tokfile_clip){
        .t = 1 + (uint32_t)i % 2, .h = 3, .w = 5, .caption = captions[i], .source = "clip.mp4"};
}

static void fill(uint32_t *codes, uint32_t k, int i)
{
    poet_rng rng;
    poet_rng_init(&rng, k, (uint64_t)i);
    for (int n = 0; n < MAX_CODES; n++)
        codes[n] = poet_rng_below(&rng, k);
    codes[0] = k - 1;
}

static void write_file(const char *path, uint32_t k, uint32_t levels)
{
    poet_tokfile_writer *w;
    poet_tokfile_header header = header_of(k, levels);
    CHECK_OK(poet_tokfile_create(path, &header, &w));
    for (int i = 0; i < CLIPS; i++) {
        uint32_t codes[MAX_CODES];
        poet_tokfile_clip clip = clip_of(i);
        fill(codes, k, i);
        CHECK_OK(poet_tokfile_add(w, &clip, codes));
    }
    CHECK_OK(poet_tokfile_commit(w));
    poet_tokfile_destroy(w);
}

/* Every width of codes, in any order of reading. */
static void test_round_trip(void)
{
    const uint32_t sizes[] = {1, 2, 3, 64, 1000, 1024, 1025, 65536, 1u << 18, 1u << 31};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const char *path = scratch("round.ptok");
        uint32_t levels = 1 + (uint32_t)s % 4;
        poet_tokfile *f;
        write_file(path, sizes[s], levels);
        CHECK_OK(poet_tokfile_open(path, &f));
        if (!f)
            return;
        CHECK_INT(poet_tokfile_count(f), CLIPS);
        CHECK_INT(poet_tokfile_get_header(f)->codes, sizes[s]);
        CHECK_INT(poet_tokfile_get_header(f)->levels, levels);
        CHECK_INT(poet_tokfile_get_header(f)->patch_h, 8);
        CHECK(poet_tokfile_get_header(f)->fps == 8.5);
        for (int i = CLIPS - 1; i >= 0; i--) {
            uint32_t codes[MAX_CODES], wanted[MAX_CODES];
            poet_tokfile_clip info = poet_tokfile_info(f, (size_t)i);
            fill(wanted, sizes[s], i);
            CHECK_INT(info.t, clip_of(i).t);
            CHECK_INT(info.h, 3);
            CHECK_STR(info.caption, captions[i]);
            CHECK_STR(info.source, "clip.mp4");
            size_t count = poet_tokfile_code_count(f, (size_t)i);
            CHECK_INT(count, clip_of(i).t * 15 * levels);
            CHECK_OK(poet_tokfile_read(f, (size_t)i, codes));
            CHECK(memcmp(codes, wanted, count * sizeof *codes) == 0);
        }
        poet_tokfile_close(f);
    }
}

/* Opens and reads everything; the first failure. */
static poet_status read_everything(const char *path)
{
    poet_tokfile *f;
    uint32_t codes[MAX_CODES];
    POET_TRY(poet_tokfile_open(path, &f));
    poet_status status = poet_tokfile_count(f) == CLIPS ? POET_OK : POET_ERR_MISMATCH;
    for (size_t i = 0; !status && i < CLIPS; i++)
        status = poet_tokfile_read(f, i, codes);
    poet_tokfile_close(f);
    return status;
}

static void test_damage(void)
{
    const int flips[] = {1, 0x80, 0xff};
    const char *path = scratch("whole.ptok");
    size_t size;
    write_file(path, 1000, 2);
    unsigned char *bytes = read_bytes(path, &size);
    CHECK_OK(read_everything(path));
    path = scratch("broken.ptok");
    for (size_t i = 0; i < size; i++)
        for (int k = 0; k < 3; k++) {
            const int flip = flips[k];
            bytes[i] = (unsigned char)(bytes[i] ^ flip);
            write_bytes(path, bytes, size);
            CHECK_FAILS(read_everything(path), POET_ERR_FORMAT, "broken.ptok: ");
            bytes[i] = (unsigned char)(bytes[i] ^ flip);
        }
    for (size_t length = 0; length < size; length++) {
        write_bytes(path, bytes, length);
        CHECK_FAILS(read_everything(path), POET_ERR_FORMAT, "broken.ptok: ");
    }
    poet_free(bytes);
}

/* Files whose checksums are right but whose numbers lie. */
static void test_lies(void)
{
    const char *path = scratch("whole.ptok"), *lie = scratch("lie.ptok");
    size_t size;
    write_file(path, 1000, 1);
    unsigned char *bytes = read_bytes(path, &size), *footer = bytes + size - 28;
    unsigned char *entry = bytes + poet_get_u64(footer);
    poet_put_u32(bytes + 12, 500); /* fewer codes, of one bit less */
    poet_put_u32(bytes + 44, poet_crc32(0, bytes, 44));
    write_bytes(lie, bytes, size);
    CHECK_FAILS(read_everything(lie), POET_ERR_FORMAT, "clip 0 is damaged");
    poet_put_u32(bytes + 12, 999); /* the width is the same, but 999 is there */
    poet_put_u32(bytes + 44, poet_crc32(0, bytes, 44));
    write_bytes(lie, bytes, size);
    CHECK_FAILS(read_everything(lie), POET_ERR_FORMAT, "code 999 at 0 of clip 0 is outside");
    const uint32_t wrong[] = {0, 65536, 4000000000u};
    for (size_t at = 8; at <= 32; at += 4)
        for (int i = 0; at != 12 && i < 3; i++) {
            uint32_t old = poet_get_u32(entry + at);
            poet_put_u32(entry + at, wrong[i]);
            poet_put_u32(footer + 20, poet_crc32(0, entry, (size_t)(footer - entry)));
            poet_put_u32(footer + 24, poet_crc32(0, footer, 24));
            write_bytes(lie, bytes, size);
            CHECK_FAILS(read_everything(lie), POET_ERR_FORMAT, "badly described");
            poet_put_u32(entry + at, old);
        }
    poet_free(bytes);
}

static void test_refusals(void)
{
    poet_tokfile_writer *w;
    poet_tokfile *f;
    uint32_t codes[MAX_CODES] = {5};
    poet_tokfile_header header = header_of(0, 1);
    CHECK_FAILS(poet_tokfile_create(scratch("a.ptok"), &header, &w), POET_ERR_ARG, "codebook");
    header = header_of(5, 1);
    CHECK_OK(poet_tokfile_create(scratch("a.ptok"), &header, &w));
    poet_tokfile_clip clip = clip_of(0);
    CHECK_FAILS(poet_tokfile_add(w, &clip, codes), POET_ERR_ARG, "code 5 at 0 of clip 0");
    clip.t = 0;
    CHECK_FAILS(poet_tokfile_add(w, &clip, codes), POET_ERR_ARG, "0 x 3 x 5");
    clip.t = clip.h = clip.w = 60000;
    CHECK_FAILS(poet_tokfile_add(w, &clip, codes), POET_ERR_ARG, "cannot be stored");
    poet_tokfile_destroy(w);
    CHECK(!poet_is_file(scratch("a.ptok")));
    write_file(scratch("b.ptok"), 7, 1);
    CHECK_OK(poet_tokfile_open(scratch("b.ptok"), &f));
    CHECK_OK(poet_tokfile_check_fingerprint(f, 0x123456789abcdef0));
    CHECK_FAILS(poet_tokfile_check_fingerprint(f, 1), POET_ERR_MISMATCH, "b.ptok: holds codes of");
    CHECK_FAILS(poet_tokfile_read(f, 3, codes), POET_ERR_ARG, "no clip 3");
    poet_tokfile_close(f);
    CHECK_FAILS(poet_tokfile_open(scratch("none.ptok"), &f), POET_ERR_IO, "none.ptok");
    CHECK_FAILS(poet_tokfile_open(scratch_directory, &f), POET_ERR_IO, "not a regular file");
    write_bytes(scratch("text.ptok"), "once upon a time", 16);
    CHECK_FAILS(poet_tokfile_open(scratch("text.ptok"), &f), POET_ERR_FORMAT, "not a token file");
}

/* No clips is a file too. */
static void test_empty(void)
{
    poet_tokfile_writer *w;
    poet_tokfile *f;
    poet_tokfile_header header = header_of(16, 1);
    CHECK_OK(poet_tokfile_create(scratch("empty.ptok"), &header, &w));
    CHECK_OK(poet_tokfile_commit(w));
    poet_tokfile_destroy(w);
    CHECK_OK(poet_tokfile_open(scratch("empty.ptok"), &f));
    CHECK_INT(poet_tokfile_count(f), 0);
    poet_tokfile_close(f);
}

static poet_status write_one(const char *path)
{
    poet_tokfile_writer *w;
    poet_tokfile_header header = header_of(7, 1);
    poet_tokfile_clip clip = clip_of(0);
    uint32_t codes[MAX_CODES] = {0};
    POET_TRY(poet_tokfile_create(path, &header, &w));
    poet_status status = poet_tokfile_add(w, &clip, codes);
    if (!status)
        status = poet_tokfile_commit(w);
    poet_tokfile_destroy(w);
    return status;
}

static void test_full_disk(void)
{
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    small = old;
    small.rlim_cur = 50;
    setrlimit(RLIMIT_FSIZE, &small);
    int before = scratch_files();
    CHECK_FAILS(write_one(scratch("full.ptok")), POET_ERR_IO, "full.ptok: cannot be written");
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_INT(scratch_files(), before);
}

/* Every allocation fails in turn; nothing leaks, and the status says why. */
static void sweep(poet_status (*work)(const char *), const char *path)
{
    size_t blocks = poet_memory_get_stats().blocks;
    poet_status status = POET_ERR_NOMEM;
    int n = 1;
    for (; n < 1000 && status == POET_ERR_NOMEM; n++) {
        poet_memory_fail_at(n);
        status = work(path);
        CHECK_INT(poet_memory_get_stats().blocks, blocks);
    }
    poet_memory_fail_at(0);
    CHECK_INT(status, POET_OK);
    CHECK(n > 3);
}

int main(void)
{
    scratch_begin();
    test_round_trip();
    test_damage();
    test_lies();
    test_refusals();
    test_empty();
    test_full_disk();
    write_file(scratch("sweep.ptok"), 7, 2);
    sweep(read_everything, scratch("sweep.ptok"));
    sweep(write_one, scratch("sweep2.ptok"));
    scratch_end();
    return CHECK_RESULT();
}
