/* train-generator: the transformer that writes codes after a sentence, from a token file. */
#include "base/memory.h"
#include "cli/device.h"
#include "cli/output.h"
#include "cli/training.h"
#include "codec/tokfile.h"
#include "datasets/sampler.h"
#include "eval/metrics.h"
#include "generator/generator.h"

enum { REPORT_CLIPS = 96 };

typedef struct generator_run {
    cli_training training;
    poet_generator_config config;
    const char *tokenizer, *heldout, *from;
    int group, vocabulary;
    float drop_text, noise;
    bool no_neighbours, no_around, no_keep, no_caption, no_rotary;
    poet_tokfile *file, *heldout_file;
    poet_generator *generator;
    poet_generator_training plan; /* how it is trained */
} generator_run;

/* All clips of a file must have the grid of the model. */
static poet_status check_grid(const poet_tokfile *file, const char *path, const poet_grid *grid)
{
    for (size_t i = 0; i < poet_tokfile_count(file); i++) {
        poet_tokfile_clip info = poet_tokfile_info(file, i);
        if ((int)info.t != grid->t || (int)info.h != grid->h || (int)info.w != grid->w)
            return POET_FAIL(POET_ERR_MISMATCH,
                             "%s: clip %zu has %ux%ux%u codes, the first one %dx%dx%d", path, i,
                             info.t, info.h, info.w, grid->t, grid->h, grid->w);
    }
    return POET_OK;
}

