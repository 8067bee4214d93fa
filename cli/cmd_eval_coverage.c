/* eval coverage: whether a tokenizer's codebook is enough for clips; and what its training saw, to compare them with. */
#include "cli/clip_source.h"
#include "cli/cmd_eval_internal.h"
#include "cli/coverage_file.h"
#include "cli/models.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/coverage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const splits[] = {"train", "heldout-seen", "heldout-unseen", NULL};

/* A clip of the set, for finding the worst. */
typedef struct ranked {
    poet_split split;
    uint64_t index;
    double out, p99, psnr; /* p99: of distances; both of the last level */
} ranked;

typedef struct coverage_run {
    const char *model, *tokenizer, *reference_path, *save, *pictures, *clips_out;
    int split, worst;
    int64_t limit;
    double max_out;
    cli_data data;
    const poet_task *task;
    const char *spec;
    char *tokenizer_path, *reference_found;
    cli_pair pair;
    poet_clip_coder coder;
    cli_clip_source source;
    poet_coverage_reference reference; /* levels 0: none, one is to be made */
    poet_token_sample set, one;        /* one clip's */
    ranked *rank;                      /* (clips of the set) */
    poet_output *lines;
} coverage_run;

/* ---- one level's figures ---- */

/* Expected codes in 100, 300, 1,000, ... tokens, of the clips and of training; as far as both reach. */
static json_t *rarefaction_json(const int64_t *counts, const int64_t *seen, int k)
{
    json_t *out = json_array();
    int64_t tokens = poet_code_usage(counts, k).tokens, training = poet_code_usage(seen, k).tokens;
    int64_t most = tokens < training ? tokens : training;
    for (int64_t hundred = 100; hundred <= most; hundred *= 10)
        for (int64_t n = hundred; n <= 3 * hundred && n <= most; n += 2 * hundred)
            json_array_append_new(out, json_pack("{s:I, s:f, s:f}", "tokens", (json_int_t)n,
                                                 "codes", poet_rarefaction(counts, k, n),
                                                 "training", poet_rarefaction(seen, k, n)));
    return out;
}

static json_t *level_json(const coverage_run *run, const poet_token_sample *sample, int level,
                          const poet_coverage_level *c)
{
    int k = sample->codes;
    const int64_t *counts = sample->counts + (int64_t)level * k;
    const int64_t *seen = run->reference.counts + (int64_t)level * k;
    json_t *out = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "used", c->usage.used,
                            "perplexity", c->usage.perplexity, "unseen", c->unseen, "under_100",
                            c->rare, "shift", c->shift, "distance_p50", c->p50, "distance_p90",
                            c->p90, "distance_p99", c->p99, "out_of_codebook", c->out_of_codebook);
    json_object_set_new(out, "rarefaction", rarefaction_json(counts, seen, k));
    return out;
}

static void add_levels(const coverage_run *run, const poet_token_sample *sample,
                       const poet_coverage_level *levels, json_t *out)
{
    for (int level = 0; level < sample->levels; level++) {
        char name[24];
        snprintf(name, sizeof name, "level%d", level);
        json_object_set_new(out, name, level_json(run, sample, level, &levels[level]));
    }
}

/* ---- clips ---- */

