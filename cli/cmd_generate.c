/* generate: from sentences to clips. */
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/models.h"
#include "cli/output.h"
#include "cli/pair.h"
#include "cli/video_options.h"
#include "codec/video.h"

#include <inttypes.h>
#include <string.h>

enum { PROMPT_LIMIT = 100 * 1000, FILE_LIMIT = 64 << 20, SHEET_FRAMES = 9, SHEET_ROWS = 64 };

typedef struct generate_run {
    const char *output, *model, *sheet, *prompt, *prompts_file;
    uint64_t seed;
    poet_sampling sampling;
    int enlarge, crf, sheet_enlarge, batch;
    cli_pair pair;
    char *text; /* of the prompts file */
    const char **prompts;
    int n;
    poet_clip *sheet_clips;
    json_t *clips; /* the results, for --json */
} generate_run;

/* ---- prompts ---- */

static poet_status check_prompt(const char *prompt, const char *where)
{
    size_t bytes = strlen(prompt), bad;
    if (bytes > PROMPT_LIMIT)
        return POET_FAIL(POET_ERR_ARG, "%s: the prompt has %zu bytes; at most %d are read", where,
                         bytes, PROMPT_LIMIT);
    if (!poet_utf8_valid(prompt, bytes, &bad))
        return POET_FAIL(POET_ERR_ARG, "%s: the prompt is not valid UTF-8 at byte %zu", where, bad);
    return POET_OK;
}

/* Cuts the next line off, whichever way lines end; NULL behind the last. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = line ? line + strcspn(line, "\r\n") : NULL;
    if (!line || !*end) {
        *rest = NULL;
        return line;
    }
    *rest = end + (end[0] == '\r' && end[1] == '\n' ? 2 : 1);
    *end = 0;
    return line;
}

/* One prompt a line; blank lines are left out. */
static poet_status read_prompts(generate_run *run)
{
    unsigned char *text;
    size_t size, lines = 1;
    POET_TRY(poet_stream_read(run->prompts_file, FILE_LIMIT, &text, &size));
    run->text = (char *)text;
    if (strlen(run->text) != size)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a text file", run->prompts_file);
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n' || text[i] == '\r';
    run->prompts = poet_calloc(lines, sizeof *run->prompts);
    if (!run->prompts)
        return POET_ERR_NOMEM;
    char *rest = run->text + poet_utf8_mark(run->text), *line, where[4200];
    for (int number = 1; (line = next_line(&rest)); number++) {
        if (!line[strspn(line, " \t")])
            continue;
        snprintf(where, sizeof where, "%s:%d", run->prompts_file, number);
        POET_TRY(check_prompt(line, where));
        run->prompts[run->n++] = line;
    }
    return run->n ? POET_OK : POET_FAIL(POET_ERR_FORMAT, "%s: has no prompts", run->prompts_file);
}

static poet_status take_prompts(generate_run *run, const cli_context *context)
{
    const char *prompt = context->n_operands ? context->operands[0] : run->prompt;
    if (!!run->prompts_file + !!run->prompt + context->n_operands > 1)
        return POET_FAIL(POET_ERR_ARG, "generate takes one PROMPT or --prompts FILE, not both");
    if (run->prompts_file)
        return read_prompts(run);
    if (!prompt)
        return POET_FAIL(POET_ERR_ARG, "generate wants a PROMPT, or --prompts FILE");
    run->prompts = poet_calloc(1, sizeof *run->prompts);
    if (!run->prompts)
        return POET_ERR_NOMEM;
    run->prompts[run->n++] = prompt;
    return check_prompt(prompt, "PROMPT");
}

/* ---- results ---- */

/* out.mp4 for one prompt; out-0001.mp4, out-0002.mp4, ... for a file of them. */
static poet_status output_name(const generate_run *run, int i, char **out)
{
    size_t room = strlen(run->output) + 32;
    *out = poet_alloc(room);
    if (!*out)
        return POET_ERR_NOMEM;
    const char *slash = strrchr(run->output, '/'), *dot = strrchr(run->output, '.');
    bool has_extension = dot && (!slash || dot > slash);
    int stem = (int)(has_extension ? (size_t)(dot - run->output) : strlen(run->output));
    if (!run->prompts_file)
        snprintf(*out, room, "%s", run->output);
    else
        snprintf(*out, room, "%.*s-%04d%s", stem, run->output, i + 1, has_extension ? dot : "");
    return POET_OK;
}

/* Before the work, not after it. */
static poet_status check_outputs(const generate_run *run)
{
    char *path = NULL;
    poet_status status = POET_OK;
    if (run->output)
        status = output_name(run, 0, &path);
    if (!status && run->output)
        status = poet_video_can_write(path);
    if (!status && run->sheet)
        status = cli_can_write(run->sheet, "png");
    poet_free(path);
    return status;
}

/* A number, or a text where it is too large for the numbers of JSON here. */
static json_t *seed_json(uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, seed);
    return seed > INT64_MAX ? json_string(text) : json_integer((json_int_t)seed);
}

