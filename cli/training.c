#include "cli/training.h"

#include "base/memory.h"
#include "cli/output.h"

#include <string.h>
#include <unistd.h>

const char *const cli_weight_types[] = {"f32", "bf16", NULL};

enum { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16 };

const char *const cli_precisions[] = {"auto", "f32", "bf16", NULL};

poet_dtype cli_precision_auto(const poet_device *device)
{
    return device->backend->bf16 ? POET_BF16 : POET_F32;
}

static poet_dtype precision_of(const cli_training *training, const poet_device *device)
{
    switch (training->precision) {
    case PRECISION_F32: return POET_F32;
    case PRECISION_BF16: return POET_BF16;
    default: return cli_precision_auto(device);
    }
}

bool cli_training_bf16(const cli_training *training)
{
    return training->weights == 1;
}

poet_status cli_training_complete(cli_training *training, const cli_context *context,
                                  const poet_device *device, poet_train_config *config)
{
    if (!training->output)
        return POET_FAIL(POET_ERR_ARG, "%s wants --output FILE.safetensors", context->verb);
    POET_TRY(cli_can_write(training->output, NULL));
    POET_TRY(training->metrics ? cli_can_write(training->metrics, NULL) : POET_OK);
    size_t room = strlen(training->output) + sizeof ".checkpoint";
    training->checkpoint = poet_alloc(room);
    if (!training->checkpoint)
        return POET_ERR_NOMEM;
    snprintf(training->checkpoint, room, "%s.checkpoint", training->output);
    config->optim.rate = training->rate;
    config->optim.muon_rate = training->muon_rate;
    config->optim.warmup = training->warmup;
    config->optim.weight_decay = training->weight_decay;
    config->optim.average = training->average;
    config->optim.steps = training->steps;
    config->precision = precision_of(training, device);
    if (config->precision == POET_BF16 && !device->backend->bf16)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "--precision: this device has no bf16; auto or f32");
    config->checkpoint = training->checkpoint;
    config->save_seconds = training->save_seconds;
    config->metrics = training->metrics;
    config->log_steps = training->log_steps;
    config->report_steps = training->report_steps ? training->report_steps : training->steps;
    config->what = context->verb;
    config->task = &context->task;
    return POET_OK;
}

poet_status cli_training_plan(poet_train_config *config, poet_device *device,
                              const poet_memory *memory, size_t held, const char *smaller)
{
    poet_status status = poet_memory_check(device, memory, held, config->what);
    if (status == POET_ERR_NOMEM)
        return POET_FAIL(status, "%s; a lower %s takes less", poet_error_message(), smaller);
    config->memory = *memory;
    return status;
}

void cli_training_finish(cli_training *training)
{
    unlink(training->checkpoint);
}

poet_status cli_training_report(const cli_context *context, const cli_training *training,
                                double seconds)
{
    if (context->json)
        return cli_print_json(json_pack("{s:s, s:I, s:f}", "output", training->output, "steps",
                                        (json_int_t)training->steps, "seconds", seconds));
    printf("model: %s\n", training->output);
    return POET_OK;
}

static poet_status open_at(cli_clips *clips, int64_t step, int b)
{
    poet_prefetch_options options = {.split = POET_SPLIT_TRAIN,
                                     .seed = clips->seed,
                                     .first = (uint64_t)step,
                                     .batch = b,
                                     .crop = clips->crop,
                                     .align = clips->align};
    poet_prefetch_destroy(clips->prefetch);
    clips->prefetch = NULL;
    clips->next = step;
    return poet_prefetch_create(clips->dataset, &options, &clips->prefetch);
}

size_t cli_clips_bytes(const cli_clips *clips, int b)
{
    return poet_prefetch_bytes(clips->dataset, b, clips->crop);
}

poet_status cli_clips_next(void *opaque, int64_t step, int b, uint8_t *frames)
{
    cli_clips *clips = opaque;
    if (!clips->prefetch || clips->next != step)
        POET_TRY(open_at(clips, step, b));
    poet_batch batch;
    POET_TRY(poet_prefetch_next(clips->prefetch, &batch));
    memcpy(frames, batch.pixels, batch.bytes);
    clips->next++;
    return POET_OK;
}

void cli_clips_close(cli_clips *clips)
{
    poet_prefetch_destroy(clips->prefetch);
    clips->prefetch = NULL;
}
