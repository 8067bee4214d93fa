/* The tokenizer without training: configuration, principal components, causality, chunks, files, bad input. */
#include "base/memory.h"
#include "compute/backend.h"
#include "tests/support/check.h"
#include "tests/support/clips.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { T = 41, H = 8, W = 12, PIXELS = H * W * 3 };

static void test_config(void)
{
    char text[512];
    poet_tokenizer_config c = poet_tokenizer_defaults(), back;
    CHECK_OK(poet_tokenizer_config_check(&c));
    poet_tokenizer_config_text(&c, text);
    CHECK_OK(poet_tokenizer_config_parse(text, &back));
    CHECK(memcmp(&c, &back, sizeof c) == 0);

    c.quantizer = POET_QUANTIZER_FSQ;
    c.fsq_channels = 3;
    c.fsq_levels[0] = 8, c.fsq_levels[1] = 5, c.fsq_levels[2] = 4;
    CHECK_OK(poet_tokenizer_config_check(&c));
    CHECK(c.codes == 160 && c.dim == 3);
    poet_tokenizer_config_text(&c, text);
    CHECK_OK(poet_tokenizer_config_parse(text, &back));
    CHECK(memcmp(&c, &back, sizeof c) == 0);

    c.levels = 2;
    CHECK_FAILS(poet_tokenizer_config_check(&c), POET_ERR_ARG, "3 FSQ channels cannot be shared");
    c.fsq_channels = 2;
    CHECK_FAILS(poet_tokenizer_config_check(&c), POET_ERR_ARG,
                "level 1 make 5 codes, those of level 0 make 8");
    c.fsq_levels[1] = 8;
    CHECK_OK(poet_tokenizer_config_check(&c));
    CHECK(c.codes == 8 && c.dim == 2);

    c = poet_tokenizer_defaults();
    c.quantizer = POET_QUANTIZER_LFQ;
    c.codes = 1000;
    CHECK_FAILS(poet_tokenizer_config_check(&c), POET_ERR_ARG, "power of two");
    c = poet_tokenizer_defaults();
    c.width = 12;
    CHECK_FAILS(poet_tokenizer_config_check(&c), POET_ERR_ARG, "multiple of 8");
    c.patch = 5;
    CHECK_FAILS(poet_tokenizer_config_check(&c), POET_ERR_ARG, "neither 4 nor 8");
    CHECK_FAILS(poet_tokenizer_config_parse("{\"patch\": 4}", &c), POET_ERR_FORMAT,
                "cannot be read");
    CHECK_FAILS(poet_tokenizer_config_parse("nonsense", &c), POET_ERR_FORMAT, "cannot be read");

    poet_grid grid;
    c = poet_tokenizer_defaults();
    CHECK_OK(poet_tokenizer_grid(&c, 17, 64, 32, &grid));
    CHECK(grid.t == 5 && grid.h == 16 && grid.w == 8 && poet_grid_codes(&grid) == 640);
    CHECK_FAILS(poet_tokenizer_grid(&c, 16, 64, 64, &grid), POET_ERR_ARG, "1+4n");
    CHECK_FAILS(poet_tokenizer_grid(&c, 0, 64, 64, &grid), POET_ERR_ARG, "1+4n");
    CHECK_FAILS(poet_tokenizer_grid(&c, 17, 62, 64, &grid), POET_ERR_ARG, "multiples of 4");
}

/* A matrix with known eigenvectors: Householder reflections of a diagonal. */
static void test_principal(void)
{
    enum { N = 40, COUNT = 5 };

    double matrix[N * N], u[N], vectors[COUNT * N], values[COUNT], norm = 0;
    for (int i = 0; i < N; i++) {
        u[i] = 1 + i % 3;
        norm += u[i] * u[i];
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            matrix[i * N + j] = 0;
            for (int k = 0; k < N; k++) {
                double qi = (i == k) - 2 * u[i] * u[k] / norm,
                       qj = (j == k) - 2 * u[j] * u[k] / norm;
                matrix[i * N + j] += qi * qj * 100.0 / (1 + k * k);
            }
        }
    CHECK_OK(poet_principal(matrix, N, COUNT, 1, vectors, values));
    for (int k = 0; k < COUNT; k++) {
        double along = 0;
        CHECK_CLOSE(values[k], 100.0 / (1 + k * k), 1e-6);
        for (int i = 0; i < N; i++)
            along += vectors[k * N + i] * ((i == k) - 2 * u[i] * u[k] / norm);
        CHECK_CLOSE(fabs(along), 1, 1e-6);
    }
}

