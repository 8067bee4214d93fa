/* codebook shrink: fewer codes for a domain; one folder with a tokenizer, a remap file and a generator for each size. */
#include "cli/cmd_codebook_internal.h"
#include "cli/models.h"
#include "cli/output.h"
#include "cli/pair.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/reconstruction.h"
#include "generator/shrink_generator.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZES = 32 };

static const char *const methods[] = {"merge", "kmeans", "least-used", "random", "nested", NULL};
static const char *const distances[] = {"vectors", "patches", NULL};

typedef struct shrink_run {
    const char *output, *model, *tokenizer, *sizes_text, *heldout;
    int sizes[MAX_SIZES], n_sizes;
    int method, distance, fit_clips, measure;
    int64_t limit, fit_rows;
    uint64_t seed;
    cli_data data;
    const poet_task *task;
    char *tokenizer_path, *generator_path; /* no generator with --tokenizer */
    cli_pair pair;
    uint64_t fingerprint; /* of the tokenizer */
    cli_domain domain, heldout_clips;
    poet_dataset *heldout_data;
    poet_codebook book;
    poet_merge_tree tree;
} shrink_run;

/* ---- what it works on ---- */

static poet_status parse_sizes(shrink_run *run, int codes)
{
    const char *at = run->sizes_text;
    run->n_sizes = 0;
    while (*at) {
        char *end;
        long size = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || (*end == ',' && !end[1]))
            return POET_FAIL(POET_ERR_ARG, "--codes: '%.80s' is not a list of numbers like 512,256",
                             run->sizes_text);
        if (size < 2 || size > codes)
            return POET_FAIL(POET_ERR_ARG,
                             "--codes: %.20s is not between 2 and the %d codes there are", at,
                             codes);
        if (run->n_sizes == MAX_SIZES)
            return POET_FAIL(POET_ERR_ARG, "--codes: more than %d sizes", MAX_SIZES);
        run->sizes[run->n_sizes++] = (int)size;
        at = *end ? end + 1 : end;
    }
    return POET_OK;
}

static poet_status open_models(cli_context *context, shrink_run *run)
{
    POET_TRY(cli_model_tokenizer(run->tokenizer, run->model, &run->tokenizer_path));
    if (run->tokenizer) {
        POET_TRY(cli_pair_open_tokenizer(context, run->tokenizer, &run->pair));
    } else {
        char *folder;
        POET_TRY(cli_model_find(run->model, &folder));
        run->generator_path = poet_path_join(folder, "generator.safetensors");
        poet_free(folder);
        if (!run->generator_path)
            return POET_ERR_NOMEM;
        POET_TRY(cli_pair_open(context, run->model, &run->pair));
    }
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->pair.tokenizer);
    if (c->quantizer != POET_QUANTIZER_VQ)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "%s: has FSQ or LFQ, and so no codebook that could be shrunk",
                         run->tokenizer_path);
    POET_TRY(parse_sizes(run, c->codes));
    return poet_tokenizer_fingerprint(run->pair.tokenizer, &run->fingerprint);
}

static poet_status check_grid(const shrink_run *run, const char *spec, const cli_domain *domain)
{
    if (!run->pair.generator)
        return POET_OK;
    const poet_grid *own = &poet_generator_get_config(run->pair.generator)->grid;
    const poet_grid *grid = &domain->grid;
    if (own->t != grid->t || own->h != grid->h || own->w != grid->w)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "%s: the clips are %dx%dx%d codes, the generator writes %dx%dx%d", spec,
                         grid->t, grid->h, grid->w, own->t, own->h, own->w);
    return POET_OK;
}

static poet_status read_domain(cli_context *context, shrink_run *run)
{
    bool generator = run->pair.generator;
    const char *spec = context->operands[0];
    cli_domain_options options = {.limit = run->limit,
                                  .whole = generator ? run->fit_clips : 0,
                                  .data = &run->data,
                                  .task = run->task};
    POET_TRY(cli_domain_read(spec, run->pair.tokenizer, &options, &run->domain));
    POET_TRY(options.whole ? check_grid(run, spec, &run->domain) : POET_OK);
    if (!run->heldout)
        return POET_OK;
    POET_TRY(cli_data_open(run->heldout, &run->data, &run->heldout_data));
    options = (cli_domain_options){.limit = run->measure,
                                   .whole = run->measure,
                                   .split = POET_SPLIT_SEEN,
                                   .data = &run->data,
                                   .task = run->task};
    if (!generator)
        return POET_OK;
    POET_TRY(cli_domain_read(run->heldout, run->pair.tokenizer, &options, &run->heldout_clips));
    return check_grid(run, run->heldout, &run->heldout_clips);
}

