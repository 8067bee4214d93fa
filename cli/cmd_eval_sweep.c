/* eval sweep: quality against codebook size; a grid of methods, sizes and seeds, and a report. */
#include "cli/cmd_eval_internal.h"
#include "cli/output.h"
#include "cli/sweep_report.h"

#include "base/file.h"
#include "eval/distribution.h"
#include "tokenizer/tokenizer.h"

#include <string.h>
#include <unistd.h>

typedef struct sweep_command {
    sweep_plan plan;
    const char *cell;
    bool next, list;
    const poet_task *task;
    char failed[256]; /* names of cells */
    int n_failed;
} sweep_command;

/* ---- what is looked at first ---- */

/* Clips that no cell could be made of are refused before anything is written. */
static poet_status check_clips(const sweep_plan *plan, const poet_dataset *dataset)
{
    poet_tokenizer_config config = poet_tokenizer_defaults();
    poet_clip shape = poet_dataset_geometry(dataset);
    poet_grid grid;
    config.patch = plan->patch;
    POET_TRY(poet_tokenizer_grid(&config, shape.t, shape.h, shape.w, &grid));
    if (!poet_dataset_count(dataset, POET_SPLIT_TRAIN))
        return POET_FAIL(POET_ERR_ARG, "has no training clips");
    uint64_t heldout = poet_dataset_count(dataset, POET_SPLIT_SEEN);
    if (!heldout)
        return POET_FAIL(POET_ERR_ARG, "has no held-out clips, on which cells are measured");
    return plan->compared && heldout <= POET_DENSITY_NEIGHBOURS
               ? POET_FAIL(POET_ERR_ARG,
                           "has %d held-out clips, fewer than the %d that can be compared; "
                           "--distribution 0 does without",
                           (int)heldout, POET_DENSITY_NEIGHBOURS + 1)
               : POET_OK;
}

/* And what clips they are: a sweep goes on with these alone. */
static poet_status check_data(sweep_plan *plan)
{
    poet_dataset *dataset;
    POET_TRY(cli_data_open(plan->spec, &plan->data, &dataset));
    poet_status status = check_clips(plan, dataset);
    snprintf(plan->fingerprint, sizeof plan->fingerprint, "%016llx",
             (unsigned long long)poet_dataset_fingerprint(dataset));
    poet_dataset_close(dataset);
    return status ? poet_context(status, "%s", plan->spec) : POET_OK;
}

/* ---- running ---- */

static void note_failure(sweep_command *run, const sweep_cell *cell)
{
    size_t at = strlen(run->failed);
    snprintf(run->failed + at, sizeof run->failed - at, at ? ", %s" : "%s", cell->name);
    run->n_failed++;
}

static bool is_open(const sweep_plan *plan, int index)
{
    return index >= 0 && !sweep_cell_done(plan, &plan->cells[index]);
}

/* Makes a cell. One whose command fails is noted and left, and so are those that need it: a night is not lost for one. */
static poet_status try_cell(sweep_command *run, int index, bool wait, bool *made)
{
    const sweep_plan *plan = &run->plan;
    const sweep_cell *cell = &plan->cells[index];
    bool busy;
    *made = false;
    if (run->n_failed &&
        (is_open(plan, cell->needs) || is_open(plan, sweep_cell_features(plan, cell))))
        return POET_OK;
    poet_status status = sweep_run(plan, index, wait, run->task, &busy);
    if (status == POET_ERR_DEVICE) {
        poet_task_message(run->task, "%s; the sweep goes on", poet_error_message());
        note_failure(run, cell);
        return POET_OK;
    }
    *made = !status && !busy;
    return status;
}

/* All cells in turn. */
static poet_status run_all(sweep_command *run)
{
    bool made;
    for (int i = 0; i < run->plan.n_cells; i++)
        POET_TRY(try_cell(run, i, true, &made));
    return POET_OK;
}

