/* Sampling: the prompts' prefix once, then one program run for each group of codes. */
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

/* ---- programs ---- */

/* Fills the caches of the prefix. Of its states only the caption's share is needed: the first group
 * brings a start code of its own. */
static poet_status build_prefill(poet_generator *m, int rows)
{
    const poet_generator_config *c = &m->config;
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val ids = poet_input(g, "ids", POET_I32, POET_SHAPE(rows, c->text));
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(rows));
    poet_val position = poet_input(g, "position", POET_I32, POET_SHAPE(rows));
    poet_val text =
        poet_model_blocks_cached(g, c, poet_model_text(g, c, ids), position, lengths, POET_NONE);
    if (c->caption)
        poet_result(g, "caption", poet_model_caption(g, c, text));
    return poet_program_create(g, &m->prefill);
}

/* Codes of one slot for all prompts, repeated for the unguided rows: (rows,1). */
static poet_val for_all_rows(poet_graph *g, poet_val codes, bool guided)
{
    poet_val twice[] = {codes, codes};
    poet_val all = guided ? poet_concat(g, 2, twice, 0) : codes;
    return poet_reshape(g, all, POET_SHAPE(poet_dim(g, all, 0), 1));
}

/* The large transformer at one position of every row: its states, and whether the group is kept. */
static poet_status build_step(poet_generator *m, int b, int rows)
{
    const poet_generator_config *c = &m->config;
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_group_inputs in = poet_model_group_inputs(g, c, rows, 1, 0);
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(rows));
    poet_val position = poet_input(g, "position", POET_I32, POET_SHAPE(rows));
    poet_val states =
        poet_model_blocks_cached(g, c, poet_model_groups(g, c, &in), position, lengths, in.turns);
    if (c->caption)
        states =
            poet_add(g, states, poet_input(g, "caption", POET_F32, POET_SHAPE(rows, 1, c->width)));
    poet_result(g, "states", states);
    if (c->keep) {
        poet_val settings = poet_input(g, "settings", POET_F32, POET_SHAPE(b, 5));
        poet_val keys = poet_input(g, "keep_keys", POET_I32, POET_SHAPE(b, 4));
        poet_val logits = poet_reshape(g, poet_model_keep(g, states), POET_SHAPE(rows, 2));
        poet_result(g, "keep", poet_sample(g, logits, settings, keys));
    }
    return poet_program_create(g, &m->step);
}

/* The small transformer, slot after slot with what was drawn before it. */
static poet_status build_slots(poet_generator *m, int b, bool guided)
{
    const poet_generator_config *c = &m->config;
    int64_t rows = guided ? 2 * b : b, slots = poet_generator_slots(c);
    poet_graph *g = poet_graph_create(m->params);
    poet_val *drawn = g ? poet_calloc((size_t)slots, sizeof *drawn) : NULL;
    if (!drawn) {
        poet_graph_destroy(g);
        return POET_ERR_NOMEM;
    }
    poet_val states = poet_input(g, "states", POET_F32, POET_SHAPE(rows, 1, c->width));
    poet_val slot_position = poet_input(g, "slot_position", POET_I32, POET_SHAPE(slots, rows));
    poet_val start = poet_input(g, "start", POET_I32, POET_SHAPE(rows, 1));
    poet_val settings = poet_input(g, "settings", POET_F32, POET_SHAPE(b, 5));
    poet_val keys = poet_input(g, "keys", POET_I32, POET_SHAPE(slots * b, 4));
    poet_val before = start, around = poet_model_around(g, c, poet_model_around_input(g, c, rows));
    for (int s = 0; s < slots; s++) {
        poet_val at = poet_reshape(g, poet_slice(g, slot_position, 0, s, 1), POET_SHAPE(rows));
        poet_val logits = poet_model_slot_cached(g, c, states, around, before, at, s);
        poet_val key = poet_slice(g, keys, 0, (int64_t)s * b, b);
        poet_val code = poet_sample(g, logits, settings, key);
        before = for_all_rows(g, code, guided);
        drawn[s] = poet_reshape(g, code, POET_SHAPE(b, 1));
    }
    poet_result(g, "codes", slots == 1 ? drawn[0] : poet_concat(g, (int)slots, drawn, 1));
    poet_free(drawn);
    return poet_program_create(g, &m->slots);
}

