/* Sampling: the prompts' prefix once, then the same for each group of codes. What a group needs is on the device before the
 * first begins, and codes stay there until the last is written: a device that records does each group without the host. */
#include "base/memory.h"
#include "generator/generator_internal.h"

#include <string.h>

poet_sampling poet_sampling_defaults(void)
{
    return (poet_sampling){.guidance = 1.5F, .temperature = 0.9F, .top_p = 1, .best_of = 1};
}

static bool within(float value, float low, float high)
{
    return value >= low && value <= high; /* false for NaN */
}

poet_status poet_sampling_check(const poet_sampling *sampling)
{
    if (!within(sampling->guidance, 0, 100))
        return POET_FAIL(POET_ERR_ARG, "guidance = %g is not between 0 and 100",
                         (double)sampling->guidance);
    if (!within(sampling->temperature, 0, 100))
        return POET_FAIL(POET_ERR_ARG, "temperature = %g is not between 0 and 100",
                         (double)sampling->temperature);
    if (sampling->top_k < 0 || sampling->top_k > POET_MAX_CODES)
        return POET_FAIL(POET_ERR_ARG, "top-k = %d is not between 0 and %d", sampling->top_k,
                         POET_MAX_CODES);
    if (sampling->best_of < 0 || sampling->best_of > POET_MAX_BEST_OF)
        return POET_FAIL(POET_ERR_ARG, "best-of = %d is not between 1 and %d", sampling->best_of,
                         POET_MAX_BEST_OF);
    if (!within(sampling->top_p, 0, 1) || !within(sampling->min_p, 0, 1))
        return POET_FAIL(POET_ERR_ARG, "top-p and min-p must be between 0 and 1");
    return POET_OK;
}

/* ---- a batch being written ---- */

typedef struct writing {
    poet_generator *m;
    int b, rows, slots, groups;
    const uint64_t *seeds;
    const poet_sampling *sampling;
} writing;

static poet_status set_ints(poet_program *program, const char *name, const int32_t *values,
                            int64_t count)
{
    return poet_program_set_by_name(program, name, values, (size_t)count * sizeof *values);
}

/* Row n of something: out[...]. */
typedef void (*fill_fn)(const writing *w, int n, int32_t *out);

/* An input of n rows of count integers. */
static poet_status set_rows(const writing *w, poet_program *program, const char *name, int n,
                            int64_t count, fill_fn fill)
{
    int32_t *rows = poet_calloc((size_t)(n * count), sizeof *rows);
    if (!rows)
        return POET_ERR_NOMEM;
    for (int i = 0; i < n && fill; i++)
        fill(w, i, rows + i * count);
    poet_status status = set_ints(program, name, rows, n * count);
    poet_free(rows);
    return status;
}

/* A row for each group. */
static poet_status set_table(const writing *w, poet_program *program, const char *name,
                             int64_t count, fill_fn fill)
{
    return set_rows(w, program, name, w->groups, count, fill);
}

/* ---- tables of the large transformer ---- */

static void next_group(const writing *w, int n, int32_t *out)
{
    *out = (n + 1) % w->groups;
}

static void time_of(const writing *w, int n, int32_t *out)
{
    *out = poet_sequence_place(&w->m->config, n).time;
}

static void row_of(const writing *w, int n, int32_t *out)
{
    *out = poet_sequence_place(&w->m->config, n).row;
}

static void column_of(const writing *w, int n, int32_t *out)
{
    *out = poet_sequence_place(&w->m->config, n).column;
}

static void position_of(const writing *w, int n, int32_t *out)
{
    for (int i = 0; i < w->rows; i++)
        out[i] = w->m->config.text + n;
}

static void codes_before(const writing *w, int n, int32_t *out)
{
    poet_sequence_group_places(&w->m->config, n - 1, out);
}

static void own_codes(const writing *w, int n, int32_t *out)
{
    poet_sequence_group_places(&w->m->config, n, out);
}

/* Of the time before. */
static void earlier_codes(const writing *w, int n, int32_t *out)
{
    poet_sequence_group_places(&w->m->config, n - w->groups / w->m->config.grid.t, out);
}

static void may_keep(const writing *w, int n, int32_t *out)
{
    *out = poet_sequence_place(&w->m->config, n).time > 0;
}

static void neighbours_of(const writing *w, int n, int32_t *out)
{
    poet_sequence_neighbour_places(&w->m->config, n, out);
}

