/* codebook shrink: fewer codes for a domain; one folder with a tokenizer, a remap file and a generator for each size. */
#include "cli/cmd_codebook_internal.h"
#include "cli/cmd_codebook_shrink_internal.h"
#include "cli/models.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/tokfile.h"
#include "eval/reconstruction.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {"merge", "kmeans", "least-used", "random", "nested", NULL};
static const char *const distances[] = {"vectors", "patches", NULL};

/* ---- what it works on ---- */

/* codes: those there are; 0: not known yet, and any number will do. */
static poet_status parse_sizes(cli_shrink *run, int codes)
{
    const char *at = run->sizes_text;
    run->n_sizes = 0;
    do {
        char *end;
        long size = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || (*end == ',' && !end[1]))
            return POET_FAIL(POET_ERR_ARG, "--codes: '%.80s' is not a list of numbers like 512,256",
                             run->sizes_text);
        if (codes && (size < 2 || size > codes))
            return POET_FAIL(POET_ERR_ARG,
                             "--codes: %.*s is not between 2 and the %d codes there are",
                             (int)strcspn(at, ","), at, codes);
        if (run->n_sizes == CLI_SHRINK_SIZES)
            return POET_FAIL(POET_ERR_ARG, "--codes: more than %d sizes", CLI_SHRINK_SIZES);
        for (int i = 0; i < run->n_sizes; i++)
            if (run->sizes[i] == size)
                return POET_FAIL(POET_ERR_ARG, "--codes: %ld is there twice", size);
        run->sizes[run->n_sizes++] = (int)size;
        at = *end ? end + 1 : end;
    } while (*at);
    return POET_OK;
}

static poet_status open_models(cli_context *context, cli_shrink *run)
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

/* Before anything is encoded, which may take long. */
static poet_status check_geometry(const cli_shrink *run, const char *spec,
                                  const poet_dataset *dataset)
{
    poet_grid grid;
    poet_clip shape = poet_dataset_geometry(dataset);
    poet_status status = poet_tokenizer_grid(poet_tokenizer_get_config(run->pair.tokenizer),
                                             shape.t, shape.h, shape.w, &grid);
    if (status)
        return poet_context(status, "%s", spec);
    return cli_pair_check_grid(&run->pair, spec, &grid);
}

/* Codes that the domain never uses are dropped: there must be enough others. */
static poet_status read_general(cli_shrink *run)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->pair.tokenizer);
    cli_domain_options options = {.limit = run->limit, .data = &run->data, .task = run->task};
    int used = cli_domain_codes_used(&run->domain, c);
    for (int i = 0; i < run->n_sizes; i++)
        if (run->sizes[i] > used)
            return POET_FAIL(POET_ERR_ARG,
                             "--codes: %s uses %d codes, and no others are kept: %d is too many",
                             run->domain_name, used, run->sizes[i]);
    return cli_domain_read(run->data_name, run->pair.tokenizer, &options, &run->general);
}

/* A decoder can be trained on pixels alone. */
static poet_status check_pixels(const cli_shrink *run)
{
    if (!cli_finetune_wanted(&run->finetune) || run->pixels.dataset)
        return POET_OK;
    if (!run->pair.generator)
        return POET_FAIL(POET_ERR_ARG,
                         "%s: has codes, no pixels that a decoder could be trained on", run->spec);
    poet_task_message(run->task, "%s: has codes, no pixels: the decoder stays as it is", run->spec);
    return POET_OK;
}

/* A generator that goes on without sentences forgets them. */
static poet_status check_captions(const cli_shrink *run)
{
    const cli_domain *d = &run->domain;
    bool any = !run->pair.generator || !cli_finetune_wanted(&run->finetune);
    for (int i = 0; i < d->n && !any; i++)
        any = *d->captions[i] != 0;
    return any ? POET_OK
               : POET_FAIL(POET_ERR_ARG, "%s: has no captions that a generator could be trained on",
                           run->spec);
}

/* Opens the clips of both sides. Of videos that are named for both, a part is held out. */
static poet_status open_clips(cli_shrink *run)
{
    const double share = 0.2;
    bool same = run->heldout && poet_path_same(run->spec, run->heldout);
    if (!poet_tokfile_is(run->spec)) {
        POET_TRY(
            cli_clip_source_open(run->spec, &run->data, same ? share : 0, run->task, &run->pixels));
        POET_TRY(check_geometry(run, run->spec, run->pixels.dataset));
    }
    POET_TRY(check_pixels(run));
    if (!run->heldout)
        return POET_OK;
    POET_TRY(cli_clip_source_open(run->heldout, &run->data, same ? share : 1, run->task,
                                  &run->heldout_pixels));
    if (!poet_dataset_count(run->heldout_pixels.dataset, POET_SPLIT_SEEN))
        return POET_FAIL(POET_ERR_ARG, "%s: has no held-out clips to measure", run->heldout);
    return check_geometry(run, run->heldout, run->heldout_pixels.dataset);
}

