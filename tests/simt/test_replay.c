/* A group of every clip is one replay: the codes are those of launches made one by one, and those of the CPU; between two
 * waits nothing is allocated and nothing goes to or comes from the host. */
#include "base/rng.h"
#include "cuda/backend/cuda_table.h"
#include "generator/generator.h"
#include "tests/simt/device_under_test.h"
#include "tests/support/check.h"
#include "tests/support/rig.h"

#include <stdlib.h>

enum { B = 2, K = 11, DIM = 3, T = 2, H = 4, W = 4, MOST = T * H * W * 2 };

static const char *const captions[] = {"one word", "and some more of them"};

static poet_generator_config config_of(int levels, int group, bool keep)
{
    poet_generator_config c = poet_generator_defaults();
    c.codes = K;
    c.code_dim = DIM;
    c.grid = (poet_grid){T, H, W, levels};
    c.group_h = c.group_w = group;
    c.keep = keep;
    c.fps = 8;
    c.text = 8;
    c.width = 24;
    c.heads = 2;
    c.layers = c.slot_layers = 1;
    c.slot_width = 16;
    c.slot_heads = 2;
    return c;
}

/* Weights of which every one counts. */
static void fill_weights(poet_params *params)
{
    poet_rng rng;
    poet_rng_init(&rng, 5, 0);
    for (int i = 0; i < poet_params_count(params); i++) {
        int64_t n = poet_tensor_count(poet_params_tensor(params, i));
        float *values = malloc((size_t)n * sizeof *values);
        CHECK_OK(poet_params_read(params, i, values, (size_t)n * sizeof *values));
        for (int64_t k = 0; k < n; k++)
            values[k] += 0.2F * poet_rng_normal(&rng);
        CHECK_OK(poet_params_write(params, i, values, (size_t)n * sizeof *values));
        free(values);
    }
}

/* ---- what happens between two waits ---- */

typedef struct watch {
    int64_t before[POET_SIMT_EVENTS];
    int waits, per_time;
} watch;

/* False: nothing counts. */
static bool look(watch *w, int64_t since[POET_SIMT_EVENTS])
{
    int64_t now[POET_SIMT_EVENTS] = {0};
    if (!device_count(now))
        return false;
    for (int e = 0; e < POET_SIMT_EVENTS; e++) {
        since[e] = now[e] - w->before[e];
        w->before[e] = now[e];
    }
    return true;
}

/* Called behind each wait, which reads one word: whether a kernel found a fault. It is set again by nobody else. */
static void on_progress(void *opaque, const poet_progress *progress)
{
    (void)progress;
    watch *w = opaque;
    int64_t since[POET_SIMT_EVENTS];
    bool counted = look(w, since);
    if (w->waits++ == 0 || !counted)
        return; /* what stands before the first group is in the first */
    CHECK_INT(since[POET_SIMT_REPLAY], w->per_time);
    CHECK_INT(since[POET_SIMT_ALLOCATION], 0);
    CHECK_INT(since[POET_SIMT_HOST_COPY], 1);
    CHECK(since[POET_SIMT_LAUNCH] > 0 && since[POET_SIMT_LAUNCH] % w->per_time == 0);
    if (w->waits == T)
        printf("a group: %d launches, %d copies on the device, 1 replay\n",
               (int)(since[POET_SIMT_LAUNCH] / w->per_time),
               (int)(since[POET_SIMT_DEVICE_COPY] / w->per_time));
}

/* ---- writing ---- */