static void around_of(const writing *w, int n, int32_t *out)
{
    poet_sequence_around_places(&w->m->config, n, out);
}

/* One element of a list of parts of the vector table. */
static void table_of(const writing *w, int n, int32_t *out)
{
    *out = poet_sequence_table(&w->m->config, n);
}

/* A random key: the clip's seed and the draw's place in its clip, so that the batch does not matter. */
static void place_key(int32_t *key, uint64_t seed, int stream, int counter)
{
    key[0] = (int32_t)(uint32_t)seed;
    key[1] = (int32_t)(uint32_t)(seed >> 32);
    key[2] = stream;
    key[3] = counter;
}

enum { CODES, KEEPING }; /* streams */

static void code_keys(const writing *w, int n, int32_t *out)
{
    for (int s = 0; s < w->slots; s++)
        for (int i = 0; i < w->b; i++, out += 4)
            place_key(out, w->seeds[i], CODES, n * w->slots + s);
}

static void keep_keys(const writing *w, int n, int32_t *out)
{
    for (int i = 0; i < w->b; i++, out += 4)
        place_key(out, w->seeds[i], KEEPING, n);
}

static poet_status set_turns(const writing *w)
{
    const poet_generator_config *c = &w->m->config;
    size_t count = (size_t)w->groups * (size_t)poet_generator_head_width(c);
    float *turns = poet_alloc(count * sizeof *turns);
    if (!turns)
        return POET_ERR_NOMEM;
    poet_sequence_turns(c, 0, w->groups, turns);
    poet_status status =
        poet_program_set_by_name(w->m->step, "turns", turns, count * sizeof *turns);
    poet_free(turns);
    return status;
}

static poet_status set_settings(const writing *w, poet_program *program, const poet_sampling *s)
{
    size_t bytes = (size_t)w->b * 5 * sizeof(float);
    float *rows = poet_alloc(bytes);
    if (!rows)
        return POET_ERR_NOMEM;
    for (int i = 0; i < w->b; i++) {
        const float row[] = {s->guidance, s->temperature, (float)s->top_k, s->top_p, s->min_p};
        memcpy(rows + (size_t)i * 5, row, sizeof row);
    }
    poet_status status = poet_program_set_by_name(program, "settings", rows, bytes);
    poet_free(rows);
    return status;
}

/* Whether groups are kept is drawn as the model says. What is likely there is that things stay: a lower temperature, or
 * leaving out what is unlikely, would stop what moves, one group after the other. */
static poet_status set_keeping(const writing *w)
{
    poet_program *step = w->m->step;
    poet_sampling keeping = {.guidance = w->sampling->guidance,
                             .temperature = w->sampling->temperature > 0 ? 1 : 0,
                             .top_p = 1};
    POET_TRY(set_settings(w, step, &keeping));
    POET_TRY(set_rows(w, step, "never", w->rows, 1, NULL));
    POET_TRY(set_table(w, step, "may_keep", 1, may_keep));
    POET_TRY(set_table(w, step, "keep_keys", (int64_t)w->b * 4, keep_keys));
    POET_TRY(set_table(w, step, "earlier", w->slots, earlier_codes));
    return set_table(w, step, "own", w->slots, own_codes);
}

static poet_status set_step(const writing *w)
{
    poet_program *step = w->m->step;
    const poet_generator_config *c = &w->m->config;
    int wide = POET_NEIGHBOURS * w->slots;
    POET_TRY(set_rows(w, step, "zero", 1, 1, NULL));
    POET_TRY(set_table(w, step, "next", 1, next_group));
    POET_TRY(set_table(w, step, "time", 1, time_of));
    POET_TRY(set_table(w, step, "row", 1, row_of));
    POET_TRY(set_table(w, step, "column", 1, column_of));
    POET_TRY(set_table(w, step, "position", w->rows, position_of));
    POET_TRY(set_table(w, step, "before", w->slots, codes_before));
    if (c->neighbours)
        POET_TRY(set_table(w, step, "neighbours", wide, neighbours_of));
    if (c->neighbours)
        POET_TRY(set_rows(w, step, "neighbour_table", wide, 1, table_of));
    if (c->rotary)
        POET_TRY(set_turns(w));
    return c->keep ? set_keeping(w) : POET_OK;
}

/* ---- tables of the small transformer ---- */

static void slot_of_rows(const writing *w, int s, int32_t *out)
{
    for (int i = 0; i < w->rows; i++)
        out[i] = s;
}

