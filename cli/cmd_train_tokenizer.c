/* train-tokenizer: a codebook, an encoder and a decoder from clips. */
#include "base/memory.h"
#include "cli/data_options.h"
#include "cli/device.h"
#include "cli/training.h"
#include "eval/reconstruction.h"
#include "tokenizer/tokenizer.h"

#include <jansson.h>
#include <stdlib.h>

static const char *const quantizers[] = {"vq", "fsq", "lfq", NULL};

enum { REPORT_CLIPS = 128 };

typedef struct tokenizer_run {
    cli_training training;
    cli_data data;
    poet_tokenizer_config config;
    const char *fsq_levels;
    int quantizer, crop;
    bool nested;
    poet_dataset *dataset;
    poet_tokenizer *tokenizer;
} tokenizer_run;

/* "8,5,5,5" */
static poet_status parse_fsq_levels(tokenizer_run *run)
{
    const char *at = run->fsq_levels;
    while (at && *at && run->config.fsq_channels < POET_MAX_FSQ_CHANNELS) {
        char *end;
        long value = strtol(at, &end, 10);
        if (end == at || value < 2 || value > 1024 || (*end && *end != ','))
            break;
        run->config.fsq_levels[run->config.fsq_channels++] = (int)value;
        at = *end ? end + 1 : end;
    }
    if (!at || *at || !run->config.fsq_channels)
        return POET_FAIL(POET_ERR_ARG, "--fsq-levels: '%.80s' is not a list like 8,5,5,5",
                         run->fsq_levels ? run->fsq_levels : "");
    return POET_OK;
}

/* Held-out figures with the weights as they are. */
static poet_status report(void *opaque, int64_t step, char *text, size_t room)
{
    tokenizer_run *run = opaque;
    poet_reconstruction r;
    (void)step;
    if (!poet_dataset_count(run->dataset, POET_SPLIT_SEEN))
        return POET_OK;
    poet_tokenizer_forget_programs(run->tokenizer);
    poet_status status = poet_measure_reconstruction(run->tokenizer, run->dataset, POET_SPLIT_SEEN,
                                                     REPORT_CLIPS, NULL, &r);
    poet_tokenizer_forget_programs(run->tokenizer);
    if (!status)
        snprintf(text, room,
                 "\"psnr\": %.3f, \"ssim\": %.4f, \"codes_used\": %d, \"perplexity\": %.1f",
                 r.psnr.mean, r.ssim.mean, r.usage.used, r.usage.perplexity);
    return status;
}

