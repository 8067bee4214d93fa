/* Training of small tokenizers: honest starting values, learning, every quantizer, codes in use, resuming. */
#include "base/memory.h"
#include "compute/backend.h"
#include "tests/support/check.h"
#include "tests/unit/tokenizer/small_training.h"
#include "tokenizer/shrink.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { HELD_OUT = 1000 };

static poet_tokenizer_config small(poet_quantizer quantizer, int levels)
{
    poet_tokenizer_config c = poet_tokenizer_defaults();
    c.quantizer = quantizer;
    c.codes = 64;
    c.dim = 6;
    c.width = 16;
    c.levels = levels;
    c.encoder_blocks = c.decoder_blocks = 1;
    if (quantizer == POET_QUANTIZER_FSQ) {
        c.fsq_channels = 3;
        c.fsq_levels[0] = c.fsq_levels[1] = c.fsq_levels[2] = 5;
    }
    CHECK_OK(poet_tokenizer_config_check(&c));
    return c;
}

/* Mean squared error on clips that were not trained on, and how many codes they use. */
static double measure(poet_tokenizer *t, int *used)
{
    static uint8_t clip[T * PIXELS], out[T * PIXELS];
    int32_t codes[2 * 16 * 4];
    poet_grid grid;
    double sum = 0;
    bool seen[256] = {false};
    const poet_tokenizer_config *c = poet_tokenizer_get_config(t);
    CHECK_OK(poet_tokenizer_grid(c, T, H, W, &grid));
    for (uint64_t i = 0; i < 20; i++) {
        support_draw_clip(HELD_OUT + i, T, H, W, clip);
        CHECK_OK(poet_tokenizer_encode(t, clip, T, H, W, codes));
        CHECK_OK(poet_tokenizer_decode(t, codes, &grid, out));
        for (int64_t k = 0; k < poet_grid_codes(&grid); k++)
            seen[codes[k]] = true;
        for (int k = 0; k < T * PIXELS; k++)
            sum += (clip[k] - out[k]) * (clip[k] - out[k]);
    }
    *used = 0;
    for (int k = 0; k < c->codes; k++)
        *used += seen[k];
    return sum / (20.0 * T * PIXELS);
}

static double train(poet_device *device, poet_quantizer quantizer, int levels, int64_t steps,
                    int *used)
{
    poet_tokenizer *t;
    poet_tokenizer_config c = small(quantizer, levels);
    poet_tokenizer_training r = training_of(steps, NULL, NULL);
    poet_memory memory;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &t));
    CHECK_OK(poet_tokenizer_train(t, &r, &memory));
    CHECK(memory.activations > 0 && memory.params > 0);
    double error = measure(t, used);
    poet_tokenizer_destroy(t);
    return error;
}

static void test_learning(poet_device *device)
{
    int used;
    double start = train(device, POET_QUANTIZER_VQ, 1, 1, &used);
    double vq = train(device, POET_QUANTIZER_VQ, 1, 80, &used);
    CHECK(used >= 48);
    double residual = train(device, POET_QUANTIZER_VQ, 2, 80, &used);
    double fsq_start = train(device, POET_QUANTIZER_FSQ, 1, 1, &used);
    double fsq = train(device, POET_QUANTIZER_FSQ, 1, 80, &used);
    double lfq_start = train(device, POET_QUANTIZER_LFQ, 1, 1, &used);
    double lfq = train(device, POET_QUANTIZER_LFQ, 1, 80, &used);
    fprintf(
        stderr,
        "mean squared error: vq %.0f -> %.0f, residual %.0f, fsq %.0f -> %.0f, lfq %.0f -> %.0f\n",
        start, vq, residual, fsq_start, fsq, lfq_start, lfq);
    CHECK(start < 900);       /* the clips' variance is about 3,600 */
    CHECK(vq < 0.93 * start); /* honest starting values leave little to gain in 80 steps */
    CHECK(residual < vq);
    CHECK(fsq < 0.8 * fsq_start);
    CHECK(lfq < 0.8 * lfq_start);
}