/* The first cell that is neither done nor at work elsewhere, and can be made. */
static poet_status run_next(sweep_command *run)
{
    const sweep_plan *plan = &run->plan;
    bool made = false;
    for (int i = 0; i < plan->n_cells && !made; i++)
        if (is_open(plan, i))
            POET_TRY(try_cell(run, i, false, &made));
    return POET_OK;
}

static poet_status run_cell(sweep_command *run)
{
    bool busy;
    int cell = sweep_plan_find(&run->plan, run->cell);
    if (cell < 0)
        return POET_FAIL(POET_ERR_ARG, "--cell: the sweep has no cell '%.80s'; --list names them",
                         run->cell);
    return sweep_run(&run->plan, cell, true, run->task, &busy);
}

/* ---- results ---- */

static json_t *list_json(const sweep_plan *plan)
{
    json_t *list = json_array();
    for (int i = 0; i < plan->n_cells; i++) {
        const sweep_cell *cell = &plan->cells[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "cell", cell->name, "state",
                                        sweep_cell_done(plan, cell) ? "done" : "open", "needs",
                                        cell->needs >= 0 ? plan->cells[cell->needs].name : ""));
    }
    return json_pack("{s:o}", "cells", list);
}

static poet_status report(sweep_command *run, json_t *out)
{
    const sweep_plan *plan = &run->plan;
    sweep_rows rows;
    int done = 0, file;
    bool busy;
    POET_TRY(sweep_lock(plan, "report", true, &file, &busy)); /* others draw the same plots */
    poet_status status = sweep_rows_load(plan, &rows);
    if (!status)
        status = sweep_write(plan, &rows, run->task);
    sweep_rows_free(&rows);
    close(file);
    POET_TRY(status);
    for (int i = 0; i < plan->n_cells; i++)
        done += sweep_cell_done(plan, &plan->cells[i]);
    char *path = poet_path_join(plan->folder, "report.html");
    json_object_set_new(out, "cells", json_integer(plan->n_cells));
    json_object_set_new(out, "done", json_integer(done));
    json_object_set_new(out, "report", json_string(path ? path : ""));
    poet_free(path);
    return POET_OK;
}

static poet_status sweep(sweep_command *run, bool json)
{
    POET_TRY(sweep_plan_cells(&run->plan));
    if (run->list)
        return cli_print_result(json, list_json(&run->plan));
    if (run->cell && sweep_plan_find(&run->plan, run->cell) < 0)
        return run_cell(run); /* refused before anything is written */
    POET_TRY(check_data(&run->plan));
    POET_TRY(sweep_open(&run->plan));
    POET_TRY(run->cell ? run_cell(run) : run->next ? run_next(run) : run_all(run));
    json_t *out = json_object();
    poet_status status = report(run, out);
    if (!status && run->n_failed)
        status = POET_FAIL(POET_ERR_DEVICE, "%d cell%s failed: %s; the same command tries again",
                           run->n_failed, run->n_failed == 1 ? "" : "s", run->failed);
    return cli_print_outcome(json, status, out);
}

/* ---- the command line ---- */