static poet_status check_memory(const cli_shrink *run)
{
    const poet_dataset *dataset =
        run->pixels.dataset ? run->pixels.dataset : run->heldout_pixels.dataset;
    if (!dataset)
        return POET_OK;
    poet_clip shape = poet_dataset_geometry(dataset);
    return cli_pair_check_coding(&run->pair, &shape, run->task);
}

static poet_status read_domain(cli_shrink *run)
{
    const char *spec = run->spec;
    int whole = cli_finetune_wanted(&run->finetune) ? INT_MAX : run->fit_clips;
    cli_domain_options options = {.limit = run->limit,
                                  .whole = run->pair.generator ? whole : 0,
                                  .data = &run->data,
                                  .task = run->task};
    POET_TRY(run->pixels.dataset
                 ? cli_domain_encode(spec, run->pixels.dataset, run->pair.tokenizer, &options,
                                     &run->domain)
                 : cli_domain_read(spec, run->pair.tokenizer, &options, &run->domain));
    POET_TRY(options.whole ? cli_pair_check_grid(&run->pair, spec, &run->domain.grid) : POET_OK);
    POET_TRY(check_captions(run));
    return run->domain_name ? read_general(run) : POET_OK;
}

static poet_status read_heldout(cli_shrink *run)
{
    return run->heldout && run->pair.generator
               ? cli_shrink_encode_heldout(run, run->pair.tokenizer, &run->heldout_clips)
               : POET_OK;
}

/* ---- all of it ---- */

static void add_domain(const cli_shrink *run, json_t *out)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->pair.tokenizer);
    if (!run->domain_name)
        return;
    double missing = cli_domain_missing(&run->domain, &run->general, c);
    json_object_set_new(out, "domain", json_string(run->domain_name));
    json_object_set_new(out, "domain_codes_used",
                        json_integer(cli_domain_codes_used(&run->domain, c)));
    json_object_set_new(out, "data_tokens_dropped", json_real(missing));
}

/* The whole codebook on held-out clips. */
static poet_status measure_before(const cli_shrink *run, json_t *out)
{
    poet_reconstruction before;
    if (!run->heldout)
        return POET_OK;
    poet_status status =
        poet_measure_reconstruction(run->pair.tokenizer, run->heldout_pixels.dataset,
                                    POET_SPLIT_SEEN, (uint64_t)run->measure, run->task, &before);
    if (status)
        return poet_context(status, "%s", run->heldout);
    json_object_set_new(out, "psnr", json_real(before.psnr.mean));
    return POET_OK;
}

static poet_status shrink(cli_context *context, cli_shrink *run, json_t *out)
{
    run->task = run->finetune.task = &context->task;
    run->finetune.seed = run->seed;
    run->data_name = context->operands[0];
    run->spec = run->domain_name ? run->domain_name : run->data_name;
    POET_TRY(open_models(context, run));
    poet_tokenizer *old = run->pair.tokenizer;
    POET_TRY(open_clips(run));
    POET_TRY(check_memory(run));
    POET_TRY(read_domain(run));
    POET_TRY(read_heldout(run));
    double begin = poet_seconds();
    POET_TRY(poet_codebook_create(old, run->domain.counts,
                                  run->domain_name ? POET_UNUSED_DROPPED : POET_UNUSED_KEPT,
                                  (poet_distance)run->distance, &run->book));
    if (run->method == POET_SHRINK_MERGE)
        POET_TRY(poet_merge_tree_create(&run->book, &run->tree));
    json_object_set_new(out, "data", json_string(run->data_name));
    add_domain(run, out);
    json_object_set_new(out, "clips", json_integer(run->domain.clips));
    json_object_set_new(out, "method", json_string(methods[run->method]));
    json_object_set_new(out, "codes", json_integer(poet_tokenizer_get_config(old)->codes));
    json_object_set_new(out, "tree_seconds", json_real(poet_seconds() - begin));
    POET_TRY(measure_before(run, out));
    json_t *sizes = json_object();
    json_object_set_new(out, "sizes", sizes);
    for (int i = 0; i < run->n_sizes; i++)
        POET_TRY(cli_shrink_size(run, run->sizes[i], sizes));
    for (int i = 0; i < run->n_sizes; i++)
        cli_shrink_forget(run, run->sizes[i]);
    return POET_OK;
}

