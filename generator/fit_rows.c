/* What the heads of a smaller generator are fitted on: its own states, with what the old model says there. */
#include "generator/shrink_internal.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

static void rows_free(poet_fit_rows *rows)
{
    poet_free(rows->x);
    poet_free(rows->labels);
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of `left` rows that will be offered at most `most` are taken. */
static poet_status rows_create(poet_fit_rows *rows, int64_t left, int64_t most, int dim,
                               int classes)
{
    int64_t wanted = least_of(least_of(most, left), POET_FIT_PROBABILITIES / classes);
    *rows = (poet_fit_rows){.left = left, .wanted = wanted, .dim = dim, .classes = classes};
    size_t n = (size_t)rows->wanted;
    rows->x = poet_alloc(n * (size_t)dim * sizeof *rows->x);
    rows->labels = poet_alloc(n * (size_t)classes * sizeof *rows->labels);
    return rows->x && rows->labels ? POET_OK : POET_ERR_NOMEM;
}

/* Draws `wanted` of `left` without replacement, one question after the other. */
static void offer(poet_fit_rows *rows, poet_rng *rng, const float *x, const float *labels)
{
    bool taken = (int64_t)poet_rng_below(rng, (uint32_t)rows->left--) < rows->wanted;
    size_t dim = (size_t)rows->dim, classes = (size_t)rows->classes, n = (size_t)rows->n;
    if (!taken)
        return;
    memcpy(rows->x + n * dim, x, dim * sizeof *x);
    memcpy(rows->labels + n * classes, labels, classes * sizeof *labels);
    rows->wanted--;
    rows->n++;
}

void poet_fit_data_free(poet_fit_data *data)
{
    poet_whole_free(&data->teacher);
    poet_whole_free(&data->student);
    rows_free(&data->codes);
    rows_free(&data->keep);
    poet_free(data->merged);
    poet_free(data->group);
}

static bool is_written(const poet_generator_config *c, const int32_t *merged, int group)
{
    return !c->keep || !poet_sequence_keeps(c, merged, group);
}

/* New codes of all clips; how many slots of theirs are written. */
static int64_t merge_clips(poet_fit_data *d, int clips, const int32_t *codes)
{
    const poet_generator_config *c = &d->student.m->config;
    int64_t per_clip = poet_grid_codes(&c->grid), written = 0;
    for (int i = 0; i < clips; i++) {
        int32_t *merged = d->merged + i * per_clip;
        poet_merged_clip(c, d->map, codes + i * per_clip, merged);
        for (int g = 0; g < poet_generator_groups(c); g++)
            written += is_written(c, merged, g) ? poet_generator_slots(c) : 0;
    }
    return written;
}

static poet_status data_create(poet_fit_data *d, poet_generator *generator, poet_generator *smaller,
                               int clips, const int32_t *codes, int64_t rows)
{
    const poet_generator_config *c = &smaller->config;
    size_t per_clip = (size_t)poet_grid_codes(&c->grid), slots = (size_t)poet_generator_slots(c);
    POET_TRY(poet_whole_create(generator, &d->teacher));
    POET_TRY(poet_whole_create(smaller, &d->student));
    d->merged = poet_alloc((size_t)clips * per_clip * sizeof *d->merged);
    d->group = poet_alloc(slots * (size_t)c->codes * sizeof *d->group);
    if (!d->merged || !d->group)
        return POET_ERR_NOMEM;
    int64_t groups = (int64_t)clips * poet_generator_groups(c);
    POET_TRY(rows_create(&d->codes, merge_clips(d, clips, codes), rows, c->slot_width, c->codes));
    return c->keep ? rows_create(&d->keep, groups, rows, c->width, 2) : POET_OK;
}

/* ---- what the old model says of a group ---- */

/* log of the chance that all slots of a group are as in the time before. labels (S,K'). */
static double log_same(const poet_generator_config *c, const int32_t *before, const float *labels)
{
    double sum = 0;
    for (int s = 0; s < poet_generator_slots(c); s++)
        sum += log(fmax((double)labels[s * c->codes + before[s]], 1e-30));
    return sum;
}

/* Labels (2) of a group: it is written; it is the same, kept or written as the same. before: the group of the time
 * before, NULL where there is none. */
static void label_keeping(const poet_generator_config *c, const float *keep, const int32_t *before,
                          const float *labels, float out[2])
{
    double kept = 0;
    if (before) {
        kept = 1 / (1 + exp((double)(keep[0] - keep[1])));
        kept += (1 - kept) * exp(log_same(c, before, labels));
    }
    out[0] = (float)(1 - kept);
    out[1] = (float)kept;
}

/* Labels (S,K') of a written group are under the condition that it is not the same as before, or it would be kept:
 * as long as all codes so far are the same, the same once more loses the chance that the rest is the same too. */
static void condition_on_writing(const poet_generator_config *c, const int32_t *own,
                                 const int32_t *before, float *labels)
{
    int slots = poet_generator_slots(c);
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

static void gather_group(poet_fit_data *d, poet_rng *rng, const int32_t *merged, int clip,
                         int group)
{
    const poet_generator_config *c = &d->student.m->config, *old = &d->teacher.m->config;
    int slots = poet_generator_slots(c), per_time = poet_generator_groups(c) / c->grid.t;
    const int32_t *own = merged + (int64_t)group * slots;
    const int32_t *before = group < per_time ? NULL : own - (int64_t)per_time * slots;
    int64_t row = (int64_t)clip * poet_generator_groups(c) + group;
    for (int s = 0; s < slots; s++)
        poet_merged_probabilities(d->map, s % d->map->levels,
                                  d->teacher.logits + (row * slots + s) * old->codes,
                                  d->group + s * c->codes);
    if (c->keep) {
        float keeping[2];
        label_keeping(c, d->teacher.keep + 2 * row, before, d->group, keeping);
        offer(&d->keep, rng, d->student.states + row * c->width, keeping);
    }
    if (!is_written(c, merged, group))
        return;
    if (c->keep && before)
        condition_on_writing(c, own, before, d->group);
    for (int s = 0; s < slots; s++)
        offer(&d->codes, rng, d->student.hidden + (row * slots + s) * c->slot_width,
              d->group + s * c->codes);
}

static poet_status gather_clips(poet_fit_data *d, poet_rng *rng, int some, const int32_t *codes,
                                const int32_t *merged, const char *const *captions)
{
    const poet_generator_config *c = &d->student.m->config;
    int64_t per_clip = poet_grid_codes(&c->grid);
    POET_TRY(poet_whole_run(&d->teacher, some, codes, captions));
    POET_TRY(poet_whole_run_merged(&d->student, d->map, some, codes, captions));
    for (int i = 0; i < some; i++)
        for (int g = 0; g < poet_generator_groups(c); g++)
            gather_group(d, rng, merged + i * per_clip, i, g);
    return POET_OK;
}

poet_status poet_fit_data_gather(poet_generator *generator, const poet_shrink_map *map,
                                 poet_generator *smaller, int n, const int32_t *codes,
                                 const char *const *captions, int64_t rows, uint64_t seed,
                                 const poet_task *task, poet_fit_data *out)
{
    int64_t per_clip = poet_grid_codes(&smaller->config.grid);
    poet_rng rng;
    poet_rng_init(&rng, seed, 0);
    *out = (poet_fit_data){.map = map};
    POET_TRY(data_create(out, generator, smaller, n, codes, rows));
    for (int i = 0; i < n; i += POET_WHOLE_CLIPS) {
        int some = n - i < POET_WHOLE_CLIPS ? n - i : POET_WHOLE_CLIPS;
        POET_TRY(gather_clips(out, &rng, some, codes + i * per_clip, out->merged + i * per_clip,
                              captions + i));
        POET_TRY(poet_task_advance(task, "sum up probabilities", i + some, n, "clips"));
    }
    return POET_OK;
}
