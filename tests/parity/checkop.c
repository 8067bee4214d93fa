/* checkop: every operation on every backend against the reference.
 *
 *     checkop [NAME...]       compare the named cases; all of them without a name
 *     checkop --self-test     damage results in known ways: each must be noticed
 *     checkop --list-missing  operations without a case; exit status 1 when there are any
 *     checkop --list          names of all cases
 *     checkop --bench NAME    time per call of the case's operations, on each backend
 */
#include "tests/parity/run_internal.h"

#include "base/memory.h"
#include "base/task.h"

#ifdef POET_CHECK_CARD
#include "cuda/backend/cuda_table.h"
#endif

#include <math.h>
#include <stdio.h>
#include <string.h>

static int failures, comparisons;

static const char *const mode_names[OP_MODES] = {"normal", "zeros", "large", "ties"};

/* Backends that are compared with the reference: the processor's, or in the tests of a card (tests/gpu) that. */
static int other_backends(const poet_backend *out[4])
{
    int n = 0;
#ifdef POET_CHECK_CARD
    out[n++] = poet_cuda_table();
#else
    out[n++] = poet_backend_cpu();
#endif
    return n;
}

static void report(const char *name, const variant *v, const char *what)
{
    failures++;
    printf("FAILED %s on %s, %s, %s: %s: %s\n", name, v->backend->name, mode_names[v->mode],
           poet_dtype_name(v->precision), what, poet_error_message());
}

/* ---- comparison ---- */

/* The same backend again, in ways that may not change a bit: a second run of one program, sources
 * that are intermediate values, whose memory may be taken over, and memory of its own for each
 * tensor. */
static void compare_repeats(const char *name, variant v, const outcome *first)
{
    static const char *const ways[] = {"second run", "in place", "separate memory"};
    for (int way = 0; way < 3; way++) {
        outcome again;
        v.twice = way == 0;
        v.copies = way == 1;
        v.separate = way == 2;
        poet_status status = outcome_make(name, &v, &again);
        if (!status)
            status = outcome_same(first, &again);
        if (status)
            report(name, &v, ways[way]);
        outcome_free(&again);
    }
}

static void compare(const char *name, const variant *v)
{
    variant reference = *v;
    outcome want, got;
    reference.backend = poet_backend_ref();
    poet_status status = outcome_make(name, &reference, &want);
    comparisons++;
    if (status)
        report(name, &reference, "reference");
    poet_status other = outcome_make(name, v, &got);
    if (other)
        report(name, v, "run");
    if (!status && !other) {
        if (outcome_close(&got, &want, v))
            report(name, v, "result");
        if (!got.sources_intact) {
            poet_fail(POET_ERR_MISMATCH, "changed");
            report(name, v, "sources");
        }
        compare_repeats(name, *v, &got);
    }
    outcome_free(&want);
    outcome_free(&got);
}

static poet_status compare_case(const char *name)
{
    op_case c;
    const poet_backend *backends[4];
    POET_TRY(op_case_parse(name, &c));
    for (int i = 0, n = other_backends(backends); i < n; i++)
        for (int mode = 0; mode < OP_MODES; mode++) {
            variant v = {.backend = backends[i], .threads = 2, .mode = (op_mode)mode};
            if (!op_wants(&c, v.mode))
                continue;
            if (v.backend->bf16 || !op_case_halves(&c))
                compare(name, &v);
            v.precision = POET_BF16;
            if (c.family->precise && v.backend->bf16)
                compare(name, &v);
        }
    return POET_OK;
}

/* ---- self-test ---- */

static const char *const damages[] = {"one element",  "last column", "sign",
                                      "shift by one", "scale 1.01",  "NaN"};

enum { DAMAGES = sizeof damages / sizeof damages[0] };