static poet_status write_line(coverage_run *run, const char *name,
                              const poet_coverage_level *levels)
{
    json_t *line = json_pack("{s:s, s:f, s:f, s:f}", "clip", name, "out_of_codebook",
                             levels[run->one.levels - 1].out_of_codebook, "psnr",
                             run->one.psnr.mean, "ssim", run->one.ssim.mean);
    add_levels(run, &run->one, levels, line);
    char *text = line ? json_dumps(line, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(line);
    if (!text)
        return POET_ERR_NOMEM;
    poet_status status = poet_output_write(run->lines, text, strlen(text));
    free(text);
    return status ? status : poet_output_write(run->lines, "\n", 1);
}

/* The figures of the clip that is in run->one. */
static poet_status rank_clip(coverage_run *run, poet_split split, uint64_t index)
{
    poet_coverage_level levels[POET_MAX_RESIDUAL_LEVELS];
    char name[POET_CLIP_NAME_BYTES];
    POET_TRY(poet_coverage_measure(&run->one, &run->reference, levels));
    run->rank[run->set.clips] = (ranked){.split = split,
                                         .index = index,
                                         .out = levels[run->one.levels - 1].out_of_codebook,
                                         .p99 = levels[run->one.levels - 1].p99,
                                         .psnr = run->one.psnr.mean};
    if (!run->lines)
        return POET_OK;
    poet_dataset_name(run->source.dataset, split, index, name);
    return write_line(run, name, levels);
}

static poet_status read_coded(const coverage_run *run, poet_split split, uint64_t index,
                              poet_example *example, poet_coded_clip *coded)
{
    *coded = (poet_coded_clip){.psnr = 0};
    POET_TRY(poet_dataset_read(run->source.dataset, split, index, example));
    return poet_coded_clip_make(&run->coder, &example->clip, coded);
}

static poet_status take_clip(coverage_run *run, poet_split split, uint64_t index)
{
    poet_example example = {.caption = NULL};
    poet_coded_clip coded;
    poet_token_sample_clear(&run->one);
    poet_status status = read_coded(run, split, index, &example, &coded);
    if (!status && run->reference.levels)
        status = poet_token_sample_add_clip(&run->one, &coded);
    if (!status && run->reference.levels)
        status = rank_clip(run, split, index);
    if (!status)
        status = poet_token_sample_add_clip(&run->set, &coded);
    poet_coded_clip_free(&coded);
    poet_example_free(&example);
    return status;
}

/* How many clips of a split are looked at. All of a folder of videos are, whatever captions say of splits. */
static uint64_t count_of(const coverage_run *run, poet_split split)
{
    bool wanted = run->source.videos || (int)split == run->split;
    return wanted ? poet_dataset_count(run->source.dataset, split) : 0;
}

static poet_status take_clips(coverage_run *run)
{
    uint64_t all = 0, limit = (uint64_t)run->limit;
    for (int split = 0; split < POET_SPLITS; split++)
        all += count_of(run, (poet_split)split);
    if (limit && limit < all)
        all = limit;
    if (!all)
        return POET_FAIL(POET_ERR_ARG, "%s: has no clips in the split %s", run->spec,
                         splits[run->split]);
    poet_clip shape = poet_dataset_geometry(run->source.dataset);
    POET_TRY(cli_pair_check_coding(&run->pair, &shape, run->task));
    run->rank = poet_calloc((size_t)all, sizeof *run->rank);
    if (!run->rank)
        return POET_ERR_NOMEM;
    for (int split = 0; split < POET_SPLITS; split++)
        for (uint64_t i = 0; i < count_of(run, (poet_split)split); i++) {
            if ((uint64_t)run->set.clips == all)
                return POET_OK;
            POET_TRY(take_clip(run, (poet_split)split, i));
            POET_TRY(poet_task_advance(run->task, "look at codes", run->set.clips, (int64_t)all,
                                       "clips"));
        }
    return POET_OK;
}

/* ---- the worst ---- */

/* Where all latents of clips are within the limit, the rate does not tell them apart. */
static int by_failure(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->out != y->out)
        return x->out > y->out ? -1 : 1;
    if (x->p99 != y->p99)
        return x->p99 > y->p99 ? -1 : 1;
    if (x->psnr != y->psnr)
        return x->psnr < y->psnr ? -1 : 1;
    if (x->split != y->split)
        return x->split < y->split ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static poet_status draw(const coverage_run *run, const ranked *r, const char *name,
                        const char *path)
{
    char rate[32];
    const poet_video_tag tags[] = {{"clip", name}, {"out_of_codebook", rate}};
    const double *quantiles =
        run->reference.quantiles + (int64_t)(run->set.levels - 1) * POET_COVERAGE_QUANTILES;
    poet_example example = {.caption = NULL};
    poet_coded_clip coded;
    snprintf(rate, sizeof rate, "%.4f", r->out);
    poet_status status = read_coded(run, r->split, r->index, &example, &coded);
    if (!status)
        status = poet_coded_clip_picture(&coded, &example.clip, quantiles[POET_COVERAGE_LIMIT],
                                         path, tags, 2);
    poet_coded_clip_free(&coded);
    poet_example_free(&example);
    return status;
}

typedef char picture_path[PATH_MAX];

static void name_picture(const coverage_run *run, int place, picture_path out)
{
    snprintf(out, sizeof(picture_path), "%s/worst-%02d.png", run->pictures, place + 1);
}

/* Those that an earlier run, of more clips, has left behind the last one of this. */
static void remove_pictures(const coverage_run *run, int place)
{
    picture_path path;
    for (name_picture(run, place, path); poet_is_file(path); name_picture(run, ++place, path))
        remove(path);
}

static poet_status add_worst(coverage_run *run, json_t *out)
{
    int place = 0;
    json_t *list = json_array();
    json_object_set_new(out, "worst", list);
    qsort(run->rank, (size_t)run->set.clips, sizeof *run->rank, by_failure);
    if (run->pictures)
        POET_TRY(poet_make_directory(run->pictures));
    for (; place < run->worst && place < run->set.clips; place++) {
        const ranked *r = &run->rank[place];
        char name[POET_CLIP_NAME_BYTES];
        picture_path path;
        poet_dataset_name(run->source.dataset, r->split, r->index, name);
        json_t *row =
            json_pack("{s:s, s:f, s:f}", "clip", name, "out_of_codebook", r->out, "psnr", r->psnr);
        json_array_append_new(list, row);
        if (!run->pictures)
            continue;
        name_picture(run, place, path);
        POET_TRY(draw(run, r, name, path));
        json_object_set_new(row, "picture", json_string(path));
    }
    if (run->pictures)
        remove_pictures(run, place);
    return POET_OK;
}

/* ---- the reference ---- */

static poet_status find_reference(coverage_run *run)
{
    uint64_t fingerprint;
    run->reference_found = run->reference_path ? poet_strdup(run->reference_path)
                                               : cli_coverage_reference_name(run->tokenizer_path);
    const char *path = run->reference_found;
    if (!path)
        return POET_ERR_NOMEM;
    if (!run->reference_path && !poet_is_file(path))
        return POET_FAIL(POET_ERR_IO,
                         "%s: there is no such file; 'eval coverage TRAINING-CLIPS -t %s "
                         "--save-reference %s' makes it from what the tokenizer was made for",
                         path, run->tokenizer_path, path);
    POET_TRY(poet_coverage_reference_load(path, &run->reference));
    POET_TRY(poet_tokenizer_fingerprint(run->pair.tokenizer, &fingerprint));
    if (fingerprint != run->reference.tokenizer)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: is the reference of another tokenizer than %s",
                         path, run->tokenizer_path);
    return POET_OK;
}

