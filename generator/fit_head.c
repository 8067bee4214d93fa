/* The smaller generator's head, fitted to the exact sums: hidden states of the smaller model, labels of the old one. */
#include "generator/shrink_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <string.h>

enum { STEPS = 40 };

/* Rows of both regressions, gathered from clips. A row of codes is a slot of a group that is written in new codes; a
 * row of keeping is a group. */
typedef struct gathering {
    poet_generator *smaller;
    const poet_shrink_map *map;
    poet_whole teacher, student;
    poet_rng rng;
    int32_t *merged; /* (clips,N,S) new codes in the order of writing */
    int32_t *grid;   /* (POET_WHOLE_CLIPS, codes of a clip) the same in the order of the grid */
    int64_t written_left, written_wanted; /* groups still to come, and still wanted */
    int64_t groups_left, groups_wanted;
    int64_t n, keep_n;           /* rows so far */
    float *x, *labels;           /* (rows,slot width), (rows,K') */
    float *keep_x, *keep_labels; /* (groups,width), (groups,2) */
} gathering;

static void gathering_free(gathering *t)
{
    poet_whole_free(&t->teacher);
    poet_whole_free(&t->student);
    poet_free(t->merged);
    poet_free(t->grid);
    poet_free(t->x);
    poet_free(t->labels);
    poet_free(t->keep_x);
    poet_free(t->keep_labels);
}

static bool is_written(const poet_generator_config *c, const int32_t *merged, int group)
{
    return !c->keep || !poet_sequence_keeps(c, merged, group);
}

/* New codes of all clips, and how many of their groups are written. */
static void count_groups(gathering *t, int clips, const int32_t *codes, int64_t rows)
{
    const poet_generator_config *c = &t->smaller->config;
    int64_t per_clip = poet_grid_codes(&c->grid);
    int groups = poet_generator_groups(c), slots = poet_generator_slots(c);
    for (int i = 0; i < clips; i++) {
        int32_t *merged = t->merged + i * per_clip;
        poet_merged_clip(c, t->map, codes + i * per_clip, merged);
        for (int g = 0; g < groups; g++)
            t->written_left += is_written(c, merged, g);
    }
    int64_t wanted = rows / slots;
    t->groups_left = (int64_t)clips * groups;
    t->written_wanted = wanted < t->written_left ? wanted : t->written_left;
    t->groups_wanted = wanted < t->groups_left ? wanted : t->groups_left;
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
    count_groups(t, clips, codes, rows);
    size_t n = (size_t)t->written_wanted * (size_t)poet_generator_slots(c);
    size_t groups = (size_t)t->groups_wanted;
    t->x = poet_alloc(n * (size_t)c->slot_width * sizeof *t->x);
    t->labels = poet_alloc(n * (size_t)c->codes * sizeof *t->labels);
    t->keep_x = poet_alloc(groups * (size_t)c->width * sizeof *t->keep_x);
    t->keep_labels = poet_alloc(groups * 2 * sizeof *t->keep_labels);
    if (!t->x || !t->labels || !t->keep_x || !t->keep_labels)
        return POET_ERR_NOMEM;
    POET_TRY(poet_whole_create(generator, &t->teacher));
    return poet_whole_create(t->smaller, &t->student);
}