/* ---- one size ---- */

typedef struct result {
    char folder[PATH_MAX];
    poet_remap remap; /* its tree is the run's */
    poet_tokenizer *tokenizer;
    poet_generator *generator;
    poet_fit_result head, keep; /* rows 0: not fitted */
} result;

/* Weights are stored as they were: rounding them would make another tokenizer of the old encoder and decoder. */
static poet_status is_bf16(const char *path, bool *out)
{
    poet_checkpoint *file;
    POET_TRY(poet_checkpoint_open(path, &file));
    *out = false;
    for (int i = 0; i < poet_checkpoint_count(file); i++)
        *out |= poet_checkpoint_tensor(file, i)->dtype == POET_BF16;
    poet_checkpoint_close(file);
    return POET_OK;
}

static poet_status save_tokenizer(const shrink_run *run, result *r)
{
    bool bf16;
    char path[PATH_MAX + 32];
    POET_TRY(is_bf16(run->tokenizer_path, &bf16));
    POET_TRY(poet_make_directory(r->folder));
    snprintf(path, sizeof path, "%s/tokenizer.safetensors", r->folder);
    POET_TRY(poet_tokenizer_save(r->tokenizer, path, bf16, NULL, 0));
    snprintf(path, sizeof path, "%s/remap.safetensors", r->folder);
    return poet_remap_save(run->pair.device, path, &r->remap);
}

static poet_status make_generator(const shrink_run *run, result *r)
{
    bool bf16;
    char path[PATH_MAX + 32];
    const cli_domain *d = &run->domain;
    const poet_shrink_map *map = &r->remap.map;
    poet_generator *old = run->pair.generator;
    POET_TRY(is_bf16(run->generator_path, &bf16));
    POET_TRY(poet_generator_shrink(old, map, run->book.weights, r->remap.to, &r->generator));
    if (d->n && map->kept < map->codes)
        POET_TRY(poet_generator_fit(old, map, r->generator, d->n, d->codes,
                                    (const char *const *)d->captions, run->fit_rows, run->seed,
                                    run->task, &r->head, &r->keep));
    snprintf(path, sizeof path, "%s/generator.safetensors", r->folder);
    return poet_generator_save(r->generator, path, bf16, NULL, 0);
}

static void add_fit(const result *r, json_t *row)
{
    if (!r->head.rows)
        return;
    json_object_set_new(row, "fit_rows", json_integer(r->head.rows));
    json_object_set_new(row, "nats_before", json_real(r->head.before));
    json_object_set_new(row, "nats_fitted", json_real(r->head.after));
    json_object_set_new(row, "nats_least", json_real(r->head.least));
    if (!r->keep.rows)
        return;
    json_object_set_new(row, "keep_nats_before", json_real(r->keep.before));
    json_object_set_new(row, "keep_nats_fitted", json_real(r->keep.after));
    json_object_set_new(row, "keep_nats_least", json_real(r->keep.least));
}

static poet_status mean_bits(poet_generator *generator, const poet_shrink_map *exact,
                             const cli_domain *clips, const int32_t *codes, poet_mean *out)
{
    double *bits = poet_alloc((size_t)clips->n * sizeof *bits);
    const char *const *captions = (const char *const *)clips->captions;
    poet_status status = bits ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status =
            exact ? poet_generator_score_merged(generator, exact, clips->n, codes, captions, bits)
                  : poet_generator_score(generator, clips->n, codes, captions, bits);
    *out = (poet_mean){0};
    for (int i = 0; i < clips->n && !status; i++)
        poet_mean_add(out, bits[i]);
    poet_free(bits);
    return status;
}