static poet_status save_reference(coverage_run *run, json_t *out)
{
    uint64_t fingerprint;
    POET_TRY(poet_tokenizer_fingerprint(run->pair.tokenizer, &fingerprint));
    POET_TRY(poet_coverage_reference_make(&run->set, fingerprint, run->spec, &run->reference));
    POET_TRY(poet_coverage_reference_save(run->save, &run->reference));
    json_object_set_new(out, "reference", json_string(run->save));
    for (int level = 0; level < run->set.levels; level++) {
        char name[24];
        const double *q = run->reference.quantiles + level * POET_COVERAGE_QUANTILES;
        poet_usage usage =
            poet_code_usage(run->set.counts + (int64_t)level * run->set.codes, run->set.codes);
        snprintf(name, sizeof name, "level%d", level);
        json_object_set_new(out, name,
                            json_pack("{s:i, s:f, s:f, s:f}", "used", usage.used, "perplexity",
                                      usage.perplexity, "median", q[POET_COVERAGE_QUANTILES / 2],
                                      "p99", q[POET_COVERAGE_LIMIT]));
    }
    return POET_OK;
}

/* ---- all of it ---- */

/* Other things may be drawn with latents that lie no farther from the codes than training's (docs/codebook.md: street). */
static json_t *notes_json(const poet_coverage_level *last)
{
    static const double few = 0.05, far = 0.5;
    char text[256];
    json_t *notes = json_array();
    if (last->out_of_codebook >= few || last->shift <= far)
        return notes;
    snprintf(
        text, sizeof text,
        "few latents are out of the codebook, but the use of codes has shifted by %.2f bits: what "
        "these clips use is not what training used, and the rate alone does not vouch for them; "
        "look at psnr_loss",
        last->shift);
    json_array_append_new(notes, json_string(text));
    return notes;
}

