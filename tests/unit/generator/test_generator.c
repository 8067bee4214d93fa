/* The generator: order of writing, cache against whole sequence, batches, learning, scores, resuming, files. */
#include "base/memory.h"
#include "base/rng.h"
#include "compute/backend.h"
#include "generator/generator_internal.h"
#include "tests/support/check.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { K = 24, DIM = 5, MOST = 256 };

static const char *const captions[] = {"a red ball moves left", "a blue ball moves right",
                                       "two green boxes", "nothing at all"};

enum { CAPTIONS = sizeof captions / sizeof *captions };

static poet_generator_config small(int group, int levels, bool neighbours)
{
    poet_generator_config c = poet_generator_defaults();
    c.codes = K;
    c.code_dim = DIM;
    c.grid = (poet_grid){3, 4, 4, levels};
    c.fps = 8;
    c.group_h = c.group_w = group;
    c.text = 24;
    c.width = 32;
    c.layers = 2;
    c.slot_width = 24;
    c.neighbours = c.around = neighbours;
    return c;
}

static poet_generator *make(poet_device *device, poet_generator_config c)
{
    poet_bpe *bpe;
    poet_bpe_options options = {.size = 300, .fold_case = true};
    poet_generator *m;
    float vectors[4 * K * DIM];
    poet_rng rng;
    poet_rng_init(&rng, 8, 8);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        vectors[i] = poet_rng_normal(&rng);
    CHECK_OK(poet_bpe_train(captions, CAPTIONS, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    CHECK_OK(poet_generator_create(device, &c, bpe, vectors, 0x1234, 5, &m));
    return m;
}

/* Every weight random, so that nothing is silent. */
static void shake(poet_generator *m)
{
    poet_params *params = poet_generator_params(m);
    for (int i = 0; i < poet_params_count(params); i++) {
        size_t bytes = poet_tensor_bytes(poet_params_tensor(params, i));
        float *values = poet_alloc(bytes);
        poet_rng rng;
        poet_rng_init(&rng, 4, (uint64_t)i);
        for (size_t k = 0; k < bytes / sizeof *values; k++)
            values[k] = 0.3F * poet_rng_normal(&rng);
        if (poet_params_kind(params, i) == POET_PARAM)
            CHECK_OK(poet_params_write(params, i, values, bytes));
        poet_free(values);
    }
}

/* ---- the order of writing ---- */

static void test_sequence(void)
{
    poet_generator_config c = small(2, 2, true);
    int slots = poet_generator_slots(&c), groups = poet_generator_groups(&c);
    CHECK(slots == 8 && groups == 12);
    int32_t codes[96], grouped[96], back[96], near[8 * POET_NEIGHBOURS];
    int32_t around[8 * POET_AROUND], poisoned_around[8 * POET_AROUND];
    for (int i = 0; i < 96; i++)
        codes[i] = i % K;
    poet_sequence_group(&c, codes, grouped);
    poet_sequence_ungroup(&c, grouped, back);
    CHECK(memcmp(codes, back, sizeof codes) == 0);
    /* Group 1 is rows 0-1, columns 2-3 of time 0; its third cell is row 1, column 2. */
    CHECK_INT(grouped[1 * 8 + 2 * 2 + 1], codes[(1 * 4 + 2) * 2 + 1]);

    /* Group 0 has no neighbours: zero rows of both levels. Group 7 (time 1, row 1, column 1) has
     * the one to its left after those above, and its own place in the time before in the middle of the last nine. */
    poet_sequence_neighbours(&c, grouped, 0, near);
    for (int i = 0; i < 8 * POET_NEIGHBOURS; i++)
        CHECK_INT(near[i], K + i % 2 * (K + 1));
    poet_sequence_neighbours(&c, grouped, 7, near);
    for (int s = 0; s < 8; s++) {
        CHECK_INT(near[(POET_ABOVE + 1) * 8 + s], s % 2 * (K + 1) + grouped[6 * 8 + s]);
        CHECK_INT(near[(POET_ABOVE + 2 + 4) * 8 + s], s % 2 * (K + 1) + grouped[3 * 8 + s]);
        CHECK_INT(near[(3 * 5 + 1) * 8 + s], s % 2 * (K + 1) + grouped[4 * 8 + s]);
    }

    /* Only groups that are already written are read: poisoning the others changes nothing. */
    for (int n = 0; n < groups; n++) {
        int32_t poisoned[96], other[8 * POET_NEIGHBOURS];
        memcpy(poisoned, grouped, sizeof poisoned);
        for (int i = n * 8; i < 96; i++)
            poisoned[i] = -1000000;
        poet_sequence_neighbours(&c, grouped, n, near);
        poet_sequence_neighbours(&c, poisoned, n, other);
        CHECK(memcmp(near, other, sizeof near) == 0);
        poet_sequence_around(&c, grouped, n, around);
        poet_sequence_around(&c, poisoned, n, poisoned_around);
        CHECK(memcmp(around, poisoned_around, sizeof around) == 0);
    }
    /* Group 7 again, its first cell: to the left row 2, column 1 of the same time; the same place before; two above that. */
    poet_sequence_around(&c, grouped, 7, around);
    for (int level = 0; level < 2; level++) {
        CHECK_INT(around[11 * 2 + level], level * (K + 1) + codes[((4 + 2) * 4 + 1) * 2 + level]);
        CHECK_INT(around[(POET_BESIDE + 12) * 2 + level],
                  level * (K + 1) + codes[(2 * 4 + 2) * 2 + level]);
        CHECK_INT(around[(POET_BESIDE + 2) * 2 + level],
                  level * (K + 1) + codes[(0 * 4 + 2) * 2 + level]);
        CHECK_INT(around[12 * 2 + level], level * (K + 1) + K); /* inside the group */
    }
}

/* Turned by their places, two vectors have a product that depends on the distance of the places alone; text does not turn. */
static void test_turns(void)
{
    enum { D = 8, HALF = 4 };

    poet_generator_config c = small(2, 1, true);
    c.heads = c.width / D;
    float turns[(2 + 12) * D];
    poet_sequence_turns(&c, -2, 14, turns);
    for (int i = 0; i < 2 * D; i++)
        CHECK(turns[i] == (i % D < HALF ? 1.0F : 0.0F));
    /* Groups 0 and 3 are one row and one column apart, as are 4 and 7; groups 0 and 2 are not. */
    static const int pairs[3][2] = {{0, 3}, {4, 7}, {0, 2}};
    double cosine[3][HALF];
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < HALF; i++) {
            const float *a = turns + (2 + pairs[k][0]) * D + i,
                        *b = turns + (2 + pairs[k][1]) * D + i;
            cosine[k][i] = (double)(a[0] * b[0] + a[HALF] * b[HALF]);
        }
    for (int i = 0; i < HALF; i++)
        CHECK(fabs(cosine[0][i] - cosine[1][i]) < 1e-6);
    CHECK(fabs(cosine[0][2] - cosine[2][2]) > 0.1);
    CHECK(fabs(cosine[0][2] - cos(1)) < 1e-6); /* the pair of the columns */
    CHECK(cosine[0][3] == 1);                  /* left over */
}

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

/* ---- what is kept ---- */

/* Packing moves the rows of written groups to the front, drops some where there is no room, and
 * marks what is not used. */
static void test_pack(poet_device *device)
{
    poet_generator_config c = small(2, 1, true);
    poet_generator *m = make(device, c);
    int32_t codes[48];
    for (int i = 0; i < 48; i++)
        codes[i] = i % 16 < 8 ? i % 8 : i % K; /* the two upper groups stand still */
    for (int room = 12; room >= 3; room -= 3) {
        poet_sequence_batch batch;
        CHECK_OK(poet_sequence_batch_create(&m->config, 1, room, &batch));
        CHECK_OK(poet_sequence_batch_fill(m, &batch, 0, codes, NULL, 0, NULL));
        int32_t targets[48], around[12 * 4 * POET_AROUND];
        memcpy(targets, batch.targets, sizeof targets);
        memcpy(around, batch.around, sizeof around);
        poet_sequence_batch_pack(&m->config, &batch, 7, 1);
        CHECK_CLOSE(batch.share, 8.0 / 12, 1e-6);
        int used = room < 8 ? room : 8;
        for (int i = 0; i < room; i++) {
            int row = batch.rows[i];
            CHECK(i >= used || i == 0 || row > batch.rows[i - 1]);
            CHECK(i >= used || (row < 4 || row % 4 >= 2));
            for (int k = 0; k < 4; k++)
                CHECK_INT(batch.targets[i * 4 + k], i < used ? targets[row * 4 + k] : -1);
            CHECK(i >= used ||
                  memcmp(batch.around + i * 4 * POET_AROUND, around + row * 4 * POET_AROUND,
                         4 * POET_AROUND * sizeof *around) == 0);
        }
        poet_sequence_batch_free(&batch);
    }
    poet_generator_destroy(m);
}

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

/* ---- training ---- */

/* Clip i belongs to caption i and to no other. */
static void memory_clip(int i, int count, int32_t *codes)
{
    poet_rng rng;
    poet_rng_init(&rng, 77, (uint64_t)i);
    for (int k = 0; k < count; k++)
        codes[k] = (int32_t)poet_rng_below(&rng, K);
}

static poet_status next_tokens(void *opaque, int64_t step, int b, int32_t *codes, const char **out)
{
    int count = *(int *)opaque;
    for (int i = 0; i < b; i++) {
        int which = (int)((step * b + i) % CAPTIONS);
        memory_clip(which, count, codes + i * count);
        out[i] = captions[which];
    }
    return POET_OK;
}

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

static poet_generator_training training_of(int64_t steps, int *count, const poet_task *task,
                                           const char *checkpoint)
{
    poet_generator_training r = poet_generator_training_defaults();
    r.train.optim.steps = steps;
    r.train.optim.warmup = 5;
    r.train.optim.rate = 3e-3F;
    r.train.checkpoint = checkpoint;
    r.train.save_seconds = 1e9;
    r.train.task = task;
    r.tokens = next_tokens;
    r.opaque = count;
    return r;
}

/* Four clips learned by heart: the captions call them up again, and the scores know which is which. */
static void test_learning(poet_device *device)
{
    poet_generator *m = make(device, small(2, 1, true));
    int count = 48;
    poet_generator_training r = training_of(150, &count, NULL, NULL);
    poet_memory memory;
    double before[CAPTIONS], right[CAPTIONS], wrong[CAPTIONS];
    const char *shuffled[CAPTIONS];
    int32_t clips[CAPTIONS * 48], written[CAPTIONS * 48];
    uint64_t seeds[CAPTIONS] = {0};
    for (int i = 0; i < CAPTIONS; i++) {
        memory_clip(i, 48, clips + i * 48);
        shuffled[i] = captions[(i + 1) % CAPTIONS];
    }
    CHECK_OK(poet_generator_score(m, CAPTIONS, clips, captions, before));
    /* A fresh model knows nothing: neither the codes nor which of the 12 groups are kept. */
    CHECK_CLOSE(before[0], 48 * log2(K) + 12, 0.01);
    CHECK_OK(poet_generator_train(m, &r, &memory));
    CHECK(memory.activations > 0);
    CHECK_OK(poet_generator_score(m, CAPTIONS, clips, captions, right));
    CHECK_OK(poet_generator_score(m, CAPTIONS, clips, shuffled, wrong));
    poet_sampling greedy = {.guidance = 1.5F, .temperature = 0, .top_p = 1};
    CHECK_OK(poet_generator_write(m, CAPTIONS, captions, seeds, &greedy, NULL, written, NULL));
    int equal = 0;
    for (int i = 0; i < CAPTIONS; i++) {
        CHECK(right[i] < 0.2 * before[i]);
        CHECK(wrong[i] > 2 * right[i]);
        for (int k = 0; k < 48; k++)
            equal += written[i * 48 + k] == clips[i * 48 + k];
    }
    fprintf(stderr, "bits %.1f -> %.1f, with the wrong caption %.1f; %d of %d codes recalled\n",
            before[0], right[0], wrong[0], equal, CAPTIONS * 48);
    CHECK(equal > CAPTIONS * 48 * 9 / 10);
    poet_generator_destroy(m);
}

static uint64_t fingerprint_of(poet_generator *m)
{
    uint64_t value = 0;
    CHECK_OK(poet_params_fingerprint(poet_generator_params(m), &value));
    return value;
}

/* A report in the middle of a run, as the command line makes them: it scores and writes with programs of its own. */
static poet_status report(void *opaque, int64_t step, char *text, size_t room)
{
    poet_generator *m = opaque;
    int32_t clip[48];
    double bits;
    uint64_t seed = 1;
    poet_sampling sampling = poet_sampling_defaults();
    (void)step;
    memory_clip(0, 48, clip);
    POET_TRY(poet_generator_score(m, 1, clip, captions, &bits));
    POET_TRY(poet_generator_write(m, 1, captions, &seed, &sampling, NULL, clip, NULL));
    poet_generator_forget_programs(m);
    snprintf(text, room, "\"bits\": %g", bits);
    return POET_OK;
}

/* Measuring changes nothing. */
static void test_reports(poet_device *device)
{
    int count = 48;
    uint64_t fingerprints[2];
    for (int with = 0; with < 2; with++) {
        poet_generator *m = make(device, small(2, 1, true));
        poet_generator_training r = training_of(6, &count, NULL, NULL);
        r.train.report_steps = 2;
        r.train.report = with ? report : NULL;
        r.train.report_opaque = m;
        CHECK_OK(poet_generator_train(m, &r, NULL));
        fingerprints[with] = fingerprint_of(m);
        poet_generator_destroy(m);
    }
    CHECK(fingerprints[0] == fingerprints[1]);
}

static void test_resume_and_files(poet_device *device)
{
    char path[] = "/tmp/poet-generator-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    poet_task stop = {.stop = stop_at_once};
    int count = 48;
    poet_generator *straight = make(device, small(2, 1, true)), *parts = NULL, *loaded;
    poet_generator_training r = training_of(5, &count, NULL, NULL);
    r.drop_text = 0.5F;
    CHECK_OK(poet_generator_train(straight, &r, NULL));
    r = training_of(5, &count, &stop, path);
    r.drop_text = 0.5F;
    for (int i = 0; i < 5; i++) {
        poet_generator_destroy(parts);
        parts = make(device, small(2, 1, true));
        CHECK_INT(poet_generator_train(parts, &r, NULL), i < 4 ? POET_ERR_INTERRUPTED : POET_OK);
    }
    CHECK(fingerprint_of(straight) == fingerprint_of(parts));

    CHECK_OK(poet_generator_save(parts, path, false, NULL, 0));
    CHECK_OK(poet_generator_load(device, path, &loaded));
    CHECK(fingerprint_of(loaded) == fingerprint_of(parts));
    CHECK(poet_generator_fingerprint(loaded) == 0x1234);
    CHECK_INT(poet_bpe_size(poet_generator_bpe(loaded)), poet_bpe_size(poet_generator_bpe(parts)));
    int32_t a[48], b[48];
    uint64_t seed = 9;
    poet_sampling sampling = poet_sampling_defaults();
    CHECK_OK(poet_generator_write(parts, 1, captions, &seed, &sampling, NULL, a, NULL));
    CHECK_OK(poet_generator_write(loaded, 1, captions, &seed, &sampling, NULL, b, NULL));
    CHECK(memcmp(a, b, sizeof a) == 0);
    poet_generator_destroy(loaded);
    poet_generator_destroy(parts);
    poet_generator_destroy(straight);
    unlink(path);
}

/* Longer: every weight is the same, and times that were not there begin as the last that was. */
static void test_extend(poet_device *device)
{
    poet_generator *m = make(device, small(2, 1, true)), *longer;
    shake(m);
    CHECK_OK(poet_generator_extend(m, 5, &longer));
    CHECK_INT(poet_generator_get_config(longer)->grid.t, 5);
    CHECK(poet_generator_fingerprint(longer) == poet_generator_fingerprint(m));
    CHECK_INT(poet_params_count(longer->params), poet_params_count(m->params));
    for (int i = 0; i < poet_params_count(longer->params); i++) {
        const char *name = poet_params_name(longer->params, i);
        int source = poet_params_find(m->params, name);
        const poet_tensor *a = poet_params_tensor(m->params, source);
        const poet_tensor *b = poet_params_tensor(longer->params, i);
        CHECK(memcmp(a->data, b->data, poet_tensor_bytes(a)) == 0);
        if (strcmp(name, "time.table") != 0) {
            CHECK_INT(poet_tensor_count(a), poet_tensor_count(b));
            continue;
        }
        size_t width = (size_t)m->config.width;
        const float *rows = b->data;
        CHECK(memcmp(rows + 3 * width, rows + 2 * width, width * sizeof *rows) == 0);
        CHECK(memcmp(rows + 4 * width, rows + 2 * width, width * sizeof *rows) == 0);
    }
    int32_t codes[80];
    uint64_t seed = 2;
    poet_sampling sampling = poet_sampling_defaults();
    CHECK_OK(poet_generator_write(longer, 1, captions, &seed, &sampling, NULL, codes, NULL));
    poet_generator_destroy(longer);
    poet_generator_destroy(m);
}

static void test_config(void)
{
    char text[512];
    poet_generator_config c = small(2, 1, true), back;
    c.vocabulary = 300;
    CHECK_OK(poet_generator_config_check(&c));
    poet_generator_config_text(&c, text);
    CHECK_OK(poet_generator_config_parse(text, &back));
    CHECK(back.width == c.width && back.grid.h == c.grid.h && back.fps == c.fps &&
          back.neighbours == c.neighbours && back.around == c.around && back.keep == c.keep &&
          back.caption == c.caption && back.rotary == c.rotary && back.slot_heads == c.slot_heads);
    c.group_h = 3;
    CHECK_FAILS(poet_generator_config_check(&c), POET_ERR_ARG,
                "does not divide into groups of 3x2");
    c = small(2, 1, true);
    c.vocabulary = 300;
    c.heads = 32;
    CHECK_FAILS(poet_generator_config_check(&c), POET_ERR_ARG, "heads of an even width, not 1");
    c.heads = 5;
    CHECK_FAILS(poet_generator_config_check(&c), POET_ERR_ARG, "multiple of its heads");
    c.layers = 0;
    CHECK_FAILS(poet_generator_config_check(&c), POET_ERR_ARG, "layers = 0 is not between");
    CHECK_FAILS(poet_generator_config_parse("{}", &c), POET_ERR_FORMAT, "cannot be read");
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_config();
    test_sequence();
    test_turns();
    test_cache(device, small(2, 1, true));
    test_cache(device, small(1, 1, false));
    test_cache(device, small(2, 2, true));
    poet_generator_config never_keeps = small(2, 1, true);
    never_keeps.keep = false;
    test_cache(device, never_keeps);
    poet_generator_config attends_only = small(2, 1, true);
    attends_only.caption = attends_only.rotary = false;
    test_cache(device, attends_only);
    test_pack(device);
    test_batches(device);
    test_best_of(device);
    test_prompts(device);
    test_learning(device);
    test_reports(device);
    test_resume_and_files(device);
    test_extend(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
