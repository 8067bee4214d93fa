/* Running one case on one backend, and judging the results of two. */
#ifndef POET_TESTS_PARITY_RUN_INTERNAL_H
#define POET_TESTS_PARITY_RUN_INTERNAL_H

#include "tests/support/op_cases.h"

typedef struct variant {
    const poet_backend *backend;
    int threads; /* 0: all */
    op_mode mode;
    poet_dtype precision;
    bool copies;
    bool twice;    /* run two times and keep the second */
    bool separate; /* no two tensors share memory */
} variant;

/* One program with what it needs. Call session_close also after a failure. */
typedef struct session {
    poet_device *device;
    poet_params *params;
    poet_program *program;
    op_case c;
} session;

poet_status session_open(const char *name, const variant *v, session *s);
void session_close(session *s);

/* Contents of a source, to the program or the store. */
poet_status session_write(session *s, const op_source *source, const void *host);

/* What a run left: results first, then the states that it updated. Host memory of the declared
 * types. */
typedef struct outcome {
    op_case c; /* as it was built */
    op_result result[OP_CASE_RESULTS + OP_CASE_SOURCES];
    void *data[OP_CASE_RESULTS + OP_CASE_SOURCES];
    int n;
    void *source[OP_CASE_SOURCES]; /* what the sources held */
    bool sources_intact;
    bool has[POET_OP_COUNT]; /* operations that ran */
} outcome;

/* Call outcome_free also after a failure. */
poet_status outcome_make(const char *name, const variant *v, outcome *out);
void outcome_free(outcome *o);

/* Equal bits everywhere? Otherwise a sentence. */
poet_status outcome_same(const outcome *a, const outcome *b);

/* got against want, the reference, within rounding of sums in f32:
 *
 *     |got - want| <= 4 eps (4 + sqrt(terms)) slack (|want| + rms of the tensor)
 *
 * for a sum of `terms` products in any order (errors of partial sums add up like a random walk).
 * Finite where the other is finite, NaN nowhere that the other has none; integers equal, or of
 * nearly equal worth. */
poet_status outcome_close(const outcome *got, const outcome *want, const variant *v);

#endif
