/* The smaller generator's head, fitted to the exact sums: hidden states of the smaller model, labels of the old one. */
#include "generator/shrink_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <string.h>

enum { STEPS = 40 };

/* Rows of the regression, gathered from clips: slots of groups that are written in new codes. */
typedef struct gathering {
    poet_generator *smaller;
    const poet_shrink_map *map;
    poet_whole teacher, student;
    poet_rng rng;
    int32_t *merged; /* (clips,N,S): new codes in the order of writing */
    int32_t *grid;   /* (POET_WHOLE_CLIPS, codes of a clip): the same in the order of the grid */
    float *group;    /* (S,K'): labels of one group */
    int64_t left, wanted; /* slots still to come, and still wanted */
    int64_t n;            /* rows so far */
    float *x, *labels;    /* (rows,slot width), (rows,K') */
} gathering;

static void gathering_free(gathering *t)
{
    poet_whole_free(&t->teacher);
    poet_whole_free(&t->student);
    poet_free(t->merged);
    poet_free(t->grid);
    poet_free(t->x);
    poet_free(t->labels);
    poet_free(t->group);
}

static bool is_written(const poet_generator_config *c, const int32_t *merged, int group)
{
    return !c->keep || !poet_sequence_keeps(c, merged, group);
}

/* New codes of all clips, and how many slots of theirs are written. */
static void count_slots(gathering *t, int clips, const int32_t *codes, int64_t rows)
{
    const poet_generator_config *c = &t->smaller->config;
    int64_t per_clip = poet_grid_codes(&c->grid);
    int groups = poet_generator_groups(c), slots = poet_generator_slots(c);
    for (int i = 0; i < clips; i++) {
        int32_t *merged = t->merged + i * per_clip;
        poet_merged_clip(c, t->map, codes + i * per_clip, merged);
        for (int g = 0; g < groups; g++)
            t->left += is_written(c, merged, g) ? slots : 0;
    }
    t->wanted = rows < t->left ? rows : t->left;
}

static poet_status gathering_create(gathering *t, poet_generator *generator, int clips,
                                    const int32_t *codes, int64_t rows)
{
    const poet_generator_config *c = &t->smaller->config;
    size_t per_clip = (size_t)poet_grid_codes(&c->grid);
    t->merged = poet_alloc((size_t)clips * per_clip * sizeof *t->merged);
    t->grid = poet_alloc(POET_WHOLE_CLIPS * per_clip * sizeof *t->grid);
    if (!t->merged || !t->grid)
        return POET_ERR_NOMEM;
    count_slots(t, clips, codes, rows);
    size_t n = (size_t)t->wanted, slots = (size_t)poet_generator_slots(c);
    t->x = poet_alloc(n * (size_t)c->slot_width * sizeof *t->x);
    t->labels = poet_alloc(n * (size_t)c->codes * sizeof *t->labels);
    t->group = poet_alloc(slots * (size_t)c->codes * sizeof *t->group);
    if (!t->x || !t->labels || !t->group)
        return POET_ERR_NOMEM;
    POET_TRY(poet_whole_create(generator, &t->teacher));
    return poet_whole_create(t->smaller, &t->student);
}

/* Draws `wanted` of `left` without replacement, one question after the other. */
static bool take(gathering *t)
{
    bool taken = (int64_t)poet_rng_below(&t->rng, (uint32_t)t->left--) < t->wanted;
    t->wanted -= taken;
    return taken;
}

/* Labels (S,K') of a written group are under the condition that it is not the same as before, or it would be kept:
 * as long as all codes so far are the same, the same once more loses the chance that the rest is the same too. */
static void condition_on_writing(const poet_generator_config *c, const int32_t *merged, int group,
                                 float *labels)
{
    int slots = poet_generator_slots(c), per_time = poet_generator_groups(c) / c->grid.t;
    const int32_t *own = merged + (int64_t)group * slots, *before = own - (int64_t)per_time * slots;
    if (!c->keep || group < per_time)
        return;
    for (int s = 0; s < slots && (s == 0 || own[s - 1] == before[s - 1]); s++) {
        float rest = 1, *same = &labels[s * c->codes + before[s]];
        for (int k = s + 1; k < slots; k++)
            rest *= labels[k * c->codes + before[k]];
        float left = 1 - *same * rest;
        if (left < 1e-3F) /* nothing else was expected: nothing to learn from */
            return;
        *same *= 1 - rest;
        for (int k = 0; k < c->codes; k++)
            labels[s * c->codes + k] /= left;
    }
}

static void gather_group(gathering *t, const int32_t *merged, int clip, int group)
{
    const poet_generator_config *c = &t->smaller->config, *old = &t->teacher.m->config;
    int slots = poet_generator_slots(c);
    size_t width = (size_t)c->slot_width, codes = (size_t)c->codes;
    int64_t row = ((int64_t)clip * poet_generator_groups(c) + group) * slots;
    for (int s = 0; s < slots; s++)
        poet_merged_probabilities(t->map, s % t->map->levels,
                                  t->teacher.logits + (row + s) * old->codes,
                                  t->group + s * c->codes);
    condition_on_writing(c, merged, group, t->group);
    for (int s = 0; s < slots; s++)
        if (take(t)) {
            memcpy(t->x + t->n * c->slot_width, t->student.hidden + (row + s) * c->slot_width,
                   width * sizeof *t->x);
            memcpy(t->labels + t->n * c->codes, t->group + s * c->codes, codes * sizeof *t->labels);
            t->n++;
        }
}