/* Every weight random, so that nothing is silent. */
static void shake(poet_params *params)
{
    for (int i = 0; i < poet_params_count(params); i++) {
        const poet_tensor *tensor = poet_params_tensor(params, i);
        size_t bytes = poet_tensor_bytes(tensor);
        float *values = poet_alloc(bytes);
        poet_rng rng;
        poet_rng_init(&rng, 4, (uint64_t)i);
        for (size_t k = 0; k < bytes / sizeof *values; k++)
            values[k] = 0.25F * poet_rng_normal(&rng);
        CHECK_OK(poet_params_write(params, i, values, bytes));
        poet_free(values);
    }
}

static poet_tokenizer *make(poet_device *device, int levels, int time)
{
    poet_tokenizer *t;
    poet_tokenizer_config c = poet_tokenizer_defaults();
    c.codes = 32;
    c.dim = 6;
    c.width = 8;
    c.levels = levels;
    c.encoder_blocks = 1;
    c.encoder_time = time;
    c.decoder_blocks = 2;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &t));
    shake(poet_tokenizer_params(t));
    return t;
}

/* What comes later changes nothing before, and the length of the clip does not matter. */
static void test_causality(poet_device *device, int levels)
{
    poet_tokenizer *t = make(device, levels, 3);
    static uint8_t clip[T * PIXELS], other[T * PIXELS], first[T * PIXELS], second[T * PIXELS];
    static int32_t whole[11 * 6 * 4], part[11 * 6 * 4];
    int row = 2 * 3 * levels, different = 0;
    poet_grid grid = {11, 2, 3, levels};
    support_draw_clip(1, T, H, W, clip);
    memcpy(other, clip, sizeof clip);
    for (int i = 21 * PIXELS; i < T * PIXELS; i++)
        other[i] = (uint8_t)(255 - other[i]);
    CHECK_OK(poet_tokenizer_encode(t, clip, T, H, W, whole));
    for (int frames = 1; frames <= T; frames += 4) {
        CHECK_OK(poet_tokenizer_encode(t, clip, frames, H, W, part));
        CHECK(memcmp(whole, part, (size_t)((frames + 3) / 4 * row) * sizeof *part) == 0);
    }
    CHECK_OK(poet_tokenizer_encode(t, other, T, H, W, part));
    CHECK(memcmp(whole, part, (size_t)(6 * row) * sizeof *part) == 0);
    for (int i = 6 * row; i < 11 * row; i++)
        different += whole[i] != part[i];
    CHECK(different > row);

    CHECK_OK(poet_tokenizer_decode(t, whole, &grid, first));
    CHECK_OK(poet_tokenizer_decode(t, part, &grid, second));
    CHECK(memcmp(first, second, 21 * PIXELS) == 0);
    CHECK(memcmp(first + 21 * PIXELS, second + 21 * PIXELS, PIXELS) != 0);
    grid.t = 6;
    CHECK_OK(poet_tokenizer_decode(t, whole, &grid, second));
    CHECK(memcmp(first, second, 21 * PIXELS) == 0);
    poet_tokenizer_destroy(t);
}

/* What stands still keeps its codes, from the first frame on, whatever moves elsewhere: with one block, further away than two
 * cells. */
static void test_still(poet_device *device)
{
    enum { FRAMES = 9, ROWS = 16, COLUMNS = 48, CELLS = 4 * 12 };

    poet_tokenizer *t = make(device, 1, 1);
    static uint8_t clip[FRAMES * ROWS * COLUMNS * 3];
    int32_t codes[3 * CELLS];
    int moved = 0;
    support_draw_clip(5, 1, ROWS, COLUMNS, clip);
    for (int i = ROWS * COLUMNS * 3; i < (int)sizeof clip; i++) {
        int frame = i / (ROWS * COLUMNS * 3), column = i / 3 % COLUMNS;
        clip[i] = clip[i % (ROWS * COLUMNS * 3)];
        if (column < 4)
            clip[i] = frame / 3 % 2 ? 255 : 0;
    }
    CHECK_OK(poet_tokenizer_encode(t, clip, FRAMES, ROWS, COLUMNS, codes));
    for (int i = CELLS; i < 3 * CELLS; i++) {
        CHECK(i % 12 <= 2 || codes[i] == codes[i - CELLS]);
        moved += codes[i] != codes[i - CELLS];
    }
    CHECK(moved > 0);
    poet_tokenizer_destroy(t);
}