static poet_status write_clip(generate_run *run, int i, const poet_clip *clip)
{
    char seed[24], codes[16], notice[POET_NOTICE_BYTES], *path;
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->pair.tokenizer);
    snprintf(seed, sizeof seed, "%" PRIu64, run->seed + (uint64_t)i);
    snprintf(codes, sizeof codes, "%d", c->codes);
    const poet_video_tag tags[] = {
        {"prompt", run->prompts[i]}, {"seed", seed}, {"model", run->model}, {"codes", codes}};
    poet_write_options options = {
        .tags = tags, .tag_count = 4, .enlarge = run->enlarge, .crf = run->crf};
    POET_TRY(output_name(run, i, &path));
    poet_status status = poet_video_write(path, clip, &options, notice);
    if (!status && *notice)
        fprintf(stderr, "pocketpoet: %s\n", notice);
    if (!status)
        json_array_append_new(run->clips,
                              json_pack("{s:s, s:s, s:o}", "clip", path, "prompt", run->prompts[i],
                                        "seed", seed_json(run->seed + (uint64_t)i)));
    poet_free(path);
    return status;
}

/* Prompts [first, first + n) in one batch. */
static poet_status generate_batch(generate_run *run, const poet_task *task, int first, int n,
                                  int *cut)
{
    int64_t per_clip = poet_grid_codes(&poet_generator_get_config(run->pair.generator)->grid);
    int32_t *codes = poet_alloc((size_t)n * (size_t)per_clip * sizeof *codes);
    uint64_t *seeds = poet_alloc((size_t)n * sizeof *seeds);
    poet_status status = codes && seeds ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i++)
        seeds[i] = run->seed + (uint64_t)(first + i);
    if (!status)
        status = poet_generator_write(run->pair.generator, n, run->prompts + first, seeds,
                                      &run->sampling, task, codes, cut);
    for (int i = 0; i < n && !status; i++) {
        poet_clip clip = {0};
        status = cli_pair_decode(&run->pair, codes + i * per_clip, &clip);
        if (!status && run->output)
            status = write_clip(run, first + i, &clip);
        if (!status && run->sheet && first + i < SHEET_ROWS)
            run->sheet_clips[first + i] = clip;
        else
            poet_clip_free(&clip);
    }
    poet_free(seeds);
    poet_free(codes);
    return status;
}

static poet_status report(const cli_context *context, const generate_run *run)
{
    if (context->json)
        return cli_print_json(json_pack("{s:O, s:s*, s:s}", "clips", run->clips, "sheet",
                                        run->sheet, "model", run->model));
    size_t i;
    json_t *row;
    json_array_foreach(run->clips, i, row)
        printf("clip: %s\n", json_string_value(json_object_get(row, "clip")));
    if (run->sheet)
        printf("sheet: %s\n", run->sheet);
    return POET_OK;
}

/* Clips that the host has at once: those of the sheet, the one that is decoded, and what a file of it is made from. */
static size_t clip_bytes(const generate_run *run)
{
    const poet_grid *grid = &poet_generator_get_config(run->pair.generator)->grid;
    size_t patch = (size_t)poet_tokenizer_get_config(run->pair.tokenizer)->patch;
    poet_clip shape = {.t = 1 + POET_PATCH_FRAMES * (grid->t - 1),
                       .h = grid->h * (int)patch,
                       .w = grid->w * (int)patch};
    size_t frame = (size_t)shape.h * (size_t)shape.w * 3;
    size_t rows = run->sheet ? (size_t)(run->n < SHEET_ROWS ? run->n : SHEET_ROWS) : 0;
    size_t side = (size_t)run->sheet_enlarge;
    return (1 + rows) * (size_t)shape.t * frame + rows * SHEET_FRAMES * frame * side * side +
           (run->output ? poet_video_write_bytes(run->output, &shape, run->enlarge) : 0);
}

/* What the batch takes, and a smaller one where the device has less. The result does not depend on it. */
static poet_status plan(const cli_context *context, generate_run *run)
{
    char text[192];
    poet_memory memory, decoding;
    const poet_grid *grid = &poet_generator_get_config(run->pair.generator)->grid;
    int wanted = run->n < run->batch ? run->n : run->batch;
    POET_TRY(poet_generator_fit_batch(run->pair.generator, wanted, &run->sampling, &run->batch,
                                      &memory));
    POET_TRY(poet_tokenizer_plan_decoding(run->pair.tokenizer, grid, &decoding));
    decoding.host += clip_bytes(run);
    poet_memory_join(&memory, &decoding);
    poet_task_info(&context->task, "memory to write %d clip%s at once and decode them: %s",
                   run->batch, run->batch == 1 ? "" : "s", poet_memory_text(&memory, text));
    return POET_OK;
}

/* Prompts from first on have no clips yet. */
static poet_status stopped(const generate_run *run, int first)
{
    return POET_FAIL(POET_ERR_INTERRUPTED,
                     "stopped after %d of %d clips of %s; its lines from prompt %d on, with --seed "
                     "%" PRIu64 " and another --output, give the rest",
                     first, run->n, run->prompts_file, first + 1, run->seed + (uint64_t)first);
}