static poet_status measure_generator(const shrink_run *run, const result *r, json_t *row)
{
    const cli_domain *clips = &run->heldout_clips;
    int64_t count = clips->n * poet_grid_codes(&clips->grid);
    poet_mean bits, exact;
    int32_t *codes = poet_alloc((size_t)count * sizeof *codes);
    if (!codes)
        return POET_ERR_NOMEM;
    poet_shrink_map_codes(&r->remap.map, clips->codes, count / clips->grid.levels, codes);
    poet_status status = mean_bits(r->generator, NULL, clips, codes, &bits);
    if (!status)
        status = mean_bits(run->pair.generator, &r->remap.map, clips, clips->codes, &exact);
    poet_free(codes);
    POET_TRY(status);
    json_object_set_new(row, "bits_per_clip", json_real(bits.mean));
    json_object_set_new(row, "bits_per_clip_exact", json_real(exact.mean));
    return POET_OK;
}

static poet_status measure(const shrink_run *run, const result *r, json_t *row)
{
    poet_reconstruction anew, remapped;
    if (!run->heldout)
        return POET_OK;
    POET_TRY(poet_measure_reconstruction(r->tokenizer, run->heldout_data, POET_SPLIT_SEEN,
                                         (uint64_t)run->measure, run->task, &anew));
    POET_TRY(poet_measure_remapped(run->pair.tokenizer, &r->remap.map, r->tokenizer,
                                   run->heldout_data, POET_SPLIT_SEEN, (uint64_t)run->measure,
                                   run->task, &remapped));
    json_object_set_new(row, "psnr", json_real(anew.psnr.mean));
    json_object_set_new(row, "psnr_remapped", json_real(remapped.psnr.mean));
    json_object_set_new(row, "codes_used", json_integer(anew.usage.used));
    json_object_set_new(row, "perplexity", json_real(anew.usage.perplexity));
    return r->generator ? measure_generator(run, r, row) : POET_OK;
}

static poet_status make_size(shrink_run *run, int kept, result *r, json_t *row)
{
    double distortion;
    poet_shrink_method method = (poet_shrink_method)run->method;
    double begin = poet_seconds();
    r->remap = (poet_remap){.from = run->fingerprint, .tree = run->tree};
    POET_TRY(
        poet_shrink_map_create(&run->book, method, &run->tree, run->seed, kept, &r->remap.map));
    POET_TRY(poet_shrink_map_distortion(&run->book, &r->remap.map, &distortion));
    POET_TRY(poet_tokenizer_shrink(run->pair.tokenizer, &r->remap.map, &r->tokenizer));
    POET_TRY(poet_tokenizer_fingerprint(r->tokenizer, &r->remap.to));
    POET_TRY(save_tokenizer(run, r));
    if (run->pair.generator)
        POET_TRY(make_generator(run, r));
    json_object_set_new(row, "folder", json_string(r->folder));
    json_object_set_new(row, "distortion", json_real(distortion));
    json_object_set_new(row, "seconds", json_real(poet_seconds() - begin));
    add_fit(r, row);
    return measure(run, r, row);
}

static poet_status add_size(shrink_run *run, int kept, json_t *sizes)
{
    result r = {.tokenizer = NULL};
    json_t *row = json_object();
    snprintf(r.folder, sizeof r.folder, "%s-%d", run->output, kept);
    poet_status status = make_size(run, kept, &r, row);
    json_object_set_new(sizes, strrchr(r.folder, '-') + 1, row);
    poet_shrink_map_free(&r.remap.map);
    poet_generator_destroy(r.generator);
    poet_tokenizer_destroy(r.tokenizer);
    return status;
}

/* ---- all of it ---- */