static poet_generator *open_generator(poet_device *device, const poet_generator_config *config)
{
    static const float vectors[2 * K * DIM] = {1, -1, 0.5F, 2, 0, -0.3F, 0.7F, 1.5F, -2};
    poet_bpe_options options = {.size = 280, .fold_case = true};
    poet_generator_config c = *config;
    poet_bpe *bpe;
    poet_generator *g;
    CHECK_OK(poet_bpe_train(captions, B, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    CHECK_OK(poet_generator_create(device, &c, bpe, vectors, 1, 2, &g));
    fill_weights(poet_generator_params(g));
    return g;
}

static void write_codes(poet_device *device, const poet_generator_config *c,
                        const poet_sampling *sampling, watch *w, int32_t codes[2][B * MOST])
{
    poet_generator *g = open_generator(device, c);
    poet_task task = {.progress = w ? on_progress : NULL, .user = w};
    for (uint64_t i = 0; i < 2; i++) { /* the second time there is a recording already */
        const uint64_t seeds[B] = {3 + i, 7 * i};
        if (w)
            *w = (watch){.per_time = poet_generator_groups(c) / T};
        CHECK_OK(poet_generator_write(g, B, captions, seeds, sampling, &task, codes[i], NULL));
        CHECK(!w || w->waits == T);
    }
    poet_generator_destroy(g);
}

static void test_writing(poet_device *cpu, int levels, int group, bool keep, float guidance)
{
    static int32_t want[2][B * MOST], plain[2][B * MOST], got[2][B * MOST];
    poet_backend without = *poet_cuda_table();
    poet_sampling sampling = {guidance, 0.8F, 0, 0.95F, 0, 1};
    poet_generator_config c = config_of(levels, group, keep);
    poet_device *simt, *launching;
    watch w;
    without.replay = NULL;
    CHECK_OK(poet_device_open(poet_cuda_table(), 0, 1, &simt));
    CHECK_OK(poet_device_open(&without, 0, 1, &launching));
    CHECK(poet_device_records(simt) && !poet_device_records(launching));
    write_codes(cpu, &c, &sampling, NULL, want);
    write_codes(launching, &c, &sampling, NULL, plain);
    write_codes(simt, &c, &sampling, &w, got);
    size_t bytes = (size_t)B * (size_t)poet_grid_codes(&c.grid) * sizeof(int32_t);
    for (int i = 0; i < 2; i++) {
        CHECK(memcmp(got[i], plain[i], bytes) == 0);
        CHECK(memcmp(got[i], want[i], bytes) == 0);
    }
    CHECK(memcmp(got[0], got[1], bytes) != 0);
    poet_device_close(launching);
    poet_device_close(simt);
}

/* ---- recordings themselves ---- */

static poet_status read_in_between(void *opaque)
{
    float out[4];
    POET_TRY(poet_program_launch(opaque));
    return poet_program_get_by_name(opaque, "y", out, sizeof out);
}

static poet_status launch_twice(void *opaque)
{
    POET_TRY(poet_program_launch(opaque));
    return poet_program_launch(opaque);
}

static void test_recordings(void)
{
    static const float x[4] = {1, 2, 3, 4};
    float sum[4];
    poet_recording *recording = NULL;
    rig r = rig_open(poet_cuda_table());
    poet_val total = poet_state(r.g, "total", POET_MOMENT, POET_F32, POET_SHAPE(4), POET_ZEROS);
    poet_val one = poet_input(r.g, "x", POET_F32, POET_SHAPE(4));
    poet_val hyper = poet_input(r.g, "hyper", POET_F32, POET_SHAPE(2));
    poet_average(r.g, total, one, hyper, 1);
    poet_result(r.g, "y", poet_scale(r.g, one, 2));
    rig_ready(&r);
    RIG_SET(&r, "x", x);
    RIG_SET(&r, "hyper", ((const float[2]){0, 2}));
    CHECK_FAILS(poet_device_replay(r.device, read_in_between, r.program, &recording),
                POET_ERR_DEVICE, "capturing");
    CHECK(recording == NULL);
    RIG_READ(&r, "total", sum);
    CHECK(sum[3] == 0); /* nothing of what could not be recorded was done */
    for (int i = 0; i < 2; i++)
        CHECK_OK(poet_device_replay(r.device, launch_twice, r.program, &recording));
    CHECK_OK(poet_device_wait(r.device));
    RIG_READ(&r, "total", sum);
    CHECK_CLOSE(sum[3], 4 * (1 - 1 / 16.0), 1e-6); /* half the way, four times */
    poet_device_forget(r.device, &recording);
    CHECK(recording == NULL);
    rig_close(&r);
}

int main(void)
{
    poet_device *cpu;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 1, &cpu));
    test_recordings();
    test_writing(cpu, 1, 2, true, 1.5F);
    test_writing(cpu, 1, 2, true, 1);
    test_writing(cpu, 2, 2, false, 1.5F);
    test_writing(cpu, 1, 1, true, 1.5F);
    poet_device_close(cpu);
    return CHECK_RESULT();
}