static poet_status report(coverage_run *run, json_t *out, double *rate)
{
    poet_coverage_level levels[POET_MAX_RESIDUAL_LEVELS];
    POET_TRY(poet_coverage_measure(&run->set, &run->reference, levels));
    *rate = levels[run->set.levels - 1].out_of_codebook;
    json_object_set_new(out, "reference", json_string(run->reference_found));
    json_object_set_new(out, "out_of_codebook", json_real(*rate));
    json_object_set_new(out, "psnr_loss", json_real(run->reference.psnr - run->set.psnr.mean));
    json_object_set_new(out, "notes", notes_json(&levels[run->set.levels - 1]));
    add_levels(run, &run->set, levels, out);
    POET_TRY(add_worst(run, out));
    return run->lines ? poet_output_commit(run->lines) : POET_OK;
}

static poet_status coverage(cli_context *context, coverage_run *run, json_t *out, double *rate)
{
    POET_TRY(cli_model_tokenizer(run->tokenizer, run->model, &run->tokenizer_path));
    POET_TRY(cli_pair_open_tokenizer(context, run->tokenizer_path, &run->pair));
    poet_status status = poet_clip_coder_create(run->pair.tokenizer, &run->coder);
    if (status)
        return poet_context(status, "%s", run->tokenizer_path);
    if (!run->save)
        POET_TRY(find_reference(run));
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->pair.tokenizer);
    POET_TRY(poet_token_sample_create(c->levels, c->codes, &run->set));
    POET_TRY(poet_token_sample_create(c->levels, c->codes, &run->one));
    POET_TRY(cli_clip_source_open(run->spec, &run->data, 0, run->task, &run->source));
    if (run->clips_out)
        POET_TRY(poet_output_create(run->clips_out, &run->lines));
    POET_TRY(take_clips(run));
    json_object_set_new(out, "clips", json_integer(run->set.clips));
    json_object_set_new(out, "tokens", json_integer(run->set.tokens));
    json_object_set_new(out, "psnr", json_real(run->set.psnr.mean));
    json_object_set_new(out, "psnr_interval", cli_interval(&run->set.psnr));
    json_object_set_new(out, "ssim", json_real(run->set.ssim.mean));
    return run->save ? save_reference(run, out) : report(run, out, rate);
}

static void close_run(coverage_run *run)
{
    poet_output_destroy(run->lines);
    poet_free(run->rank);
    poet_token_sample_free(&run->one);
    poet_token_sample_free(&run->set);
    poet_coverage_reference_free(&run->reference);
    cli_clip_source_close(&run->source);
    poet_clip_coder_free(&run->coder);
    cli_pair_close(&run->pair);
    poet_free(run->reference_found);
    poet_free(run->tokenizer_path);
}

