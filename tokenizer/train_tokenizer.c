#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

poet_tokenizer_training poet_tokenizer_training_defaults(void)
{
    poet_tokenizer_training r = {.b = 4,
                                 .t = 17,
                                 .h = 64,
                                 .w = 64,
                                 .commitment = 0.1F,
                                 .decay = 0.99F,
                                 .restart = 0.03F,
                                 .start_clips = 200,
                                 .train = {.optim = poet_optim_defaults(),
                                           .save_seconds = 120,
                                           .log_steps = 50,
                                           .what = "train-tokenizer"}};
    r.train.optim.muon_rate = 0.02F;
    return r;
}

/* The smallest codebook that nested rows are trained for is K / NESTED_RANGE. */
enum { NESTED_RANGE = 16 };

typedef struct feeder {
    const poet_tokenizer_training *training;
    uint8_t *frames;
    size_t bytes;
    poet_val frames_input, step_input, away_input;
    int codes;
    float *away; /* (K); NULL where codebooks are not nested */
} feeder;

/* Which rows take part in a step: a draw of (seed, step). */
static void draw_rows(feeder *f, int64_t step)
{
    const float far = 1e4F; /* latents are below a hundred */
    poet_rng rng;
    poet_rng_init(&rng, ~f->training->seed, (uint64_t)step);
    double shown = f->codes * pow(NESTED_RANGE, -(double)poet_rng_uniform(&rng));
    for (int k = 0; k < f->codes; k++)
        f->away[k] = k < 2 || k < (int)lrint(shown) ? 0 : far;
}

static poet_status feed(void *opaque, int64_t step, poet_program *program)
{
    feeder *f = opaque;
    int32_t number = (int32_t)step;
    POET_TRY(f->training->clips(f->training->opaque, step, f->training->b, f->frames));
    POET_TRY(poet_program_set(program, f->frames_input, f->frames, f->bytes));
    if (f->away) {
        draw_rows(f, step);
        POET_TRY(
            poet_program_set(program, f->away_input, f->away, (size_t)f->codes * sizeof *f->away));
    }
    return poet_program_set(program, f->step_input, &number, sizeof number);
}

static poet_quantized quantize(poet_graph *g, const poet_tokenizer_training *r,
                               const poet_tokenizer_config *c, poet_val z,
                               const poet_training_inputs *inputs)
{
    if (!r->decoder_only)
        return poet_quantizer_train(g, r, c, z, inputs);
    poet_val codes = poet_quantizer_encode(g, c, z);
    return (poet_quantized){
        .vectors = poet_quantizer_decode(g, c, codes), .codes = codes, .penalty = POET_NONE};
}

/* The mean squared error counts the first frame four times, as patches do: it is what everything
 * later is predicted from. */
poet_status poet_tokenizer_training_build(poet_tokenizer *t,
                                          const poet_tokenizer_training *training,
                                          poet_program **out)
{
    const poet_tokenizer_config *c = &t->config;
    poet_graph *g = poet_graph_create(t->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_graph_set_precision(g, training->train.precision);
    poet_val frames = poet_input(g, "frames", POET_U8,
                                 POET_SHAPE(training->b, training->t, training->h, training->w, 3));
    poet_training_inputs inputs = {.step = poet_input(g, "step", POET_I32, POET_SHAPE(1)),
                                   .away = POET_NONE};
    if (training->nested)
        inputs.away = poet_input(g, "away", POET_F32, POET_SHAPE(c->codes, 1));
    poet_val patches = poet_patchify(g, frames, c->patch);
    poet_val z = poet_encoder_build(g, c, patches);
    poet_quantized q = quantize(g, training, c, z, &inputs);
    poet_val loss = poet_mse(g, poet_decoder_build(g, c, q.vectors), patches);
    poet_result(g, "mse", loss);
    if (q.penalty.id >= 0)
        loss = poet_add(g, loss, q.penalty);
    poet_optimize(g, loss, &training->train.optim);
    return poet_program_create(g, out);
}

/* The weights are on the device already. */
static poet_status check_memory(poet_tokenizer *t, const poet_tokenizer_training *r,
                                poet_memory *out)
{
    poet_memory memory;
    POET_TRY(poet_tokenizer_plan_training(t->device, &t->config, r, &memory));
    if (out)
        *out = memory;
    return poet_memory_check(t->device, &memory, memory.params + memory.buffers, r->train.what);
}

/* Starting values are found before there is a program of steps, so that their memory can be its. */
static poet_status train(poet_tokenizer *t, const poet_tokenizer_training *r,
                         const poet_train_config *config, poet_memory *memory)
{
    int64_t step;
    poet_program *program;
    feeder *f = config->opaque;
    POET_TRY(poet_train_resume(config, t->params, &step));
    POET_TRY(check_memory(t, r, memory));
    if (step == 0 && !r->decoder_only)
        POET_TRY(poet_tokenizer_start(t, r));
    POET_TRY(poet_tokenizer_training_build(t, r, &program));
    f->frames_input = poet_program_input(program, "frames");
    f->step_input = poet_program_input(program, "step");
    if (f->away)
        f->away_input = poet_program_input(program, "away");
    poet_status status = poet_train_run(config, t->params, program, step);
    poet_program_destroy(program);
    return status;
}

poet_status poet_tokenizer_train(poet_tokenizer *tokenizer, const poet_tokenizer_training *training,
                                 poet_memory *memory)
{
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, training->t, training->h, training->w, &grid));
    poet_tokenizer_forget_programs(tokenizer);
    const poet_tokenizer_config *c = &tokenizer->config;
    if (training->nested && c->quantizer != POET_QUANTIZER_VQ)
        return POET_FAIL(POET_ERR_ARG, "FSQ and LFQ have no rows of a codebook to be nested");
    if (training->nested && training->decoder_only)
        return POET_FAIL(POET_ERR_ARG, "a decoder alone is not trained for nested codes");
    feeder f = {.training = training,
                .codes = c->codes,
                .bytes = (size_t)training->b * (size_t)training->t * (size_t)training->h *
                         (size_t)training->w * 3};
    f.frames = poet_alloc(f.bytes);
    f.away = training->nested ? poet_alloc((size_t)c->codes * sizeof *f.away) : NULL;
    if (!f.frames || (training->nested && !f.away)) {
        poet_free(f.away);
        poet_free(f.frames);
        return POET_ERR_NOMEM;
    }
    char config_text[512], batch_text[64];
    poet_tokenizer_config_text(&tokenizer->config, config_text);
    snprintf(batch_text, sizeof batch_text, "%dx%dx%dx%d seed %llu%s", training->b, training->t,
             training->h, training->w, (unsigned long long)training->seed,
             training->nested         ? " nested"
             : training->decoder_only ? " decoder"
                                      : "");
    poet_pair pairs[] = {{"tokenizer.config", config_text}, {"train.batch", batch_text}};
    poet_train_config config = training->train;
    config.pairs = pairs;
    config.n_pairs = 2;
    config.feed = feed;
    config.opaque = &f;
    poet_status status = train(tokenizer, training, &config, memory);
    poet_tokenizer_forget_programs(tokenizer); /* a report may have made some */
    if (!status)
        status = poet_train_finish(tokenizer->params);
    poet_free(f.away);
    poet_free(f.frames);
    return status;
}
