/* codebook recommend: how many codes are enough for clips, and the curve that the answer stands on. */
#include "cli/clip_source.h"
#include "cli/cmd_codebook_internal.h"
#include "cli/coverage_file.h"
#include "cli/models.h"
#include "cli/output.h"
#include "cli/pair.h"

#include "base/memory.h"
#include "eval/metrics.h"
#include "eval/recommend.h"
#include "tokenizer/shrink.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 16, MAX_SIZES = 24, EVERY = 5, FEW_CLIPS = 10 };

/* A point of the curve. */
typedef struct row {
    poet_mean psnr, loss; /* over held-out clips; loss against the whole codebook, clip by clip */
    double bits;          /* a clip has at most */
    double samples;       /* training tokens a code */
    int codes, used;      /* used: by training clips, the mean over levels */
} row;

typedef struct recommend_run {
    const char *model, *tokenizer, *generator, *spec;
    int64_t limit, measure;
    double loss, samples, parameters;
    cli_data data;
    const poet_task *task;
    cli_pair pair;
    cli_clip_source source;
    bool every;                /* all clips are on one side, so every fifth is kept apart */
    poet_split side;           /* that side */
    int64_t training, heldout; /* clips there are; those that are measured */
    poet_grid grid;
    double training_psnr; /* of the tokenizer's training clips; 0: not known */
    int64_t *counts;      /* (levels,K) over the training clips that were read */
    poet_codebook book;
    poet_merge_tree tree;
    double *whole; /* PSNR of the held-out clips with all codes */
    row rows[MAX_SIZES];
    int n;
} recommend_run;

/* ---- clips ---- */

static poet_status read_clip(const recommend_run *run, bool heldout, int64_t i, poet_example *out)
{
    poet_split split = heldout ? POET_SPLIT_SEEN : POET_SPLIT_TRAIN;
    if (run->every) {
        split = run->side;
        i = heldout ? i * EVERY + EVERY - 1 : i / (EVERY - 1) * EVERY + i % (EVERY - 1);
    }
    return poet_dataset_read(run->source.dataset, split, (uint64_t)i, out);
}

static poet_status open_clips(recommend_run *run)
{
    const double share = 1.0 / EVERY;
    POET_TRY(cli_clip_source_open(run->spec, &run->data, share, run->task, &run->source));
    const poet_dataset *dataset = run->source.dataset;
    int64_t training = (int64_t)poet_dataset_count(dataset, POET_SPLIT_TRAIN);
    int64_t heldout = (int64_t)poet_dataset_count(dataset, POET_SPLIT_SEEN);
    run->every = !training || !heldout;
    run->side = training ? POET_SPLIT_TRAIN : POET_SPLIT_SEEN;
    run->heldout = run->every ? (training + heldout) / EVERY : heldout;
    run->training = run->every ? training + heldout - run->heldout : training;
    if (!run->training || !run->heldout)
        return POET_FAIL(POET_ERR_ARG,
                         "%s: has %lld clips, too few to keep one in %d apart and recommend "
                         "anything",
                         run->spec, (long long)(training + heldout), EVERY);
    if (run->measure && run->measure < run->heldout)
        run->heldout = run->measure;
    poet_clip shape = poet_dataset_geometry(dataset);
    POET_TRY(cli_pair_check_coding(&run->pair, &shape, run->task));
    return poet_tokenizer_grid(poet_tokenizer_get_config(run->pair.tokenizer), shape.t, shape.h,
                               shape.w, &run->grid);
}

static poet_status count_clip(recommend_run *run, int64_t i, int32_t *codes)
{
    poet_example example;
    const poet_clip *clip = &example.clip;
    int k = poet_tokenizer_get_config(run->pair.tokenizer)->codes;
    POET_TRY(read_clip(run, false, i, &example));
    poet_status status =
        poet_tokenizer_encode(run->pair.tokenizer, clip->pixels, clip->t, clip->h, clip->w, codes);
    for (int64_t c = 0; c < poet_grid_codes(&run->grid) && !status; c++)
        run->counts[c % run->grid.levels * k + codes[c]]++;
    poet_example_free(&example);
    return status;
}

