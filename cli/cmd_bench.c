/* bench: how fast this machine trains and writes. One object of figures, each measured on its own. */
#include "cli/cmd_bench_internal.h"
#include "cli/device.h"
#include "cli/joules.h"
#include "cli/output.h"
#include "cli/pair.h"
#include "cli/training.h"

#include "base/memory.h"
#include "base/rng.h"
#include "codec/video.h"
#include "compute/backend.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

typedef struct bench_run {
    double seconds; /* of each measurement */
    int codes, tokens, text, width, layers, batch, group, patch, train_batch;
    const char *model, *only;
    cli_kernels kernels;
    poet_device *device;
    uint64_t seed;
} bench_run;

/* ---- timing of a training run: steps between the first and the last report, which leaves out the preparations ---- */

typedef struct stopwatch {
    double limit, first, last;
    double done_first, done_last;
} stopwatch;

static void watch(void *user, const poet_progress *progress)
{
    stopwatch *w = user;
    double now = poet_seconds();
    if (strcmp(progress->unit, "steps") != 0 || progress->done < 1)
        return;
    if (w->first == 0) {
        w->first = now;
        w->done_first = progress->done;
    }
    w->last = now;
    w->done_last = progress->done;
}

static bool time_is_up(void *user)
{
    const stopwatch *w = user;
    return w->first > 0 && w->last - w->first >= w->limit;
}

static double steps_per_second(const stopwatch *w)
{
    double spent = w->last - w->first;
    return spent > 0 ? (w->done_last - w->done_first) / spent : 0;
}

/* As train-tokenizer and train-generator run by default. */
static void prepare_training(const bench_run *run, poet_train_config *train, poet_task *task,
                             stopwatch *w)
{
    *task = (poet_task){.progress = watch, .stop = time_is_up, .user = w};
    train->precision = cli_precision_auto(run->device);
    train->optim.steps = 1000000;
    train->log_steps = 1;
    train->save_seconds = 1e9;
    train->task = task;
}

/* A run that was stopped by its stopwatch went well. */
static poet_status after_stop(poet_status status)
{
    return status == POET_ERR_INTERRUPTED ? POET_OK : status;
}

/* ---- the tokenizer ---- */

static poet_status noise_clips(void *opaque, int64_t step, int b, uint8_t *frames)
{
    const poet_tokenizer_training *training = opaque;
    int64_t count = (int64_t)b * training->t * training->h * training->w * 3;
    for (int64_t i = 0; i < count; i++)
        frames[i] = (uint8_t)((i * 7 + step * 13 + i / 192 * 3) & 255);
    return POET_OK;
}

static poet_status bench_tokenizer(bench_run *run, json_t *out)
{
    stopwatch w = {.limit = run->seconds};
    poet_task task;
    poet_tokenizer *tokenizer;
    poet_tokenizer_config config = poet_tokenizer_defaults();
    poet_tokenizer_training training = poet_tokenizer_training_defaults();
    config.codes = run->codes;
    config.patch = run->patch;
    config.width = run->patch == 4 ? 64 : 128;
    config.encoder_blocks = 2; /* the network of other programs, for comparison */
    config.encoder_time = 3;
    config.frame_norms = true;
    prepare_training(run, &training.train, &task, &w);
    training.b = run->train_batch;
    training.start_clips = training.b;
    training.clips = noise_clips;
    training.opaque = &training;
    POET_TRY(poet_tokenizer_create(run->device, &config, 1, &tokenizer));
    poet_status status = after_stop(poet_tokenizer_train(tokenizer, &training, NULL));
    poet_tokenizer_destroy(tokenizer);
    json_object_set_new(out, "train_tokenizer_clips_per_s",
                        json_real(steps_per_second(&w) * training.b));
    return status;
}

/* ---- the generator ---- */

static poet_status noise_tokens(void *opaque, int64_t step, int b, int32_t *codes,
                                const char **captions)
{
    const bench_run *run = opaque;
    poet_rng rng;
    poet_rng_init(&rng, 5, (uint64_t)step);
    for (int64_t i = 0; i < (int64_t)b * run->tokens; i++)
        codes[i] = (int32_t)poet_rng_below(&rng, (uint32_t)run->codes);
    for (int i = 0; i < b; i++)
        captions[i] = "a small red circle moves left quickly";
    return POET_OK;
}