/* Chunks give what one piece gives. */
static void test_chunks(poet_device *device)
{
    enum { LONG = 197, POSITIONS = 50 };

    poet_tokenizer *t = make(device, 1, 3);
    uint8_t *clip = poet_alloc(LONG * PIXELS), *whole = poet_alloc(LONG * PIXELS);
    uint8_t *parts = poet_alloc(LONG * PIXELS);
    int32_t codes[POSITIONS * 6], pieces[POSITIONS * 6];
    poet_grid grid = {POSITIONS, 2, 3, 1};
    support_draw_clip(2, LONG, H, W, clip);
    CHECK_OK(poet_tokenizer_encode(t, clip, LONG, H, W, codes));
    CHECK_OK(poet_tokenizer_decode(t, codes, &grid, whole));
    for (int positions = 1; positions <= 30; positions += 7) {
        poet_tokenizer_forget_programs(t);
        t->chunk_positions = positions * 6;
        CHECK_OK(poet_tokenizer_encode(t, clip, LONG, H, W, pieces));
        CHECK(t->encoder_grid.t < POSITIONS);
        CHECK(memcmp(codes, pieces, sizeof codes) == 0);
        CHECK_OK(poet_tokenizer_decode(t, codes, &grid, parts));
        CHECK(t->decoder_grid.t < POSITIONS);
        int worst = 0;
        for (int i = 0; i < LONG * PIXELS; i++)
            worst = abs(whole[i] - parts[i]) > worst ? abs(whole[i] - parts[i]) : worst;
        CHECK_INT(worst, 0);
    }
    poet_free(parts);
    poet_free(whole);
    poet_free(clip);
    poet_tokenizer_destroy(t);
}

enum { STREAM_CELLS = H / 4 * (W / 4) };

/* A clip that comes and goes frame by frame. */
typedef struct stream {
    const uint8_t *clip;
    int frames, read;
    uint8_t *pixels;
    int32_t *codes;
    int taken; /* frames, or positions */
} stream;

static poet_status next_frame(void *opaque, uint8_t *frame, bool *got)
{
    stream *s = opaque;
    *got = s->read < s->frames;
    if (*got)
        memcpy(frame, s->clip + s->read++ * PIXELS, PIXELS);
    return POET_OK;
}

static poet_status take_codes(void *opaque, const int32_t *codes, int positions)
{
    stream *s = opaque;
    memcpy(s->codes + s->taken * STREAM_CELLS, codes,
           (size_t)(positions * STREAM_CELLS) * sizeof *codes);
    s->taken += positions;
    return POET_OK;
}

static poet_status take_frames(void *opaque, const uint8_t *frames, int n)
{
    stream *s = opaque;
    memcpy(s->pixels + s->taken * PIXELS, frames, (size_t)n * PIXELS);
    s->taken += n;
    return POET_OK;
}

static poet_status refuse_frames(void *opaque, const uint8_t *frames, int n)
{
    (void)opaque;
    (void)frames;
    return POET_FAIL(POET_ERR_IO, "no room for %d frames", n);
}

/* Streams of all lengths give what one piece gives, without the frames at the end that fill no position. */
static void test_streams(poet_device *device)
{
    enum { LONGEST = 64 };

    poet_tokenizer *t = make(device, 1, 3);
    static uint8_t clip[LONGEST * PIXELS], whole[LONGEST * PIXELS], parts[LONGEST * PIXELS];
    int32_t codes[16 * STREAM_CELLS], pieces[16 * STREAM_CELLS];
    support_draw_clip(5, LONGEST, H, W, clip);
    for (int frames = 1; frames <= LONGEST; frames += frames < 8 ? 1 : 7) {
        int positions = 1 + (frames - 1) / POET_PATCH_FRAMES;
        int used = 1 + POET_PATCH_FRAMES * (positions - 1);
        poet_grid grid = {positions, 2, 3, 1};
        t->chunk_positions = 1 << 20;
        CHECK_OK(poet_tokenizer_encode(t, clip, used, H, W, codes));
        CHECK_OK(poet_tokenizer_decode(t, codes, &grid, whole));
        t->chunk_positions = 4 * STREAM_CELLS;
        stream in = {.clip = clip, .frames = frames, .codes = pieces}, out = {.pixels = parts};
        CHECK_OK(poet_tokenizer_encode_stream(t, H, W, next_frame, take_codes, &in));
        CHECK_INT(in.taken, positions);
        CHECK(memcmp(codes, pieces, (size_t)(positions * STREAM_CELLS) * sizeof *codes) == 0);
        CHECK_OK(poet_tokenizer_decode_stream(t, codes, &grid, take_frames, &out));
        CHECK_INT(out.taken, used);
        CHECK(memcmp(whole, parts, (size_t)(used * PIXELS)) == 0);
    }
    stream none = {.codes = pieces};
    poet_grid grid = {2, 2, 3, 1};
    CHECK_FAILS(poet_tokenizer_encode_stream(t, H, W, next_frame, take_codes, &none), POET_ERR_ARG,
                "there are no frames");
    CHECK_FAILS(poet_tokenizer_encode_stream(t, H + 1, W, next_frame, take_codes, &none),
                POET_ERR_ARG, "multiples");
    CHECK_FAILS(poet_tokenizer_decode_stream(t, codes, &grid, refuse_frames, NULL), POET_ERR_IO,
                "no room for");
    poet_tokenizer_destroy(t);
}