static poet_status parse(cli_context *context, sweep_command *run, int argc, char **argv)
{
    sweep_plan *p = &run->plan;
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &p->folder, "FOLDER", NULL, "where cells and report are kept"),
        CLI_TEXT("methods", 'm', &p->methods_text, "LIST", "all", "which are compared"),
        CLI_TEXT("codes", 'k', &p->sizes_text, "LIST", "8192,4096,2048,1024,512,256,128,64",
                 "sizes of the codebook"),
        CLI_INT("seeds", 's', &p->seeds, 1, 1000, "N", "1", "each cell with seeds 1 to N"),
        CLI_LONG("tokenizer-steps", 0, &p->tokenizer_steps, 1, 1000000000, "N", "1000",
                 "of every tokenizer that is trained"),
        CLI_LONG("generator-steps", 0, &p->generator_steps, 0, 1000000000, "N", "1000",
                 "of every generator; 0: tokenizers alone"),
        CLI_LONG("finetune-steps", 0, &p->finetune_steps, 0, 1000000000, "N", "200",
                 "of decoder and generator each, in merge-finetuned and control; 0: neither"),
        CLI_LONG("feature-steps", 0, &p->feature_steps, 0, 1000000000, "N", "0",
                 "of the network whose features clips are compared in, which learns the attributes "
                 "of the clips; 0: random weights"),
        CLI_INT("patch", 'p', &p->patch, 4, 8, "N", "4", "a token is 4 frames of NxN pixels"),
        CLI_TEXT("tokenizer-options", 0, &p->tokenizer_options, "TEXT", "--crop 32 --batch 16",
                 "more options for train-tokenizer"),
        CLI_TEXT("generator-options", 0, &p->generator_options, "TEXT",
                 "--width 128 --layers 4 --slot-width 96 --group 4",
                 "more options for train-generator"),
        CLI_LONG("train-clips", 0, &p->train_clips, 1, 1000000000, "N", "10000",
                 "clips that generators learn and codes are counted on"),
        CLI_INT("count", 'n', &p->heldout, 1, 1000000, "N", "256", "as for eval"),
        CLI_INT("captions", 0, &p->captions, 0, 1000000, "N", "100", "as for eval"),
        CLI_INT("distribution", 0, &p->compared, 0, 1000000, "N", "256", "as for eval"),
        CLI_DOUBLE("speed", 0, &p->speed_seconds, 0, 3600, "SECONDS", "5", "as for eval"),
        CLI_TEXT("cell", 0, &run->cell, "CELL", NULL, "make this cell alone, and what it needs"),
        CLI_FLAG("next", 0, &run->next, "make the first cell that nobody is at work on"),
        CLI_FLAG("list", 0, &run->list, "name all cells, and which are done"),
        CLI_DATA_ROWS(&p->data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Measures what a small codebook costs and gains: a grid of cells, each a method,\n"
            "a number of codes and a seed, on held-out clips. From them come sweep.jsonl,\n"
            "sweep.csv and report.html in FOLDER. A sweep that was stopped or killed goes on\n"
            "with the same command; no cell is made twice. Several may work in one folder.\n"
            "\n"
            "Methods: retrained (trained with K codes); merge, kmeans, least-used, random\n"
            "(shrunk from the greatest K of the list); merge-finetuned (and trained on);\n"
            "control (the greatest K trained on as long); nested (trained for all K at once,\n"
            "the first K kept); fsq (finite scalar quantization); factorised (the same, as\n"
            "two codes of the root of K); fewer-tokens (patches of 8 x 8 and more bits a\n"
            "code); residual (two levels of the root of K).\n"
            "\n" CLI_DATA_HELP,
        .examples = "eval sweep synth:shapes -o sweep\n"
                    "eval sweep synth:shapes -o sweep --list\n"
                    "eval sweep my-data -o sweep -k 1024,256,64 --generator-steps 0",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!p->folder)
        return POET_FAIL(POET_ERR_ARG, "eval sweep wants --output FOLDER");
    if ((run->cell != NULL) + run->next + run->list > 1)
        return POET_FAIL(POET_ERR_ARG, "--cell, --next and --list go not together");
    if (p->patch != 4 && p->patch != 8)
        return POET_FAIL(POET_ERR_ARG, "--patch: %d is neither 4 nor 8", p->patch);
    if (p->compared && p->compared <= POET_DENSITY_NEIGHBOURS)
        return POET_FAIL(POET_ERR_ARG, "--distribution: %d clips are fewer than %d", p->compared,
                         POET_DENSITY_NEIGHBOURS + 1);
    p->spec = context->operands[0];
    p->threads = context->threads;
    p->device = context->device;
    p->quiet = context->quiet;
    return POET_OK;
}

poet_status cmd_eval_sweep(cli_context *context, int argc, char **argv)
{
    sweep_command run = {.task = &context->task};
    POET_TRY(parse(context, &run, argc, argv));
    poet_status status = sweep(&run, context->json);
    sweep_plan_free(&run.plan);
    return status;
}