static poet_status parse(cli_context *context, tokenizer_run *run, int argc, char **argv)
{
    poet_tokenizer_config *c = &run->config;
    const cli_option options[] = {
        CLI_TRAINING_ROWS(&run->training, "the tokenizer to make", "5000", "4", "0.001", "0.02"),
        CLI_INT("codes", 'k', &c->codes, 2, POET_MAX_CODES, "K", "1024", "size of the codebook"),
        CLI_INT("patch", 'p', &c->patch, 4, 8, "N", "4",
                "a token is 4 frames of NxN pixels: 4 or 8"),
        CLI_INT("dim", 0, &c->dim, 1, 128, "N", "16", "numbers of a code vector"),
        CLI_INT("width", 0, &c->width, 8, 1024, "N", "64", "channels of the convolutions"),
        CLI_INT("encoder-blocks", 0, &c->encoder_blocks, 0, 10, "N", "0",
                "residual blocks; 0: a code tells of its own patch alone"),
        CLI_INT("decoder-blocks", 0, &c->decoder_blocks, 0, 10, "N", "3", "residual blocks"),
        CLI_INT("encoder-time", 0, &c->encoder_time, 1, 3, "N", "1",
                "1: what stands still keeps its codes; 3: the encoder sees the time before"),
        CLI_FLAG("frame-norms", 0, &c->frame_norms,
                 "norms over whole frames, not of each place: codes change with all that moves"),
        CLI_CHOICE("quantizer", 0, &run->quantizer, quantizers, "NAME", "vq",
                   "how vectors become codes"),
        CLI_INT("levels", 0, &c->levels, 1, POET_MAX_RESIDUAL_LEVELS, "N", "1",
                "depth of the residual quantizer (vq); codes that share the channels (fsq)"),
        CLI_TEXT("fsq-levels", 0, &run->fsq_levels, "LIST", NULL,
                 "steps of each channel (fsq), e.g. 8,5,5,5 for 1,000 codes"),
        CLI_FLAG("nested", 0, &run->nested,
                 "the first K rows become a codebook for every K: see codebook shrink (vq)"),
        CLI_INT("crop", 0, &run->crop, 0, 4096, "N", "0",
                "train on squares of NxN pixels, cut where clips move; 0: whole frames"),
        CLI_DATA_ROWS(&run->data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA",
        .min_operands = 1,
        .max_operands = 1,
        .description = "Trains a tokenizer: what turns clips into codes and codes into clips.\n"
                       "\n" CLI_DATA_HELP "\n"
                       "Ctrl-C saves; the same command goes on where it stopped.",
        .examples = "train-tokenizer synth:shapes -o tokenizer.safetensors --patch 8\n"
                    "train-tokenizer my-data -o tokenizer.safetensors --codes 512",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    c->quantizer = (poet_quantizer)run->quantizer;
    if (c->quantizer == POET_QUANTIZER_FSQ)
        POET_TRY(parse_fsq_levels(run));
    else if (run->fsq_levels)
        return POET_FAIL(POET_ERR_ARG,
                         "--fsq-levels: only --quantizer fsq has steps of channels, not %s",
                         quantizers[run->quantizer]);
    return poet_tokenizer_config_check(c);
}

/* A report codes clips beside the program of steps. */
static poet_status plan_memory(const tokenizer_run *run, poet_device *device,
                               const cli_clips *clips, poet_tokenizer_training *training)
{
    poet_grid grid;
    poet_memory memory, coding;
    poet_clip shape = poet_dataset_geometry(run->dataset);
    POET_TRY(poet_tokenizer_grid(&run->config, shape.t, shape.h, shape.w, &grid));
    POET_TRY(poet_tokenizer_plan_training(device, &run->config, training, &memory));
    POET_TRY(poet_tokenizer_plan_coding(device, &run->config, &grid, &coding));
    coding.params = coding.buffers = 0; /* they are there */
    coding.host += cli_clips_bytes(clips, training->b) + poet_reconstruction_bytes(&shape);
    poet_memory_join(&memory, &coding);
    return cli_training_plan(&training->train, device, &memory, 0,
                             "--batch, --size, --crop, --width or --codes");
}

static poet_status train(cli_context *context, tokenizer_run *run, poet_device *device)
{
    cli_training *t = &run->training;
    poet_tokenizer_training training = poet_tokenizer_training_defaults();
    POET_TRY(cli_training_complete(t, context, device, &training.train));
    POET_TRY(cli_data_open(context->operands[0], &run->data, &run->dataset));
    poet_clip shape = poet_dataset_geometry(run->dataset);
    cli_clips clips = {
        .dataset = run->dataset, .seed = t->seed, .crop = run->crop, .align = run->config.patch};
    training.b = t->batch;
    training.t = shape.t;
    training.h = run->crop ? run->crop : shape.h;
    training.w = run->crop ? run->crop : shape.w;
    training.seed = t->seed;
    training.nested = run->nested;
    training.train.data = poet_dataset_fingerprint(run->dataset);
    training.train.report = report;
    training.train.report_opaque = run;
    training.clips = cli_clips_next;
    training.opaque = &clips;
    double started = poet_seconds();
    POET_TRY(plan_memory(run, device, &clips, &training));
    POET_TRY(poet_tokenizer_create(device, &run->config, t->seed, &run->tokenizer));
    poet_status status = poet_tokenizer_train(run->tokenizer, &training, NULL);
    cli_clips_close(&clips);
    if (!status)
        status = poet_tokenizer_save(run->tokenizer, t->output, cli_training_bf16(t), NULL, 0);
    if (!status)
        cli_training_finish(t);
    return status ? status : cli_training_report(context, t, poet_seconds() - started);
}

poet_status cmd_train_tokenizer(cli_context *context, int argc, char **argv)
{
    tokenizer_run run = {0};
    poet_device *device;
    POET_TRY(parse(context, &run, argc, argv));
    POET_TRY(cli_device_open(context, &device));
    poet_status status = train(context, &run, device);
    poet_tokenizer_destroy(run.tokenizer);
    poet_dataset_close(run.dataset);
    poet_free(run.training.checkpoint);
    poet_device_close(device);
    return status;
}