static poet_status count_codes(recommend_run *run)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->pair.tokenizer);
    int64_t clips = run->limit && run->limit < run->training ? run->limit : run->training;
    int32_t *codes = poet_alloc((size_t)poet_grid_codes(&run->grid) * sizeof *codes);
    run->counts = poet_calloc((size_t)c->levels * (size_t)c->codes, sizeof *run->counts);
    poet_status status = codes && run->counts ? POET_OK : POET_ERR_NOMEM;
    for (int64_t i = 0; i < clips && !status; i++) {
        status = count_clip(run, i, codes);
        if (!status)
            status = poet_task_advance(run->task, "read codes", i + 1, clips, "clips");
    }
    poet_free(codes);
    return status;
}

/* ---- the curve ---- */

static poet_status back_and_forth(poet_tokenizer *tokenizer, const poet_grid *grid,
                                  const poet_clip *clip, double *psnr)
{
    size_t bytes = (size_t)clip->t * poet_clip_frame_bytes(clip);
    int32_t *codes = poet_alloc((size_t)poet_grid_codes(grid) * sizeof *codes);
    uint8_t *frames = poet_alloc(bytes);
    poet_status status = codes && frames ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status = poet_tokenizer_encode(tokenizer, clip->pixels, clip->t, clip->h, clip->w, codes);
    if (!status)
        status = poet_tokenizer_decode(tokenizer, codes, grid, frames);
    if (!status)
        *psnr = poet_psnr(clip->pixels, frames, bytes);
    poet_free(frames);
    poet_free(codes);
    return status;
}

static poet_status measure(recommend_run *run, poet_tokenizer *tokenizer, row *r)
{
    char what[32];
    bool whole = r == run->rows;
    snprintf(what, sizeof what, "%d codes", r->codes);
    for (int64_t i = 0; i < run->heldout; i++) {
        poet_example example;
        double psnr = 0;
        POET_TRY(read_clip(run, true, i, &example));
        poet_status status = back_and_forth(tokenizer, &run->grid, &example.clip, &psnr);
        poet_example_free(&example);
        POET_TRY(status);
        if (whole)
            run->whole[i] = psnr;
        poet_mean_add(&r->psnr, psnr);
        poet_mean_add(&r->loss, run->whole[i] - psnr);
        POET_TRY(poet_task_advance(run->task, what, i + 1, run->heldout, "clips"));
    }
    return POET_OK;
}

/* Codes of the map that stand for one that training uses. */
static poet_status count_used(const recommend_run *run, const poet_shrink_map *map, row *r)
{
    bool *used = poet_calloc((size_t)map->levels * (size_t)map->kept, sizeof *used);
    int total = 0;
    if (!used)
        return POET_ERR_NOMEM;
    for (int i = 0; i < map->levels * map->codes; i++)
        if (run->counts[i])
            used[i / map->codes * map->kept + map->map[i]] = true;
    for (int i = 0; i < map->levels * map->kept; i++)
        total += used[i];
    r->used = total / map->levels;
    poet_free(used);
    return POET_OK;
}

static poet_status add_size(recommend_run *run, int codes)
{
    poet_shrink_map map;
    poet_tokenizer *smaller = NULL;
    const poet_grid *g = &run->grid;
    double places = (double)g->t * g->h * g->w;
    row *r = &run->rows[run->n++];
    *r = (row){.codes = codes,
               .bits = places * g->levels * log2(codes),
               .samples = (double)run->training * places / codes};
    poet_status status =
        poet_shrink_map_create(&run->book, POET_SHRINK_MERGE, &run->tree, 0, codes, &map);
    if (!status)
        status = count_used(run, &map, r);
    if (!status)
        status = poet_tokenizer_shrink(run->pair.tokenizer, &map, &smaller);
    if (!status)
        status = measure(run, smaller, r);
    poet_tokenizer_destroy(smaller);
    poet_shrink_map_free(&map);
    return status;
}

