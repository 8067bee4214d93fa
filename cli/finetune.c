#include "cli/finetune.h"

#include "cli/training.h"
#include "datasets/sampler.h"

#include <string.h>

/* Steps that are measured; the first of them make what later ones find ready. */
enum { UNTIMED = 2, TIMED = 6 };

bool cli_finetune_wanted(const cli_finetune *finetune)
{
    return finetune->minutes > 0 || finetune->steps > 0;
}

/* When the first timed step began, and how long one took by the last; every batch is asked for once, at the beginning of its
 * step. */
typedef struct stopwatch {
    double begin, seconds;
} stopwatch;

static void look(stopwatch *watch, int64_t step)
{
    if (step == UNTIMED)
        watch->begin = poet_seconds();
    else if (step > UNTIMED)
        watch->seconds = (poet_seconds() - watch->begin) / (double)(step - UNTIMED);
}

static int64_t steps_of(const cli_finetune *finetune, double share, const stopwatch *watch)
{
    double steps = 60 * (double)finetune->minutes * share / watch->seconds;
    return steps < 1 ? 1 : (int64_t)steps;
}

/* A small part of the rates of a whole training: what is there is to be kept. */
static void set_rates(const cli_finetune *finetune, poet_device *device, const char *checkpoint,
                      int64_t steps, poet_train_config *config)
{
    config->optim.rate *= 0.5F;
    config->optim.muon_rate *= 0.25F;
    config->optim.warmup = steps / 10 < 20 ? steps / 10 : 20;
    config->optim.average = steps >= 100 ? 0.98F : 0;
    config->optim.steps = steps;
    config->precision = cli_precision_auto(device);
    config->checkpoint = checkpoint;
    config->task = finetune->task;
}

/* Of a run that may have begun already, or 0: to be measured. */
static poet_status known_steps(const cli_finetune *finetune, int64_t *steps)
{
    POET_TRY(poet_train_planned(finetune->checkpoint, steps));
    if (finetune->minutes <= 0)
        *steps = finetune->steps;
    return POET_OK;
}

/* ---- the decoder ---- */

typedef struct decoder_run {
    cli_clips clips;
    stopwatch watch;
} decoder_run;

static poet_status next_clips(void *opaque, int64_t step, int b, uint8_t *frames)
{
    decoder_run *run = opaque;
    look(&run->watch, step);
    return cli_clips_next(&run->clips, step, b, frames);
}

/* The tokenizer of the file, trained: weights are *out's. checkpoint may be NULL. */
static poet_status train_decoder(const cli_finetune *finetune, poet_device *device,
                                 decoder_run *run, const char *file, const char *checkpoint,
                                 int64_t steps, poet_tokenizer **out)
{
    poet_clip shape = poet_dataset_geometry(run->clips.dataset);
    poet_tokenizer_training training = poet_tokenizer_training_defaults();
    training.t = shape.t;
    training.h = shape.h;
    training.w = shape.w;
    training.decoder_only = true;
    training.seed = finetune->seed;
    training.clips = next_clips;
    training.opaque = run;
    training.train.optim.rate = 0.001F;
    training.train.what = "finetune the decoder";
    set_rates(finetune, device, checkpoint, steps, &training.train);
    poet_memory memory;
    POET_TRY(poet_tokenizer_load(device, file, out));
    POET_TRY(
        poet_tokenizer_plan_training(device, poet_tokenizer_get_config(*out), &training, &memory));
    memory.host += cli_clips_bytes(&run->clips, training.b);
    training.train.memory = memory;
    return poet_tokenizer_train(*out, &training, NULL);
}

static poet_status run_decoder(const cli_finetune *finetune, double share, poet_device *device,
                               decoder_run *run, const char *file, bool bf16, int64_t *steps)
{
    poet_tokenizer *tokenizer = NULL;
    poet_status status = POET_OK;
    POET_TRY(known_steps(finetune, steps));
    if (!*steps) {
        status = train_decoder(finetune, device, run, file, NULL, UNTIMED + TIMED, &tokenizer);
        poet_tokenizer_destroy(tokenizer);
        tokenizer = NULL;
        if (!status)
            *steps = steps_of(finetune, share, &run->watch);
    }
    if (!status)
        status =
            train_decoder(finetune, device, run, file, finetune->checkpoint, *steps, &tokenizer);
    if (!status)
        status = poet_tokenizer_save(tokenizer, file, bf16, NULL, 0);
    poet_tokenizer_destroy(tokenizer);
    return status;
}

poet_status cli_finetune_decoder(const cli_finetune *finetune, double share, poet_device *device,
                                 const poet_dataset *dataset, const char *file, bool bf16,
                                 int64_t *steps)
{
    decoder_run run = {.clips = {.dataset = dataset, .seed = finetune->seed, .align = 1}};
    poet_status status = run_decoder(finetune, share, device, &run, file, bf16, steps);
    cli_clips_close(&run.clips);
    return status;
}

/* ---- the generator ---- */

typedef struct generator_run {
    const cli_domain *domain;
    poet_sampler sampler;
    stopwatch watch;
} generator_run;

static poet_status next_tokens(void *opaque, int64_t step, int b, int32_t *codes,
                               const char **captions)
{
    generator_run *run = opaque;
    const cli_domain *d = run->domain;
    int64_t per_clip = poet_grid_codes(&d->grid);
    look(&run->watch, step);
    for (int i = 0; i < b; i++) {
        uint64_t at = poet_sampler_at(&run->sampler, (uint64_t)step * (uint64_t)b + (uint64_t)i);
        memcpy(codes + i * per_clip, d->codes + (int64_t)at * per_clip,
               (size_t)per_clip * sizeof *codes);
        captions[i] = d->captions[at];
    }
    return POET_OK;
}

static poet_status train_generator(const cli_finetune *finetune, poet_device *device,
                                   generator_run *run, const char *file, const char *checkpoint,
                                   int64_t steps, poet_generator **out)
{
    poet_generator_training training = poet_generator_training_defaults();
    training.b = 8;
    training.seed = finetune->seed;
    training.tokens = next_tokens;
    training.opaque = run;
    training.train.what = "finetune the generator";
    set_rates(finetune, device, checkpoint, steps, &training.train);
    poet_memory memory;
    POET_TRY(poet_generator_load(device, file, out));
    POET_TRY(poet_generator_plan_training(*out, &training, &memory));
    training.train.memory = memory;
    return poet_generator_train(*out, &training, NULL);
}

poet_status cli_finetune_generator(const cli_finetune *finetune, double share, poet_device *device,
                                   const cli_domain *domain, const char *file, bool bf16,
                                   int64_t *steps)
{
    poet_generator *generator = NULL;
    poet_status status = POET_OK;
    generator_run run = {.domain = domain, .sampler = {finetune->seed, (uint64_t)domain->n}};
    POET_TRY(known_steps(finetune, steps));
    if (!*steps) {
        status = train_generator(finetune, device, &run, file, NULL, UNTIMED + TIMED, &generator);
        poet_generator_destroy(generator);
        generator = NULL;
        if (!status)
            *steps = steps_of(finetune, share, &run.watch);
    }
    if (!status)
        status =
            train_generator(finetune, device, &run, file, finetune->checkpoint, *steps, &generator);
    if (!status)
        status = poet_generator_save(generator, file, bf16, NULL, 0);
    poet_generator_destroy(generator);
    return status;
}
