/* What an operation has to do at least, counted from its shapes: bytes that it moves and arithmetic that it does.
 *
 * Bytes: each source is read once and each result written once, in the type it is stored in; weights that the backend has
 * packed, in their packed form; of tables, the rows that are named; a view moves nothing. Arithmetic: the additions and multiplications of the definition, a multiply-add as two, any
 * other function as one. What depends on data is taken in the mean: a cache is as full as in the middle of a sequence. With
 * the peaks of a device these are its roofline (Williams et al., "Roofline", 2009): no kernel is faster than
 * max(bytes / bandwidth, flops / peak). */
#ifndef POET_COMPUTE_COST_H
#define POET_COMPUTE_COST_H

#include "compute/backend.h"

typedef struct poet_cost {
    double bytes, flops;
} poet_cost;

/* Of one call, by its shapes and what is packed for it. */
poet_cost poet_call_cost(const poet_call *call);

enum { POET_WORK_ROWS = 128 };

/* Calls of one operation by one implementation. */
typedef struct poet_work_row {
    poet_op op;
    char implementation[48]; /* "" when nobody knows: of a device that only plans */
    double peak;             /* FLOP/s of that implementation at best; 0: not known */
    double calls, bytes, flops;
    double
        least; /* seconds at the peaks: call by call, the longer of moving and computing; 0: these are not known */
    double seconds; /* measured; 0: were not */
} poet_work_row;

/* Work done or to be done. bandwidth and peak, bytes/s and FLOP/s, are the caller's; 0: what the device says of itself.
 * More kinds of calls than there are rows, which no backend has, are added up in the last. */
typedef struct poet_work {
    double bandwidth, peak;
    int n;
    poet_work_row rows[POET_WORK_ROWS];
} poet_work;

/* Adds so many calls, and the seconds that they took together, 0 when that is not known. */
void poet_work_add(poet_work *work, poet_device *device, const poet_call *call, double calls,
                   double seconds);

#endif