/* One code of 144 as two of 12, each on two of the channels: the same training, the same pictures. */
static void test_factorised(poet_device *device)
{
    enum { HALF = 12 };

    static uint8_t clip[T * PIXELS], out[2][T * PIXELS];
    poet_tokenizer *t[2];
    int32_t codes[2][2 * 16 * 4];
    poet_grid grid[2];
    float vectors[HALF * HALF * 4], halves[2 * HALF * 4];
    support_draw_clip(HELD_OUT, T, H, W, clip);
    for (int i = 0; i < 2; i++) {
        poet_tokenizer_config c = small(POET_QUANTIZER_FSQ, 1);
        c.levels = i + 1;
        c.fsq_channels = 4;
        c.fsq_levels[0] = c.fsq_levels[2] = 4;
        c.fsq_levels[1] = c.fsq_levels[3] = 3;
        CHECK_OK(poet_tokenizer_config_check(&c));
        CHECK(c.codes == (i ? HALF : HALF * HALF) && c.dim == 4);
        poet_tokenizer_training r = training_of(6, NULL, NULL);
        CHECK_OK(poet_tokenizer_create(device, &c, 1, &t[i]));
        CHECK_OK(poet_tokenizer_train(t[i], &r, NULL));
        CHECK_OK(poet_tokenizer_grid(&c, T, H, W, &grid[i]));
        CHECK_OK(poet_tokenizer_encode(t[i], clip, T, H, W, codes[i]));
        CHECK_OK(poet_tokenizer_decode(t[i], codes[i], &grid[i], out[i]));
        CHECK_OK(poet_tokenizer_vectors(t[i], i ? halves : vectors));
    }
    for (int64_t k = 0; k < poet_grid_codes(&grid[0]); k++)
        CHECK_INT(codes[0][k], codes[1][2 * k] + HALF * codes[1][2 * k + 1]);
    CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0);
    for (int k = 0; k < HALF * HALF * 4; k++) {
        int code = k / 4, channel = k % 4;
        float low = halves[code % HALF * 4 + channel],
              high = halves[(HALF + code / HALF) * 4 + channel];
        CHECK(vectors[k] == low + high);
    }
    for (int i = 0; i < 2; i++)
        poet_tokenizer_destroy(t[i]);
}

/* The error with the first rows of a codebook alone. */
static double first_rows(poet_device *device, bool nested, int rows)
{
    poet_tokenizer *t, *smaller;
    poet_tokenizer_config c = small(POET_QUANTIZER_VQ, 1);
    poet_tokenizer_training r = training_of(80, NULL, NULL);
    poet_codebook book;
    poet_shrink_map map;
    int64_t counts[64] = {0};
    int used;
    r.nested = nested;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &t));
    CHECK_OK(poet_tokenizer_train(t, &r, NULL));
    CHECK_OK(poet_codebook_create(t, counts, POET_UNUSED_KEPT, POET_DISTANCE_VECTORS, &book));
    CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_NESTED, NULL, 0, rows, &map));
    CHECK_OK(poet_tokenizer_shrink(t, &map, &smaller));
    double error = measure(smaller, &used);
    CHECK(used <= rows);
    poet_tokenizer_destroy(smaller);
    poet_tokenizer_destroy(t);
    poet_shrink_map_free(&map);
    poet_codebook_free(&book);
    return error;
}

static void test_nested(poet_device *device)
{
    double plain = first_rows(device, false, 8), nested = first_rows(device, true, 8);
    double all = first_rows(device, true, 64);
    fprintf(stderr, "8 of 64 rows: %.0f, nested %.0f; all: %.0f\n", plain, nested, all);
    CHECK(nested < 0.9 * plain);
    CHECK(all < nested);
}

/* A decoder that goes on after its codebook was shrunk: it does better with the same codes. */
static void test_decoder_only(poet_device *device)
{
    poet_tokenizer *t, *smaller;
    poet_tokenizer_config c = small(POET_QUANTIZER_VQ, 1);
    poet_tokenizer_training r = training_of(60, NULL, NULL);
    poet_codebook book;
    poet_merge_tree tree;
    poet_shrink_map map;
    int64_t counts[64] = {0};
    static uint8_t clip[T * PIXELS];
    int32_t before[2 * 16], after[2 * 16];
    int used;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &t));
    CHECK_OK(poet_tokenizer_train(t, &r, NULL));
    CHECK_OK(poet_codebook_create(t, counts, POET_UNUSED_KEPT, POET_DISTANCE_PATCHES, &book));
    CHECK_OK(poet_merge_tree_create(&book, &tree));
    CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &tree, 0, 6, &map));
    CHECK_OK(poet_tokenizer_shrink(t, &map, &smaller));
    support_draw_clip(HELD_OUT, T, H, W, clip);
    CHECK_OK(poet_tokenizer_encode(smaller, clip, T, H, W, before));
    double shrunk = measure(smaller, &used);
    r = training_of(120, NULL, NULL);
    r.decoder_only = true;
    CHECK_OK(poet_tokenizer_train(smaller, &r, NULL));
    CHECK_OK(poet_tokenizer_encode(smaller, clip, T, H, W, after));
    CHECK(memcmp(before, after, sizeof before) == 0);
    double trained = measure(smaller, &used);
    fprintf(stderr, "6 of 64 codes: %.0f, after training of the decoder %.0f\n", shrunk, trained);
    CHECK(trained < 0.98 * shrunk);
    r.nested = true;
    CHECK_FAILS(poet_tokenizer_train(smaller, &r, NULL), POET_ERR_ARG, "decoder alone");
    poet_tokenizer_destroy(smaller);
    poet_tokenizer_destroy(t);
    poet_shrink_map_free(&map);
    poet_merge_tree_free(&tree);
    poet_codebook_free(&book);
}

