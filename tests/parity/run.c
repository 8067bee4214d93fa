#include "tests/parity/run_internal.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void session_close(session *s)
{
    poet_program_destroy(s->program);
    poet_params_destroy(s->params);
    poet_device_close(s->device);
}

poet_status session_open(const char *name, const variant *v, session *s)
{
    POET_TRY(poet_device_open(v->backend, 0, v->threads, &s->device));
    POET_TRY(poet_params_create(s->device, 1, &s->params));
    POET_TRY(op_case_parse(name, &s->c));
    s->c.copies = v->copies;
    poet_graph *g = poet_graph_create(s->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_graph_set_precision(g, v->precision);
    op_case_build(&s->c, g, OP_WITH_GRADIENT);
    if (v->separate)
        setenv("POET_PLAN", "separate", 1);
    poet_status status = poet_program_create(g, &s->program);
    unsetenv("POET_PLAN");
    return status;
}

poet_status session_write(session *s, const op_source *source, const void *host)
{
    size_t bytes = op_source_bytes(source);
    if (source->state)
        return poet_params_write(s->params, poet_params_find(s->params, source->name), host, bytes);
    return poet_program_set_by_name(s->program, source->name, host, bytes);
}

static poet_status write_sources(session *s, const outcome *o)
{
    for (int i = 0; i < o->c.n_sources; i++)
        POET_TRY(session_write(s, &o->c.source[i], o->source[i]));
    return POET_OK;
}

static poet_status fill_sources(outcome *o, op_mode mode)
{
    for (int i = 0; i < o->c.n_sources; i++) {
        o->source[i] = poet_alloc(op_source_bytes(&o->c.source[i]));
        if (!o->source[i])
            return POET_ERR_NOMEM;
        op_source_fill(&o->c, &o->c.source[i], mode, o->source[i]);
    }
    return POET_OK;
}

static poet_status read_results(session *s, outcome *o)
{
    for (int i = 0; i < o->c.n_results; i++, o->n++) {
        size_t bytes = op_result_bytes(&o->c.result[i]);
        o->result[o->n] = o->c.result[i];
        o->data[o->n] = poet_alloc(bytes);
        if (!o->data[o->n])
            return POET_ERR_NOMEM;
        POET_TRY(poet_program_get_by_name(s->program, o->c.result[i].name, o->data[o->n], bytes));
    }
    return POET_OK;
}

/* States are results under their own names. */
static poet_status read_states(session *s, outcome *o)
{
    for (int i = 0; i < o->c.n_sources; i++) {
        const op_source *source = &o->c.source[i];
        if (!source->state)
            continue;
        op_result *r = &o->result[o->n];
        *r = (op_result){.dtype = source->dtype, .shape = source->shape, .terms = 16};
        memcpy(r->name, source->name, sizeof source->name);
        void *data = o->data[o->n++] = poet_alloc(op_source_bytes(source));
        if (!data)
            return POET_ERR_NOMEM;
        POET_TRY(poet_params_read(s->params, poet_params_find(s->params, source->name), data,
                                  op_source_bytes(source)));
    }
    return POET_OK;
}

static poet_status check_sources(session *s, outcome *o)
{
    o->sources_intact = true;
    for (int i = 0; i < o->c.n_sources; i++) {
        const op_source *source = &o->c.source[i];
        size_t bytes = op_source_bytes(source);
        if (source->state)
            continue;
        void *now = poet_alloc(bytes);
        if (!now)
            return POET_ERR_NOMEM;
        poet_val v = poet_program_input(s->program, source->name);
        poet_status status = poet_program_get(s->program, v, now, bytes);
        if (!status && memcmp(now, o->source[i], bytes) != 0)
            o->sources_intact = false;
        poet_free(now);
        POET_TRY(status);
    }
    return POET_OK;
}

static poet_status run(const char *name, const variant *v, session *s, outcome *o)
{
    POET_TRY(session_open(name, v, s));
    o->c = s->c;
    POET_TRY(fill_sources(o, v->mode));
    for (int i = 0; i < (v->twice ? 2 : 1); i++) {
        POET_TRY(write_sources(s, o));
        POET_TRY(poet_program_run(s->program));
    }
    for (int i = 0; i < poet_program_calls(s->program); i++)
        o->has[poet_program_call(s->program, i)->op] = true;
    POET_TRY(read_results(s, o));
    POET_TRY(read_states(s, o));
    return check_sources(s, o);
}

poet_status outcome_make(const char *name, const variant *v, outcome *out)
{
    session s = {0};
    *out = (outcome){0};
    poet_status status = run(name, v, &s, out);
    session_close(&s);
    return status;
}

void outcome_free(outcome *o)
{
    for (int i = 0; i < o->n; i++)
        poet_free(o->data[i]);
    for (int i = 0; i < o->c.n_sources; i++)
        poet_free(o->source[i]);
    *o = (outcome){0};
}

/* ---- judging ---- */

poet_status outcome_same(const outcome *a, const outcome *b)
{
    for (int i = 0; i < a->n; i++)
        if (memcmp(a->data[i], b->data[i], op_result_bytes(&a->result[i])) != 0)
            return POET_FAIL(POET_ERR_MISMATCH, "%s: bits differ", a->result[i].name);
    return POET_OK;
}

static poet_tensor tensor_of(const outcome *o, int i)
{
    return (poet_tensor){
        .dtype = o->result[i].dtype, .shape = o->result[i].shape, .data = o->data[i]};
}

static double rms(const poet_tensor *t)
{
    int64_t n = poet_tensor_count(t);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += poet_get(t, i) * poet_get(t, i);
    return sqrt(sum / (double)n);
}

static poet_status close_real(const outcome *got, const outcome *want, int r, const variant *v)
{
    const op_family *family = want->c.family;
    poet_tensor a = tensor_of(got, r), b = tensor_of(want, r);
    double slack = v->mode == OP_LARGE && family->slack > 0 ? (double)family->slack : 1;
    /* Attention may round its probabilities to the operands' type. */
    double eps = v->precision == POET_BF16 && family->rounds ? 0x1p-9 : 0x1p-24;
    double factor = 4 * eps * (4 + sqrt((double)want->result[r].terms)) * slack, size = rms(&b);
    int64_t n = poet_tensor_count(&b);
    for (int64_t i = 0; i < n; i++) {
        double x = poet_get(&a, i), y = poet_get(&b, i);
        bool alike = isfinite(y) ? isfinite(x) && fabs(x - y) <= factor * (fabs(y) + size)
                                 : x == y || (isnan(x) && isnan(y));
        if (!alike)
            return POET_FAIL(POET_ERR_MISMATCH, "%s[%lld] is %.9g, not %.9g (bound %.2g)",
                             want->result[r].name, (long long)i, x, y, factor * (fabs(y) + size));
    }
    return POET_OK;
}

static poet_status close_codes(const outcome *got, const outcome *want, int r)
{
    const op_family *family = want->c.family;
    poet_tensor a = tensor_of(got, r), b = tensor_of(want, r);
    int64_t n = poet_tensor_count(&b);
    for (int64_t i = 0; i < n; i++) {
        int32_t x = poet_get_int(&a, i), y = poet_get_int(&b, i);
        if (x == y)
            continue;
        if (!family->worth)
            return POET_FAIL(POET_ERR_MISMATCH, "%s[%lld] is %d, not %d", want->result[r].name,
                             (long long)i, x, y);
        if (x < 0 || x >= family->codes(&want->c))
            return POET_FAIL(POET_ERR_MISMATCH, "%s[%lld] is %d, no code", want->result[r].name,
                             (long long)i, x);
        double mine = family->worth(&want->c, want->source, i, x);
        double best = family->worth(&want->c, want->source, i, y);
        if (!(mine != best && fabs(mine - best) <= 1e-5 * (1 + best)))
            return POET_FAIL(POET_ERR_MISMATCH, "%s[%lld] is %d worth %.9g, not %d worth %.9g",
                             want->result[r].name, (long long)i, x, mine, y, best);
    }
    return POET_OK;
}

poet_status outcome_close(const outcome *got, const outcome *want, const variant *v)
{
    for (int r = 0; r < want->n; r++)
        POET_TRY(poet_dtype_is_real(want->result[r].dtype) ? close_real(got, want, r, v)
                                                           : close_codes(got, want, r));
    return POET_OK;
}