static poet_status gather(gathering *t, int some, const int32_t *codes, const int32_t *merged,
                          const char *const *captions)
{
    const poet_generator_config *c = &t->smaller->config;
    int64_t per_clip = poet_grid_codes(&c->grid);
    for (int i = 0; i < some; i++)
        poet_sequence_ungroup(c, merged + i * per_clip, t->grid + i * per_clip);
    POET_TRY(poet_whole_run(&t->teacher, some, codes, captions));
    POET_TRY(poet_whole_run(&t->student, some, t->grid, captions));
    for (int i = 0; i < some; i++)
        for (int g = 0; g < poet_generator_groups(c); g++)
            if (is_written(c, merged + i * per_clip, g))
                gather_group(t, merged + i * per_clip, i, g);
    return POET_OK;
}

/* ---- the head ---- */

/* weight (K',slot width) += factor V'v: what the codes' vectors add to their rows, V being "vector_out". */
static poet_status add_vectors(const gathering *t, float factor, float *weight)
{
    const poet_generator_config *c = &t->smaller->config;
    int index = poet_params_find(t->smaller->params, "slots.vector_out.weight");
    if (t->map->levels > 1)
        return POET_OK; /* such a head goes by rows alone */
    if (index < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "slots.vector_out.weight: no such parameter");
    size_t bytes = (size_t)c->code_dim * (size_t)c->slot_width * sizeof(float);
    float *v = poet_alloc(bytes);
    poet_status status = v ? poet_params_read(t->smaller->params, index, v, bytes) : POET_ERR_NOMEM;
    for (int64_t k = 0; k < c->codes && !status; k++)
        for (int d = 0; d < c->code_dim; d++)
            for (int i = 0; i < c->slot_width; i++)
                weight[k * c->slot_width + i] += factor * t->map->vectors[k * c->code_dim + d] *
                                                 v[(int64_t)d * c->slot_width + i];
    poet_free(v);
    return status;
}

/* A parameter of the head and its values. */
static poet_status read_values(poet_params *params, int index, float **out)
{
    size_t bytes = poet_tensor_bytes(poet_params_tensor(params, index));
    *out = poet_alloc(bytes);
    return *out ? poet_params_read(params, index, *out, bytes) : POET_ERR_NOMEM;
}

static poet_status write_values(poet_params *params, int index, const float *values)
{
    return poet_params_write(params, index, values,
                             poet_tensor_bytes(poet_params_tensor(params, index)));
}

static poet_status fit_head(gathering *t, const poet_task *task, poet_fit_result *out)
{
    const poet_generator_config *c = &t->smaller->config;
    poet_params *params = t->smaller->params;
    int weight = poet_params_find(params, "slots.head.weight");
    int bias = poet_params_find(params, "slots.head.bias");
    poet_regression r = {.rows = t->n,
                         .dim = c->slot_width,
                         .classes = c->codes,
                         .x = t->x,
                         .labels = t->labels,
                         .steps = STEPS};
    if (weight < 0 || bias < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "slots.head: no such parameters in the generator");
    poet_status status = read_values(params, weight, &r.weight);
    if (!status)
        status = read_values(params, bias, &r.bias);
    if (!status)
        status = add_vectors(t, 1, r.weight);
    if (!status)
        status = poet_regression_fit(t->smaller->device, &r, task, out);
    if (!status)
        status = add_vectors(t, -1, r.weight);
    if (!status)
        status = write_values(params, weight, r.weight);
    if (!status)
        status = write_values(params, bias, r.bias);
    poet_free(r.bias);
    poet_free(r.weight);
    return status;
}

poet_status poet_generator_fit(poet_generator *generator, const poet_shrink_map *map,
                               poet_generator *smaller, int n, const int32_t *codes,
                               const char *const *captions, int64_t rows, uint64_t seed,
                               const poet_task *task, poet_fit_result *out)
{
    int64_t per_clip = poet_grid_codes(&smaller->config.grid);
    gathering t = {.smaller = smaller, .map = map};
    *out = (poet_fit_result){.rows = 0};
    poet_rng_init(&t.rng, seed, 0);
    poet_status status = gathering_create(&t, generator, n, codes, rows);
    for (int i = 0; i < n && !status; i += POET_WHOLE_CLIPS) {
        int some = n - i < POET_WHOLE_CLIPS ? n - i : POET_WHOLE_CLIPS;
        status = gather(&t, some, codes + i * per_clip, t.merged + i * per_clip, captions + i);
        poet_task_progress(task, &(poet_progress){.what = "sum up probabilities",
                                                  .done = i + some,
                                                  .total = n,
                                                  .unit = "clips"});
        if (!status && poet_task_stopped(task))
            status = POET_FAIL(POET_ERR_INTERRUPTED, "stopped after %d of %d clips", i + some, n);
    }
    if (!status && t.n)
        status = fit_head(&t, task, out);
    poet_generator_forget_programs(smaller);
    gathering_free(&t);
    return status;
}