/* The whole codebook, then the powers of two below. */
static poet_status draw_curve(recommend_run *run)
{
    int whole = run->book.codes, below = 1;
    run->whole = poet_alloc((size_t)run->heldout * sizeof *run->whole);
    if (!run->whole)
        return POET_ERR_NOMEM;
    POET_TRY(add_size(run, whole));
    while (2 * below < whole)
        below *= 2;
    for (int codes = below; codes >= SMALLEST && run->n < MAX_SIZES; codes /= 2)
        POET_TRY(add_size(run, codes));
    return POET_OK;
}

/* ---- the size of the model ---- */

/* What the law of vocabularies says for the model; 0 where none is named. */
static double law_codes(const recommend_run *run, double *parameters)
{
    int width = poet_generator_defaults().width;
    *parameters = run->parameters;
    if (run->pair.generator && !(run->parameters > 0)) {
        *parameters = poet_parameters_beside_codes(run->pair.generator);
        width = poet_generator_get_config(run->pair.generator)->width;
    }
    return *parameters > 0 ? poet_vocabulary_law(*parameters, width) : 0;
}

/* ---- the answer ---- */

static void explain(const recommend_run *run, int at, poet_size_reason reason, char *out,
                    size_t room)
{
    const row *r = &run->rows[at], *next = at + 1 < run->n ? r + 1 : NULL;
    int by_loss = 0;
    for (int i = 0; i < run->n; i++)
        by_loss = run->rows[i].loss.mean <= run->loss ? i : by_loss;
    if (reason == POET_SIZE_SAMPLES)
        snprintf(out, room,
                 "the clips give %g tokens a code to no more than %d codes, which lose %.2f dB on "
                 "held-out clips; for at most %g dB, %d codes would be needed",
                 run->samples, r->codes, r->loss.mean, run->loss, run->rows[by_loss].codes);
    else if (next)
        snprintf(out, room,
                 "%d codes lose %.2f dB on held-out clips, %d would lose %.2f; the clips give %.0f "
                 "tokens a code",
                 r->codes, r->loss.mean, next->codes, next->loss.mean, r->samples);
    else
        snprintf(out, room,
                 "%d codes, the fewest that were tried, lose %.2f dB on held-out clips; the clips "
                 "give %.0f tokens a code",
                 r->codes, r->loss.mean, r->samples);
}

static void add_note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_note(json_t *notes, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_array_append_new(notes, json_string(text));
}

static void note_law(int codes, double law, json_t *notes)
{
    if (law > 0 && (codes > 2 * law || 2 * codes < law))
        add_note(notes,
                 "the law of vocabularies would give the generator %.0f codes, %s as many: it is "
                 "of text models that are larger, and knows nothing of these clips",
                 law, codes > 2 * law ? "less than half" : "more than twice");
}

/* What PSNR is good depends on the clips, so they are set beside those of the training, not beside a number of decibels. */
static void note_loss(const recommend_run *run, json_t *notes)
{
    static const double much = 3;
    double loss = run->training_psnr - run->rows[0].psnr.mean;
    if (run->training_psnr > 0 && loss > much)
        add_note(notes,
                 "the tokenizer draws these clips badly, %.1f dB below those of its training with "
                 "all its codes; what fewer codes lose says little about them: see 'eval coverage'",
                 loss);
}

static json_t *notes_json(const recommend_run *run, int codes, double law, poet_size_reason reason)
{
    json_t *notes = json_array();
    if (reason == POET_SIZE_FEW)
        add_note(
            notes,
            "these are too few clips: not even %d codes have %g tokens each; the number stands "
            "on the loss alone",
            run->rows[run->n - 1].codes, run->samples);
    if (run->heldout < FEW_CLIPS)
        add_note(notes, "the loss is a rough guess: it was measured on %lld held-out clip%s",
                 (long long)run->heldout, run->heldout == 1 ? "" : "s");
    if (run->every)
        add_note(notes,
                 "the clips have no two sides, so every fifth clip was kept apart; where it is "
                 "like its neighbours, the loss looks smaller than it is");
    note_loss(run, notes);
    note_law(codes, law, notes);
    return notes;
}

