/* Writing clips: cache against whole sequence, batches, the best of several, prompts. */
#include "tests/unit/generator/small_generator.h"

#include <math.h>

enum { MOST = 256 };

/* ---- the cache gives what the whole sequence gives ---- */

/* Teacher-forced logits of a clip: of every code as if no group were kept, (N*S,K), and of keeping,
 * (N,2). */
static void whole_logits(poet_generator *m, const int32_t *codes, const char *caption,
                         float *logits, float *keeping)
{
    const poet_generator_config *c = &m->config;
    poet_generator_config all = *c;
    all.keep = false;
    int64_t n = poet_generator_groups(c), s = poet_generator_slots(c);
    poet_sequence_batch batch;
    poet_program *program;
    poet_graph *g = poet_graph_create(m->params);
    poet_val ids = poet_input(g, "ids", POET_I32, POET_SHAPE(1, c->text));
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(1));
    poet_group_inputs groups = poet_model_group_inputs(g, c, 1, n, n);
    poet_val before = poet_input(g, "slots", POET_I32, POET_SHAPE(n, s));
    poet_input(g, "targets", POET_I32, POET_SHAPE(n, s));
    poet_val states = poet_model_states(g, c, ids, lengths, &groups);
    poet_val rows = poet_reshape(g, states, POET_SHAPE(n, c->width));
    poet_result(g, "logits", poet_model_slots(g, c, rows, groups.around, before, NULL));
    if (c->keep)
        poet_result(g, "keeping", poet_model_keep(g, states));
    CHECK_OK(poet_program_create(g, &program));
    CHECK_OK(poet_sequence_batch_create(c, 1, (int)n, &batch));
    CHECK_OK(poet_sequence_batch_fill(m, &batch, 0, codes, caption, 0, NULL));
    CHECK_OK(poet_sequence_batch_set(&all, &batch, program));
    CHECK_OK(poet_program_run(program));
    CHECK_OK(
        poet_program_get_by_name(program, "logits", logits, (size_t)(n * s * K) * sizeof *logits));
    if (c->keep)
        CHECK_OK(poet_program_get_by_name(program, "keeping", keeping,
                                          (size_t)(2 * n) * sizeof *keeping));
    poet_sequence_batch_free(&batch);
    poet_program_destroy(program);
}

/* -log2 of the softmax of n logits at `at`. */
static double bits_of(const float *logits, int n, int at)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += exp((double)(logits[k] - logits[at]));
    return log2(sum);
}

static float highest(const float *logits, int n)
{
    float best = -INFINITY;
    for (int k = 0; k < n; k++)
        best = fmaxf(best, logits[k]);
    return best;
}

static void test_cache(poet_device *device, poet_generator_config config)
{
    poet_generator *m = make(device, config);
    shake(m);
    const poet_generator_config *c = poet_generator_get_config(m);
    int slots = poet_generator_slots(c), groups = poet_generator_groups(c);
    int32_t codes[MOST], grouped[MOST];
    float *logits = poet_alloc(MOST * K * sizeof *logits), keeping[2 * MOST];
    uint64_t seed = 3;
    int cut = 0, different = 0, kept = 0;
    double bits, expected = 0;
    poet_sampling greedy = {.guidance = 1, .temperature = 0, .top_p = 1};
    CHECK_OK(poet_generator_write(m, 1, &captions[1], &seed, &greedy, NULL, codes, &cut));
    CHECK_INT(cut, 0);
    whole_logits(m, codes, captions[1], logits, keeping);
    poet_sequence_group(c, codes, grouped);
    for (int n = 0; n < groups; n++) {
        bool keeps = c->keep && poet_sequence_keeps(c, grouped, n);
        bool chosen = c->keep && n >= groups / c->grid.t && keeping[2 * n + 1] > keeping[2 * n];
        CHECK(keeps || !chosen);
        expected += c->keep ? bits_of(keeping + 2 * n, 2, keeps) : 0;
        kept += chosen;
        for (int i = n * slots; i < (n + 1) * slots && !keeps; i++) {
            CHECK(logits[i * K + grouped[i]] >= highest(logits + i * K, K) - 1e-3F);
            different += grouped[i] != grouped[i % slots];
            expected += bits_of(logits + i * K, K, grouped[i]);
        }
    }
    CHECK(different > 0);
    CHECK(!c->keep || (kept > 0 && kept < groups));
    const char *caption = captions[1];
    CHECK_OK(poet_generator_score(m, 1, codes, &caption, &bits));
    CHECK_CLOSE(bits, expected, 1e-3 * expected);
    poet_free(logits);
    poet_generator_destroy(m);
}

/* ---- prompts, seeds and batches ---- */