static poet_status shrink(cli_context *context, shrink_run *run, json_t *out)
{
    run->task = &context->task;
    POET_TRY(open_models(context, run));
    poet_tokenizer *old = run->pair.tokenizer;
    POET_TRY(read_domain(context, run));
    double begin = poet_seconds();
    POET_TRY(
        poet_codebook_create(old, run->domain.counts, (poet_distance)run->distance, &run->book));
    if (run->method == POET_SHRINK_MERGE)
        POET_TRY(poet_merge_tree_create(&run->book, &run->tree));
    json_object_set_new(out, "data", json_string(context->operands[0]));
    json_object_set_new(out, "clips", json_integer(run->domain.clips));
    json_object_set_new(out, "method", json_string(methods[run->method]));
    json_object_set_new(out, "codes", json_integer(poet_tokenizer_get_config(old)->codes));
    json_object_set_new(out, "tree_seconds", json_real(poet_seconds() - begin));
    if (run->heldout) {
        poet_reconstruction before;
        POET_TRY(poet_measure_reconstruction(old, run->heldout_data, POET_SPLIT_SEEN,
                                             (uint64_t)run->measure, run->task, &before));
        json_object_set_new(out, "psnr", json_real(before.psnr.mean));
    }
    json_t *sizes = json_object();
    json_object_set_new(out, "sizes", sizes);
    for (int i = 0; i < run->n_sizes; i++)
        POET_TRY(add_size(run, run->sizes[i], sizes));
    return POET_OK;
}

static poet_status parse(cli_context *context, shrink_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_TEXT("codes", 'k', &run->sizes_text, "LIST", NULL, "sizes to make, e.g. 512,256,128"),
        CLI_PATH("output", 'o', &run->output, "NAME", NULL,
                 "folders NAME-512, NAME-256 and so on are made"),
        CLI_PATH("model", 'm', &run->model, "NAME", "shapes",
                 "the model to shrink: one that came with the program, or a folder with one"),
        CLI_PATH("tokenizer", 't', &run->tokenizer, "FILE", NULL,
                 "a tokenizer alone, instead of a model"),
        CLI_CHOICE("method", 0, &run->method, methods, "NAME", "merge",
                   "merge, kmeans, least-used, random, or nested: the first codes stay"),
        CLI_CHOICE("distance", 0, &run->distance, distances, "NAME", "patches",
                   "between what: patches (as decoded) or vectors"),
        CLI_LONG("count", 'n', &run->limit, 0, 1000000000, "N", "2000",
                 "at most so many clips; 0: all"),
        CLI_INT("fit-clips", 0, &run->fit_clips, 0, 100000, "N", "192",
                "of these, the generator's head is fitted on so many; 0: no fitting"),
        CLI_LONG("fit-rows", 0, &run->fit_rows, 64, 1 << 24, "N", "32768",
                 "codes the head is fitted on, drawn from these clips"),
        CLI_PATH("heldout", 0, &run->heldout, "DATA", NULL,
                 "measure what is lost on held-out clips of this data"),
        CLI_INT("measure", 0, &run->measure, 1, 1000000, "N", "200", "held-out clips for that"),
        CLI_SEED("seed", 's', &run->seed, "1", "of kmeans, random and the choice of rows"),
        CLI_DATA_ROWS(&run->data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA|FILE.ptok",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Makes models with fewer codes from a trained one, for the training clips of\n"
            "DATA or the clips of a token file: what these do not use is merged first.\n"
            "Nothing is trained. For every size there is a folder with a tokenizer, a file\n"
            "for 'codebook remap', and the generator, whose head is fitted so that a code\n"
            "has the summed probability of those it stands for. The folder is a model like\n"
            "any other.\n"
            "\n" CLI_DATA_HELP,
        .examples = "codebook shrink synth:shapes --model shapes -k 256,128 -o small\n"
                    "codebook shrink train.ptok -t tok.safetensors -k 64 -o small",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!run->sizes_text || !run->output)
        return POET_FAIL(POET_ERR_ARG, "codebook shrink wants --codes LIST and --output NAME");
    return parse_sizes(run, INT_MAX);
}

poet_status cmd_codebook_shrink(cli_context *context, int argc, char **argv)
{
    shrink_run run = {.output = NULL};
    POET_TRY(parse(context, &run, argc, argv));
    json_t *out = json_object();
    poet_status status = shrink(context, &run, out);
    poet_merge_tree_free(&run.tree);
    poet_codebook_free(&run.book);
    poet_dataset_close(run.heldout_data);
    cli_domain_free(&run.heldout_clips);
    cli_domain_free(&run.domain);
    cli_pair_close(&run.pair);
    poet_free(run.generator_path);
    poet_free(run.tokenizer_path);
    if (status) {
        json_decref(out);
        return status;
    }
    return cli_print_result(context->json, out);
}