static poet_status make_generator(const bench_run *run, int group, poet_generator **out)
{
    poet_generator_config config = poet_generator_defaults();
    static const char *const captions[] = {"a small red circle moves left quickly"};
    poet_bpe_options options = poet_bpe_defaults();
    poet_bpe *bpe;
    int side = run->tokens == 1280 ? 16 : 8;
    config.codes = run->codes;
    config.code_dim = 16;
    config.grid = (poet_grid){run->tokens / (side * side), side, side, 1};
    config.fps = 8;
    config.text = run->text;
    config.width = run->width;
    config.layers = run->layers;
    config.heads = run->width / 64 > 0 ? run->width / 64 : 1;
    config.group_h = config.group_w = group;
    config.keep = false; /* every code is written: these have nothing that stands still */
    float *vectors = poet_calloc((size_t)run->codes * 16, sizeof *vectors);
    poet_status status = vectors ? poet_bpe_train(captions, 1, &options, &bpe) : POET_ERR_NOMEM;
    if (!status) {
        config.vocabulary = poet_bpe_size(bpe);
        status = poet_generator_create(run->device, &config, bpe, vectors, 0, 1, out);
    }
    poet_free(vectors);
    return status;
}

static poet_status bench_training(bench_run *run, json_t *out)
{
    stopwatch w = {.limit = run->seconds};
    poet_task task;
    poet_generator *generator;
    poet_generator_training training = poet_generator_training_defaults();
    prepare_training(run, &training.train, &task, &w);
    training.b = run->batch;
    training.tokens = noise_tokens;
    training.opaque = run;
    POET_TRY(make_generator(run, run->group, &generator));
    poet_status status = after_stop(poet_generator_train(generator, &training, NULL));
    poet_generator_destroy(generator);
    double clips = steps_per_second(&w) * training.b;
    json_object_set_new(out, "train_generator_clips_per_s", json_real(clips));
    json_object_set_new(out, "train_generator_tokens_per_s", json_real(clips * run->tokens));
    return status;
}

static void temporary_file(char path[PATH_MAX], const char *extension)
{
    snprintf(path, PATH_MAX, "%s/pocketpoet-bench-%ld.%s", cli_temporary_folder(), (long)getpid(),
             extension);
}

/* As finished models are: stored in bf16, and loaded. */
static poet_status make_finished(const bench_run *run, int group, poet_generator **out)
{
    char path[PATH_MAX];
    poet_generator *made;
    *out = NULL;
    temporary_file(path, "safetensors");
    POET_TRY(make_generator(run, group, &made));
    poet_status status = poet_generator_save(made, path, true, NULL, 0);
    poet_generator_destroy(made);
    if (!status)
        status = poet_generator_load(run->device, path, out);
    unlink(path);
    return status;
}

/* Whole clips at batch 1, without guidance, as the usual comparison has it. */
static poet_status bench_sampling(bench_run *run, int group, const char *key, json_t *out)
{
    poet_generator *generator = NULL;
    poet_sampling sampling = poet_sampling_defaults();
    const char *prompt = "a small red circle moves left quickly";
    int32_t *codes = poet_alloc((size_t)run->tokens * sizeof *codes);
    poet_status status = codes ? make_finished(run, group, &generator) : POET_ERR_NOMEM;
    if (status) {
        poet_free(codes);
        return status;
    }
    sampling.guidance = 1;
    uint64_t seed = 1;
    status = poet_generator_write(generator, 1, &prompt, &seed, &sampling, NULL, codes, NULL);
    double start = poet_seconds(), spent = 0;
    int clips = 0;
    while (!status && spent < run->seconds) {
        seed++;
        status = poet_generator_write(generator, 1, &prompt, &seed, &sampling, NULL, codes, NULL);
        clips++;
        spent = poet_seconds() - start;
    }
    if (!status)
        json_object_set_new(out, key, json_real(clips * run->tokens / spent));
    poet_generator_destroy(generator);
    poet_free(codes);
    return status;
}

/* ---- a sentence to an MP4, with a shipped model: what generate does, from loading on ---- */

static poet_status generate_once(cli_context *context, const char *model, const char *path)
{
    cli_pair pair;
    poet_clip clip = {0};
    int32_t *codes = NULL;
    uint64_t seed = 1;
    const char *prompt = "a small red circle moves left quickly";
    poet_sampling sampling = poet_sampling_defaults();
    poet_status status;
    POET_TRY_DONE(cli_pair_open(context, model, &pair));
    const poet_generator_config *c = poet_generator_get_config(pair.generator);
    codes = poet_alloc((size_t)poet_grid_codes(&c->grid) * sizeof *codes);
    if (!codes) {
        status = POET_ERR_NOMEM;
        goto done;
    }
    POET_TRY_DONE(
        poet_generator_write(pair.generator, 1, &prompt, &seed, &sampling, NULL, codes, NULL));
    POET_TRY_DONE(cli_pair_decode(&pair, codes, &clip));
    POET_TRY_DONE(poet_video_write(path, &clip, &(poet_write_options){.enlarge = 4}, NULL));
done:
    poet_clip_free(&clip);
    poet_free(codes);
    cli_pair_close(&pair);
    return status;
}