static double squared_to(const float *rest, const float *vector, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++)
        sum += ((double)rest[d] - (double)vector[d]) * ((double)rest[d] - (double)vector[d]);
    return sum;
}

/* Latents are what the codes quantize: at each level no vector is nearer to what the levels before have left. In chunks they
 * are the same. */
static void test_latents(poet_device *device)
{
    enum { LEVELS = 2, K = 32, DIM = 6, CELLS = 11 * 6 };

    poet_tokenizer *t = make(device, LEVELS, 3);
    static uint8_t clip[T * PIXELS];
    int32_t codes[CELLS * LEVELS], again[CELLS * LEVELS];
    float latents[CELLS * DIM], pieces[CELLS * DIM], vectors[LEVELS * K * DIM];
    support_draw_clip(7, T, H, W, clip);
    CHECK_OK(poet_tokenizer_encode(t, clip, T, H, W, codes));
    CHECK_OK(poet_tokenizer_encode_latents(t, clip, T, H, W, again, latents));
    CHECK(memcmp(codes, again, sizeof codes) == 0);
    CHECK_OK(poet_tokenizer_vectors(t, vectors));
    for (int i = 0; i < CELLS; i++) {
        float rest[DIM];
        memcpy(rest, latents + i * DIM, sizeof rest);
        for (int level = 0; level < LEVELS; level++) {
            const float *book = vectors + level * K * DIM;
            const float *own = book + codes[i * LEVELS + level] * DIM;
            for (int k = 0; k < K; k++)
                CHECK(squared_to(rest, own, DIM) <= squared_to(rest, book + k * DIM, DIM) + 1e-5);
            for (int d = 0; d < DIM; d++)
                rest[d] -= own[d];
        }
    }
    t->chunk_positions = 4 * 6;
    CHECK_OK(poet_tokenizer_encode_latents(t, clip, T, H, W, again, pieces));
    CHECK(t->encoder_grid.t < 11);
    CHECK(memcmp(codes, again, sizeof codes) == 0 && memcmp(latents, pieces, sizeof pieces) == 0);
    CHECK_OK(poet_tokenizer_encode(t, clip, T, H, W, again));
    CHECK(memcmp(codes, again, sizeof codes) == 0);
    poet_tokenizer_destroy(t);
}

static void test_files(poet_device *device)
{
    char path[] = "/tmp/poet-tokenizer-XXXXXX";
    close(mkstemp(path));
    poet_tokenizer *t = make(device, 2, 1), *loaded;
    static uint8_t clip[T * PIXELS];
    static int32_t codes[11 * 6 * 2], again[11 * 6 * 2];
    uint64_t a, b;
    support_draw_clip(3, T, H, W, clip);
    CHECK_OK(poet_tokenizer_encode(t, clip, T, H, W, codes));
    CHECK_OK(poet_tokenizer_save(t, path, false, NULL, 0));
    CHECK_OK(poet_tokenizer_load(device, path, &loaded));
    CHECK_OK(poet_tokenizer_encode(loaded, clip, T, H, W, again));
    CHECK(memcmp(codes, again, sizeof codes) == 0);
    CHECK_OK(poet_tokenizer_fingerprint(t, &a));
    CHECK_OK(poet_tokenizer_fingerprint(loaded, &b));
    CHECK(a == b);
    poet_tokenizer_destroy(loaded);
    CHECK_FAILS(poet_tokenizer_load(device, "/nonexistent", &loaded), POET_ERR_IO, "/nonexistent");

    float vectors[2 * 32 * 6];
    CHECK_OK(poet_tokenizer_vectors(t, vectors));
    int index = poet_params_find(poet_tokenizer_params(t), "quantizer.level1.codebook");
    float book[32 * 6];
    CHECK_OK(poet_params_read(poet_tokenizer_params(t), index, book, sizeof book));
    CHECK(memcmp(vectors + 32 * 6, book, sizeof book) == 0);

    codes[5] = 32;
    poet_grid grid = {11, 2, 3, 2};
    CHECK_FAILS(poet_tokenizer_decode(t, codes, &grid, clip), POET_ERR_ARG, "code 32 is outside");
    grid.levels = 1;
    CHECK_FAILS(poet_tokenizer_decode(t, codes, &grid, clip), POET_ERR_ARG, "levels");
    poet_tokenizer_destroy(t);
    unlink(path);
}

static void test_backend(const poet_backend *backend)
{
    poet_device *device;
    CHECK_OK(poet_device_open(backend, 0, 0, &device));
    test_causality(device, 1);
    test_causality(device, 4);
    test_still(device);
    test_chunks(device);
    test_streams(device);
    test_latents(device);
    test_files(device);
    poet_device_close(device);
}

int main(void)
{
    test_config();
    test_principal();
    test_backend(poet_backend_cpu());
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