static poet_status check_options(coverage_run *run)
{
    if (run->save && (run->reference_path || run->pictures || run->clips_out || run->max_out >= 0))
        return POET_FAIL(POET_ERR_ARG, "--save-reference looks at training clips alone, and goes "
                                       "with no --reference, --pictures, --clips-out or --max-ooc");
    if (run->split < 0)
        run->split = run->save ? POET_SPLIT_TRAIN : POET_SPLIT_SEEN;
    POET_TRY(run->save ? cli_can_write(run->save, "json") : POET_OK);
    POET_TRY(run->pictures ? poet_can_make_directory(run->pictures) : POET_OK);
    return run->clips_out ? cli_can_write(run->clips_out, "jsonl") : POET_OK;
}

static poet_status parse(cli_context *context, coverage_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_MODEL_OR_TOKENIZER_ROWS(&run->model, &run->tokenizer),
        CLI_PATH("reference", 'r', &run->reference_path, "FILE", NULL,
                 "what training saw; without it, the .coverage.json beside the tokenizer"),
        CLI_OUTPUT("save-reference", 0, &run->save, "FILE.json", NULL,
                   "make a reference of CLIPS, those of the training, instead"),
        CLI_CHOICE("split", 0, &run->split, splits, "NAME", NULL,
                   "which clips of a dataset, heldout-seen where this is not given, train for "
                   "--save-reference"),
        CLI_LONG("count", 'n', &run->limit, 0, 1000000000, "N", "2000",
                 "at most so many clips; 0: all"),
        CLI_INT("worst", 'w', &run->worst, 0, 1000, "N", "8", "name so many of the worst clips"),
        CLI_OUTPUT("pictures", 'p', &run->pictures, "FOLDER", NULL,
                   "and draw them: the clip, what comes back, where the codebook fails"),
        CLI_OUTPUT("clips-out", 0, &run->clips_out, "FILE.jsonl", NULL,
                   "a line of figures for every clip"),
        CLI_DOUBLE("max-ooc", 0, &run->max_out, 0, 1, "X", NULL,
                   "end with status 3 when more of the latents are out of the codebook"),
        CLI_DATA_ROWS(&run->data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "CLIPS",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Tells whether a tokenizer's codebook is enough for clips: for the set, for each\n"
            "level of the quantizer, and with --clips-out for each clip, the codes that are\n"
            "used and how many are expected in so many tokens, perplexity, shares of tokens\n"
            "whose code training never or hardly saw, how far the use of codes has shifted,\n"
            "distances to the codes beside training's, and the share of latents out of the\n"
            "codebook: farther from their codes than 99 in 100 of training. PSNR and SSIM\n"
            "stand beside them.\n"
            "\n" CLI_CLIPS_HELP,
        .examples = "eval coverage my-clips --model shapes --pictures worst\n"
                    "eval coverage my-clips -t tokenizer.safetensors --max-ooc 0.05\n"
                    "eval coverage synth:shapes --save-reference tokenizer.coverage.json",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    return check_options(run);
}

poet_status cmd_eval_coverage(cli_context *context, int argc, char **argv)
{
    coverage_run run = {.split = -1, .max_out = -1, .task = &context->task};
    double rate = 0;
    POET_TRY(parse(context, &run, argc, argv));
    run.spec = context->operands[0];
    json_t *out = json_pack("{s:s, s:s}", "data", run.spec, "tokenizer",
                            run.tokenizer ? run.tokenizer : run.model);
    poet_status status = coverage(context, &run, out, &rate);
    close_run(&run);
    if (status) {
        json_decref(out);
        return status;
    }
    POET_TRY(cli_print_result(context->json, out));
    if (run.max_out >= 0 && rate > run.max_out)
        return POET_FAIL(POET_ERR_LIMIT,
                         "%s: %.2f%% of the latents are out of the codebook, more than the %g%% of "
                         "--max-ooc",
                         run.spec, 100 * rate, 100 * run.max_out);
    return POET_OK;
}