/* The stages that were told, each once, and how far the last one was. */
typedef struct stages {
    char names[256];
    const char *last;
    double done, total;
} stages;

static void note_stage(void *user, const poet_progress *progress)
{
    stages *seen = user;
    size_t length = strlen(seen->names);
    if (!seen->last || strcmp(seen->last, progress->what) != 0) {
        CHECK(seen->done == seen->total && progress->done == 0);
        snprintf(seen->names + length, sizeof seen->names - length, "%s, ", progress->what);
    }
    CHECK(progress->done <= progress->total);
    seen->last = progress->what;
    seen->done = progress->done;
    seen->total = progress->total;
}

/* What is done before the first step is told from its start to its end. */
static void test_stages(poet_device *device, poet_quantizer quantizer, int levels,
                        const char *wanted)
{
    poet_tokenizer *t;
    poet_program *program;
    stages seen = {.names = ""};
    poet_task task = {.progress = note_stage, .user = &seen};
    poet_tokenizer_config c = small(quantizer, levels);
    poet_tokenizer_training r = training_of(1, &task, NULL);
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &t));
    CHECK_OK(poet_tokenizer_training_build(t, &r, &program)); /* the parameters are made */
    CHECK_OK(poet_tokenizer_start(t, &r));
    CHECK_STR(seen.names, wanted);
    CHECK(seen.total > 0 && seen.done == seen.total);
    poet_program_destroy(program);
    poet_tokenizer_destroy(t);
}

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

static void note_step(void *user, const poet_progress *progress)
{
    bool *stepped = user;
    *stepped = *stepped || strcmp(progress->unit, "steps") == 0;
}

static bool has_stepped(void *user)
{
    const bool *stepped = user;
    return *stepped;
}

/* Stopped after every step and started again from the file, a run ends with equal bits. */
static void test_resume(poet_device *device, int levels, bool nested)
{
    char path[] = "/tmp/poet-training-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    bool stepped = false;
    poet_task at_once = {.stop = stop_at_once};
    poet_task stop = {.progress = note_step, .stop = has_stepped, .user = &stepped};
    poet_tokenizer_config c = small(POET_QUANTIZER_VQ, levels);
    poet_tokenizer *straight, *parts = NULL;
    uint64_t a, b = 0;
    poet_tokenizer_training r = training_of(5, NULL, NULL);
    r.nested = nested;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &straight));
    CHECK_OK(poet_tokenizer_train(straight, &r, NULL));
    CHECK_OK(poet_tokenizer_fingerprint(straight, &a));
    r = training_of(5, &at_once, path);
    r.nested = nested;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &parts));
    CHECK_FAILS(poet_tokenizer_train(parts, &r, NULL), POET_ERR_INTERRUPTED, "before step 1");
    r.train.task = &stop;
    r.train.log_steps = 1;
    for (int i = 0; i < 5; i++) {
        stepped = false;
        poet_tokenizer_destroy(parts);
        CHECK_OK(poet_tokenizer_create(device, &c, 1, &parts));
        CHECK_INT(poet_tokenizer_train(parts, &r, NULL), i < 4 ? POET_ERR_INTERRUPTED : POET_OK);
    }
    CHECK_OK(poet_tokenizer_fingerprint(parts, &b));
    CHECK(a == b);
    poet_tokenizer_destroy(parts);

    c.dim = 7;
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &parts));
    CHECK_FAILS(poet_tokenizer_train(parts, &r, NULL), POET_ERR_MISMATCH, "was trained with");
    poet_tokenizer_destroy(parts);
    poet_tokenizer_destroy(straight);
    unlink(path);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_learning(device);
    test_factorised(device);
    test_nested(device);
    test_decoder_only(device);
    test_stages(device, POET_QUANTIZER_VQ, 2, "principal components, project patches, k-means, ");
    test_stages(device, POET_QUANTIZER_FSQ, 1, "principal components, ");
    test_resume(device, 1, false);
    test_resume(device, 2, false);
    test_resume(device, 1, true);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