/* Draws `wanted` of `left` without replacement, one question after the other. */
static bool take(poet_rng *rng, int64_t *left, int64_t *wanted)
{
    bool taken = (int64_t)poet_rng_below(rng, (uint32_t)(*left)--) < *wanted;
    *wanted -= taken;
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

static void gather_codes(gathering *t, const int32_t *merged, int clip, int group)
{
    const poet_generator_config *c = &t->smaller->config, *old = &t->teacher.m->config;
    int slots = poet_generator_slots(c);
    int64_t row = ((int64_t)clip * poet_generator_groups(c) + group) * slots;
    float *labels = t->labels + t->n * c->codes;
    memcpy(t->x + t->n * c->slot_width, t->student.hidden + row * c->slot_width,
           (size_t)slots * (size_t)c->slot_width * sizeof *t->x);
    for (int s = 0; s < slots; s++)
        poet_merged_probabilities(t->map, s % t->map->levels,
                                  t->teacher.logits + (row + s) * old->codes,
                                  labels + s * c->codes);
    condition_on_writing(c, merged, group, labels);
    t->n += slots;
}

/* Whether a group is kept is taken from the clips: the exact chance would want the sum over all ways of writing the
 * same codes again. */
static void gather_keeping(gathering *t, const int32_t *merged, int clip, int group)
{
    const poet_generator_config *c = &t->smaller->config;
    int64_t row = (int64_t)clip * poet_generator_groups(c) + group;
    float *label = t->keep_labels + 2 * t->keep_n;
    memcpy(t->keep_x + t->keep_n * c->width, t->student.states + row * c->width,
           (size_t)c->width * sizeof *t->keep_x);
    label[1] = is_written(c, merged, group) ? 0 : 1;
    label[0] = 1 - label[1];
    t->keep_n++;
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
        for (int g = 0; g < poet_generator_groups(c); g++) {
            const int32_t *own = merged + i * per_clip;
            if (is_written(c, own, g) && take(&t->rng, &t->written_left, &t->written_wanted))
                gather_codes(t, own, i, g);
            if (c->keep && take(&t->rng, &t->groups_left, &t->groups_wanted))
                gather_keeping(t, own, i, g);
        }
    return POET_OK;
}

/* ---- the two linear maps ---- */

/* A linear layer of the model as the regression wants it: rows of all that its logits come from. */
typedef struct layer {
    poet_params *params;
    int weight_index, bias_index;
    size_t weight_bytes, bias_bytes;
    float *weight, *bias;
} layer;

static void layer_free(layer *l)
{
    poet_free(l->weight);
    poet_free(l->bias);
}

static poet_status layer_open(poet_generator *m, const char *weight, const char *bias, layer *l)
{
    *l = (layer){.params = m->params,
                 .weight_index = poet_params_find(m->params, weight),
                 .bias_index = poet_params_find(m->params, bias)};
    if (l->weight_index < 0 || l->bias_index < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: no such parameter in the generator", weight);
    l->weight_bytes = poet_tensor_bytes(poet_params_tensor(m->params, l->weight_index));
    l->bias_bytes = poet_tensor_bytes(poet_params_tensor(m->params, l->bias_index));
    l->weight = poet_alloc(l->weight_bytes);
    l->bias = poet_alloc(l->bias_bytes);
    if (!l->weight || !l->bias)
        return POET_ERR_NOMEM;
    POET_TRY(poet_params_read(l->params, l->weight_index, l->weight, l->weight_bytes));
    return poet_params_read(l->params, l->bias_index, l->bias, l->bias_bytes);
}

static poet_status layer_write(const layer *l)
{
    POET_TRY(poet_params_write(l->params, l->weight_index, l->weight, l->weight_bytes));
    return poet_params_write(l->params, l->bias_index, l->bias, l->bias_bytes);
}

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

static poet_status fit_codes(gathering *t, const poet_task *task, poet_fit_result *out)
{
    layer l;
    const poet_generator_config *c = &t->smaller->config;
    poet_status status = layer_open(t->smaller, "slots.head.weight", "slots.head.bias", &l);
    poet_regression r = {.rows = t->n,
                         .dim = c->slot_width,
                         .classes = c->codes,
                         .x = t->x,
                         .labels = t->labels,
                         .weight = l.weight,
                         .bias = l.bias,
                         .steps = STEPS};
    if (!status)
        status = add_vectors(t, 1, l.weight);
    if (!status)
        status = poet_regression_fit(t->smaller->device, &r, task, out);
    if (!status)
        status = add_vectors(t, -1, l.weight);
    if (!status)
        status = layer_write(&l);
    layer_free(&l);
    return status;
}

static poet_status fit_keeping(gathering *t, const poet_task *task, poet_fit_result *out)
{
    layer l;
    poet_status status = layer_open(t->smaller, "keep.weight", "keep.bias", &l);
    poet_regression r = {.rows = t->keep_n,
                         .dim = t->smaller->config.width,
                         .classes = 2,
                         .x = t->keep_x,
                         .labels = t->keep_labels,
                         .weight = l.weight,
                         .bias = l.bias,
                         .steps = STEPS};
    if (!status)
        status = poet_regression_fit(t->smaller->device, &r, task, out);
    if (!status)
        status = layer_write(&l);
    layer_free(&l);
    return status;
}

poet_status poet_generator_fit(poet_generator *generator, const poet_shrink_map *map,
                               poet_generator *smaller, int n, const int32_t *codes,
                               const char *const *captions, int64_t rows, uint64_t seed,
                               const poet_task *task, poet_generator_fit_result *out)
{
    int64_t per_clip = poet_grid_codes(&smaller->config.grid);
    gathering t = {.smaller = smaller, .map = map};
    *out = (poet_generator_fit_result){.codes = {.rows = 0}};
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
        status = fit_codes(&t, task, &out->codes);
    if (!status && t.keep_n)
        status = fit_keeping(&t, task, &out->keep);
    poet_generator_forget_programs(smaller);
    gathering_free(&t);
    return status;
}