/* What element i of t becomes. */
static double damaged(const poet_tensor *t, int damage, int64_t i, double size)
{
    int64_t n = poet_tensor_count(t), last = poet_shape_last(&t->shape);
    bool real = poet_dtype_is_real(t->dtype);
    double x = poet_get(t, i), bump = real ? 0.01 * (size + fabs(x)) : 1;
    switch (damage) {
    case 0: return i == n / 2 ? x + bump : x;
    case 1: return i % last == last - 1 ? x + bump : x;
    case 2: return -x;
    case 3: return poet_get(t, (i + 1) % n);
    case 4: return real ? x * 1.01 : x;
    default: return real && i == n - 1 ? NAN : x;
    }
}

static double largest(const poet_tensor *t)
{
    double most = 0;
    int64_t n = poet_tensor_count(t);
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(poet_get(t, i)));
    return most;
}

/* Damages result r of a copy; false when that changes nothing. */
static bool damage_result(const outcome *o, int r, int damage, void *into)
{
    poet_tensor from = {.dtype = o->result[r].dtype, .shape = o->result[r].shape, o->data[r]};
    poet_tensor to = {.dtype = from.dtype, .shape = from.shape, .data = into};
    double size = largest(&from);
    bool changed = false;
    int64_t n = poet_tensor_count(&from);
    for (int64_t i = 0; i < n; i++) {
        double x = damaged(&from, damage, i, size);
        poet_put(&to, i, x);
        changed = changed || !(poet_get(&to, i) == poet_get(&from, i));
    }
    return changed;
}

static void try_damage(const char *name, const variant *v, outcome *o, int r, int damage)
{
    outcome bad = *o;
    bad.data[r] = poet_alloc(op_result_bytes(&o->result[r]));
    if (bad.data[r] && damage_result(o, r, damage, bad.data[r])) {
        comparisons++;
        if (!outcome_close(&bad, o, v)) {
            poet_fail(POET_ERR_MISMATCH, "%s was not noticed", damages[damage]);
            report(name, v, o->result[r].name);
        }
    }
    poet_free(bad.data[r]);
}

static poet_status self_test_case(const char *name)
{
    variant v = {.backend = poet_backend_ref(), .threads = 1, .mode = OP_NORMAL};
    outcome o;
    poet_status status = outcome_make(name, &v, &o);
    if (!status && outcome_close(&o, &o, &v))
        report(name, &v, "not equal to itself");
    for (int r = 0; !status && r < o.n; r++)
        for (int damage = 0; damage < DAMAGES; damage++)
            try_damage(name, &v, &o, r, damage);
    outcome_free(&o);
    return status;
}

/* ---- what is missing ---- */

static bool covered[POET_OP_COUNT];

/* An operation counts when a case of its own, or of the family whose gradient it is, ran it. */
static poet_status cover(const char *name)
{
    variant v = {.backend = poet_backend_ref(), .threads = 1, .mode = OP_NORMAL};
    outcome o;
    poet_status status = outcome_make(name, &v, &o);
    if (!status) {
        const op_family *family = o.c.family;
        covered[family->op] = covered[family->op] || o.has[family->op];
        for (int i = 0; i < OP_CASE_GRADIENTS; i++)
            covered[family->gradient[i]] =
                covered[family->gradient[i]] || o.has[family->gradient[i]];
    }
    outcome_free(&o);
    return status;
}

static int list_missing(void)
{
    int missing = 0;
    poet_status status = op_for_all(cover);
    if (status)
        printf("%s\n", poet_error_message());
    for (int op = 0; op < POET_OP_COUNT; op++)
        if (!covered[op]) {
            printf("%s has no case\n", poet_op_name((poet_op)op));
            missing++;
        }
    printf("%d of %d operations without a case\n", missing, POET_OP_COUNT);
    return missing > 0 || status != POET_OK;
}

/* ---- bench ---- */

static bool is_of(const op_family *family, poet_op op)
{
    bool mine = op == family->op;
    for (int k = 0; k < OP_CASE_GRADIENTS; k++)
        mine = mine || (family->gradient[k] && op == family->gradient[k]);
    return mine;
}