static poet_status open_tokens(const char *path, uint64_t fingerprint, poet_tokfile **out)
{
    POET_TRY(poet_tokfile_open(path, out));
    if (poet_tokfile_count(*out) == 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: has no clips", path);
    return poet_tokfile_check_fingerprint(*out, fingerprint);
}

/* ---- batches ---- */

static poet_status read_clip(const poet_tokfile *file, size_t i, int32_t *codes,
                             const char **caption)
{
    *caption = poet_tokfile_info(file, i).caption;
    return poet_tokfile_read(file, i, (uint32_t *)codes);
}

static poet_status next_tokens(void *opaque, int64_t step, int b, int32_t *codes,
                               const char **captions)
{
    const generator_run *run = opaque;
    poet_sampler sampler = {run->training.seed, poet_tokfile_count(run->file)};
    int64_t per_clip = poet_grid_codes(&run->config.grid);
    for (int i = 0; i < b; i++) {
        uint64_t position = (uint64_t)step * (uint64_t)b + (uint64_t)i;
        POET_TRY(read_clip(run->file, (size_t)poet_sampler_at(&sampler, position),
                           codes + i * per_clip, &captions[i]));
    }
    return POET_OK;
}

typedef struct heldout_clips {
    int n;
    int32_t *codes;
    const char **captions;
    double *bits;
} heldout_clips;

static poet_status read_heldout(const generator_run *run, heldout_clips *clips)
{
    size_t per_clip = (size_t)poet_grid_codes(&run->config.grid);
    size_t n = poet_tokfile_count(run->heldout_file);
    n = n < REPORT_CLIPS ? n : REPORT_CLIPS;
    *clips = (heldout_clips){.n = (int)n,
                             .codes = poet_alloc(n * per_clip * sizeof *clips->codes),
                             .captions = poet_calloc(n, sizeof *clips->captions),
                             .bits = poet_calloc(n, sizeof *clips->bits)};
    if (!clips->codes || !clips->captions || !clips->bits)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        POET_TRY(read_clip(run->heldout_file, i, clips->codes + i * per_clip, &clips->captions[i]));
    return POET_OK;
}

static void free_heldout(heldout_clips *clips)
{
    poet_free(clips->bits);
    poet_free(clips->captions);
    poet_free(clips->codes);
}

static poet_status mean_bits(generator_run *run, heldout_clips *clips, const char *const *captions,
                             poet_mean *mean)
{
    *mean = (poet_mean){0};
    POET_TRY(poet_generator_score(run->generator, clips->n, clips->codes, captions, clips->bits));
    for (int i = 0; i < clips->n; i++)
        poet_mean_add(mean, clips->bits[i]);
    return POET_OK;
}

/* Held-out bits per clip with the weights as they are, and without the captions: the difference is
 * what the model learned to take from them. */
static poet_status report(void *opaque, int64_t step, char *text, size_t room)
{
    generator_run *run = opaque;
    heldout_clips clips;
    poet_mean with, without;
    (void)step;
    if (!run->heldout_file)
        return POET_OK;
    poet_generator_forget_programs(run->generator);
    poet_status status = read_heldout(run, &clips);
    if (!status)
        status = mean_bits(run, &clips, clips.captions, &with);
    if (!status)
        status = mean_bits(run, &clips, NULL, &without);
    poet_generator_forget_programs(run->generator);
    char interval[32] = "null"; /* of a single clip */
    if (!status && with.n > 1)
        snprintf(interval, sizeof interval, "%.1f", with.interval);
    if (!status)
        snprintf(text, room,
                 "\"bits_per_clip\": %.1f, \"bits_interval\": %s, \"bits_without_caption\": %.1f",
                 with.mean, interval, without.mean);
    free_heldout(&clips);
    return status;
}

/* ---- what the model follows from ---- */

static poet_status learn_vocabulary(const generator_run *run, poet_bpe **out)
{
    size_t n = poet_tokfile_count(run->file);
    const char **captions = poet_calloc(n, sizeof *captions);
    if (!captions)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        captions[i] = poet_tokfile_info(run->file, i).caption;
    poet_bpe_options options = poet_bpe_defaults();
    options.size = run->vocabulary;
    poet_status status = poet_bpe_train(captions, n, &options, out);
    poet_free(captions);
    return status;
}

/* model: the generator itself, or one like it on a device without memory. */
static poet_status plan_memory(generator_run *run, poet_device *device, poet_generator *model,
                               size_t held)
{
    poet_memory memory, scoring;
    POET_TRY(poet_generator_plan_training(model, &run->plan, &memory));
    if (run->heldout_file) { /* a report scores clips beside the program of steps */
        size_t clips = poet_tokfile_count(run->heldout_file);
        size_t codes = (size_t)poet_grid_codes(&run->config.grid);
        POET_TRY(poet_generator_plan_scoring(model, &scoring));
        scoring.params = scoring.buffers = scoring.moments = 0; /* they are there */
        scoring.host += (clips < REPORT_CLIPS ? clips : REPORT_CLIPS) * codes * sizeof(int32_t);
        poet_memory_join(&memory, &scoring);
    }
    return cli_training_plan(&run->plan.train, device, &memory, held,
                             "--batch, --width, --layers, --slot-width or --slot-layers");
}

static poet_status plan_fresh(generator_run *run, poet_device *device, const poet_bpe *bpe)
{
    poet_bpe *copy;
    poet_device *none;
    poet_generator *model = NULL;
    POET_TRY(poet_device_plan(device, &none));
    poet_status status = poet_bpe_copy(bpe, &copy);
    if (!status)
        status = poet_generator_create(none, &run->config, copy, NULL, 0, 0, &model);
    if (!status)
        status = plan_memory(run, device, model, 0);
    poet_generator_destroy(model);
    poet_device_close(none);
    return status;
}

/* A fresh model for the tokenizer's codes. */
static poet_status create(generator_run *run, poet_device *device, poet_tokenizer *tokenizer,
                          uint64_t fingerprint)
{
    poet_generator_config *c = &run->config;
    const poet_tokenizer_config *tc = poet_tokenizer_get_config(tokenizer);
    poet_bpe *bpe = NULL;
    size_t count = (size_t)tc->levels * (size_t)tc->codes * (size_t)tc->dim;
    float *vectors = poet_alloc(count * sizeof *vectors);
    poet_status status = vectors ? poet_tokenizer_vectors(tokenizer, vectors) : POET_ERR_NOMEM;
    c->codes = tc->codes;
    c->code_dim = tc->dim;
    if (!status)
        status = learn_vocabulary(run, &bpe);
    if (!status) {
        c->vocabulary = poet_bpe_size(bpe);
        status = plan_fresh(run, device, bpe);
    }
    if (!status)
        status = poet_generator_create(device, c, bpe, vectors, fingerprint, run->training.seed,
                                       &run->generator);
    else
        poet_bpe_destroy(bpe);
    poet_free(vectors);
    return status;
}

/* The model for clips of another length or rate. */
static poet_status extend(generator_run *run)
{
    poet_generator *other;
    POET_TRY(poet_generator_extend(run->generator, run->config.grid.t, run->config.fps, &other));
    poet_generator_destroy(run->generator);
    run->generator = other;
    return POET_OK;
}

/* A trained model to go on with: it must write the same codes in frames of the same size. */
static poet_status load(generator_run *run, poet_device *device, uint64_t fingerprint)
{
    const poet_grid grid = run->config.grid;
    POET_TRY(poet_generator_load(device, run->from, &run->generator));
    const poet_grid *own = &poet_generator_get_config(run->generator)->grid;
    if (poet_generator_fingerprint(run->generator) != fingerprint)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: was trained with another tokenizer than %s",
                         run->from, run->tokenizer);
    if (own->h != grid.h || own->w != grid.w)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "%s: writes frames of %dx%d codes, the clips have %dx%d", run->from,
                         own->h, own->w, grid.h, grid.w);
    if (own->t != grid.t || poet_generator_get_config(run->generator)->fps != run->config.fps)
        POET_TRY(extend(run));
    run->config = *poet_generator_get_config(run->generator);
    const poet_params *params = poet_generator_params(run->generator);
    return plan_memory(run, device, run->generator,
                       poet_params_bytes(params, POET_PARAM) +
                           poet_params_bytes(params, POET_BUFFER));
}

