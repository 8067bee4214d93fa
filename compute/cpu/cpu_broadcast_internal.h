/* Broadcasting of a small shape to a big one as runs of neighbours: dims that behave alike are
 * merged, so that a bias over the last axis, equal shapes, or a sum over leading dims are one or two
 * nested loops. */
#ifndef POET_COMPUTE_CPU_BROADCAST_INTERNAL_H
#define POET_COMPUTE_CPU_BROADCAST_INTERNAL_H

#include "compute/cpu/cpu_internal.h"

enum { POET_BROADCAST_RUN = 8192 };

typedef struct poet_broadcast {
    int n;                        /* merged dims, outermost first; at least one */
    int64_t size[POET_MAX_DIMS];  /* of the big shape */
    int64_t big[POET_MAX_DIMS];   /* strides */
    int64_t small[POET_MAX_DIMS]; /* strides; 0: the small shape is 1 here */
    int64_t run, per_row, items;  /* the last dim in runs of at most `run`, how many of them, and in
                                      all */
} poet_broadcast;

poet_broadcast poet_broadcast_plan(const poet_shape *big, const poet_shape *small);

/* Item i: n neighbours of the big tensor from element `big` on, which meet the small tensor's
 * elements from `small` on, or only the one there. */
typedef struct poet_run {
    int64_t big, small, n;
    bool one;
} poet_run;

poet_run poet_broadcast_run(const poet_broadcast *b, int64_t i);

#endif
