#include "tests/support/op_cases.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static poet_status find_family(const char *name, size_t length, const op_family **out)
{
    int count;
    const op_family *families = op_families(&count);
    for (int i = 0; i < count; i++) {
        const char *op = poet_op_name(families[i].op);
        if (strlen(op) == length && strncmp(op, name, length) == 0) {
            *out = &families[i];
            return POET_OK;
        }
    }
    return POET_FAIL(POET_ERR_ARG, "%s: there are no cases of this operation", name);
}

poet_status op_for_all(poet_status (*f)(const char *name))
{
    int count;
    const op_family *families = op_families(&count);
    for (int i = 0; i < count; i++) {
        for (const char *const *name = families[i].names; *name; name++)
            POET_TRY(f(*name));
        for (const char *const *name = families[i].big; name && *name; name++)
            POET_TRY(f(*name));
    }
    return POET_OK;
}

bool op_wants(const op_case *c, op_mode mode)
{
    bool big = false;
    for (const char *const *name = c->family->big; name && *name; name++)
        big = big || strcmp(*name, c->name) == 0;
    return !big || mode == OP_NORMAL || mode == OP_TIES;
}

poet_status op_case_parse(const char *name, op_case *out)
{
    *out = (op_case){.name = name, .loss = POET_NONE};
    const char *at = strchr(name, ':');
    if (!at)
        return POET_FAIL(POET_ERR_ARG, "%s: a case is OPERATION:letters with numbers", name);
    POET_TRY(find_family(name, (size_t)(at - name), &out->family));
    for (int i = 0; i < 26; i++)
        out->arg[i] = -1;
    for (at++; *at;) {
        char *end;
        int letter = *at - 'a';
        long value = letter >= 0 && letter < 26 ? strtol(at + 1, &end, 10) : -1;
        if (value < 0 || end == at + 1 || value > 1 << 20)
            return POET_FAIL(POET_ERR_ARG, "%s: \"%s\" is not a letter and a number", name, at);
        out->arg[letter] = value;
        at = end;
    }
    return POET_OK;
}

int64_t op_arg(const op_case *c, char letter, int64_t otherwise)
{
    int64_t value = c->arg[letter - 'a'];
    return value < 0 ? otherwise : value;
}

/* ---- sources and results ---- */

static op_source *add_source(op_case *c, const char *name, poet_dtype dtype, poet_shape shape)
{
    if (c->n_sources == OP_CASE_SOURCES) {
        fprintf(stderr, "%s: too many sources\n", c->name);
        abort();
    }
    op_source *s = &c->source[c->n_sources++];
    *s = (op_source){.dtype = dtype, .shape = shape};
    snprintf(s->name, sizeof s->name, "%s", name);
    return s;
}

static poet_val input(op_case *c, op_source *s)
{
    s->val = poet_input(c->g, s->name, s->dtype, s->shape);
    if (s->terms || s->stopped)
        poet_wants_grad(c->g, s->val);
    bool real = poet_dtype_is_real(s->dtype);
    return c->copies && real ? poet_scale(c->g, s->val, 1) : s->val;
}

poet_val op_real(op_case *c, const char *name, poet_shape shape, int64_t terms)
{
    op_source *s = add_source(c, name, POET_F32, shape);
    s->terms = terms;
    return input(c, s);
}

poet_val op_stopped(op_case *c, const char *name, poet_shape shape)
{
    op_source *s = add_source(c, name, POET_F32, shape);
    s->stopped = true;
    return input(c, s);
}

poet_val op_positive(op_case *c, const char *name, poet_shape shape)
{
    op_source *s = add_source(c, name, POET_F32, shape);
    s->law = OP_POSITIVE;
    return input(c, s);
}

poet_val op_codes(op_case *c, const char *name, poet_dtype dtype, poet_shape shape, int64_t low,
                  int64_t high)
{
    op_source *s = add_source(c, name, dtype, shape);
    s->law = OP_CODES;
    s->low = low;
    s->high = high;
    return input(c, s);
}

poet_val op_given(op_case *c, const char *name, poet_dtype dtype, poet_shape shape,
                  double (*at)(const op_case *c, int64_t i))
{
    op_source *s = add_source(c, name, dtype, shape);
    s->law = OP_AT;
    s->at = at;
    return input(c, s);
}

poet_val op_state(op_case *c, const char *name, poet_shape shape, bool positive)
{
    op_source *s = add_source(c, name, POET_F32, shape);
    s->law = positive ? OP_POSITIVE : OP_BY_MODE;
    s->state = true;
    s->val = poet_state(c->g, name, POET_MOMENT, POET_F32, shape, POET_ZEROS);
    return s->val;
}