static poet_status prepare(poet_generator *m, int b, bool guided)
{
    int rows = guided ? 2 * b : b;
    if (m->step && m->step_rows == rows && m->step_guided == guided)
        return POET_OK;
    poet_generator_forget_programs(m);
    POET_TRY(build_prefill(m, rows));
    POET_TRY(build_step(m, b, rows));
    POET_TRY(build_slots(m, b, guided));
    m->step_rows = rows;
    m->step_guided = guided;
    return POET_OK;
}

/* ---- a batch being written ---- */

typedef struct writing {
    poet_generator *m;
    int b, rows, slots, groups;
    const uint64_t *seeds;
    int32_t *grouped; /* (b,N,S) */
    int32_t *before, *neighbours, *around, *position, *keys, *codes, *keep_keys, *keep;
    int32_t *ids, *lengths, *slot_position, *start;
    float *settings, *states, *text_share, *turns; /* (b,5), (rows,C), (rows,P), (D) */
} writing;

static poet_status set_ints(poet_program *program, const char *name, const int32_t *values,
                            int64_t count)
{
    return poet_program_set_by_name(program, name, values, (size_t)count * sizeof *values);
}

static poet_status allocate(writing *w)
{
    const poet_generator_config *c = &w->m->config;
    size_t rows = (size_t)w->rows, slots = (size_t)w->slots, b = (size_t)w->b;
    w->grouped = poet_calloc(b * (size_t)w->groups * slots, sizeof(int32_t));
    w->before = poet_calloc(rows * slots, sizeof(int32_t));
    w->neighbours = poet_calloc(rows * slots * POET_NEIGHBOURS, sizeof(int32_t));
    w->around = poet_calloc(rows * slots * POET_AROUND, sizeof(int32_t));
    w->position = poet_calloc(rows, sizeof(int32_t));
    w->keys = poet_calloc(slots * b * 4, sizeof(int32_t));
    w->keep_keys = poet_calloc(b * 4, sizeof(int32_t));
    w->keep = poet_calloc(b, sizeof(int32_t));
    w->states = poet_calloc(rows * (size_t)c->width, sizeof(float));
    w->text_share = poet_calloc(rows * (size_t)c->text, sizeof(float));
    w->turns = poet_calloc((size_t)(c->width / c->heads), sizeof(float));
    w->codes = poet_calloc(b * slots, sizeof(int32_t));
    w->ids = poet_calloc(rows * (size_t)c->text, sizeof(int32_t));
    w->lengths = poet_calloc(rows, sizeof(int32_t));
    w->slot_position = poet_calloc(slots * rows, sizeof(int32_t));
    w->start = poet_calloc(rows, sizeof(int32_t));
    w->settings = poet_calloc(b * 5, sizeof(float));
    bool all = w->grouped && w->before && w->neighbours && w->around && w->position && w->keys &&
               w->keep_keys && w->keep && w->states && w->codes && w->ids && w->lengths &&
               w->slot_position && w->start && w->settings && w->text_share && w->turns;
    return all ? POET_OK : POET_ERR_NOMEM;
}

static void release(writing *w)
{
    poet_free(w->grouped);
    poet_free(w->before);
    poet_free(w->neighbours);
    poet_free(w->around);
    poet_free(w->position);
    poet_free(w->keys);
    poet_free(w->keep_keys);
    poet_free(w->keep);
    poet_free(w->states);
    poet_free(w->codes);
    poet_free(w->ids);
    poet_free(w->lengths);
    poet_free(w->slot_position);
    poet_free(w->start);
    poet_free(w->settings);
    poet_free(w->text_share);
    poet_free(w->turns);
}

/* Rows b .. 2b-1 are the same clips without a caption. */
static poet_status encode_prompts(writing *w, const char *const *prompts, int *cut)
{
    const poet_generator *m = w->m;
    int p = m->config.text;
    for (int i = 0; i < w->rows; i++) {
        const char *text = i < w->b ? prompts[i] : "";
        poet_bpe_encoded encoded;
        size_t bytes = strlen(text);
        POET_TRY(poet_bpe_encode(m->bpe, text, bytes, POET_BPE_TRUNCATE, w->ids + (size_t)i * p, p,
                                 &encoded));
        w->lengths[i] = encoded.count;
        poet_sequence_text_share(&m->config, encoded.count, w->text_share + (size_t)i * p);
        if (cut && encoded.bytes_used < bytes)
            (*cut)++;
    }
    return POET_OK;
}

