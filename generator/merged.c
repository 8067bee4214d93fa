/* What the old model says of new codes: probabilities of members, summed. */
#include "generator/shrink_internal.h"

#include "base/memory.h"

#include <math.h>

static poet_status build(poet_generator *m, poet_program **out)
{
    const poet_generator_config *c = &m->config;
    int64_t b = POET_WHOLE_CLIPS, n = poet_generator_groups(c), s = poet_generator_slots(c);
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val hidden, ids = poet_input(g, "ids", POET_I32, POET_SHAPE(b, c->text));
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(b));
    poet_group_inputs groups = poet_model_group_inputs(g, c, b, n, b * n);
    poet_val before = poet_input(g, "slots", POET_I32, POET_SHAPE(b * n, s));
    poet_input(g, "targets", POET_I32, POET_SHAPE(b * n, s));
    poet_val states = poet_model_states(g, c, ids, lengths, &groups);
    poet_val rows = poet_reshape(g, states, POET_SHAPE(b * n, c->width));
    poet_result(g, "logits", poet_model_slots(g, c, rows, groups.around, before, &hidden));
    poet_result(g, "hidden", hidden);
    poet_result(g, "states", states);
    if (c->keep)
        poet_result(g, "keeping", poet_model_keep(g, states));
    return poet_program_create(g, out);
}

static size_t whole_rows(const poet_whole *whole)
{
    const poet_generator_config *c = &whole->m->config;
    return (size_t)POET_WHOLE_CLIPS * (size_t)poet_generator_groups(c);
}

poet_status poet_whole_create(poet_generator *m, poet_whole *out)
{
    const poet_generator_config *c = &m->config;
    *out = (poet_whole){.m = m};
    size_t rows = whole_rows(out), slots = (size_t)poet_generator_slots(c);
    out->logits = poet_alloc(rows * slots * (size_t)c->codes * sizeof(float));
    out->hidden = poet_alloc(rows * slots * (size_t)c->slot_width * sizeof(float));
    out->states = poet_alloc(rows * (size_t)c->width * sizeof(float));
    out->keep = c->keep ? poet_alloc(rows * 2 * sizeof(float)) : NULL;
    if (!out->logits || !out->hidden || !out->states || (c->keep && !out->keep))
        return POET_ERR_NOMEM;
    POET_TRY(poet_sequence_batch_create(c, POET_WHOLE_CLIPS, (int)rows, &out->batch));
    return build(m, &out->program);
}

void poet_whole_free(poet_whole *whole)
{
    poet_program_destroy(whole->program);
    poet_sequence_batch_free(&whole->batch);
    poet_free(whole->logits);
    poet_free(whole->hidden);
    poet_free(whole->states);
    poet_free(whole->keep);
}

poet_status poet_whole_run(poet_whole *whole, int n, const int32_t *codes,
                           const char *const *captions)
{
    const poet_generator_config *c = &whole->m->config;
    poet_generator_config all = *c; /* of which nothing is left out */
    all.keep = false;
    size_t rows = whole_rows(whole), slots = (size_t)poet_generator_slots(c);
    for (int i = 0; i < POET_WHOLE_CLIPS; i++) {
        int from = i < n ? i : 0;
        POET_TRY(poet_sequence_batch_fill(whole->m, &whole->batch, i,
                                          codes + from * poet_grid_codes(&c->grid), captions[from],
                                          0, NULL));
    }
    POET_TRY(poet_sequence_batch_set(&all, &whole->batch, whole->program));
    POET_TRY(poet_program_run(whole->program));
    POET_TRY(poet_program_get_by_name(whole->program, "logits", whole->logits,
                                      rows * slots * (size_t)c->codes * sizeof(float)));
    POET_TRY(poet_program_get_by_name(whole->program, "hidden", whole->hidden,
                                      rows * slots * (size_t)c->slot_width * sizeof(float)));
    POET_TRY(poet_program_get_by_name(whole->program, "states", whole->states,
                                      rows * (size_t)c->width * sizeof(float)));
    return c->keep ? poet_program_get_by_name(whole->program, "keeping", whole->keep,
                                              rows * 2 * sizeof(float))
                   : POET_OK;
}

