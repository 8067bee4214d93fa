#include "codec/png.h"

#include "pictures.h"
#include "tests/support/check.h"
#include "tests/support/scratch.h"

#include <png.h>
#include <signal.h>
#include <sys/resource.h>

enum { H = 9, W = 13, LIMIT = 1 << 20 };

static const uint8_t black[3] = {0, 0, 0};

/* A chunk of zeros behind what is there; nobody looks at its checksum. */
static void add_chunk(unsigned char *file, size_t *size, const char *type, unsigned length)
{
    png_save_uint_32(file + *size, length);
    memcpy(file + *size + 4, type, 4);
    *size += length + 12;
}

/* Whether it moves is said before the pixels, however far from the start. */
static void test_animated(void)
{
    for (int animated = 0; animated < 2; animated++) {
        unsigned char file[9000] = "\x89PNG\r\n\x1a\n";
        size_t size = 8;
        add_chunk(file, &size, "IHDR", 13);
        add_chunk(file, &size, "tEXt", 7000);
        memcpy(file + size - 100, "acTL", 4); /* in the text it says nothing */
        if (animated)
            add_chunk(file, &size, "acTL", 8);
        add_chunk(file, &size, "IDAT", 20);
        write_bytes(scratch("chunks.png"), file, size);
        CHECK(poet_png_is(scratch("chunks.png")) == !animated);
    }
}

/* A picture of any kind: byte i of row y is what value says. */
static void make_png(const char *path, int type, int depth, int interlace, int row_bytes,
                     int (*value)(int y, int i))
{
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_byte rows[H][8 * W] = {{0}}, *pointers[H];
    for (int y = 0; y < H; y++) {
        pointers[y] = rows[y];
        for (int i = 0; i < row_bytes; i++)
            rows[y][i] = (png_byte)value(y, i);
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, W, H, depth, type, interlace, 0, 0);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[4] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {100, 110, 120}};
        png_byte alpha[2] = {255, 0};
        png_set_PLTE(png, info, palette, 4);
        png_set_tRNS(png, info, alpha, 2, NULL);
    }
    png_set_rows(png, info, pointers);
    png_write_png(png, info, 0, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

static int ramp(int y, int i)
{
    return y * 16 + i;
}

/* Two bytes per sample, the low one all over the place. */
static int wide(int y, int i)
{
    return i % 2 ? 7 * i : y * 16 + i / 2;
}

/* Four pixels per byte: indices 0, 1, 2, 3. */
static int palette_row(int y, int i)
{
    (void)y;
    (void)i;
    return 0x1b;
}

static int red_half(int y, int i)
{
    (void)y;
    return (const int[]){200, 100, 0, 128}[i % 4];
}

static void test_kinds(void)
{
    poet_clip p;
    const char *path = scratch("kind.png");
    for (int interlace = 0; interlace < 2; interlace++) {
        make_png(path, PNG_COLOR_TYPE_RGB, 8, interlace, 3 * W, ramp);
        CHECK_OK(poet_png_read(path, black, LIMIT, &p));
        CHECK_INT(p.h, H);
        CHECK_INT(p.w, W);
        for (int i = 0; i < 3 * W; i++)
            CHECK_INT(p.pixels[5 * 3 * W + i], 80 + i);
        poet_clip_free(&p);
        make_png(path, PNG_COLOR_TYPE_GRAY, 16, interlace, 2 * W, wide);
        CHECK_OK(poet_png_read(path, black, LIMIT, &p));
        for (int x = 0; x < W; x++)
            CHECK_CLOSE(p.pixels[(3 * W + x) * 3 + 2], 48 + x, 1);
        poet_clip_free(&p);
        make_png(path, PNG_COLOR_TYPE_PALETTE, 2, interlace, 4, palette_row);
        CHECK_OK(poet_png_read(path, (const uint8_t[3]){1, 2, 3}, LIMIT, &p));
        CHECK_INT(p.pixels[0], 10);
        CHECK_INT(p.pixels[4], 2); /* index 1 is transparent */
        CHECK_INT(p.pixels[11], 120);
        poet_clip_free(&p);
        make_png(path, PNG_COLOR_TYPE_RGBA, 8, interlace, 4 * W, red_half);
        CHECK_OK(poet_png_read(path, (const uint8_t[3]){255, 255, 255}, LIMIT, &p));
        CHECK_INT(p.pixels[0], (200 * 128 + 255 * 127 + 127) / 255);
        CHECK_INT(p.pixels[2], 127);
        poet_clip_free(&p);
    }
}

static void test_write(void)
{
    poet_clip in = disc_clip(1, 31, 17, 1), out;
    const poet_video_tag tags[] = {
        {"prompt", "a red disc"}, {"seed", "7"}, {"model", "gr\xc3\xbcn"}};
    const char *path = scratch("written.png");
    size_t size, again;
    CHECK_OK(poet_png_write(path, in.pixels, 31, 17, tags, 3));
    CHECK(poet_png_is(path));
    CHECK_OK(poet_png_read(path, black, LIMIT, &out));
    CHECK(psnr(&in, &out) == 99);
    unsigned char *bytes = read_bytes(path, &size);
    CHECK(memmem(bytes, size, "tEXtTitle\0a red disc", 20) != NULL);
    CHECK(memmem(bytes, size, "tEXtSeed\0007", 10) != NULL);
    CHECK(memmem(bytes, size, "iTXtModel", 9) != NULL);
    CHECK_OK(poet_png_write(path, in.pixels, 31, 17, tags, 3));
    unsigned char *same = read_bytes(path, &again);
    CHECK(size == again && memcmp(bytes, same, size) == 0);
    poet_free(bytes);
    poet_free(same);
    poet_clip_free(&in);
    poet_clip_free(&out);
}

/* Any cut and any flipped byte: an error or a picture, never a crash; a cut is always an error. */
static void test_damage(void)
{
    poet_clip p;
    size_t size;
    make_png(scratch("whole.png"), PNG_COLOR_TYPE_RGB, 8, 1, 3 * W, ramp);
    unsigned char *bytes = read_bytes(scratch("whole.png"), &size);
    const char *path = scratch("broken.png");
    for (size_t n = 0; n < size; n++) {
        write_bytes(path, bytes, n);
        CHECK_FAILS(poet_png_read(path, black, LIMIT, &p), POET_ERR_FORMAT, "broken.png: ");
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x10;
        write_bytes(path, bytes, size);
        poet_status status = poet_png_read(path, black, LIMIT, &p);
        CHECK(status == POET_OK || status == POET_ERR_FORMAT || status == POET_ERR_NOMEM);
        poet_clip_free(&p);
        bytes[i] ^= 0x10;
    }
    poet_free(bytes);
    CHECK_FAILS(poet_png_read(scratch("whole.png"), black, H * W - 1, &p), POET_ERR_NOMEM,
                "larger than the limit");
    CHECK_FAILS(poet_png_read(scratch("none.png"), black, LIMIT, &p), POET_ERR_IO, "none.png");
}

/* No memory is asked for a chunk that claims more than its file has. */
static void test_long_chunk(void)
{
    enum { AFTER_IHDR = 33 };

    static const char claim[] = "\x10\0\0\0tEXtTitle";
    const size_t added = sizeof claim; /* with its final 0, which ends the key */
    size_t size;
    poet_clip p;
    unsigned char *bytes = read_bytes(scratch("whole.png"), &size);
    unsigned char *longer = poet_alloc(size + added);
    memcpy(longer, bytes, AFTER_IHDR);
    memcpy(longer + AFTER_IHDR, claim, added);
    memcpy(longer + AFTER_IHDR + added, bytes + AFTER_IHDR, size - AFTER_IHDR);
    write_bytes(scratch("long.png"), longer, size + added);
    CHECK_FAILS(poet_png_read(scratch("long.png"), black, LIMIT, &p), POET_ERR_FORMAT,
                "is not a readable PNG file");
    CHECK(poet_memory_get_stats().peak < 0x10000000);
    poet_free(longer);
    poet_free(bytes);
}

static void test_full_disk(void)
{
    struct rlimit old, small;
    poet_clip in = disc_clip(1, 64, 64, 1);
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    small = old;
    small.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &small);
    int before = scratch_files();
    CHECK_FAILS(poet_png_write(scratch("full.png"), in.pixels, 64, 64, NULL, 0), POET_ERR_IO,
                "full.png: cannot be written");
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_INT(scratch_files(), before);
    poet_clip_free(&in);
}

