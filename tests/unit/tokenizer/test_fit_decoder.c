/* The decoder's last layer by least squares: spoilt, it comes back at least as good; fitted twice, it stays; codes stay. */
#include "base/memory.h"
#include "compute/backend.h"
#include "tests/support/check.h"
#include "tests/unit/tokenizer/small_training.h"
#include "tokenizer/shrink.h"
#include "tokenizer/tokenizer_internal.h"

enum { CLIP = T * PIXELS, CLIPS = 160, CODES = 2 * 4 * 4 };

static poet_tokenizer *trained(poet_device *device)
{
    poet_tokenizer *t;
    poet_tokenizer_config c = poet_tokenizer_defaults();
    c.codes = 24;
    c.dim = 6;
    c.width = 16;
    c.decoder_blocks = 1;
    CHECK_OK(poet_tokenizer_config_check(&c));
    CHECK_OK(poet_tokenizer_create(device, &c, 4, &t));
    poet_tokenizer_training r = training_of(20, NULL, NULL);
    CHECK_OK(poet_tokenizer_train(t, &r, NULL));
    return t;
}

static poet_decoder_fit fit_of(int count, int *asked, const poet_task *task)
{
    return (poet_decoder_fit){
        .t = T, .h = H, .w = W, .count = count, .clips = next_clips, .opaque = asked, .task = task};
}

/* Over the clips of the fit, from values between -1 and 1 that are neither rounded nor clamped, the first frame four times. */
static double error_of(poet_tokenizer *t)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(t);
    static uint8_t frames[CLIP];
    poet_program *program;
    double sum = 0;
    poet_graph *g = poet_graph_create(poet_tokenizer_params(t));
    poet_val input = poet_input(g, "frames", POET_U8, POET_SHAPE(1, T, H, W, 3));
    poet_val patches = poet_patchify(g, input, c->patch);
    poet_val codes = poet_quantizer_encode(g, c, poet_encoder_build(g, c, patches));
    poet_val back = poet_decoder_build(g, c, poet_quantizer_decode(g, c, codes));
    poet_result(g, "mse", poet_mse(g, back, patches));
    CHECK_OK(poet_program_create(g, &program));
    for (int i = 0; i < CLIPS; i++) {
        float mse;
        CHECK_OK(next_clips(NULL, i, 1, frames));
        CHECK_OK(poet_program_set_by_name(program, "frames", frames, sizeof frames));
        CHECK_OK(poet_program_run(program));
        CHECK_OK(poet_program_get_by_name(program, "mse", &mse, sizeof mse));
        sum += (double)mse / CLIPS;
    }
    poet_program_destroy(program);
    return sum;
}

/* Adds noise to a parameter. */
static void spoil(poet_tokenizer *t, const char *name, float by)
{
    poet_params *params = poet_tokenizer_params(t);
    int index = poet_params_find(params, name);
    size_t bytes = poet_tensor_bytes(poet_params_tensor(params, index));
    float *values = poet_alloc(bytes);
    poet_rng rng;
    poet_rng_init(&rng, 5, 6);
    CHECK_OK(poet_params_read(params, index, values, bytes));
    for (size_t i = 0; i < bytes / sizeof *values; i++)
        values[i] += by * poet_rng_normal(&rng);
    CHECK_OK(poet_params_write(params, index, values, bytes));
    poet_free(values);
    poet_tokenizer_forget_programs(t);
}

static void encode(poet_tokenizer *t, int32_t codes[CODES])
{
    static uint8_t frames[CLIP];
    support_draw_clip(77, T, H, W, frames);
    CHECK_OK(poet_tokenizer_encode(t, frames, T, H, W, codes));
}

static void test_fit(poet_device *device)
{
    poet_tokenizer *t = trained(device);
    int32_t before[CODES], after[CODES];
    int asked = 0;
    double trained_error = error_of(t);
    encode(t, before);
    spoil(t, "decoder.linear.weight", 0.05F);
    spoil(t, "decoder.last.weight", 0.05F);
    spoil(t, "decoder.linear.bias", 0.1F);
    double spoilt = error_of(t);
    CHECK(spoilt > 1.2 * trained_error);

    poet_decoder_fit fit = fit_of(CLIPS, &asked, NULL);
    CHECK_OK(poet_tokenizer_fit_decoder(t, &fit));
    CHECK(asked == CLIPS);
    double fitted = error_of(t);
    CHECK_CLOSE(fit.before, spoilt, 1e-4 * spoilt);
    CHECK_CLOSE(fit.after, fitted, 1e-4 * fitted);
    CHECK(fitted < trained_error); /* which is a layer like any other */
    encode(t, after);
    CHECK(!memcmp(before, after, sizeof before));

    fit = fit_of(CLIPS, NULL, NULL);
    CHECK_OK(poet_tokenizer_fit_decoder(t, &fit));
    CHECK_CLOSE(error_of(t), fitted, 0.05 * fitted); /* the prior gave way a little */
    CHECK(error_of(t) <= fitted * (1 + 1e-5));
    poet_tokenizer_destroy(t);
}

/* From few places the layer moves little: the prior holds it. */
static void test_prior(poet_device *device)
{
    poet_tokenizer *few = trained(device), *many = trained(device);
    poet_decoder_fit fit = fit_of(1, NULL, NULL);
    CHECK_OK(poet_tokenizer_fit_decoder(few, &fit));
    double all = error_of(many);
    CHECK(error_of(few) < 1.05 * all);
    poet_tokenizer_destroy(many);
    poet_tokenizer_destroy(few);
}

static bool stop(void *user)
{
    return ++*(int *)user > 2;
}

static void test_stop(poet_device *device)
{
    poet_tokenizer *t = trained(device);
    double before = error_of(t);
    int asked = 0, looks = 0;
    poet_task task = {.stop = stop, .user = &looks};
    poet_decoder_fit fit = fit_of(CLIPS, &asked, &task);
    CHECK_FAILS(poet_tokenizer_fit_decoder(t, &fit), POET_ERR_INTERRUPTED,
                "stopped after 2 of 160");
    CHECK(asked == 2);
    CHECK(error_of(t) == before);
    fit = fit_of(CLIPS, NULL, NULL);
    fit.w = W + 1;
    CHECK_FAILS(poet_tokenizer_fit_decoder(t, &fit), POET_ERR_ARG, "17");
    poet_tokenizer_destroy(t);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 1, &device));
    test_fit(device);
    test_prior(device);
    test_stop(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
