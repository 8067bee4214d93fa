/* Tables of a generator for merged codes. */
#include "generator/shrink_internal.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* Where the old rows go: the shares of members in their new code. */
typedef struct shares {
    const poet_shrink_map *map;
    double *share;   /* (levels,K) */
    double *entropy; /* (levels,K') of the members' shares, nats */
} shares;

static void shares_free(shares *s)
{
    poet_free(s->share);
    poet_free(s->entropy);
}

static poet_status shares_create(const poet_shrink_map *map, const double *weights, shares *s)
{
    size_t old = (size_t)map->levels * (size_t)map->codes;
    size_t new = (size_t)map->levels *(size_t)map->kept;
    *s = (shares){.map = map,
                  .share = poet_alloc(old * sizeof *s->share),
                  .entropy = poet_calloc(new, sizeof *s->entropy)};
    double *mass = poet_calloc(new, sizeof *mass);
    bool all = s->share && s->entropy && mass;
    for (size_t i = 0; i < old && all; i++)
        mass[i / (size_t)map->codes * (size_t)map->kept + (size_t)map->map[i]] += weights[i];
    for (size_t i = 0; i < old && all; i++) {
        size_t at = i / (size_t)map->codes * (size_t)map->kept + (size_t)map->map[i];
        s->share[i] = weights[i] / mass[at];
        s->entropy[at] -= s->share[i] * log(s->share[i]);
    }
    poet_free(mass);
    return all ? POET_OK : POET_ERR_NOMEM;
}

/* to (K',C) += factor * mean of the members' rows of from (K,C). */
static void add_rows(const shares *s, int level, const float *from, int64_t c, double factor,
                     float *to)
{
    const poet_shrink_map *map = s->map;
    for (int k = 0; k < map->codes; k++) {
        int64_t at = (int64_t)level * map->codes + k;
        float share = (float)(factor * s->share[at]);
        for (int64_t i = 0; i < c; i++)
            to[map->map[at] * c + i] += share * from[k * c + i];
    }
}

/* The row after the last code, which stands for "nothing before", stays. */
static void shrink_table(const shares *s, poet_tensor_pair *p, int slots, int levels)
{
    int64_t old = (int64_t)(s->map->codes + 1) * p->c, new = (int64_t)(s->map->kept + 1) * p->c;
    for (int slot = 0; slot < slots; slot++) {
        for (int level = 0; level < levels; level++)
            add_rows(s, levels > 1 ? level : slot % s->map->levels, p->old + slot * old, p->c,
                     1.0 / levels, p->new + slot *new);
        memcpy(p->new + (slot + 1) * new - p->c, p->old + (slot + 1) * old - p->c,
               (size_t)p->c * sizeof *p->new);
    }
}

/* slots: tables side by side, slot s of level s mod L; levels: how many share one table. */
static poet_status convert_table(poet_generator *from, poet_generator *to, const shares *s,
                                 const char *name, int slots, int levels)
{
    poet_tensor_pair p;
    poet_status status = poet_tensor_pair_open(from, to, name, &p);
    if (!status) {
        shrink_table(s, &p, slots, levels);
        status = poet_tensor_pair_write(&p);
    }
    poet_tensor_pair_free(&p);
    return status;
}

/* Where the head also goes by the codes' vectors and a new code's vector is not the mean of its members' (a survivor's), the
 * row takes what is between: row . x + (V x) . v gives the same for the mean of the rows and of the vectors. */