static void test_no_memory(void)
{
    size_t blocks = poet_memory_get_stats().blocks;
    poet_status status = POET_ERR_NOMEM;
    const char *path = scratch("whole.png");
    int n = 1;
    for (; n < 1000 && status == POET_ERR_NOMEM; n++) {
        poet_clip p;
        poet_memory_fail_at(n);
        status = poet_png_read(path, black, LIMIT, &p);
        poet_clip_free(&p);
        CHECK_INT(poet_memory_get_stats().blocks, blocks);
    }
    poet_memory_fail_at(0);
    CHECK_INT(status, POET_OK);
    CHECK(n > 4);
}

/* A folder of pictures is one clip, but for what shows that it is a folder of clips. */
static void test_collections(void)
{
    static const char *const signs[] = {"captions.jsonl", "captions.csv", "a.mp4", "b.WEBM"};
    static const char *const others[] = {"a.png", "a.json", "a.txt", ".a.mp4", "mp4"};
    CHECK_OK(poet_make_directory(scratch("some")));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char name[64];
        snprintf(name, sizeof name, "some/%s", others[i]);
        write_bytes(scratch(name), "x", 1);
    }
    CHECK(poet_video_is_sequence(scratch("some")) && !poet_video_is_collection(scratch("some")));
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        char name[64];
        snprintf(name, sizeof name, "some/%s", signs[i]);
        write_bytes(scratch(name), "x", 1);
        CHECK(poet_video_is_collection(scratch("some")));
        unlink(scratch(name));
    }
    CHECK(!poet_video_is_collection(scratch("none")));
    CHECK(!poet_video_is_collection(scratch("some/a.png")));
}

int main(void)
{
    scratch_begin();
    test_collections();
    test_animated();
    test_kinds();
    test_write();
    test_damage();
    test_long_chunk();
    test_full_disk();
    test_no_memory();
    scratch_end();
    return CHECK_RESULT();
}