static json_t *curve_json(const recommend_run *run, double law)
{
    json_t *curve = json_array();
    for (int i = 0; i < run->n; i++) {
        const row *r = &run->rows[i];
        json_t *point =
            json_pack("{s:i, s:f, s:f, s:o, s:f, s:f, s:i}", "codes", r->codes, "psnr",
                      r->psnr.mean, "loss", r->loss.mean, "loss_interval", cli_interval(&r->loss),
                      "bits_per_clip", r->bits, "samples_per_code", r->samples, "used", r->used);
        if (law > 0)
            json_object_set_new(point, "of_law", json_real(r->codes / law));
        json_array_append_new(curve, point);
    }
    return curve;
}

/* The same with a line of titles, for people. */
static json_t *curve_table(const recommend_run *run, double law)
{
    char text[8192];
    size_t at = (size_t)snprintf(text, sizeof text, "%8s %9s %16s %10s %12s %8s%s\n", "codes",
                                 "PSNR, dB", "lost, dB", "bits/clip", "tokens/code", "used",
                                 law > 0 ? "   of law" : "");
    for (int i = 0; i < run->n && at < sizeof text; i++) {
        const row *r = &run->rows[i];
        char interval[32] = "        "; /* of a single clip */
        if (r->loss.n > 1)
            snprintf(interval, sizeof interval, " ± %5.2f", r->loss.interval);
        at += (size_t)snprintf(text + at, sizeof text - at, "%8d %9.2f %8.2f%s %10.0f %12.0f %8d",
                               r->codes, r->psnr.mean, r->loss.mean, interval, r->bits, r->samples,
                               r->used);
        if (law > 0 && at < sizeof text)
            at += (size_t)snprintf(text + at, sizeof text - at, "%9.2f", r->codes / law);
        if (at < sizeof text)
            at += (size_t)snprintf(text + at, sizeof text - at, "\n");
    }
    return json_string(text);
}

static void answer(const cli_context *context, const recommend_run *run, json_t *out)
{
    char sentence[512];
    poet_size_reason reason;
    poet_codebook_size curve[MAX_SIZES];
    double parameters, law = law_codes(run, &parameters);
    for (int i = 0; i < run->n; i++)
        curve[i] =
            (poet_codebook_size){run->rows[i].codes, run->rows[i].loss.mean, run->rows[i].samples};
    int at = poet_size_choose(curve, run->n, run->loss, run->samples, &reason);
    json_object_set_new(out, "data", json_string(run->spec));
    json_object_set_new(out, "clips", json_integer(run->training));
    json_object_set_new(out, "heldout_clips", json_integer(run->heldout));
    json_object_set_new(out, "recommended", json_integer(run->rows[at].codes));
    explain(run, at, reason, sentence, sizeof sentence);
    json_object_set_new(out, "because", json_string(sentence));
    snprintf(
        sentence, sizeof sentence,
        "the fewest codes that lose at most %g dB on held-out clips when codes are merged, and no "
        "more than have %g training tokens each",
        run->loss, run->samples);
    json_object_set_new(out, "rule", json_string(sentence));
    json_object_set_new(out, "notes", notes_json(run, run->rows[at].codes, law, reason));
    if (law > 0) {
        json_object_set_new(out, "parameters", json_real(parameters));
        json_object_set_new(out, "law_codes", json_real(law));
    }
    json_object_set_new(out, "curve", context->json ? curve_json(run, law) : curve_table(run, law));
}

/* ---- all of it ---- */

static poet_status read_training_psnr(recommend_run *run)
{
    char *path;
    POET_TRY(cli_model_tokenizer(run->tokenizer, run->model, &path));
    poet_status status =
        cli_coverage_reference_psnr(run->pair.tokenizer, path, &run->training_psnr);
    poet_free(path);
    return status;
}