static poet_status load(session *s)
{
    for (int i = 0; i < s->c.n_sources; i++) {
        const op_source *source = &s->c.source[i];
        void *host = poet_alloc(op_source_bytes(source));
        if (!host)
            return POET_ERR_NOMEM;
        op_source_fill(&s->c, source, OP_NORMAL, host);
        poet_status status = session_write(s, source, host);
        poet_free(host);
        POET_TRY(status);
    }
    return POET_OK;
}

/* The best of half a second of runs: other work on the machine only ever adds. */
static poet_status measure(session *s, double best[POET_OP_COUNT])
{
    POET_TRY(poet_program_run(s->program)); /* first touch of memory is not timed */
    for (int op = 0; op < POET_OP_COUNT; op++)
        best[op] = INFINITY;
    for (double start = poet_seconds(); poet_seconds() - start < 0.5;) {
        poet_profile profile = {0};
        poet_program_profile(s->program, &profile);
        poet_status status = poet_program_run(s->program);
        poet_program_profile(s->program, NULL);
        POET_TRY(status);
        for (int i = 0; i < profile.work.n; i++) {
            const poet_work_row *row = &profile.work.rows[i];
            best[row->op] = fmin(best[row->op], row->seconds / row->calls);
        }
    }
    return POET_OK;
}

static void print_times(const variant *v, const session *s, const double best[POET_OP_COUNT])
{
    bool printed[POET_OP_COUNT] = {false};
    for (int i = 0; i < poet_program_calls(s->program); i++) {
        const poet_call *call = poet_program_call(s->program, i);
        if (!is_of(s->c.family, call->op) || printed[call->op])
            continue;
        printed[call->op] = true;
        const char *how =
            v->backend->implementation ? v->backend->implementation(s->device, call) : "";
        printf("%-6s %-4s %-18s %-16s %10.1f us\n", v->backend->name, poet_dtype_name(v->precision),
               poet_op_name(call->op), how, 1e6 * best[call->op]);
    }
}

static poet_status bench_on(const char *name, const variant *v)
{
    session s = {0};
    double best[POET_OP_COUNT];
    poet_status status = session_open(name, v, &s);
    if (!status)
        status = load(&s);
    if (!status)
        status = measure(&s, best);
    if (!status)
        print_times(v, &s, best);
    session_close(&s);
    return status;
}

static poet_status bench(const char *name)
{
    const poet_backend *backends[4];
    op_case c;
    POET_TRY(op_case_parse(name, &c));
    for (int i = 0, n = other_backends(backends); i < n; i++) {
        variant v = {.backend = backends[i]};
        POET_TRY(bench_on(name, &v));
        v.precision = POET_BF16;
        if (c.family->precise && v.backend->bf16)
            POET_TRY(bench_on(name, &v));
    }
    return POET_OK;
}

/* ---- command line ---- */

static poet_status print_name(const char *name)
{
    printf("%s\n", name);
    return POET_OK;
}

static int finish(poet_status status)
{
    if (status)
        printf("%s\n", poet_error_message());
    printf("%d comparisons, %d failed\n", comparisons, failures);
    return status || failures || !comparisons;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    poet_status status = POET_OK;
    if (strcmp(first, "--list-missing") == 0)
        return list_missing();
    if (strcmp(first, "--list") == 0)
        return op_for_all(print_name) != POET_OK;
    if (strcmp(first, "--self-test") == 0)
        return finish(op_for_all(self_test_case));
    if (strcmp(first, "--bench") == 0 && argc == 3) {
        status = bench(argv[2]);
        if (status)
            printf("%s\n", poet_error_message());
        return status != POET_OK;
    }
    if (argc < 2)
        return finish(op_for_all(compare_case));
    for (int i = 1; i < argc && !status; i++)
        status = compare_case(argv[i]);
    return finish(status);
}
