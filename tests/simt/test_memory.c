/* What a card would have to hold, planned with the kernels' own scratch: the sample model, and what does not fit. */
#include "cuda/backend/cuda_table.h"
#include "generator/generator.h"
#include "tests/support/check.h"

#include <stdlib.h>

static const double mb = 1e6;

static poet_generator *load(poet_device *device, const char *folder)
{
    char path[512];
    poet_generator *g;
    snprintf(path, sizeof path, "%s/generator.safetensors", folder);
    CHECK_OK(poet_generator_load(device, path, &g));
    return g;
}

static void tell(const char *what, const poet_memory *m)
{
    char text[192];
    printf("%s: %s\n", what, poet_memory_text(m, text));
}

static void test_writing(poet_generator *g, poet_tokenizer *t)
{
    poet_sampling sampling = poet_sampling_defaults();
    poet_memory eight, one, decoding;
    CHECK_OK(poet_generator_plan_writing(g, 8, &sampling, &eight));
    CHECK_OK(poet_generator_plan_writing(g, 1, &sampling, &one));
    CHECK_OK(poet_tokenizer_plan_decoding(t, &poet_generator_get_config(g)->grid, &decoding));
    tell("8 clips", &eight);
    tell("decoding", &decoding);
    CHECK(eight.params == one.params && eight.caches > 7 * one.caches);
    CHECK((double)(poet_memory_total(&eight) + poet_memory_total(&decoding)) < 1000 * mb);
}

/* Weights in f16 are copies, and planned. */
static void test_copies(poet_generator *g)
{
    poet_sampling sampling = poet_sampling_defaults();
    poet_memory plain, copied;
    CHECK_OK(poet_generator_plan_writing(g, 8, &sampling, &plain));
    setenv("POET_CUDA_WEIGHTS", "f16", 1);
    CHECK_OK(poet_generator_plan_writing(g, 8, &sampling, &copied));
    unsetenv("POET_CUDA_WEIGHTS");
    tell("8 clips, weights in f16", &copied);
    CHECK(plain.packed == 0 && copied.packed > plain.params / 4 && copied.packed < plain.params);
}

static poet_status no_tokens(void *opaque, int64_t step, int b, int32_t *codes,
                             const char **captions)
{
    const poet_generator_config *c = opaque;
    int64_t n = poet_grid_codes(&c->grid);
    for (int64_t i = 0; i < b * n; i++)
        codes[i] = (int32_t)((step + i) * 7919 % c->codes);
    for (int i = 0; i < b; i++)
        captions[i] = "a small red circle moves left quickly";
    return POET_OK;
}

static poet_generator_training training_of(poet_generator_config *c)
{
    poet_generator_training training = poet_generator_training_defaults();
    training.b = 8;
    training.tokens = no_tokens;
    training.opaque = c;
    training.train.optim.muon_rate = 0.02F;
    return training;
}

static void test_training(poet_generator *g)
{
    poet_generator_config c = *poet_generator_get_config(g);
    poet_generator_training training = training_of(&c);
    poet_memory full, half;
    CHECK_OK(poet_generator_plan_training(g, &training, &full));
    training.train.precision = POET_BF16;
    CHECK_OK(poet_generator_plan_training(g, &training, &half));
    tell("training, 8 clips, f32", &full);
    tell("training, 8 clips, bf16", &half);
    CHECK(full.moments >= full.params && full.activations > 100 * full.inputs);
    CHECK((double)poet_memory_total(&full) < 4000 * mb);
    CHECK((double)poet_memory_total(&half) < 4000 * mb);
}

/* One clip fits where eight do not; where none does, nothing is tried. */
static void test_little_memory(poet_generator *g)
{
    poet_sampling sampling = poet_sampling_defaults();
    poet_memory one, two, found;
    int fits = 0;
    char limit[32];
    CHECK_OK(poet_generator_plan_writing(g, 1, &sampling, &one));
    CHECK_OK(poet_generator_plan_writing(g, 2, &sampling, &two));
    size_t left, most, held = one.params + one.buffers;
    poet_device *device = poet_params_device(poet_generator_params(g));
    CHECK_OK(device->backend->memory(device, &left, &most));
    size_t used = most - left - held;
    snprintf(limit, sizeof limit, "%zu", used + poet_memory_total(&two) - 1);
    setenv("POET_SIMT_MEMORY", limit, 1);
    CHECK_OK(poet_generator_fit_batch(g, 8, &sampling, &fits, &found));
    CHECK_INT(fits, 1);
    CHECK(poet_memory_total(&found) == poet_memory_total(&one));
    snprintf(limit, sizeof limit, "%zu", used + poet_memory_total(&one) - 1);
    setenv("POET_SIMT_MEMORY", limit, 1);
    CHECK_FAILS(poet_generator_fit_batch(g, 8, &sampling, &fits, &found), POET_ERR_NOMEM,
                "to write clips: weights");
    poet_generator_config c = *poet_generator_get_config(g);
    poet_generator_training training = training_of(&c);
    CHECK_FAILS(poet_generator_train(g, &training, NULL), POET_ERR_NOMEM, "train-generator: ");
    unsetenv("POET_SIMT_MEMORY");
}

int main(int argc, char **argv)
{
    poet_device *device;
    poet_tokenizer *t;
    char path[512];
    CHECK_INT(argc, 2);
    snprintf(path, sizeof path, "%s/tokenizer.safetensors", argv[1]);
    CHECK_OK(poet_device_open(poet_cuda_table(), 0, 1, &device));
    poet_generator *g = load(device, argv[1]);
    CHECK_OK(poet_tokenizer_load(device, path, &t));
    test_writing(g, t);
    test_copies(g);
    if (strcmp(device->backend->name, "simt") == 0) /* a card's memory is as it is */
        test_little_memory(g);
    test_training(g);
    poet_tokenizer_destroy(t);
    poet_generator_destroy(g);
    poet_device_close(device);
    return CHECK_RESULT();
}