static void start_code(const writing *w, int row, int32_t *out)
{
    (void)row;
    *out = w->m->config.codes;
}

/* Which of what was drawn and what stands there, S each, is taken. */
static void choice_of(const writing *w, int keep, int32_t *out)
{
    for (int s = 0; s < w->slots; s++)
        out[s] = keep * w->slots + s;
}

static poet_status set_slots(const writing *w)
{
    poet_program *slots = w->m->slots;
    const poet_generator_config *c = &w->m->config;
    int wide = POET_AROUND * w->slots;
    POET_TRY(set_settings(w, slots, w->sampling));
    POET_TRY(set_rows(w, slots, "slot_position", w->slots, w->rows, slot_of_rows));
    POET_TRY(set_rows(w, slots, "start", w->rows, 1, start_code));
    POET_TRY(set_table(w, slots, "keys", (int64_t)w->slots * w->b * 4, code_keys));
    POET_TRY(set_table(w, slots, "own", w->slots, own_codes));
    if (c->around)
        POET_TRY(set_table(w, slots, "around", wide, around_of));
    if (c->around)
        POET_TRY(set_rows(w, slots, "around_table", wide, 1, table_of));
    return c->keep ? set_rows(w, slots, "choice", 2, w->slots, choice_of) : POET_OK;
}

/* ---- the beginning ---- */

/* Row i: clip i % b; rows b .. 2b-1 are the same clips without a caption. */
typedef struct prefix {
    int32_t *ids, *lengths; /* (rows,P), (rows) */
    float *text_share;      /* (rows,P) */
} prefix;

static poet_status encode_prompts(const writing *w, const char *const *prompts, prefix *out,
                                  int *cut)
{
    const poet_generator *m = w->m;
    int p = m->config.text;
    for (int i = 0; i < w->rows; i++) {
        const char *text = i < w->b ? prompts[i] : "";
        poet_bpe_encoded encoded;
        size_t bytes = strlen(text);
        POET_TRY(poet_bpe_encode(m->bpe, text, bytes, POET_BPE_TRUNCATE,
                                 out->ids + (size_t)i * (size_t)p, p, &encoded));
        out->lengths[i] = encoded.count;
        poet_sequence_text_share(&m->config, encoded.count,
                                 out->text_share + (size_t)i * (size_t)p);
        if (cut && encoded.bytes_used < bytes)
            (*cut)++;
    }
    return POET_OK;
}

/* The prompts enter the caches, and as a whole the step. */
static poet_status run_prefill(const writing *w, const prefix *text)
{
    poet_generator *m = w->m;
    int64_t count = (int64_t)w->rows * m->config.text;
    POET_TRY(set_ints(m->prefill, "ids", text->ids, count));
    POET_TRY(set_ints(m->prefill, "lengths", text->lengths, w->rows));
    POET_TRY(set_rows(w, m->prefill, "position", w->rows, 1, NULL));
    POET_TRY(set_ints(m->step, "lengths", text->lengths, w->rows));
    if (!m->config.caption)
        return poet_program_run(m->prefill);
    POET_TRY(poet_program_set_by_name(m->prefill, "text_share", text->text_share,
                                      (size_t)count * sizeof *text->text_share));
    POET_TRY(poet_program_run(m->prefill));
    return poet_program_pass(m->prefill, "caption", m->step, "caption");
}

static poet_status read_prompts(const writing *w, const char *const *prompts, int *cut)
{
    size_t rows = (size_t)w->rows, count = rows * (size_t)w->m->config.text;
    prefix text = {poet_calloc(count, sizeof(int32_t)), poet_calloc(rows, sizeof(int32_t)),
                   poet_calloc(count, sizeof(float))};
    poet_status status = text.ids && text.lengths && text.text_share ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status = encode_prompts(w, prompts, &text, cut);
    if (!status)
        status = run_prefill(w, &text);
    poet_free(text.ids);
    poet_free(text.lengths);
    poet_free(text.text_share);
    return status;
}

static poet_status write_state(const writing *w, const char *name, const int32_t *values,
                               size_t count)
{
    poet_params *params = w->m->params;
    return poet_params_write(params, poet_params_find(params, name), values,
                             count * sizeof *values);
}

/* Integers that "written" holds for one row. */
static size_t row_length(const writing *w)
{
    return (size_t)w->groups * (size_t)w->slots + 1;
}

