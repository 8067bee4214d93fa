#include "cli/sweep_cells.h"

#include "base/bits.h"
#include "base/file.h"
#include "tokenizer/tokenizer.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const sweep_method_row sweep_methods[SWEEP_METHODS + 1] = {
    [SWEEP_RETRAINED] = {"retrained", "trained with K codes from the start", NULL},
    [SWEEP_MERGE] = {"merge", "the codes of the greatest K merged, weighted by their use",
                     "--method merge"},
    [SWEEP_KMEANS] = {"kmeans", "the same by k-means", "--method kmeans"},
    [SWEEP_LEAST_USED] = {"least-used", "the most used codes of the greatest K kept",
                          "--method least-used"},
    [SWEEP_RANDOM] = {"random", "codes of the greatest K kept at random", "--method random"},
    [SWEEP_MERGE_FINETUNED] = {"merge-finetuned", "merged, and decoder and generator trained on",
                               "--method merge", .finetune = true},
    [SWEEP_CONTROL] = {"control", "the greatest K as it is, and trained on for as many steps",
                       "--method merge", .finetune = true},
    [SWEEP_NESTED] =
        {"nested",
         "trained once so that the first rows are a codebook for every K, of which the "
         "first K are kept",
         "--method nested"},
    [SWEEP_FSQ] = {"fsq", "finite scalar quantization into K cells", NULL},
    [SWEEP_FACTORISED] = {"factorised",
                          "the same cells as two codes of the root of K each, which the generator "
                          "writes in turn",
                          NULL},
    [SWEEP_FEWER_TOKENS] = {"fewer-tokens",
                            "patches of 8 x 8 pixels for 4 x 4, fewer codes of more bits; the bits "
                            "of a clip are equal",
                            NULL},
    [SWEEP_RESIDUAL] = {"residual",
                        "two levels of the root of K codes; the bits of a clip are equal", NULL},
    [SWEEP_FEATURES] = {"features", "the network whose features clips are compared in", NULL},
};

/* ---- lists ---- */

/* The length of the next word of a list between commas; *rest is where the one after it begins, NULL after the last. */
static size_t next_word(const char *at, const char **rest)
{
    size_t length = strcspn(at, ",");
    *rest = at[length] ? at + length + 1 : NULL;
    return length;
}

static poet_status parse_methods(sweep_plan *plan)
{
    const char *rest;
    bool all = strcmp(plan->methods_text, "all") == 0;
    for (int m = 0; m < SWEEP_METHODS; m++)
        plan->method[m] = all;
    for (const char *at = all ? NULL : plan->methods_text; at; at = rest) {
        size_t length = next_word(at, &rest);
        int m = 0;
        while (m < SWEEP_METHODS && (strlen(sweep_methods[m].name) != length ||
                                     strncmp(at, sweep_methods[m].name, length) != 0))
            m++;
        if (m == SWEEP_METHODS)
            return POET_FAIL(POET_ERR_ARG,
                             "--methods: there is no method '%.*s'; --help lists them",
                             length < 80 ? (int)length : 80, at);
        plan->method[m] = true;
    }
    return POET_OK;
}