static poet_status make(generator_run *run, poet_device *device)
{
    poet_tokenizer *tokenizer;
    uint64_t fingerprint = 0;
    POET_TRY(poet_tokenizer_load(device, run->tokenizer, &tokenizer));
    poet_status status = poet_tokenizer_fingerprint(tokenizer, &fingerprint);
    if (!status)
        status = poet_tokfile_check_fingerprint(run->file, fingerprint);
    if (!status && run->heldout)
        status = open_tokens(run->heldout, fingerprint, &run->heldout_file);
    if (!status)
        status = run->from ? load(run, device, fingerprint)
                           : create(run, device, tokenizer, fingerprint);
    poet_tokenizer_destroy(tokenizer);
    return status;
}

static poet_status prepare(cli_context *context, generator_run *run, poet_device *device)
{
    const char *path = context->operands[0];
    POET_TRY(poet_tokfile_open(path, &run->file));
    if (poet_tokfile_count(run->file) == 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: has no clips", path);
    const poet_tokfile_header *header = poet_tokfile_get_header(run->file);
    poet_tokfile_clip first = poet_tokfile_info(run->file, 0);
    poet_grid grid = {(int)first.t, (int)first.h, (int)first.w, (int)header->levels};
    run->config.grid = grid;
    run->config.fps = header->fps;
    POET_TRY(check_grid(run->file, path, &grid));
    POET_TRY(make(run, device));
    return run->heldout_file ? check_grid(run->heldout_file, run->heldout, &grid) : POET_OK;
}

static poet_status train(cli_context *context, generator_run *run, poet_device *device)
{
    cli_training *t = &run->training;
    poet_generator_training *plan = &run->plan;
    *plan = poet_generator_training_defaults();
    POET_TRY(cli_training_complete(t, context, device, &plan->train));
    plan->b = t->batch;
    plan->drop_text = run->drop_text;
    plan->noise = run->noise;
    plan->seed = t->seed;
    plan->train.report = report;
    plan->train.report_opaque = run;
    plan->tokens = next_tokens;
    plan->opaque = run;
    POET_TRY(prepare(context, run, device));
    plan->train.data = poet_tokfile_contents(run->file);
    double started = poet_seconds();
    POET_TRY(poet_generator_train(run->generator, plan, NULL));
    POET_TRY(poet_generator_save(run->generator, t->output, cli_training_bf16(t), NULL, 0));
    cli_training_finish(t);
    return cli_training_report(context, t, poet_seconds() - started);
}

static poet_status parse(cli_context *context, generator_run *run, int argc, char **argv)
{
    poet_generator_config *c = &run->config;
    const cli_option options[] = {
        CLI_TRAINING_ROWS(&run->training, "the generator to make", "10000", "8", "0.005", "0.02"),
        CLI_PATH("tokenizer", 't', &run->tokenizer, "FILE", NULL,
                 "the tokenizer that made the tokens"),
        CLI_PATH("heldout", 0, &run->heldout, "FILE.ptok", NULL,
                 "tokens of held-out clips, for the bits per clip in reports"),
        CLI_PATH("from", 0, &run->from, "FILE", NULL,
                 "a trained generator to go on with, on these clips, which may be longer; its "
                 "network and vocabulary stay as they are"),
        CLI_INT("width", 0, &c->width, 8, 4096, "N", "256", "of the large transformer"),
        CLI_INT("layers", 0, &c->layers, 1, 64, "N", "6", "of the large transformer"),
        CLI_INT("heads", 0, &c->heads, 1, 64, "N", "4", "of the large transformer"),
        CLI_INT("group", 'g', &run->group, 1, 16, "N", "2",
                "NxN positions are written as one group; 1: a flat model"),
        CLI_INT("slot-width", 0, &c->slot_width, 8, 4096, "N", "192",
                "of the small transformer inside a group"),
        CLI_INT("slot-layers", 0, &c->slot_layers, 1, 16, "N", "2", "of the small transformer"),
        CLI_INT("slot-heads", 0, &c->slot_heads, 1, 64, "N", "4", "of the small transformer"),
        CLI_INT("text", 0, &c->text, 4, 1024, "N", "32",
                "places for text: a caption of at most N - 2 text tokens, its begin and end"),
        CLI_INT("vocabulary", 0, &run->vocabulary, POET_BPE_FIRST_MERGE, POET_BPE_MAX_SIZE, "N",
                "1024", "at most so many text tokens are learned from the captions"),
        CLI_FLOAT("drop-text", 0, &run->drop_text, 0, 1, "P", "0.1",
                  "share of examples without caption, for guidance"),
        CLI_FLOAT("noise", 0, &run->noise, 0, 0.5, "P", "0",
                  "share of codes already written that are shown wrong where something moves, so "
                  "that a clip recovers from its own mistakes"),
        CLI_FLAG("no-neighbours", 0, &run->no_neighbours,
                 "leave out the vectors of the codes around a group"),
        CLI_FLAG("no-around", 0, &run->no_around,
                 "leave out the vectors of the cells around a cell"),
        CLI_FLAG("no-keep", 0, &run->no_keep, "write every group anew, also what stands still"),
        CLI_FLAG("no-rotary", 0, &run->no_rotary, "attention knows places, but not distances"),
        CLI_FLAG("no-caption", 0, &run->no_caption,
                 "groups see the caption by attention alone, not as a whole"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "FILE.ptok",
        .min_operands = 1,
        .max_operands = 1,
        .description = "Trains a generator: what writes the codes of a clip after a sentence.\n"
                       "The token file comes from 'pocketpoet encode'.\n"
                       "\n"
                       "Ctrl-C saves; the same command goes on where it stopped.",
        .examples = "train-generator train.ptok -t tok.safetensors -o gen.safetensors\n"
                    "train-generator mine.ptok -t tok.st --from gen.st -o mine.st",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!run->tokenizer)
        return POET_FAIL(POET_ERR_ARG, "train-generator wants --tokenizer FILE");
    c->group_h = c->group_w = run->group;
    c->neighbours = !run->no_neighbours;
    c->around = !run->no_around;
    c->keep = !run->no_keep;
    c->caption = !run->no_caption;
    c->rotary = !run->no_rotary;
    return POET_OK;
}

poet_status cmd_train_generator(cli_context *context, int argc, char **argv)
{
    generator_run run = {0};
    poet_device *device;
    POET_TRY(parse(context, &run, argc, argv));
    POET_TRY(cli_device_open(context, &device));
    poet_status status = train(context, &run, device);
    poet_generator_destroy(run.generator);
    poet_tokfile_close(run.heldout_file);
    poet_tokfile_close(run.file);
    poet_free(run.training.checkpoint);
    poet_device_close(device);
    return status;
}