poet_status poet_whole_run_merged(poet_whole *whole, const poet_shrink_map *map, int n,
                                  const int32_t *codes, const char *const *captions)
{
    int64_t count = n * poet_grid_codes(&whole->m->config.grid);
    int32_t *merged = poet_alloc((size_t)count * sizeof *merged);
    if (!merged)
        return POET_ERR_NOMEM;
    poet_shrink_map_codes(map, codes, count / map->levels, merged);
    poet_status status = poet_whole_run(whole, n, merged, captions);
    poet_free(merged);
    return status;
}

/* exp(logits - the greatest), and their sum. */
static double exponentials(const float *logits, int n, float *greatest)
{
    double sum = 0;
    *greatest = logits[0];
    for (int k = 1; k < n; k++)
        *greatest = fmaxf(*greatest, logits[k]);
    for (int k = 0; k < n; k++)
        sum += (double)expf(logits[k] - *greatest);
    return sum;
}

void poet_merged_probabilities(const poet_shrink_map *map, int level, const float *logits,
                               float *out)
{
    float greatest;
    const int32_t *to = map->map + (int64_t)level * map->codes;
    float scale = (float)(1 / exponentials(logits, map->codes, &greatest));
    for (int k = 0; k < map->kept; k++)
        out[k] = 0;
    for (int k = 0; k < map->codes; k++)
        out[to[k]] += scale * expf(logits[k] - greatest);
}

/* log of the summed probability of one new code's members. */
static double log_members(const poet_shrink_map *map, int level, const float *logits, int32_t code)
{
    float greatest;
    const int32_t *to = map->map + (int64_t)level * map->codes;
    double all = exponentials(logits, map->codes, &greatest), members = 0;
    for (int k = 0; k < map->codes; k++)
        if (to[k] == code)
            members += (double)expf(logits[k] - greatest);
    return log(fmax(members, 1e-300) / all);
}

static double log_add(double a, double b)
{
    double high = fmax(a, b), low = fmin(a, b);
    return high + log1p(exp(low - high));
}

/* Nats of one group in new codes. merged: the clip's new codes in the order of writing, (N,S). */
static double group_nats(const poet_whole *whole, const poet_shrink_map *map, const int32_t *merged,
                         int clip, int group)
{
    const poet_generator_config *c = &whole->m->config;
    int slots = poet_generator_slots(c);
    int64_t row = (int64_t)clip * poet_generator_groups(c) + group;
    double codes = 0;
    for (int s = 0; s < slots; s++)
        codes += log_members(map, s % map->levels, whole->logits + (row * slots + s) * c->codes,
                             merged[(int64_t)group * slots + s]);
    if (!c->keep)
        return -codes;
    double write = (double)whole->keep[2 * row], keep = (double)whole->keep[2 * row + 1];
    double either = log_add(write, keep), written = write - either + codes;
    bool same = poet_sequence_keeps(c, merged, group);
    return -(same ? log_add(keep - either, written) : written);
}

static double clip_bits(const poet_whole *whole, const poet_shrink_map *map, const int32_t *merged,
                        int clip)
{
    double nats = 0;
    for (int g = 0; g < poet_generator_groups(&whole->m->config); g++)
        nats += group_nats(whole, map, merged, clip, g);
    return nats / M_LN2;
}

void poet_merged_clip(const poet_generator_config *config, const poet_shrink_map *map,
                      const int32_t *codes, int32_t *grouped)
{
    poet_sequence_group(config, codes, grouped);
    poet_shrink_map_codes(map, grouped, poet_grid_codes(&config->grid) / map->levels, grouped);
}

poet_status poet_generator_score_merged(poet_generator *generator, const poet_shrink_map *map,
                                        int n, const int32_t *codes, const char *const *captions,
                                        double *bits)
{
    const poet_generator_config *c = &generator->config;
    int64_t per_clip = poet_grid_codes(&c->grid);
    poet_whole whole;
    int32_t *merged = poet_alloc((size_t)per_clip * sizeof *merged);
    poet_status status = poet_whole_create(generator, &whole);
    if (!status && !merged)
        status = POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i += POET_WHOLE_CLIPS) {
        int some = n - i < POET_WHOLE_CLIPS ? n - i : POET_WHOLE_CLIPS;
        status = poet_whole_run(&whole, some, codes + i * per_clip, captions + i);
        for (int k = 0; k < some && !status; k++) {
            poet_merged_clip(c, map, codes + (i + k) * per_clip, merged);
            bits[i + k] = clip_bits(&whole, map, merged, k);
        }
    }
    poet_whole_free(&whole);
    poet_free(merged);
    return status;
}