poet_val op_code_state(op_case *c, const char *name, poet_shape shape, int64_t low, int64_t high)
{
    op_source *s = add_source(c, name, POET_I32, shape);
    s->law = OP_CODES;
    s->low = low;
    s->high = high;
    s->state = true;
    s->val = poet_state(c->g, name, POET_MOMENT, POET_I32, shape, POET_ZEROS);
    return s->val;
}

void op_result_only(op_case *c, const char *name, poet_val v, int64_t terms)
{
    if (c->n_results == OP_CASE_RESULTS) {
        fprintf(stderr, "%s: too many results\n", c->name);
        abort();
    }
    op_result *r = &c->result[c->n_results++];
    snprintf(r->name, sizeof r->name, "%s", name);
    r->dtype = poet_val_dtype(c->g, v);
    r->shape = *poet_val_shape(c->g, v);
    r->terms = terms;
    poet_result(c->g, r->name, v);
}

void op_result_add(op_case *c, const char *name, poet_val v, int64_t terms)
{
    op_result_only(c, name, v, terms);
    if (poet_dtype_is_real(poet_val_dtype(c->g, v)))
        c->real[c->n_real++] = v;
}

size_t op_source_bytes(const op_source *source)
{
    return (size_t)poet_shape_count(&source->shape) * poet_dtype_bytes(source->dtype);
}

size_t op_result_bytes(const op_result *result)
{
    return (size_t)poet_shape_count(&result->shape) * poet_dtype_bytes(result->dtype);
}

/* ---- loss and gradients ---- */

static void add_loss(op_case *c)
{
    bool copies = c->copies;
    c->copies = false; /* the weights are not sources of the operation */
    for (int i = 0; i < c->n_real; i++) {
        char name[24];
        snprintf(name, sizeof name, "weight%d", i);
        poet_val weight = op_real(c, name, *poet_val_shape(c->g, c->real[i]), 0);
        poet_val part = poet_sum_to(c->g, poet_mul(c->g, weight, c->real[i]), POET_SCALAR);
        c->loss = c->loss.id < 0 ? part : poet_add(c->g, c->loss, part);
    }
    c->copies = copies;
    poet_result(c->g, "loss", c->loss);
}

static void add_gradients(op_case *c)
{
    poet_graph_backward(c->g, c->loss);
    for (int i = 0; i < c->n_sources; i++) {
        char name[24];
        poet_val d = poet_grad(c->g, c->source[i].val);
        if (d.id < 0)
            continue;
        snprintf(name, sizeof name, "d_%s", c->source[i].name);
        op_result_only(c, name, d, c->source[i].terms);
    }
}

void op_case_build(op_case *c, poet_graph *g, op_extent extent)
{
    c->g = g;
    c->family->build(c);
    if (extent == OP_FORWARD || c->family->slope == OP_FIXED)
        return;
    add_loss(c);
    if (extent == OP_WITH_GRADIENT)
        add_gradients(c);
}

/* ---- contents ---- */

static double by_mode(const op_case *c, op_mode mode, poet_rng *rng)
{
    double grid = (floor((double)poet_rng_normal(rng) * 1024) + 0.5) / 1024;
    switch (mode) {
    case OP_ZEROS: return 0;
    case OP_LARGE: return grid * (c->family->large > 0 ? (double)c->family->large : 1000);
    case OP_TIES: return (double)poet_rng_below(rng, 3) - 1;
    default: return grid;
    }
}

static double element(const op_case *c, const op_source *s, op_mode mode, int64_t i, poet_rng *rng)
{
    switch (s->law) {
    case OP_POSITIVE: return (floor((double)poet_rng_uniform(rng) * 1024) + 512.5) / 1024;
    case OP_CODES: return (double)(s->low + poet_rng_below(rng, (uint32_t)(s->high - s->low)));
    case OP_AT: return s->at(c, i);
    default: return by_mode(c, mode, rng);
    }
}

/* By the name, and POET_SEED in the environment. */
static uint64_t key_of(const op_case *c)
{
    const char *seed = getenv("POET_SEED");
    uint64_t key = poet_hash64(0, c->name, strlen(c->name));
    return seed ? poet_hash64(key, seed, strlen(seed)) : key;
}

void op_source_fill(const op_case *c, const op_source *source, op_mode mode, void *host)
{
    poet_tensor t = {.dtype = source->dtype, .shape = source->shape, .data = host};
    poet_rng rng;
    poet_rng_init(&rng, poet_hash64(key_of(c), source->name, strlen(source->name)), (uint64_t)mode);
    int64_t n = poet_tensor_count(&t);
    for (int64_t i = 0; i < n; i++)
        poet_put(&t, i, element(c, source, mode, i, &rng));
}
