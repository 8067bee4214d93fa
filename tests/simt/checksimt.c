/* checksimt: every operation that has a CUDA kernel, run as host code, against the reference.
 *
 *     checksimt [NAME...]   the named cases, or all of an operation ("attention"); all there are without a name, and then
 *                           every operation must have a kernel
 *     checksimt --missing   operations without a kernel; exit status 1 when there are any
 *
 * A case runs in four thread orders, which must give equal bits, and in memory of its own for each tensor: there nothing
 * stands beside a tensor but guard zones, and nothing in it but what its kernel wrote. */
#include "tests/parity/run_internal.h"

#include "cuda/backend/cuda_table.h"
#include "cuda/simt/simt.h"

#include <stdio.h>
#include <string.h>

static int failures, comparisons, left_out;

static const char *const mode_names[OP_MODES] = {"normal", "zeros", "large", "ties"};

static const char *const order_names[POET_SIMT_ORDERS] = {"forward", "reverse", "shuffled",
                                                          "mixed"};

static void report(const char *name, const variant *v, const char *what)
{
    failures++;
    printf("FAILED %s, %s, %s: %s: %s\n", name, mode_names[v->mode], poet_dtype_name(v->precision),
           what, poet_error_message());
}

/* ---- comparison ---- */

/* Equal bits where only the order of threads, or who owns the memory, is another. */
static void compare_again(const char *name, const variant *v, const char *what,
                          const outcome *first)
{
    outcome again;
    poet_status status = outcome_make(name, v, &again);
    if (!status)
        status = outcome_same(first, &again);
    if (status)
        report(name, v, what);
    outcome_free(&again);
}

static void compare_orders(const char *name, variant v, const outcome *first)
{
    for (int order = 1; order < POET_SIMT_ORDERS; order++) {
        poet_simt_set_order((poet_simt_order)order);
        compare_again(name, &v, order_names[order], first);
    }
    poet_simt_set_order(POET_SIMT_FORWARD);
    v.separate = false;
    v.copies = true;
    compare_again(name, &v, "in place", first);
    v.copies = false;
    v.twice = true;
    compare_again(name, &v, "second run", first);
}

static void compare(const char *name, op_mode mode, poet_dtype precision)
{
    variant reference = {
        .backend = poet_backend_ref(), .threads = 1, .mode = mode, .precision = precision};
    variant v = reference;
    outcome want, got;
    v.backend = poet_cuda_table();
    v.separate = true;
    poet_status status = outcome_make(name, &reference, &want);
    if (status)
        report(name, &reference, "reference");
    poet_status other = outcome_make(name, &v, &got);
    if (other)
        report(name, &v, "run");
    comparisons++;
    if (!status && !other) {
        if (outcome_close(&got, &want, &v))
            report(name, &v, "result");
        if (!got.sources_intact) {
            poet_fail(POET_ERR_MISMATCH, "changed");
            report(name, &v, "sources");
        }
        compare_orders(name, v, &got);
    }
    outcome_free(&want);
    outcome_free(&got);
}

/* Does every operation of the case's program have a kernel? */
static poet_status has_kernels(const char *name, bool *out)
{
    variant v = {.backend = poet_backend_ref(), .threads = 1};
    session s = {0};
    poet_status status = session_open(name, &v, &s);
    *out = true;
    for (int i = 0; !status && i < poet_program_calls(s.program); i++)
        *out = *out && poet_cuda_table()->kernel[poet_program_call(s.program, i)->op];
    session_close(&s);
    return status;
}

static poet_status compare_case(const char *name)
{
    op_case c;
    bool runs;
    POET_TRY(op_case_parse(name, &c));
    POET_TRY(has_kernels(name, &runs));
    left_out += !runs;
    for (int mode = 0; runs && mode < OP_MODES; mode++) {
        if (!op_wants(&c, (op_mode)mode))
            continue;
        compare(name, (op_mode)mode, POET_F32);
        if (c.family->precise)
            compare(name, (op_mode)mode, POET_BF16);
    }
    return POET_OK;
}

/* ---- which cases ---- */

static const char *operation; /* what compare_family compares */

static poet_status compare_family(const char *name)
{
    size_t length = strlen(operation);
    bool is_of = strncmp(name, operation, length) == 0 && name[length] == ':';
    return is_of ? compare_case(name) : POET_OK;
}

static poet_status compare_named(const char *name)
{
    operation = name;
    return strchr(name, ':') ? compare_case(name) : op_for_all(compare_family);
}

/* ---- what is missing ---- */

static int print_missing(void)
{
    int missing = 0;
    for (int op = 0; op < POET_OP_COUNT; op++)
        if (!poet_cuda_table()->kernel[op]) {
            printf("%s%s", missing ? " " : "without a kernel: ", poet_op_name((poet_op)op));
            missing++;
        }
    printf("%s%d of %d operations without a kernel\n", missing ? "\n" : "", missing, POET_OP_COUNT);
    return missing;
}

int main(int argc, char **argv)
{
    poet_status status = POET_OK;
    int missing = 0;
    if (argc == 2 && strcmp(argv[1], "--missing") == 0)
        return print_missing() > 0;
    if (argc < 2) {
        status = op_for_all(compare_case);
        missing = print_missing();
    }
    for (int i = 1; i < argc && !status; i++)
        status = compare_named(argv[i]);
    if (status)
        printf("%s\n", poet_error_message());
    printf("%d comparisons, %d failed; %d cases wait for kernels\n", comparisons, failures,
           left_out);
    return status || failures || missing || !comparisons;
}
