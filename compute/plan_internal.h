/* Where every intermediate tensor of a graph lives: which nodes run, and an offset in one block for
 * each value. */
#ifndef POET_COMPUTE_PLAN_INTERNAL_H
#define POET_COMPUTE_PLAN_INTERNAL_H

#include "compute/backend.h"
#include "compute/graph_internal.h"

enum { POET_PLAN_NOWHERE = -1 };

typedef struct poet_plan {
    bool *runs; /* per node: something needs its result, or it updates a tensor that lives on */
    int *root;  /* per value: the value whose memory it is (itself, or through views and updates in
                   place) */
    int64_t *offset;  /* per value that is a root: into the block, or POET_PLAN_NOWHERE */
    int64_t *scratch; /* per node: offset of its scratch, or POET_PLAN_NOWHERE */
    size_t block;     /* bytes of the whole block */
} poet_plan;

/* Lets operations write bf16 themselves where a cast to it is all that reads their results, and the backend can. Before all
 * other planning: types of values change. */
poet_status poet_fuse_casts(poet_graph *g, const poet_backend *backend);

/* bytes: per value, what it takes on the device; scratch_bytes: per node. separate: no two values
 * share memory. Arrays of the plan are in the graph's arena. */
poet_status poet_plan_make(poet_graph *g, const size_t *bytes, const size_t *scratch_bytes,
                           size_t alignment, bool separate, poet_plan *out);

/* Which nodes must run, alone: needed before scratch sizes can be asked. Fills runs and root. */
poet_status poet_plan_select(poet_graph *g, poet_plan *out);

/* Whether a device is one of poet_device_plan: what is written to it is nowhere, and need not be made. */
bool poet_device_is_plan(const poet_device *device);

#endif