/* A clip depends on its prompt and seed, not on its batch. */
static void test_batches(poet_device *device)
{
    poet_generator *m = make(device, small(2, 1, true));
    shake(m);

    enum { N = 7, CODES = 48 };

    const char *prompts[N];
    uint64_t seeds[N];
    int32_t together[N * CODES], alone[CODES];
    for (int i = 0; i < N; i++) {
        prompts[i] = captions[i % CAPTIONS];
        seeds[i] = 100 + (uint64_t)(i / 2);
    }
    poet_sampling sampling = {.guidance = 2.5F, .temperature = 0.9F, .top_k = 20, .top_p = 0.95F};
    CHECK_OK(poet_generator_write(m, N, prompts, seeds, &sampling, NULL, together, NULL));
    for (int i = 0; i < N; i++) {
        CHECK_OK(poet_generator_write(m, 1, &prompts[i], &seeds[i], &sampling, NULL, alone, NULL));
        CHECK(memcmp(alone, together + i * CODES, sizeof alone) == 0);
    }
    CHECK(memcmp(together, together + 2 * CODES, sizeof alone) != 0);
    seeds[0]++;
    CHECK_OK(poet_generator_write(m, 1, prompts, seeds, &sampling, NULL, alone, NULL));
    CHECK(memcmp(alone, together, sizeof alone) != 0);
    poet_generator_destroy(m);
}

/* Of several clips the one is taken that the prompt explains best, whatever the batch. */
static void test_best_of(poet_device *device)
{
    enum { N = 3, OF = 4, CODES = 48 };

    poet_generator *m = make(device, small(2, 1, true));
    shake(m);
    int32_t together[N * CODES], alone[CODES], first[CODES];
    uint64_t seeds[N] = {5, 6, 7};
    int others = 0, cut = 0;
    poet_sampling sampling = {.guidance = 2, .temperature = 1, .top_p = 1, .best_of = OF};
    CHECK_OK(poet_generator_write(m, N, captions, seeds, &sampling, NULL, together, &cut));
    CHECK_INT(cut, 0);
    for (int i = 0; i < N; i++) {
        double saved[OF], best = -INFINITY;
        int32_t clip[OF][CODES];
        sampling.best_of = 1;
        for (int k = 0; k < OF; k++) {
            const char *nothing = NULL;
            double with, without;
            uint64_t seed = k ? poet_hash64(seeds[i], &k, sizeof k) : seeds[i];
            CHECK_OK(
                poet_generator_write(m, 1, captions + i, &seed, &sampling, NULL, clip[k], NULL));
            CHECK_OK(poet_generator_score(m, 1, clip[k], captions + i, &with));
            CHECK_OK(poet_generator_score(m, 1, clip[k], &nothing, &without));
            saved[k] = without - with;
            best = fmax(best, saved[k]);
        }
        int taken = 0;
        while (taken < OF && memcmp(clip[taken], together + i * CODES, sizeof clip[0]) != 0)
            taken++;
        CHECK(taken < OF);
        CHECK_CLOSE(saved[taken % OF], best, 1e-3);
        others += taken > 0;
        sampling.best_of = OF;
        CHECK_OK(poet_generator_write(m, 1, captions + i, seeds + i, &sampling, NULL, alone, NULL));
        CHECK(memcmp(alone, together + i * CODES, sizeof alone) == 0);
    }
    CHECK(others > 0);
    sampling.best_of = 0;
    CHECK_OK(poet_generator_write(m, 1, captions, seeds, &sampling, NULL, alone, NULL));
    sampling.best_of = 1;
    CHECK_OK(poet_generator_write(m, 1, captions, seeds, &sampling, NULL, first, NULL));
    CHECK(memcmp(alone, first, sizeof alone) == 0);
    sampling.best_of = -1;
    CHECK_FAILS(poet_generator_write(m, 1, captions, seeds, &sampling, NULL, alone, NULL),
                POET_ERR_ARG, "best-of = -1");
    poet_generator_destroy(m);
}

static void test_prompts(poet_device *device)
{
    poet_generator *m = make(device, small(2, 1, true));
    int32_t codes[48];
    uint64_t seed = 1;
    int cut = 0;
    char *long_prompt = poet_alloc(100001);
    memset(long_prompt, 'x', 100000);
    long_prompt[100000] = 0;
    const char *prompt = long_prompt, *empty = "", *odd = "\xff\xfe \xf0\x9f\x8e\xac";
    poet_sampling sampling = poet_sampling_defaults();
    CHECK_OK(poet_generator_write(m, 1, &prompt, &seed, &sampling, NULL, codes, &cut));
    CHECK_INT(cut, 1);
    CHECK_OK(poet_generator_write(m, 1, &empty, &seed, &sampling, NULL, codes, &cut));
    CHECK_OK(poet_generator_write(m, 1, &odd, &seed, &sampling, NULL, codes, &cut));
    sampling.temperature = -1;
    CHECK_FAILS(poet_generator_write(m, 1, &empty, &seed, &sampling, NULL, codes, &cut),
                POET_ERR_ARG, "temperature = -1");
    sampling.temperature = NAN;
    CHECK_FAILS(poet_generator_write(m, 1, &empty, &seed, &sampling, NULL, codes, &cut),
                POET_ERR_ARG, "temperature");
    poet_free(long_prompt);
    poet_generator_destroy(m);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_cache(device, small(2, 1, true));
    test_cache(device, small(1, 1, false));
    test_cache(device, small(2, 2, true));
    poet_generator_config never_keeps = small(2, 1, true);
    never_keeps.keep = false;
    test_cache(device, never_keeps);
    poet_generator_config attends_only = small(2, 1, true);
    attends_only.caption = attends_only.rotary = false;
    test_cache(device, attends_only);
    test_batches(device);
    test_best_of(device);
    test_prompts(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
