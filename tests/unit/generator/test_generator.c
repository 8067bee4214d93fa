/* The generator: learning, scores, resuming, files. */
#include "tests/unit/generator/small_generator.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

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
    poet_generator *other = make(device, small(2, 1, true)); /* of another tokenizer's codes */
    other->fingerprint++;
    CHECK_FAILS(poet_generator_train(other, &r, NULL), POET_ERR_MISMATCH, "generator.follows");
    poet_generator_destroy(other);
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
    CHECK_OK(poet_generator_extend(m, 5, 12, &longer));
    CHECK_INT(poet_generator_get_config(longer)->grid.t, 5);
    CHECK(poet_generator_get_config(longer)->fps == 12);
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
    test_learning(device);
    test_reports(device);
    test_resume_and_files(device);
    test_extend(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