static poet_status generate(cli_context *context, generate_run *run)
{
    int cut = 0;
    POET_TRY(poet_sampling_check(&run->sampling));
    POET_TRY(take_prompts(run, context));
    POET_TRY(check_outputs(run));
    POET_TRY(cli_pair_open(context, run->model, &run->pair));
    POET_TRY(plan(context, run));
    run->sheet_clips = poet_calloc(SHEET_ROWS, sizeof *run->sheet_clips);
    if (!run->sheet_clips)
        return POET_ERR_NOMEM;
    for (int first = 0; first < run->n; first += run->batch) {
        int n = run->n - first < run->batch ? run->n - first : run->batch;
        poet_status status = generate_batch(run, &context->task, first, n, &cut);
        if (status == POET_ERR_INTERRUPTED && run->prompts_file)
            return stopped(run, first);
        POET_TRY(status);
    }
    if (cut)
        poet_task_message(&context->task,
                          "%d of %d prompts are longer than the model reads (%d text tokens); "
                          "their ends were left out",
                          cut, run->n, poet_generator_get_config(run->pair.generator)->text - 2);
    int rows = run->n < SHEET_ROWS ? run->n : SHEET_ROWS;
    if (run->sheet)
        POET_TRY(poet_contact_sheet_write(run->sheet, run->sheet_clips, rows, SHEET_FRAMES,
                                          run->sheet_enlarge));
    return report(context, run);
}

static poet_status parse(cli_context *context, generate_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &run->output, "FILE", NULL,
                   "MP4, MOV, WebM, GIF or PNG (a sprite sheet, with JSON beside it) by extension"),
        CLI_MODEL(&run->model),
        CLI_TEXT("prompt", 'p', &run->prompt, "TEXT", NULL, "the same as PROMPT"),
        CLI_PATH("prompts", 0, &run->prompts_file, "FILE", NULL,
                 "one prompt a line: out.mp4 becomes out-0001.mp4, out-0002.mp4, ...; /dev/stdin "
                 "reads a pipe"),
        CLI_OUTPUT("sheet", 0, &run->sheet, "FILE.png", NULL,
                   "also draw the clips as a contact sheet, one row each"),
        CLI_SEED("seed", 's', &run->seed, "1",
                 "another seed, another clip; prompt i of a file takes seed + i"),
        CLI_FLOAT("guidance", 0, &run->sampling.guidance, 0, 100, "G", "1.5",
                  "how closely the sentence is followed; 1: off"),
        CLI_FLOAT("temperature", 0, &run->sampling.temperature, 0, 100, "T", "0.9",
                  "0: always the likeliest code"),
        CLI_INT("top-k", 0, &run->sampling.top_k, 0, POET_MAX_CODES, "K", "0",
                "only the K likeliest codes; 0: all"),
        CLI_FLOAT("top-p", 0, &run->sampling.top_p, 0, 1, "P", "1",
                  "only the likeliest codes that together have probability P"),
        CLI_FLOAT("min-p", 0, &run->sampling.min_p, 0, 1, "P", "0",
                  "only codes at least P times as likely as the likeliest"),
        CLI_INT("best-of", 0, &run->sampling.best_of, 1, POET_MAX_BEST_OF, "N", "1",
                "write N clips of each prompt and take the one that the prompt explains best"),
        CLI_INT("enlarge", 0, &run->enlarge, 1, 32, "N", "4", "pixels of a pixel, a side"),
        CLI_INT("sheet-enlarge", 0, &run->sheet_enlarge, 1, 32, "N", "2", "the same, of the sheet"),
        CLI_CRF(&run->crf),
        CLI_INT("batch", 'b', &run->batch, 1, 256, "N", "8", "prompts that are written together"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "[PROMPT]",
        .min_operands = 0,
        .max_operands = 1,
        .description = "Writes a short video of a sentence.\n"
                       "\n"
                       "The same model, prompt, seed and settings give the same clip.",
        .examples = "generate \"a small red circle moves left quickly\" -o out.mp4\n"
                    "generate --prompts prompts.txt -o clips/clip.gif --seed 7",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!run->output && !run->sheet)
        return POET_FAIL(POET_ERR_ARG, "generate wants --output FILE (or --sheet FILE.png)");
    return POET_OK;
}

poet_status cmd_generate(cli_context *context, int argc, char **argv)
{
    generate_run run = {0};
    POET_TRY(parse(context, &run, argc, argv));
    run.clips = json_array();
    poet_status status = generate(context, &run);
    json_decref(run.clips);
    for (int i = 0; run.sheet_clips && i < SHEET_ROWS; i++)
        poet_clip_free(&run.sheet_clips[i]);
    poet_free(run.sheet_clips);
    poet_free(run.prompts);
    poet_free(run.text);
    cli_pair_close(&run.pair);
    return status;
}
