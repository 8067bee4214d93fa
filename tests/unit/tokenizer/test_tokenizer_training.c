/* Training of small tokenizers: honest starting values, learning, every quantizer, codes in use, resuming. */
#include "base/memory.h"
#include "compute/backend.h"
#include "tests/support/check.h"
#include "tests/support/clips.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { T = 5, H = 16, W = 16, PIXELS = H * W * 3, HELD_OUT = 1000 };

static poet_status next_clips(void *opaque, int64_t step, int b, uint8_t *frames)
{
    (void)opaque;
    for (int i = 0; i < b; i++)
        support_draw_clip((uint64_t)(step * b + i) % 100, T, H, W, frames + (size_t)i * T * PIXELS);
    return POET_OK;
}

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

static poet_tokenizer_training training_of(int64_t steps, poet_task *task, const char *checkpoint)
{
    poet_tokenizer_training r = poet_tokenizer_training_defaults();
    r.t = T;
    r.h = H;
    r.w = W;
    r.start_clips = 40;
    r.clips = next_clips;
    r.train.optim.steps = steps;
    r.train.optim.warmup = 10;
    r.train.optim.rate = 2e-3F;
    r.train.optim.average = 0.9F;
    r.train.save_seconds = 1e9;
    r.train.checkpoint = checkpoint;
    r.train.task = task;
    return r;
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

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

/* Stopped after every step and started again from the file, a run ends with equal bits. */
static void test_resume(poet_device *device, int levels)
{
    char path[] = "/tmp/poet-training-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    poet_task stop = {.stop = stop_at_once};
    poet_tokenizer_config c = small(POET_QUANTIZER_VQ, levels);
    poet_tokenizer *straight, *parts = NULL;
    uint64_t a, b = 0;
    poet_tokenizer_training r = training_of(5, NULL, NULL);
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &straight));
    CHECK_OK(poet_tokenizer_train(straight, &r, NULL));
    CHECK_OK(poet_tokenizer_fingerprint(straight, &a));
    r = training_of(5, &stop, path);
    for (int i = 0; i < 5; i++) {
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
    test_resume(device, 1);
    test_resume(device, 2);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