/* The prompts enter the caches, and as a whole the step. */
static poet_status run_prefill(writing *w)
{
    poet_generator *m = w->m;
    const poet_generator_config *c = &m->config;
    size_t rows = (size_t)w->rows, bytes = rows * (size_t)c->width * sizeof *w->states;
    POET_TRY(set_ints(m->prefill, "ids", w->ids, (int64_t)w->rows * c->text));
    POET_TRY(set_ints(m->prefill, "lengths", w->lengths, w->rows));
    POET_TRY(set_ints(m->prefill, "position", w->position, w->rows));
    if (!c->caption)
        return poet_program_run(m->prefill);
    POET_TRY(poet_program_set_by_name(m->prefill, "text_share", w->text_share,
                                      rows * (size_t)c->text * sizeof *w->text_share));
    POET_TRY(poet_program_run(m->prefill));
    POET_TRY(poet_program_get_by_name(m->prefill, "caption", w->states, bytes));
    return poet_program_set_by_name(m->step, "caption", w->states, bytes);
}

/* A row of settings for every clip. */
static poet_status set_settings(writing *w, poet_program *program, const poet_sampling *sampling)
{
    for (int i = 0; i < w->b; i++) {
        float *s = w->settings + (size_t)i * 5;
        s[0] = sampling->guidance;
        s[1] = sampling->temperature;
        s[2] = (float)sampling->top_k;
        s[3] = sampling->top_p;
        s[4] = sampling->min_p;
    }
    return poet_program_set_by_name(program, "settings", w->settings,
                                    (size_t)w->b * 5 * sizeof *w->settings);
}

/* Whether groups are kept is drawn as the model says. What is likely there is that things stay: a lower temperature, or
 * leaving out what is unlikely, would stop what moves, one group after the other. */
static poet_status set_keep_settings(writing *w, const poet_sampling *sampling)
{
    poet_sampling keeping = {.guidance = sampling->guidance,
                             .temperature = sampling->temperature > 0 ? 1 : 0,
                             .top_p = 1};
    return set_settings(w, w->m->step, &keeping);
}

/* What stays the same for all groups. */
static poet_status begin(writing *w, const poet_sampling *sampling)
{
    poet_generator *m = w->m;
    for (int i = 0; i < w->rows; i++)
        w->start[i] = m->config.codes;
    for (int s = 0; s < w->slots; s++)
        for (int i = 0; i < w->rows; i++)
            w->slot_position[(size_t)s * (size_t)w->rows + (size_t)i] = s;
    POET_TRY(run_prefill(w));
    POET_TRY(set_ints(m->step, "lengths", w->lengths, w->rows));
    POET_TRY(set_ints(m->slots, "slot_position", w->slot_position, (int64_t)w->slots * w->rows));
    POET_TRY(set_ints(m->slots, "start", w->start, w->rows));
    if (m->config.keep)
        POET_TRY(set_keep_settings(w, sampling));
    return set_settings(w, m->slots, sampling);
}

/* Row i writes clip i % b. */
static const int32_t *clip_of(const writing *w, int row)
{
    return w->grouped + (size_t)(row % w->b) * (size_t)w->groups * (size_t)w->slots;
}

/* The inputs of row i at group n. */
static void place_row(writing *w, int i, int n)
{
    const poet_generator_config *c = &w->m->config;
    size_t slots = (size_t)w->slots;
    const int32_t *clip = clip_of(w, i);
    for (size_t s = 0; s < slots; s++)
        w->before[(size_t)i * slots + s] = n ? clip[(size_t)(n - 1) * slots + s] : c->codes;
    poet_sequence_neighbours(c, clip, n, w->neighbours + (size_t)i * slots * POET_NEIGHBOURS);
    w->position[i] = c->text + n;
}

/* A random key: the clip's seed and the draw's place in its clip, so that the batch does not matter. */
static void place_key(int32_t *key, uint64_t seed, int stream, int counter)
{
    key[0] = (int32_t)(uint32_t)seed;
    key[1] = (int32_t)(uint32_t)(seed >> 32);
    key[2] = stream;
    key[3] = counter;
}

static void place_keys(writing *w, int n)
{
    enum { CODES, KEEPING }; /* streams */

    for (int s = 0; s < w->slots; s++)
        for (int i = 0; i < w->b; i++)
            place_key(w->keys + ((size_t)s * (size_t)w->b + (size_t)i) * 4, w->seeds[i], CODES,
                      n * w->slots + s);
    for (int i = 0; i < w->b; i++)
        place_key(w->keep_keys + (size_t)i * 4, w->seeds[i], KEEPING, n);
}

