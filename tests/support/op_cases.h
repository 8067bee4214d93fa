/* Small graphs around every operation, for the tests that run them on several backends or against
 * differences.
 *
 * A case is a name, "conv3d:b2t3h4w5c3o4k3s3": the family's operation, then letters with numbers.
 * The name alone reproduces it: shapes come from the numbers, contents from Philox keyed by the
 * name. POET_SEED in the environment gives other contents. */
#ifndef POET_TESTS_SUPPORT_OP_CASES_H
#define POET_TESTS_SUPPORT_OP_CASES_H

#include "compute/program.h"

enum { OP_CASE_SOURCES = 12, OP_CASE_RESULTS = 16, OP_CASE_GRADIENTS = 2 };

/* How real sources are filled. */
typedef enum op_mode {
    OP_NORMAL, /* standard normal, on a grid: (k + 1/2) / 1024 */
    OP_ZEROS,
    OP_LARGE, /* the same times the family's large factor */
    OP_TIES,  /* -1, 0 or 1 */
    OP_MODES
} op_mode;

typedef struct op_case op_case;

typedef struct op_source {
    char name[16];
    poet_val val;
    poet_dtype dtype;
    poet_shape shape;

    enum {
        OP_BY_MODE,  /* real */
        OP_POSITIVE, /* real, 0.5 to 1.5 whatever the mode */
        OP_CODES,    /* integer, low to high - 1 */
        OP_AT        /* at(c, element) */
    } law;

    int64_t low, high;
    double (*at)(const op_case *c, int64_t i);
    bool state;    /* of the params store: updated in place, so it is also a result */
    int64_t terms; /* > 0: differentiable; what one element of its gradient sums over */
    bool stopped;  /* asks for a gradient and must get none */
} op_source;

typedef struct op_result {
    char name[24];
    poet_dtype dtype;
    poet_shape shape;
    int64_t terms; /* what one element sums over */
} op_result;

typedef struct op_family {
    poet_op op;
    void (*build)(op_case *c);
    const char *const *names; /* NULL at the end */
    const char *const *big;   /* more names, too slow for differences: parity only; or NULL */
    poet_op gradient[OP_CASE_GRADIENTS]; /* operations that only its gradient emits; 0: none (0 is
                                            add, which has a family) */

    enum {
        OP_FIXED,   /* nothing flows back to any source */
        OP_SMOOTH,  /* the gradient is that of differences */
        OP_STRAIGHT /* the gradient is by definition another one: tested analytically */
    } slope;

    bool precise; /* reads operands in the graph's precision: run in bf16 too */
    bool rounds;  /* and may round what it computes on the way to that precision */
    float large;  /* factor of OP_LARGE; 0: 1000 */
    float slack;  /* how many times wider the bound is in OP_LARGE; 0: once */

    /* For integer results that are a choice: how many codes there are, and what a code is worth for
     * an element, lower is better: two codes of nearly equal worth may both be right. NULL: integers
     * must be equal. */
    int64_t (*codes)(const op_case *c);
    double (*worth)(const op_case *c, void *const *host, int64_t row, int32_t code);
} op_family;

struct op_case {
    const op_family *family;
    const char *name;
    poet_graph *g;
    bool copies; /* sources pass through a node before they reach the operation, so that it may work
                    in place */
    int64_t arg[26];
    int n_sources, n_results;
    op_source source[OP_CASE_SOURCES];
    op_result result[OP_CASE_RESULTS];
    poet_val real[OP_CASE_RESULTS]; /* real results, which make the loss */
    int n_real;
    poet_val loss;
};

/* Whether BF16 tensors are in it also where the graph's precision is F32. */
bool op_case_halves(const op_case *c);

/* All families; *count of them. */
const op_family *op_families(int *count);

/* Calls f for the name of every case, big ones too, until one fails. */
poet_status op_for_all(poet_status (*f)(const char *name));

/* Is a case to be compared in this mode? Big ones are there for other paths through a kernel, which zeros and large numbers do not
 * change. */
bool op_wants(const op_case *c, op_mode mode);

/* Finds the family and reads the numbers; the case borrows name. */
poet_status op_case_parse(const char *name, op_case *out);

/* What op_case_build adds behind the operation. */
typedef enum op_extent {
    OP_FORWARD,
    OP_WITH_LOSS,    /* the loss, a fixed random weighting of all real results; it comes last */
    OP_WITH_GRADIENT /* the loss, and gradients of differentiable sources as results "d_<source>" */
} op_extent;

/* Records the case in g. Families where nothing flows back get no loss. */
void op_case_build(op_case *c, poet_graph *g, op_extent extent);

/* Contents of a source, in its declared type, into host (shape count elements). */
void op_source_fill(const op_case *c, const op_source *source, op_mode mode, void *host);

size_t op_source_bytes(const op_source *source);
size_t op_result_bytes(const op_result *result);

/* ---- for the families' builders ---- */

/* The number behind a letter of the name; otherwise when it is not there. */
int64_t op_arg(const op_case *c, char letter, int64_t otherwise);

/* A real source; terms > 0: its gradient is checked. */
poet_val op_real(op_case *c, const char *name, poet_shape shape, int64_t terms);

/* A real source that asks for a gradient and must get none. */
poet_val op_stopped(op_case *c, const char *name, poet_shape shape);

poet_val op_positive(op_case *c, const char *name, poet_shape shape);
poet_val op_codes(op_case *c, const char *name, poet_dtype dtype, poet_shape shape, int64_t low,
                  int64_t high);
poet_val op_given(op_case *c, const char *name, poet_dtype dtype, poet_shape shape,
                  double (*at)(const op_case *c, int64_t i));

/* A state that the operation updates in place, positive or by mode. */
poet_val op_state(op_case *c, const char *name, poet_shape shape, bool positive);

/* The same of codes. */
poet_val op_code_state(op_case *c, const char *name, poet_shape shape, int64_t low, int64_t high);

/* A result; real ones become part of the loss. */
void op_result_add(op_case *c, const char *name, poet_val v, int64_t terms);

/* A result that carries no gradient. */
void op_result_only(op_case *c, const char *name, poet_val v, int64_t terms);

#endif