static poet_status open_models(cli_context *context, recommend_run *run)
{
    const char *name = run->tokenizer ? run->tokenizer : run->model;
    POET_TRY(run->tokenizer ? cli_pair_open_tokenizer(context, name, &run->pair)
                            : cli_pair_open(context, name, &run->pair));
    if (poet_tokenizer_get_config(run->pair.tokenizer)->quantizer != POET_QUANTIZER_VQ)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "%s: has FSQ or LFQ, and so no codebook that could be merged", name);
    if (!run->generator)
        return POET_OK;
    poet_generator_destroy(run->pair.generator);
    run->pair.generator = NULL;
    return poet_generator_load(run->pair.device, run->generator, &run->pair.generator);
}

static poet_status recommend(cli_context *context, recommend_run *run)
{
    POET_TRY(open_models(context, run));
    POET_TRY(read_training_psnr(run));
    POET_TRY(open_clips(run));
    POET_TRY(count_codes(run));
    POET_TRY(poet_codebook_create(run->pair.tokenizer, run->counts, POET_UNUSED_KEPT,
                                  POET_DISTANCE_PATCHES, &run->book));
    POET_TRY(poet_merge_tree_create(&run->book, &run->tree));
    return draw_curve(run);
}

static poet_status parse(cli_context *context, recommend_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_MODEL_OR_TOKENIZER_ROWS(&run->model, &run->tokenizer),
        CLI_PATH("generator", 'g', &run->generator, "FILE", NULL,
                 "the generator that will write the codes, for the law of vocabularies"),
        CLI_DOUBLE("parameters", 0, &run->parameters, 1, 1e15, "N", NULL,
                   "its parameters instead, without those of each code"),
        CLI_DOUBLE("loss", 0, &run->loss, 0, 100, "DB", "0.5",
                   "how much PSNR may be lost against the whole codebook"),
        CLI_DOUBLE("samples", 0, &run->samples, 0, 1e15, "N", "1300",
                   "training tokens that a code should have, as many as a class of ImageNet has "
                   "pictures"),
        CLI_LONG("count", 'n', &run->limit, 0, 1000000000, "N", "2000",
                 "the use of codes is counted on at most so many training clips; 0: all"),
        CLI_LONG("measure", 0, &run->measure, 0, 1000000000, "N", "100",
                 "and PSNR is measured on at most so many held-out clips; 0: all"),
        CLI_DATA_ROWS(&run->data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "CLIPS",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Tells how many codes are enough for clips: the fewest that lose no more PSNR\n"
            "than --loss on held-out clips when the codes of a trained tokenizer are merged,\n"
            "and no more than have --samples training tokens each. The curve it stands on\n"
            "has for each size the PSNR and what is lost, bits that a clip has at most,\n"
            "training tokens a code, codes in use, and where a generator is known, the size\n"
            "beside the vocabulary that Tao et al. (2024) found best for text models of its\n"
            "parameters. Whether the tokenizer as it is does justice to the clips is another\n"
            "question: 'eval coverage' answers it.\n"
            "\n" CLI_CLIPS_HELP,
        .examples = "codebook recommend my-clips --model shapes\n"
                    "codebook recommend clips -t tokenizer.safetensors --parameters 4e6",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (run->generator && run->parameters > 0)
        return POET_FAIL(POET_ERR_ARG, "--generator has its own --parameters; give one of them");
    return POET_OK;
}

poet_status cmd_codebook_recommend(cli_context *context, int argc, char **argv)
{
    recommend_run run = {.task = &context->task};
    POET_TRY(parse(context, &run, argc, argv));
    run.spec = context->operands[0];
    poet_status status = recommend(context, &run);
    json_t *out = json_object();
    if (!status)
        answer(context, &run, out);
    poet_free(run.whole);
    poet_merge_tree_free(&run.tree);
    poet_codebook_free(&run.book);
    poet_free(run.counts);
    cli_clip_source_close(&run.source);
    cli_pair_close(&run.pair);
    return cli_print_outcome(context->json, status, out);
}