/* The large transformer at group n; keep says which clips keep theirs. */
static poet_status run_step(writing *w, int n)
{
    poet_program *step = w->m->step;
    const poet_generator_config *c = &w->m->config;
    poet_place3 place = poet_sequence_place(c, n);
    POET_TRY(set_ints(step, "before", w->before, (int64_t)w->rows * w->slots));
    if (c->neighbours)
        POET_TRY(set_ints(step, "neighbours", w->neighbours,
                          (int64_t)w->rows * w->slots * POET_NEIGHBOURS));
    POET_TRY(set_ints(step, "time", &place.time, 1));
    POET_TRY(set_ints(step, "row", &place.row, 1));
    POET_TRY(set_ints(step, "column", &place.column, 1));
    if (c->rotary) {
        size_t bytes = (size_t)(c->width / c->heads) * sizeof *w->turns;
        poet_sequence_turns(c, n, 1, w->turns);
        POET_TRY(poet_program_set_by_name(step, "turns", w->turns, bytes));
    }
    POET_TRY(set_ints(step, "position", w->position, w->rows));
    if (c->keep)
        POET_TRY(set_ints(step, "keep_keys", w->keep_keys, (int64_t)w->b * 4));
    POET_TRY(poet_program_run(step));
    if (c->keep && place.time > 0)
        return poet_program_get_by_name(step, "keep", w->keep, (size_t)w->b * sizeof *w->keep);
    memset(w->keep, 0, (size_t)w->b * sizeof *w->keep);
    return POET_OK;
}

/* The codes of group n of every clip. */
static poet_status run_slots(writing *w, int n)
{
    poet_program *slots = w->m->slots;
    const poet_generator_config *c = &w->m->config;
    size_t bytes = (size_t)w->rows * (size_t)c->width * sizeof *w->states;
    POET_TRY(poet_program_get_by_name(w->m->step, "states", w->states, bytes));
    POET_TRY(poet_program_set_by_name(slots, "states", w->states, bytes));
    for (int i = 0; i < w->rows && c->around; i++)
        poet_sequence_around(c, clip_of(w, i), n,
                             w->around + (size_t)i * (size_t)w->slots * POET_AROUND);
    if (c->around)
        POET_TRY(set_ints(slots, "around", w->around, (int64_t)w->rows * w->slots * POET_AROUND));
    POET_TRY(set_ints(slots, "keys", w->keys, w->slots * (int64_t)w->b * 4));
    POET_TRY(poet_program_run(slots));
    return poet_program_get_by_name(slots, "codes", w->codes,
                                    (size_t)w->b * (size_t)w->slots * sizeof(int32_t));
}

static poet_status write_group(writing *w, int n)
{
    size_t slots = (size_t)w->slots, groups = (size_t)w->groups;
    size_t per_time = groups / (size_t)w->m->config.grid.t;
    int written = 0;
    for (int i = 0; i < w->rows; i++)
        place_row(w, i, n);
    place_keys(w, n);
    POET_TRY(run_step(w, n));
    for (int i = 0; i < w->b; i++)
        written += !w->keep[i];
    if (written)
        POET_TRY(run_slots(w, n));
    for (size_t i = 0; i < (size_t)w->b; i++) {
        int32_t *group = w->grouped + (i * groups + (size_t)n) * slots;
        memcpy(group, w->keep[i] ? group - per_time * slots : w->codes + i * slots,
               slots * sizeof *group);
    }
    return POET_OK;
}

static poet_status write_all(writing *w, const poet_task *task, int32_t *codes)
{
    const poet_generator_config *c = &w->m->config;
    for (int n = 0; n < w->groups; n++) {
        POET_TRY(write_group(w, n));
        poet_task_progress(task, &(poet_progress){.what = "write",
                                                  .done = (double)(n + 1) * w->slots * w->b,
                                                  .total = (double)w->groups * w->slots * w->b,
                                                  .unit = "tokens"});
        if (poet_task_stopped(task))
            return POET_FAIL(POET_ERR_INTERRUPTED, "stopped while writing tokens");
    }
    int64_t per_clip = poet_grid_codes(&c->grid);
    for (int i = 0; i < w->b; i++)
        poet_sequence_ungroup(c, w->grouped + i * per_clip, codes + i * per_clip);
    return POET_OK;
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
                 .seeds = seeds};
    poet_status status = prepare(generator, n, guided);
    if (!status)
        status = allocate(&w);
    if (!status)
        status = encode_prompts(&w, prompts, cut);
    if (!status)
        status = begin(&w, sampling);
    if (!status)
        status = write_all(&w, task, codes);
    release(&w);
    return status;
}