static int falling(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

static poet_status parse_sizes(sweep_plan *plan)
{
    const char *rest;
    for (const char *at = plan->sizes_text; at; at = rest) {
        char *end;
        size_t length = next_word(at, &rest);
        long size = strtol(at, &end, 10);
        if (!length || end != at + length || size < 2 || size > POET_MAX_CODES)
            return POET_FAIL(POET_ERR_ARG,
                             "--codes: '%.80s' is not a list of numbers from 2 to %d like 512,256",
                             plan->sizes_text, POET_MAX_CODES);
        if (plan->n_sizes == SWEEP_MAX_SIZES)
            return POET_FAIL(POET_ERR_ARG, "--codes: more than %d sizes", SWEEP_MAX_SIZES);
        for (int i = 0; i < plan->n_sizes; i++)
            if (plan->sizes[i] == (int)size)
                return POET_FAIL(POET_ERR_ARG, "--codes: %ld is there twice", size);
        plan->sizes[plan->n_sizes++] = (int)size;
    }
    qsort(plan->sizes, (size_t)plan->n_sizes, sizeof *plan->sizes, falling);
    return POET_OK;
}

/* ---- cells ---- */

/* The cell that others of the method are made from: trained, at the greatest K. */
static bool is_source(const sweep_plan *plan, const sweep_cell *cell)
{
    return cell->codes == plan->sizes[0] &&
           (cell->method == SWEEP_RETRAINED || cell->method == SWEEP_NESTED);
}

/* All that is shrunk has fewer codes than before, but for the control. */
static bool can_shrink(const sweep_plan *plan, const sweep_cell *cell)
{
    bool whole = cell->codes == plan->sizes[0];
    return whole == (cell->method == SWEEP_CONTROL) &&
           (plan->finetune_steps || !sweep_methods[cell->method].finetune);
}

/* log2 K, or 0 when K is no power of two. */
static int whole_bits(int codes)
{
    return codes & (codes - 1) ? 0 : poet_bits_for((uint64_t)codes);
}

/* Fewest levels, each of at most the greatest K codes, that have the bits of four codes of K on a patch of four times the size. */
static bool make_fewer(const sweep_plan *plan, sweep_cell *cell)
{
    enum { PATCHES = 4 };

    int bits = PATCHES * whole_bits(cell->codes);
    for (int levels = 1; bits && plan->patch == 4 && levels < PATCHES; levels++)
        if (bits % levels == 0 && bits / levels <= 20 && 1 << bits / levels <= plan->sizes[0]) {
            cell->levels = levels;
            cell->level_codes = 1 << bits / levels;
            cell->patch = 2 * plan->patch;
            return true;
        }
    return false;
}

/* Two levels of sqrt(K). */
static bool make_halves(sweep_cell *cell)
{
    int bits = whole_bits(cell->codes);
    cell->levels = 2;
    cell->level_codes = 1 << bits / 2;
    return bits && bits % 2 == 0;
}

/* Completes a cell; false: there is none of this method at this K. */
static bool make_cell(const sweep_plan *plan, sweep_cell *cell)
{
    cell->level_codes = cell->codes;
    cell->levels = 1;
    cell->patch = plan->patch;
    cell->needs = -1;
    snprintf(cell->name, sizeof cell->name, "%s-%d-s%d", sweep_methods[cell->method].name,
             cell->codes, cell->seed);
    if (is_source(plan, cell))
        return true;
    if (sweep_methods[cell->method].shrink)
        return can_shrink(plan, cell);
    if (cell->method == SWEEP_FSQ)
        return whole_bits(cell->codes) > 0;
    if (cell->method == SWEEP_FEWER_TOKENS)
        return make_fewer(plan, cell);
    if (cell->method == SWEEP_FACTORISED)
        return make_halves(cell) && plan->generator_steps;
    return cell->method != SWEEP_RESIDUAL || make_halves(cell);
}

static int add_cell(sweep_plan *plan, sweep_method method, int codes, int seed)
{
    sweep_cell *cell = &plan->cells[plan->n_cells];
    *cell = (sweep_cell){.method = method, .codes = codes, .seed = seed};
    return make_cell(plan, cell) ? plan->n_cells++ : -1;
}

/* The source of a method, unless it has none or none of it is asked for: -1. */
static int add_source(sweep_plan *plan, sweep_method method, bool wanted, int seed)
{
    int cell = wanted ? add_cell(plan, method, plan->sizes[0], seed) : -1;
    if (cell >= 0)
        plan->cells[cell].kept = true; /* methods and sizes may be added later */
    return cell;
}

static void add_seed(sweep_plan *plan, int seed)
{
    bool shrunk = plan->method[SWEEP_RETRAINED];
    for (int m = 0; m < SWEEP_METHODS; m++)
        shrunk |= plan->method[m] && sweep_methods[m].shrink && m != SWEEP_NESTED;
    int whole = add_source(plan, SWEEP_RETRAINED, shrunk, seed);
    int nested = add_source(plan, SWEEP_NESTED, plan->method[SWEEP_NESTED], seed);
    for (int i = 0; i < plan->n_sizes; i++)
        for (int m = 0; m < SWEEP_METHODS; m++) {
            sweep_cell about = {.method = (sweep_method)m, .codes = plan->sizes[i]};
            if (!plan->method[m] || is_source(plan, &about))
                continue;
            int cell = add_cell(plan, (sweep_method)m, plan->sizes[i], seed);
            if (cell >= 0 && sweep_methods[m].shrink)
                plan->cells[cell].needs = m == SWEEP_NESTED ? nested : whole;
        }
}

poet_status sweep_plan_cells(sweep_plan *plan)
{
    POET_TRY(parse_methods(plan));
    POET_TRY(parse_sizes(plan));
    size_t room = 2 + (size_t)plan->seeds * (size_t)(plan->n_sizes * SWEEP_METHODS + 1);
    plan->cells = poet_calloc(room, sizeof *plan->cells);
    if (!plan->cells)
        return POET_ERR_NOMEM;
    if (plan->feature_steps) {
        sweep_cell *features = &plan->cells[plan->n_cells++];
        *features = (sweep_cell){.method = SWEEP_FEATURES, .needs = -1, .kept = true, .seed = 1};
        snprintf(features->name, sizeof features->name, "%s", sweep_methods[SWEEP_FEATURES].name);
    }
    for (int seed = 1; seed <= plan->seeds; seed++)
        add_seed(plan, seed);
    return plan->n_cells > (plan->feature_steps > 0)
               ? POET_OK
               : POET_FAIL(POET_ERR_ARG, "--methods and --codes leave no cell");
}

void sweep_plan_free(sweep_plan *plan)
{
    poet_free(plan->cells);
    plan->cells = NULL;
}

int sweep_plan_find(const sweep_plan *plan, const char *name)
{
    for (int i = 0; i < plan->n_cells; i++)
        if (strcmp(plan->cells[i].name, name) == 0)
            return i;
    return -1;
}

void sweep_cell_result(const sweep_plan *plan, const sweep_cell *cell, char *path, size_t room)
{
    snprintf(path, room, "%s/cells/%s.json", plan->folder, cell->name);
}

void sweep_cell_folder(const sweep_plan *plan, const sweep_cell *cell, char *path, size_t room)
{
    snprintf(path, room, "%s/models/%s", plan->folder, cell->name);
}

bool sweep_cell_done(const sweep_plan *plan, const sweep_cell *cell)
{
    char path[PATH_MAX];
    sweep_cell_result(plan, cell, path, sizeof path);
    return poet_is_file(path);
}

/* ---- commands ---- */

static void add_word(sweep_steps *steps, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_word(sweep_steps *steps, const char *format, ...)
{
    char text[PATH_MAX + 64];
    va_list arguments;
    sweep_step *step = &steps->step[steps->n - 1];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *word = steps->failed ? NULL : poet_arena_strdup(steps->arena, text);
    steps->failed |= !word || step->n == SWEEP_MAX_WORDS;
    if (!steps->failed)
        step->words[step->n++] = word;
}

static void add_words(sweep_steps *steps, const char *text)
{
    static const char blanks[] = " \t\n";
    for (const char *at = text + strspn(text, blanks); *at; at += strspn(at, blanks)) {
        int length = (int)strcspn(at, blanks);
        add_word(steps, "%.*s", length, at);
        at += length;
    }
}

static void add_option(sweep_steps *steps, const char *name, int64_t value)
{
    add_word(steps, "--%s", name);
    add_word(steps, "%lld", (long long)value);
}

static void begin_step(sweep_steps *steps, const sweep_plan *plan, const char *name,
                       const char *command)
{
    steps->step[steps->n++] = (sweep_step){.name = name};
    add_words(steps, command);
    add_word(steps, "--json");
    add_option(steps, "threads", plan->threads);
    if (plan->quiet)
        add_word(steps, "--quiet");
}

static void add_data(sweep_steps *steps, const sweep_plan *plan)
{
    const cli_data *d = &plan->data;
    add_word(steps, "%s", plan->spec);
    add_word(steps, "--size");
    add_word(steps, "%dx%d", d->size.w, d->size.h);
    add_option(steps, "frames", d->frames);
    add_option(steps, "clips", d->clips);
    add_option(steps, "heldout-clips", d->heldout);
    add_word(steps, "--data-seed");
    add_word(steps, "%llu", (unsigned long long)d->seed);
}

/* What has a device: all but encode's and remap's files. */
static void add_device(sweep_steps *steps, const sweep_plan *plan)
{
    add_word(steps, "--device");
    add_word(steps, "%s", plan->device);
}

/* "8,8,4": steps of 8 and 4 whose product is a power of two, as few channels as can be. */
static void format_channels(int bits, char *text, size_t room)
{
    int fours = bits < 4 ? bits == 2 : (3 - bits % 3) % 3;
    size_t at = 0;
    for (bits -= 2 * fours; bits > 0; bits -= 3)
        at += (size_t)snprintf(text + at, room - at, at ? ",%d" : "%d", bits < 3 ? 1 << bits : 8);
    for (; fours > 0; fours--)
        at += (size_t)snprintf(text + at, room - at, at ? ",%d" : "%d", 4);
}

/* An even number of bits is the same channels twice, so that they can be two levels. */
static void add_fsq(sweep_steps *steps, const sweep_cell *cell)
{
    char text[64];
    int bits = whole_bits(cell->codes), halves = bits % 2 == 0 ? 2 : 1;
    format_channels(bits / halves, text, sizeof text);
    add_word(steps, "--quantizer");
    add_word(steps, "fsq");
    add_word(steps, "--fsq-levels");
    add_word(steps, halves == 2 ? "%s,%s" : "%s", text, text);
    add_option(steps, "levels", cell->levels);
}

static void train_tokenizer(sweep_steps *steps, const sweep_plan *plan, const sweep_cell *cell,
                            const char *folder)
{
    begin_step(steps, plan, "tokenizer", "train-tokenizer");
    add_device(steps, plan);
    add_data(steps, plan);
    add_words(steps, plan->tokenizer_options);
    add_option(steps, "steps", plan->tokenizer_steps);
    add_option(steps, "patch", cell->patch);
    add_option(steps, "seed", cell->seed);
    if (cell->method == SWEEP_NESTED)
        add_word(steps, "--nested");
    if (cell->method == SWEEP_FSQ || cell->method == SWEEP_FACTORISED) {
        add_fsq(steps, cell);
    } else {
        add_option(steps, "codes", cell->level_codes);
        add_option(steps, "levels", cell->levels);
    }
    add_word(steps, "--output");
    add_word(steps, "%s/tokenizer.safetensors", folder);

    begin_step(steps, plan, "tokens", "encode");
    add_device(steps, plan);
    add_data(steps, plan);
    add_option(steps, "count", plan->train_clips);
    add_word(steps, "--tokenizer");
    add_word(steps, "%s/tokenizer.safetensors", folder);
    add_word(steps, "--output");
    add_word(steps, "%s/train.ptok", folder);
}

static void train_generator(sweep_steps *steps, const sweep_plan *plan, const sweep_cell *cell,
                            const char *folder)
{
    if (!plan->generator_steps)
        return;
    begin_step(steps, plan, "generator", "train-generator");
    add_device(steps, plan);
    add_word(steps, "%s/train.ptok", folder);
    add_words(steps, plan->generator_options);
    add_option(steps, "steps", plan->generator_steps);
    add_option(steps, "seed", cell->seed);
    add_word(steps, "--tokenizer");
    add_word(steps, "%s/tokenizer.safetensors", folder);
    add_word(steps, "--output");
    add_word(steps, "%s/generator.safetensors", folder);
}

/* --model FOLDER, or its tokenizer where no generator is trained. */
static void add_model(sweep_steps *steps, const sweep_plan *plan, const char *folder)
{
    add_word(steps, plan->generator_steps ? "--model" : "--tokenizer");
    add_word(steps, plan->generator_steps ? "%s" : "%s/tokenizer.safetensors", folder);
}

/* For the tokens of the greatest K; a decoder that is trained on wants the clips themselves, which have the same tokens. */
static void shrink(sweep_steps *steps, const sweep_plan *plan, const sweep_cell *cell,
                   const char *folder)
{
    char whole[PATH_MAX];
    sweep_cell_folder(plan, &plan->cells[cell->needs], whole, sizeof whole);
    begin_step(steps, plan, "shrink", "codebook shrink");
    add_device(steps, plan);
    if (sweep_methods[cell->method].finetune) {
        add_data(steps, plan);
        add_option(steps, "finetune-steps", plan->finetune_steps);
    } else {
        add_word(steps, "%s/train.ptok", whole);
    }
    add_model(steps, plan, whole);
    add_option(steps, "codes", cell->codes);
    add_words(steps, sweep_methods[cell->method].shrink);
    add_option(steps, "count", plan->train_clips);
    add_option(steps, "seed", cell->seed);
    add_word(steps, "--output");
    add_word(steps, "%s/model", folder);

    begin_step(steps, plan, "tokens", "codebook remap");
    add_word(steps, "%s/train.ptok", whole);
    add_word(steps, "--map");
    add_word(steps, "%s/model-%d/remap.safetensors", folder, cell->codes);
    add_word(steps, "--output");
    add_word(steps, "%s/train.ptok", folder);
}

/* An option with the file of the network that reads attributes. */
static void add_reader(sweep_steps *steps, const sweep_plan *plan, const char *option)
{
    add_word(steps, "%s", option);
    add_word(steps, "%s/models/%s/reader.safetensors", plan->folder,
             sweep_methods[SWEEP_FEATURES].name);
}

static void measure(sweep_steps *steps, const sweep_plan *plan, const char *folder,
                    const char *model)
{
    begin_step(steps, plan, "samples", "codebook inspect");
    add_device(steps, plan);
    add_word(steps, "%s/train.ptok", folder);
    add_word(steps, "--tokenizer");
    add_word(steps, "%s/tokenizer.safetensors", model);
    add_option(steps, "count", 0);

    bool built_in = strncmp(plan->spec, "synth:", sizeof "synth:" - 1) == 0;
    begin_step(steps, plan, "eval", "eval");
    add_device(steps, plan);
    add_data(steps, plan);
    add_model(steps, plan, model);
    add_option(steps, "count", plan->heldout);
    add_option(steps, "captions", plan->captions);
    add_option(steps, "distribution", plan->compared);
    add_word(steps, "--speed");
    add_word(steps, "%g", plan->speed_seconds);
    if (plan->feature_steps && plan->compared)
        add_reader(steps, plan, "--features");
    if (plan->feature_steps && plan->captions && plan->generator_steps && !built_in)
        add_reader(steps, plan, "--reader");
}

static void make_features(sweep_steps *steps, const sweep_plan *plan, const char *folder)
{
    begin_step(steps, plan, "features", "train-reader");
    add_device(steps, plan);
    add_data(steps, plan);
    add_option(steps, "steps", plan->feature_steps);
    add_word(steps, "--output");
    add_word(steps, "%s/reader.safetensors", folder);
}

poet_status sweep_steps_create(const sweep_plan *plan, int index, sweep_steps *out)
{
    const sweep_cell *cell = &plan->cells[index];
    char folder[PATH_MAX], model[PATH_MAX + 32];
    *out = (sweep_steps){.arena = poet_arena_create()};
    if (!out->arena)
        return POET_ERR_NOMEM;
    sweep_cell_folder(plan, cell, folder, sizeof folder);
    snprintf(model, sizeof model, cell->needs >= 0 ? "%s/model-%d" : "%s", folder, cell->codes);
    if (cell->method == SWEEP_FEATURES) {
        make_features(out, plan, folder);
    } else {
        if (cell->needs >= 0) {
            shrink(out, plan, cell, folder);
        } else {
            train_tokenizer(out, plan, cell, folder);
            train_generator(out, plan, cell, folder);
        }
        measure(out, plan, folder, model);
    }
    return out->failed
               ? POET_FAIL(POET_ERR_ARG,
                           "cell %s: its commands have more than %d words, or memory ran out",
                           cell->name, SWEEP_MAX_WORDS)
               : POET_OK;
}

void sweep_steps_free(sweep_steps *steps)
{
    poet_arena_destroy(steps->arena);
    *steps = (sweep_steps){0};
}
