/* The gradient of every differentiable operation against central differences, on the reference in
 * f64.
 *
 * Sources lie on the grid (k + 1/2)/1024, so that adding 2^-16 is exact in f32, and the loss is
 * read in f64: the bound of 1e-6 is tight. Operations whose gradient is another one by definition
 * are compared with its formula. */
#include "base/memory.h"
#include "base/rng.h"
#include "compute/graph_internal.h"
#include "tests/support/check.h"
#include "tests/support/op_cases.h"

#include <stdlib.h>

enum { MOST_ELEMENTS = 160 }; /* of one source: more are picked at random */

static const float step = 0x1p-16F;

/* One case as two programs over the same sources. */
typedef struct bench {
    poet_device *device;
    poet_params *params;
    op_case loss_case, gradient_case;
    poet_program *loss, *gradient;
    float *host[OP_CASE_SOURCES]; /* contents of real sources; integers are set once */
} bench;

static bool covered[POET_OP_COUNT];

static poet_status set_sources(bench *b)
{
    const op_case *c = &b->gradient_case;
    for (int i = 0; i < c->n_sources; i++) {
        size_t bytes = op_source_bytes(&c->source[i]);
        b->host[i] = poet_alloc(bytes);
        if (!b->host[i])
            return POET_ERR_NOMEM;
        op_source_fill(c, &c->source[i], OP_NORMAL, b->host[i]);
        POET_TRY(poet_program_set_by_name(b->loss, c->source[i].name, b->host[i], bytes));
        POET_TRY(poet_program_set_by_name(b->gradient, c->source[i].name, b->host[i], bytes));
    }
    return POET_OK;
}

static poet_status create(bench *b, op_case *c, const char *name, op_extent extent,
                          poet_program **out)
{
    POET_TRY(op_case_parse(name, c));
    poet_graph *g = poet_graph_create(b->params);
    if (!g)
        return POET_ERR_NOMEM;
    op_case_build(c, g, extent);
    return poet_program_create(g, out);
}

static poet_status bench_open(const char *name, bench *b)
{
    POET_TRY(poet_device_open(poet_backend_ref64(), 0, 1, &b->device));
    POET_TRY(poet_params_create(b->device, 1, &b->params));
    POET_TRY(create(b, &b->loss_case, name, OP_WITH_LOSS, &b->loss));
    POET_TRY(create(b, &b->gradient_case, name, OP_WITH_GRADIENT, &b->gradient));
    POET_TRY(set_sources(b));
    return poet_program_run(b->gradient);
}

static void bench_close(bench *b)
{
    poet_program_destroy(b->loss);
    poet_program_destroy(b->gradient);
    poet_params_destroy(b->params);
    poet_device_close(b->device);
    for (int i = 0; i < OP_CASE_SOURCES; i++)
        poet_free(b->host[i]);
}

static void set_source(bench *b, int source)
{
    const op_source *s = &b->gradient_case.source[source];
    CHECK_OK(poet_program_set_by_name(b->loss, s->name, b->host[source], op_source_bytes(s)));
}

/* The loss in f64: the result of the last call. */
static double run_loss(bench *b, int source)
{
    const poet_call *last = poet_program_call(b->loss, poet_program_calls(b->loss) - 1);
    set_source(b, source);
    CHECK_OK(poet_program_run(b->loss));
    return poet_get(last->dst[0], 0);
}

static double difference(bench *b, int source, int64_t i)
{
    float *x = &b->host[source][i], middle = *x;
    *x = middle + step;
    double above = run_loss(b, source);
    *x = middle - step;
    double below = run_loss(b, source);
    *x = middle;
    set_source(b, source);
    return (above - below) / (2 * (double)step);
}

static double rms(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum / (double)n);
}

/* The gradient result of a source, or NULL when there is none. */
static float *read_gradient(bench *b, const op_source *s)
{
    char name[24];
    snprintf(name, sizeof name, "d_%s", s->name);
    poet_val v = poet_program_output(b->gradient, name);
    float *d = v.id < 0 ? NULL : poet_alloc(op_source_bytes(s));
    if (d)
        CHECK_OK(poet_program_get(b->gradient, v, d, op_source_bytes(s)));
    return d;
}

static void check_source(bench *b, int source)
{
    const op_source *s = &b->gradient_case.source[source];
    float *d = read_gradient(b, s);
    if (!d) {
        fprintf(stderr, "%s: no gradient reaches %s\n", b->gradient_case.name, s->name);
        CHECK(d != NULL);
        return;
    }
    int64_t n = poet_shape_count(&s->shape), tried = n < MOST_ELEMENTS ? n : MOST_ELEMENTS;
    double size = rms(d, n);
    poet_rng rng;
    poet_rng_init(&rng, 3, (uint64_t)source);
    for (int64_t k = 0; k < tried; k++) {
        int64_t i = tried == n ? k : (int64_t)poet_rng_below(&rng, (uint32_t)n);
        double got = (double)d[i], want = difference(b, source, i);
        bool close = fabs(got - want) <= 1e-6 * (fabs(want) + size) + 1e-9;
        if (!close)
            fprintf(stderr, "%s: d_%s[%lld] = %.9g, differences say %.9g\n", b->gradient_case.name,
                    s->name, (long long)i, got, want);
        CHECK(close);
    }
    poet_free(d);
}