static poet_status parse(cli_context *context, cli_shrink *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_TEXT("codes", 'k', &run->sizes_text, "LIST", NULL, "sizes to make, e.g. 512,256,128"),
        CLI_OUTPUT("output", 'o', &run->output, "NAME", NULL,
                   "folders NAME-512, NAME-256 and so on are made"),
        CLI_PATH("model", 'm', &run->model, "NAME", NULL,
                 "the model to shrink: one that came with the program, or a folder with one; "
                 "without it, shapes"),
        CLI_PATH("tokenizer", 't', &run->tokenizer, "FILE", NULL,
                 "a tokenizer alone, instead of a model"),
        CLI_CHOICE("method", 0, &run->method, methods, "NAME", "merge",
                   "which codes become one; nested: the first stay"),
        CLI_CHOICE("distance", 0, &run->distance, distances, "NAME", "patches",
                   "of codes: between the patches they become, or their vectors"),
        CLI_PATH("domain", 0, &run->domain_name, "DATA|FILE.ptok", NULL,
                 "shrink for this part of DATA: codes it never uses are dropped"),
        CLI_FLOAT("finetune", 0, &run->finetune.minutes, 0, 100000, "MINUTES", "0",
                  "then train on for so long, each size"),
        CLI_LONG("finetune-steps", 0, &run->finetune.steps, 0, 1000000000, "N", "0",
                 "or for so many steps of each part"),
        CLI_LONG("count", 'n', &run->limit, 0, 1000000000, "N", "2000",
                 "at most so many clips; 0: all"),
        CLI_INT("fit-decoder", 0, &run->fit_decoder, 0, 100000, "N", "400",
                "of clips with pixels, the decoder's last layer is fitted on so many; 0: it stays"),
        CLI_INT("fit-clips", 0, &run->fit_clips, 0, 100000, "N", "384",
                "of these, the generator's head is fitted on so many; 0: no fitting"),
        CLI_LONG("fit-rows", 0, &run->fit_rows, 64, 1 << 24, "N", "65536",
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
            "For every size there is a folder with a tokenizer, whose decoder's last layer is\n"
            "fitted to the new codes by least squares, a file for 'codebook remap', and the\n"
            "generator, whose head is fitted so that a code has the summed probability of\n"
            "those it stands for. The folder is a model like any other. Nothing is trained\n"
            "by gradients, unless --finetune says so: then the decoder (on\n"
            "clips, half of the time) and the generator go on. Ctrl-C saves, in\n"
            "FOLDER.tmp; the same command goes on where it stopped. A folder has its name\n"
            "once the model in it is whole.\n"
            "\n" CLI_DATA_HELP CLI_DOMAIN_HELP,
        .examples = "codebook shrink synth:shapes --model shapes -k 256,128 -o small\n"
                    "codebook shrink all.ptok --domain street.ptok -m ./all -k 64 -o s\n"
                    "codebook shrink train.ptok -t tok.safetensors -k 64 -o small",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!run->sizes_text || !run->output)
        return POET_FAIL(POET_ERR_ARG, "codebook shrink wants --codes LIST and --output NAME");
    if (run->finetune.minutes > 0 && run->finetune.steps)
        return POET_FAIL(POET_ERR_ARG, "--finetune and --finetune-steps: give one of them");
    if (run->model && run->tokenizer)
        return POET_FAIL(POET_ERR_ARG, "--model and --tokenizer: give one of them; a tokenizer is "
                                       "shrunk without the generator");
    if (!run->model)
        run->model = "shapes";
    POET_TRY(parse_sizes(run, 0));
    return cli_shrink_can_write(run);
}

poet_status cmd_codebook_shrink(cli_context *context, int argc, char **argv)
{
    cli_shrink run = {.output = NULL};
    POET_TRY(parse(context, &run, argc, argv));
    json_t *out = json_object();
    poet_status status = shrink(context, &run, out);
    poet_merge_tree_free(&run.tree);
    poet_codebook_free(&run.book);
    cli_clip_source_close(&run.heldout_pixels);
    cli_clip_source_close(&run.pixels);
    cli_domain_free(&run.general);
    cli_domain_free(&run.heldout_clips);
    cli_domain_free(&run.domain);
    cli_pair_close(&run.pair);
    poet_free(run.generator_path);
    poet_free(run.tokenizer_path);
    return cli_print_outcome(context->json, status, out);
}
