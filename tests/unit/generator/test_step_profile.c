/* Taking the time of training steps: the parts are found, and nothing is learned. */
#include "base/rng.h"
#include "compute/backend.h"
#include "generator/generator_internal.h"
#include "tests/support/check.h"

enum { K = 40, DIM = 5, CODES = 48 };

static const char *const captions[] = {"a red ball moves left", "two green boxes"};

static poet_generator *make(poet_device *device, int levels)
{
    poet_bpe *bpe;
    poet_bpe_options options = {.size = 300, .fold_case = true};
    poet_generator *m;
    poet_generator_config c = poet_generator_defaults();
    float vectors[2 * K * DIM];
    for (int i = 0; i < 2 * K * DIM; i++)
        vectors[i] = (float)(i % 7) - 3;
    c.codes = K;
    c.code_dim = DIM;
    c.grid = (poet_grid){3, 4, 4 / levels, levels};
    c.fps = 8;
    c.text = 24;
    c.width = 32;
    c.layers = 1;
    c.slot_width = 24;
    CHECK_OK(poet_bpe_train(captions, 2, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    CHECK_OK(poet_generator_create(device, &c, bpe, vectors, 0x1234, 5, &m));
    return m;
}

static poet_status next_tokens(void *opaque, int64_t step, int b, int32_t *codes, const char **out)
{
    poet_rng rng;
    (void)opaque;
    poet_rng_init(&rng, 3, (uint64_t)step);
    for (int i = 0; i < b * CODES; i++)
        codes[i] = (int32_t)poet_rng_below(&rng, K);
    for (int i = 0; i < b; i++)
        out[i] = captions[i % 2];
    return POET_OK;
}

static void test_profile(poet_device *device, int levels)
{
    poet_generator *m = make(device, levels);
    poet_generator_training r = poet_generator_training_defaults();
    poet_step_profile profile;
    uint64_t before, after;
    r.tokens = next_tokens;
    CHECK_OK(poet_params_fingerprint(poet_generator_params(m), &before));
    CHECK_OK(poet_generator_profile_step(m, &r, 2, &profile));
    CHECK(profile.softmax > 0 && profile.softmax < profile.seconds);
    CHECK_OK(poet_params_fingerprint(poet_generator_params(m), &after));
    CHECK(before == after);
    CHECK(poet_params_bytes(poet_generator_params(m), POET_MOMENT) == 0);
    poet_generator_destroy(m);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_profile(device, 1);
    test_profile(device, 2);
    poet_device_close(device);
    return CHECK_RESULT();
}