static poet_status bench_generate(cli_context *context, const bench_run *run, json_t *out)
{
    char path[PATH_MAX];
    temporary_file(path, "mp4");
    double best = 1e9, begun = poet_seconds();
    cli_joules energy;
    int clips = 0;
    cli_joules_begin(run->device, &energy);
    while (poet_seconds() - begun < run->seconds || best == 1e9) {
        double start = poet_seconds();
        POET_TRY(generate_once(context, run->model, path));
        double spent = poet_seconds() - start;
        best = spent < best ? spent : best;
        clips++;
        cli_joules_look(&energy);
    }
    unlink(path);
    json_object_set_new(out, "generate_seconds", json_real(best));
    cli_joules_end(&energy, clips, out);
    return POET_OK;
}

static bool wanted(const bench_run *run, const char *what)
{
    return !run->only || strcmp(run->only, what) == 0;
}

static poet_status bench(cli_context *context, bench_run *run, json_t *out)
{
    json_object_set_new(out, "threads", json_integer(run->device->threads));
    json_object_set_new(out, "backend", json_string(run->device->backend->name));
    if (wanted(run, "generate"))
        POET_TRY(bench_generate(context, run, out));
    if (wanted(run, "decode")) {
        POET_TRY(bench_sampling(run, run->group, "decode_tokens_per_s", out));
        POET_TRY(bench_sampling(run, 1, "decode_flat_tokens_per_s", out));
    }
    /* On a card each kernel has a place; on a processor a clip is what counts, unless it is asked for. */
    if (run->only ? wanted(run, "kernels") : !run->device->backend->host_memory)
        POET_TRY(cli_bench_kernels(context, run->model, &run->kernels, out));
    if (wanted(run, "train-generator"))
        POET_TRY(bench_training(run, out));
    if (wanted(run, "train-tokenizer"))
        POET_TRY(bench_tokenizer(run, out));
    return POET_OK;
}

poet_status cmd_bench(cli_context *context, int argc, char **argv)
{
    bench_run run = {0};
    static const char *const parts[] = {
        "all", "generate", "decode", "train-generator", "train-tokenizer", "kernels", NULL};
    static const char *const token_counts[] = {"320", "1280", NULL};
    int part = 0, tokens = 0;
    const cli_option options[] = {
        CLI_CHOICE("only", 0, &part, parts, "NAME", "all", "measure one thing"),
        CLI_DOUBLE("seconds", 0, &run.seconds, 0.1, 3600, "S", "10", "for each measurement"),
        CLI_PATH("model", 'm', &run.model, "NAME", "shapes", "for generate_seconds"),
        CLI_INT("codes", 'k', &run.codes, 2, POET_MAX_CODES, "K", "1024", "of the models made up"),
        CLI_CHOICE("tokens", 0, &tokens, token_counts, "N", "320", "of a clip: 8x8 or 4x4 patches"),
        CLI_INT("text", 0, &run.text, 4, 1024, "N", "16", "text positions"),
        CLI_INT("width", 0, &run.width, 64, 4096, "N", "256", "of the generator"),
        CLI_INT("layers", 0, &run.layers, 1, 64, "N", "6", "of the generator"),
        CLI_INT("batch", 'b', &run.batch, 1, 256, "N", "16", "clips a generator's training step"),
        CLI_INT("group", 'g', &run.group, 1, 8, "N", "2", "NxN codes are written as one group"),
        CLI_INT("patch", 'p', &run.patch, 4, 8, "N", "4", "of the tokenizer's training"),
        CLI_INT("tokenizer-batch", 0, &run.train_batch, 1, 256, "N", "4",
                "clips a tokenizer's training step"),
        CLI_INT("streams", 0, &run.kernels.streams, 1, 256, "N", "1", "kernels: clips at once"),
        CLI_DOUBLE("peak-gflops", 0, &run.kernels.gflops, 0, 1e9, "N", "0",
                   "kernels: of the device; 0: what it says of itself"),
        CLI_DOUBLE("peak-gb", 0, &run.kernels.gb, 0, 1e9, "N", "0",
                   "kernels: GB/s of its memory; 0: what it says of itself"),
        CLI_FLAG("count", 0, &run.kernels.count, "kernels: only what there is to do, no timing"),
        CLI_END,
    };
    const cli_spec spec = {
        .description =
            "Measures the speed of this machine, with models made up for the purpose (but\n"
            "generate_seconds, which loads --model). Run it when nothing else runs.\n"
            "\n"
            "decode_tokens_per_s is sampling at batch 1; decode_flat_tokens_per_s the same\n"
            "with one code a group, which is how a plain transformer samples.\n"
            "\n"
            "--only kernels writes clips with --model and says of each operation how often\n"
            "it is called, what it moves and computes, how long that takes at the peaks of\n"
            "the device, and how long it took. On a GPU that is part of every run.",
        .examples = "bench --json --threads 2\n"
                    "bench --only decode --seconds 30",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    run.only = part ? parts[part] : NULL;
    run.tokens = tokens ? 1280 : 320;
    POET_TRY(cli_device_open(context, &run.device));
    json_t *out = json_object();
    poet_status status = bench(context, &run, out);
    poet_device_close(run.device);
    return cli_print_outcome(context->json, status, out);
}