static void check_none(bench *b, int source)
{
    float *d = read_gradient(b, &b->gradient_case.source[source]);
    CHECK(d == NULL);
    poet_free(d);
}

/* Which gradient operations this case has really run. */
static void note_coverage(const bench *b)
{
    const op_family *family = b->gradient_case.family;
    covered[family->op] = true;
    for (int i = 0; i < poet_program_calls(b->gradient); i++)
        for (int k = 0; k < OP_CASE_GRADIENTS; k++)
            if (poet_program_call(b->gradient, i)->op == family->gradient[k])
                covered[family->gradient[k]] = true;
}

static void test_smooth(const char *name)
{
    bench b = {0};
    poet_status status = bench_open(name, &b);
    CHECK_OK(status);
    if (!status) {
        note_coverage(&b);
        for (int i = 0; i < b.gradient_case.n_sources; i++)
            if (b.gradient_case.source[i].terms)
                check_source(&b, i);
            else
                check_none(&b, i);
    }
    bench_close(&b);
}

/* ---- gradients by definition ---- */

typedef double (*formula)(const bench *b, int source, int64_t i);

static const float *host_of(const bench *b, const char *name)
{
    for (int i = 0; i < b->gradient_case.n_sources; i++)
        if (strcmp(b->gradient_case.source[i].name, name) == 0)
            return b->host[i];
    abort();
}

/* y = x * stop(x): only the first factor is seen. */
static double stop_grad_formula(const bench *b, int source, int64_t i)
{
    (void)source;
    return (double)host_of(b, "weight0")[i] * (double)host_of(b, "x")[i];
}

static double straight_through_formula(const bench *b, int source, int64_t i)
{
    bool through = strcmp(b->gradient_case.source[source].name, "through") == 0;
    return through ? (double)host_of(b, "weight0")[i] : NAN; /* NAN: none */
}

/* The levels of the cases in op_families.c; the formula as in the paper's appendix. */
static double fsq_formula(const bench *b, int source, int64_t i)
{
    static const int levels[] = {8, 5, 2, 3, 4, 7};
    double w = (double)host_of(b, "weight0")[i], z = (double)b->host[source][i];
    if (op_arg(&b->gradient_case, 'm', 0))
        return w;
    int l = levels[i % op_arg(&b->gradient_case, 'c', 1)];
    double half = (l - 1) * (1 - 1e-3) / 2, shift = tan((l % 2 ? 0 : 0.5) / half);
    double t = tanh(z + shift);
    return w * (1 - t * t) * half / floor(l / 2.0);
}

static formula formula_of(poet_op op)
{
    switch (op) {
    case POET_OP_STOP_GRAD: return stop_grad_formula;
    case POET_OP_STRAIGHT_THROUGH: return straight_through_formula;
    case POET_OP_FSQ: return fsq_formula;
    default: return NULL;
    }
}

static void check_formula(bench *b, int source, formula f)
{
    const op_source *s = &b->gradient_case.source[source];
    float *d = read_gradient(b, s);
    int64_t n = poet_shape_count(&s->shape);
    if (isnan(f(b, source, 0)))
        CHECK(d == NULL);
    else
        CHECK(d != NULL);
    for (int64_t i = 0; d && i < n; i++)
        CHECK_CLOSE(d[i], f(b, source, i), 1e-6 * (1 + fabs(f(b, source, i))));
    poet_free(d);
}

static void test_straight(const char *name)
{
    bench b = {0};
    poet_status status = bench_open(name, &b);
    CHECK_OK(status);
    if (!status) {
        formula f = formula_of(b.gradient_case.family->op);
        note_coverage(&b);
        CHECK(f != NULL);
        for (int i = 0; f && i < b.gradient_case.n_sources; i++)
            if (b.gradient_case.source[i].terms)
                check_formula(&b, i, f);
    }
    bench_close(&b);
}

static void test_coverage(void)
{
    for (int op = 0; op < POET_OP_COUNT; op++) {
        if (!poet_op_get_rule((poet_op)op)->grad || covered[op])
            continue;
        fprintf(stderr, "%s has a gradient and no case\n", poet_op_name((poet_op)op));
        CHECK(covered[op]);
    }
}

/* With an argument: that case alone. */
int main(int argc, char **argv)
{
    int count;
    const op_family *families = op_families(&count);
    for (int i = 0; i < count; i++)
        for (const char *const *name = families[i].names; *name; name++) {
            if (families[i].slope == OP_FIXED || (argc > 1 && strcmp(argv[1], *name) != 0))
                continue;
            (families[i].slope == OP_SMOOTH ? test_smooth : test_straight)(*name);
        }
    if (argc < 2)
        test_coverage();
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
