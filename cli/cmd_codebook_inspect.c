/* codebook inspect: how clips use the codes, and a picture of all of them. */
#include "cli/cmd_codebook_internal.h"
#include "cli/device.h"
#include "cli/models.h"
#include "cli/output.h"

#include "base/memory.h"
#include "codec/png.h"
#include "compute/backend.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the picture ---- */

enum { ENLARGE = 4, GAP = 1 };

typedef struct ranked {
    int64_t count;
    int32_t code;
} ranked;

static int by_use(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->code < y->code ? -1 : 1;
}

typedef struct painter {
    poet_tokenizer *tokenizer;
    const poet_tokenizer_config *config;
    ranked *order;           /* (levels,K) */
    int columns, rows, h, w; /* rows of one level; pixels of the picture */
    uint8_t *pixels, *patch; /* (h,w,3), (patch,patch,3) */
    int32_t codes[POET_MAX_RESIDUAL_LEVELS];
    const poet_task *task;
} painter;

static void paint_patch(painter *p, int level, int place)
{
    int side = p->config->patch * ENLARGE, cell = side + GAP;
    int top = (level * p->rows + place / p->columns) * cell, left = place % p->columns * cell;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            memcpy(p->pixels + ((size_t)(top + y) * (size_t)p->w + (size_t)(left + x)) * 3,
                   p->patch + (y / ENLARGE * p->config->patch + x / ENLARGE) * 3, 3);
}

static poet_status paint(painter *p)
{
    const poet_tokenizer_config *c = p->config;
    const poet_grid one = {1, 1, 1, c->levels};
    int64_t done = 0, total = (int64_t)c->levels * c->codes;
    for (int level = 0; level < c->levels; level++)
        for (int place = 0; place < c->codes; place++) {
            for (int l = 0; l < c->levels; l++)
                p->codes[l] = p->order[(int64_t)l * c->codes + (l == level ? place : 0)].code;
            POET_TRY(poet_tokenizer_decode(p->tokenizer, p->codes, &one, p->patch));
            paint_patch(p, level, place);
            POET_TRY(poet_task_advance(p->task, "draw codes", ++done, total, "codes"));
        }
    return POET_OK;
}

poet_status cli_codebook_picture(poet_tokenizer *tokenizer, const int64_t *counts, const char *path,
                                 const poet_task *task)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(tokenizer);
    painter p = {.tokenizer = tokenizer, .config = c, .task = task};
    int cell = c->patch * ENLARGE + GAP;
    p.columns = (int)ceil(sqrt((double)c->codes * c->levels));
    p.columns = p.columns < c->codes ? p.columns : c->codes;
    p.rows = (c->codes + p.columns - 1) / p.columns;
    p.w = p.columns * cell - GAP;
    p.h = p.rows * c->levels * cell - GAP;
    p.order = poet_alloc((size_t)c->levels * (size_t)c->codes * sizeof *p.order);
    p.pixels = poet_calloc((size_t)p.h * (size_t)p.w, 3);
    p.patch = poet_alloc((size_t)(c->patch * c->patch) * 3);
    poet_status status = p.order && p.pixels && p.patch ? POET_OK : POET_ERR_NOMEM;
    for (int level = 0; level < c->levels && !status; level++) {
        ranked *order = p.order + (int64_t)level * c->codes;
        for (int i = 0; i < c->codes; i++)
            order[i] = (ranked){counts[(int64_t)level * c->codes + i], i};
        qsort(order, (size_t)c->codes, sizeof *order, by_use);
    }
    if (!status)
        status = paint(&p);
    if (!status)
        status = poet_png_write(path, p.pixels, p.h, p.w, NULL, 0);
    poet_free(p.patch);
    poet_free(p.pixels);
    poet_free(p.order);
    return status;
}

/* ---- the figures ---- */

typedef struct inspect_run {
    const char *tokenizer, *model, *picture;
    int64_t limit;
    cli_data data;
    poet_tokenizer *loaded;
    cli_domain domain;
} inspect_run;

static poet_status level_figures(const int64_t *counts, int k, int level, json_t *out)
{
    char name[24];
    poet_code_samples s;
    snprintf(name, sizeof name, "level%d", level);
    poet_usage usage = poet_code_usage(counts, k);
    POET_TRY(poet_code_samples_measure(counts, k, &s));
    json_t *row =
        json_pack("{s:i, s:i, s:i, s:f, s:I, s:f, s:f, s:f, s:f, s:f}", "codes", k, "used",
                  usage.used, "dead", k - usage.used, "perplexity", usage.perplexity, "samples_min",
                  (json_int_t)s.least, "samples_p10", s.p10, "samples_median", s.median,
                  "samples_gini", s.gini, "under_100", s.under_100, "under_1300", s.under_1300);
    return json_object_set_new(out, name, row) ? POET_ERR_NOMEM : POET_OK;
}

static poet_status inspect(cli_context *context, inspect_run *run, poet_device *device)
{
    char *path;
    POET_TRY(cli_model_tokenizer(run->tokenizer, run->model, &path));
    poet_status status = poet_tokenizer_load(device, path, &run->loaded);
    poet_free(path);
    POET_TRY(status);
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->loaded);
    const cli_domain_options options = {
        .limit = run->limit, .data = &run->data, .task = &context->task};
    POET_TRY(cli_domain_read(context->operands[0], run->loaded, &options, &run->domain));
    json_t *out =
        json_pack("{s:s, s:I, s:I}", "data", context->operands[0], "clips",
                  (json_int_t)run->domain.clips, "tokens", (json_int_t)run->domain.tokens);
    for (int level = 0; level < c->levels && !status; level++)
        status =
            level_figures(run->domain.counts + (int64_t)level * c->codes, c->codes, level, out);
    if (!status && run->picture)
        status =
            cli_codebook_picture(run->loaded, run->domain.counts, run->picture, &context->task);
    return cli_print_outcome(context->json, status, out);
}

poet_status cmd_codebook_inspect(cli_context *context, int argc, char **argv)
{
    inspect_run run = {0};
    const cli_option options[] = {
        CLI_MODEL_OR_TOKENIZER_ROWS(&run.model, &run.tokenizer),
        CLI_LONG("count", 'n', &run.limit, 0, 1000000000, "N", "2000",
                 "at most so many clips; 0: all"),
        CLI_OUTPUT("picture", 0, &run.picture, "FILE.png", NULL,
                   "draw every code as a patch, the most used first"),
        CLI_DATA_ROWS(&run.data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA|FILE.ptok",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Tells how the training clips of DATA, or the clips of a token file, use the\n"
            "codes of a tokenizer, for each level: codes that are used and dead, perplexity,\n"
            "and how many tokens a code has (least, tenth percentile, median, Gini\n"
            "coefficient, shares of codes with fewer than 100 and 1,300).\n"
            "\n" CLI_DATA_HELP CLI_DOMAIN_HELP,
        .examples = "codebook inspect synth:shapes --model shapes --picture codes.png\n"
                    "codebook inspect train.ptok -t tokenizer.safetensors --count 0",
        .options = options,
        .json = true,
        .device = true,
    };
    poet_device *device;
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (run.picture)
        POET_TRY(cli_can_write(run.picture, "png"));
    POET_TRY(cli_device_open(context, &device));
    poet_status status = inspect(context, &run, device);
    cli_domain_free(&run.domain);
    poet_tokenizer_destroy(run.loaded);
    poet_device_close(device);
    return status;
}
