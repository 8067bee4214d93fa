/* The part of eval that takes the time: sampling, and what of a training step is the softmax's. */
#include "cli/cmd_eval_internal.h"

#include "base/memory.h"
#include "cli/joules.h"
#include "cli/training.h"
#include "compute/backend.h"

enum { STEP_CLIPS = 8, PROFILED_STEPS = 5 };

/* Held-out clips as codes, again and again. */
typedef struct clips {
    int n;
    int64_t per_clip;
    int32_t *codes; /* (n, per_clip) */
    char *captions[STEP_CLIPS];
} clips;

static poet_status read_clips(const cli_eval_run *run, clips *out)
{
    uint64_t count = poet_dataset_count(run->dataset, POET_SPLIT_SEEN);
    out->n = count < STEP_CLIPS ? (int)count : STEP_CLIPS;
    out->per_clip = poet_grid_codes(&poet_generator_get_config(run->pair.generator)->grid);
    out->codes = poet_alloc((size_t)(out->n * out->per_clip) * sizeof *out->codes);
    if (!out->codes)
        return POET_ERR_NOMEM;
    for (int i = 0; i < out->n; i++) {
        poet_example example;
        const poet_clip *clip = &example.clip;
        POET_TRY(poet_dataset_read(run->dataset, POET_SPLIT_SEEN, (uint64_t)i, &example));
        poet_status status =
            poet_tokenizer_encode(run->pair.tokenizer, clip->pixels, clip->t, clip->h, clip->w,
                                  out->codes + i * out->per_clip);
        out->captions[i] = poet_strdup(example.caption);
        poet_example_free(&example);
        POET_TRY(status);
        if (!out->captions[i])
            return POET_ERR_NOMEM;
    }
    return out->n ? POET_OK : POET_FAIL(POET_ERR_ARG, "%s: has no held-out clips", run->spec);
}

static void free_clips(clips *c)
{
    for (int i = 0; i < c->n; i++)
        poet_free(c->captions[i]);
    poet_free(c->codes);
}

/* ---- a training step ---- */

static poet_status next_tokens(void *opaque, int64_t step, int b, int32_t *codes,
                               const char **captions)
{
    const clips *c = opaque;
    for (int i = 0; i < b; i++) {
        int64_t from = (step * b + i) % c->n;
        for (int64_t k = 0; k < c->per_clip; k++)
            codes[i * c->per_clip + k] = c->codes[from * c->per_clip + k];
        captions[i] = c->captions[from];
    }
    return POET_OK;
}

static poet_status profile_step(const cli_eval_run *run, clips *c, json_t *out)
{
    poet_generator_training training = poet_generator_training_defaults();
    poet_step_profile profile;
    training.b = STEP_CLIPS;
    training.tokens = next_tokens;
    training.opaque = c;
    training.train.precision = cli_precision_auto(run->pair.device);
    POET_TRY(poet_generator_profile_step(run->pair.generator, &training, PROFILED_STEPS, &profile));
    json_object_set_new(out, "step_seconds", json_real(profile.seconds));
    json_object_set_new(out, "softmax_share", json_real(profile.softmax / profile.seconds));
    return POET_OK;
}

/* ---- sampling ---- */

static poet_status write_one(const cli_eval_run *run, const clips *c, int i, int32_t *codes)
{
    const char *prompt = c->captions[i % c->n];
    poet_sampling sampling = run->sampling;
    uint64_t seed = run->seed + (uint64_t)i;
    sampling.guidance = 1;
    sampling.best_of = 1;
    return poet_generator_write(run->pair.generator, 1, &prompt, &seed, &sampling, NULL, codes,
                                NULL);
}

static poet_status sample(const cli_eval_run *run, const clips *c, int32_t *codes, json_t *out)
{
    cli_joules energy;
    double spent = 0;
    int written = 0;
    POET_TRY(write_one(run, c, 0, codes)); /* makes the programs */
    cli_joules_begin(run->pair.device, &energy);
    double begin = poet_seconds();
    while (spent < run->speed_seconds && !poet_task_stopped(run->task)) {
        POET_TRY(write_one(run, c, ++written, codes));
        cli_joules_look(&energy);
        spent = poet_seconds() - begin;
    }
    if (poet_task_stopped(run->task))
        return POET_FAIL(POET_ERR_INTERRUPTED, "stopped after %d clips", written);
    json_object_set_new(out, "codes_per_second",
                        json_real((double)written * (double)c->per_clip / spent));
    cli_joules_end(&energy, written, out);
    return POET_OK;
}

poet_status cli_eval_speed(const cli_eval_run *run, json_t *out)
{
    clips c = {0};
    if (!(run->speed_seconds > 0) || !run->pair.generator)
        return POET_OK;
    json_t *own = json_object();
    json_object_set_new(out, "speed", own);
    poet_status status = read_clips(run, &c);
    int32_t *codes = status ? NULL : poet_alloc((size_t)c.per_clip * sizeof *codes);
    if (!status)
        status = codes ? sample(run, &c, codes, own) : POET_ERR_NOMEM;
    if (!status)
        status = profile_step(run, &c, own);
    poet_free(codes);
    free_clips(&c);
    return status;
}