/* Nothing is written; the group before the first is the last. */
static poet_status clear_written(const writing *w)
{
    size_t count = (size_t)w->rows * row_length(w);
    int32_t last = w->groups - 1, *codes = poet_alloc(count * sizeof *codes);
    if (!codes)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        codes[i] = w->m->config.codes;
    poet_status status = write_state(w, "written", codes, count);
    poet_free(codes);
    return status ? status : write_state(w, "group", &last, 1);
}

/* ---- group after group ---- */

/* Is there a clip whose group is not kept? A device that does not wait for the host cannot be asked; there the slots run
 * always, and what they draw for groups that are kept is not used. */
static poet_status is_written(const poet_generator *m, bool *out)
{
    *out = true;
    if (!m->config.keep || poet_device_records(m->device))
        return POET_OK;
    size_t rows = (size_t)m->step_rows;
    int32_t *keep = poet_alloc(rows * sizeof *keep);
    if (!keep)
        return POET_ERR_NOMEM;
    poet_status status = poet_program_get_by_name(m->step, "keep", keep, rows * sizeof *keep);
    *out = false;
    for (size_t i = 0; i < rows && !status; i++)
        *out = *out || !keep[i];
    poet_free(keep);
    return status;
}

/* The next group of every clip: what a device may record. */
static poet_status launch_group(void *opaque)
{
    poet_generator *m = opaque;
    bool written;
    POET_TRY(poet_program_launch(m->step));
    POET_TRY(is_written(m, &written));
    if (!written)
        return POET_OK;
    POET_TRY(poet_program_pass(m->step, "states", m->slots, "states"));
    if (m->config.keep)
        POET_TRY(poet_program_pass(m->step, "keep", m->slots, "keep"));
    return poet_program_launch(m->slots);
}

/* Where the host waits for the device: after each group when it does the work itself, else after all of one time. */
static bool is_awaited(const writing *w, int n)
{
    int per_time = w->groups / w->m->config.grid.t;
    return !poet_device_records(w->m->device) || (n + 1) % per_time == 0;
}

static poet_status write_groups(const writing *w, const poet_task *task)
{
    poet_generator *m = w->m;
    for (int n = 0; n < w->groups; n++) {
        POET_TRY(m->profile ? launch_group(m)
                            : poet_device_replay(m->device, launch_group, m, &m->recording));
        if (!is_awaited(w, n))
            continue;
        POET_TRY(poet_device_wait(m->device));
        poet_task_progress(task, &(poet_progress){.what = "write",
                                                  .done = (double)(n + 1) * w->slots * w->b,
                                                  .total = (double)w->groups * w->slots * w->b,
                                                  .unit = "tokens"});
        if (poet_task_stopped(task))
            return POET_FAIL(POET_ERR_INTERRUPTED, "stopped while writing tokens");
    }
    return POET_OK;
}

/* The clips, in the order of the grid. */
static poet_status read_codes(const writing *w, int32_t *codes)
{
    poet_params *params = w->m->params;
    const poet_generator_config *c = &w->m->config;
    size_t bytes = (size_t)w->rows * row_length(w) * sizeof(int32_t);
    int32_t *rows = poet_alloc(bytes);
    if (!rows)
        return POET_ERR_NOMEM;
    poet_status status = poet_params_read(params, poet_params_find(params, "written"), rows, bytes);
    for (int i = 0; i < w->b && !status; i++)
        poet_sequence_ungroup(c, rows + (size_t)i * row_length(w),
                              codes + i * poet_grid_codes(&c->grid));
    poet_free(rows);
    return status;
}

poet_status poet_write_clips(poet_generator *generator, int n, const char *const *prompts,
                             const uint64_t *seeds, const poet_sampling *sampling,
                             const poet_task *task, int32_t *codes, int *cut)
{
    bool guided = sampling->guidance != 1;
    writing w = {.m = generator,
                 .b = n,
                 .rows = guided ? 2 * n : n,
                 .slots = poet_generator_slots(&generator->config),
                 .groups = poet_generator_groups(&generator->config),
                 .seeds = seeds,
                 .sampling = sampling};
    POET_TRY(poet_write_prepare(generator, n, guided));
    poet_program_profile(generator->step, generator->profile);
    poet_program_profile(generator->slots, generator->profile);
    POET_TRY(read_prompts(&w, prompts, cut));
    POET_TRY(set_step(&w));
    POET_TRY(set_slots(&w));
    POET_TRY(clear_written(&w));
    POET_TRY(write_groups(&w, task));
    return read_codes(&w, codes);
}