static poet_status make_up_for_vectors(poet_generator *from, poet_generator *to, const shares *s,
                                       float *head)
{
    poet_tensor_pair p;
    const poet_generator_config *c = &from->config;
    const poet_shrink_map *map = s->map;
    float *mean = poet_calloc((size_t)map->kept * (size_t)c->code_dim, sizeof *mean);
    float *vectors = poet_alloc((size_t)(map->codes + 1) * (size_t)c->code_dim * sizeof *vectors);
    poet_status status = poet_tensor_pair_open(from, to, "slots.vector_out.weight", &p);
    if (!status && !(mean && vectors))
        status = POET_ERR_NOMEM;
    if (!status)
        status = poet_params_read(from->params, poet_params_find(from->params, "vectors"), vectors,
                                  (size_t)(map->codes + 1) * (size_t)c->code_dim * sizeof *vectors);
    if (!status)
        add_rows(s, 0, vectors, c->code_dim, 1, mean);
    for (int64_t k = 0; k < map->kept && !status; k++)
        for (int d = 0; d < c->code_dim; d++) {
            float missing = mean[k * c->code_dim + d] - map->vectors[k * c->code_dim + d];
            for (int64_t i = 0; i < p.c; i++)
                head[k * p.c + i] += missing * p.old[d * p.c + i];
        }
    poet_tensor_pair_free(&p);
    poet_free(vectors);
    poet_free(mean);
    return status;
}

static poet_status convert_head(poet_generator *from, poet_generator *to, const shares *s)
{
    poet_tensor_pair weight, bias = {0};
    int levels = s->map->levels;
    poet_status status = poet_tensor_pair_open(from, to, "slots.head.weight", &weight);
    if (!status)
        status = poet_tensor_pair_open(from, to, "slots.head.bias", &bias);
    for (int level = 0; level < levels && !status; level++) {
        add_rows(s, level, weight.old, weight.c, 1.0 / levels, weight.new);
        add_rows(s, level, bias.old, 1, 1.0 / levels, bias.new);
        for (int k = 0; k < s->map->kept; k++)
            bias.new[k] += (float)(s->entropy[level * s->map->kept + k] / levels);
    }
    if (!status && levels == 1)
        status = make_up_for_vectors(from, to, s, weight.new);
    if (!status)
        status = poet_tensor_pair_write(&weight);
    if (!status)
        status = poet_tensor_pair_write(&bias);
    poet_tensor_pair_free(&bias);
    poet_tensor_pair_free(&weight);
    return status;
}

bool poet_generator_goes_by_code(const char *name)
{
    static const char *const names[] = {"vectors", "code.table", "slots.before.table",
                                        "slots.head.weight", "slots.head.bias"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static poet_status copy_rest(poet_generator *from, poet_generator *to)
{
    for (int i = 0; i < poet_params_count(from->params); i++) {
        const char *name = poet_params_name(from->params, i);
        if (poet_params_kind(from->params, i) > POET_BUFFER || poet_generator_goes_by_code(name))
            continue;
        poet_tensor_pair p;
        poet_status status = poet_tensor_pair_open(from, to, name, &p);
        if (!status)
            status = poet_params_write(p.to, p.target, p.old, p.old_bytes);
        poet_tensor_pair_free(&p);
        POET_TRY(status);
    }
    return POET_OK;
}

static poet_status convert(poet_generator *from, poet_generator *to, const shares *s)
{
    int levels = s->map->levels;
    POET_TRY(copy_rest(from, to));
    POET_TRY(convert_table(from, to, s, "code.table", poet_generator_slots(&from->config), 1));
    POET_TRY(convert_table(from, to, s, "slots.before.table", 1, levels));
    return convert_head(from, to, s);
}

poet_status poet_generator_shrink(poet_generator *generator, const poet_shrink_map *map,
                                  const double *weights, uint64_t fingerprint, poet_generator **out)
{
    const poet_generator_config *c = &generator->config;
    shares s;
    *out = NULL;
    if (c->codes != map->codes || c->grid.levels != map->levels || c->code_dim != map->dim)
        return POET_FAIL(POET_ERR_MISMATCH, "the map is not of this generator's codes");
    poet_generator_config config = *c;
    config.codes = map->kept;
    poet_status status = shares_create(map, weights, &s);
    if (!status)
        status = poet_derived_create(generator, generator->device, &config, map->vectors,
                                     fingerprint, out);
    if (!status)
        status = convert(generator, *out, &s);
    shares_free(&s);
    if (status) {
        poet_generator_destroy(*out);
        *out = NULL;
    }
    return status;
}
