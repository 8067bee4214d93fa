#include "cli/sweep_cells.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"
#include "tokenizer/tokenizer.h"

#include <limits.h>
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

int sweep_whole_bits(int codes)
{
    return codes & (codes - 1) ? 0 : poet_bits_for((uint64_t)codes);
}

/* Fewest levels, each of at most the greatest K codes, that have the bits of four codes of K on a patch of four times the size. */
static bool make_fewer(const sweep_plan *plan, sweep_cell *cell)
{
    enum { PATCHES = 4 };

    int bits = PATCHES * sweep_whole_bits(cell->codes);
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
    int bits = sweep_whole_bits(cell->codes);
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
        return sweep_whole_bits(cell->codes) > 0;
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

int sweep_cell_features(const sweep_plan *plan, const sweep_cell *cell)
{
    bool measured = plan->feature_steps && cell->method != SWEEP_FEATURES;
    return measured ? sweep_plan_find(plan, sweep_methods[SWEEP_FEATURES].name) : -1;
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
