/* What an operation has to do at least, counted from its shapes: bytes that it moves and arithmetic that it does.
 *
 * Bytes: each source is read once and each result written once, in the type it is stored in; of tables, the rows that are
 * named; a view moves nothing. Arithmetic: the additions and multiplications of the definition, a multiply-add as two, any
 * other function as one. What depends on data is taken in the mean: a cache is as full as in the middle of a sequence. With
 * the peaks of a device these are its roofline (Williams et al., "Roofline", 2009): no kernel is faster than
 * max(bytes / bandwidth, flops / peak). */
#ifndef POET_COMPUTE_COST_H
#define POET_COMPUTE_COST_H

#include "compute/program.h"

typedef struct poet_cost {
    double bytes, flops;
} poet_cost;

/* Of one call, by its shapes alone. */
poet_cost poet_call_cost(const poet_call *call);

/* Costs by operation, and how long they take at least where the peaks of the device are set: call by call, the longer of
 * moving and computing. */
typedef struct poet_work {
    double bandwidth, peak; /* bytes/s and FLOP/s; 0: not known, and then seconds are 0 */
    double bytes[POET_OP_COUNT], flops[POET_OP_COUNT], calls[POET_OP_COUNT], seconds[POET_OP_COUNT];
} poet_work;

/* Adds so many runs of a program. */
void poet_work_add(poet_work *work, const poet_program *program, double runs);

#endif
