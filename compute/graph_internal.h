/* The inside of a graph, for compute/ alone: nodes, rules of operations, and the list they form. */
#ifndef POET_COMPUTE_GRAPH_INTERNAL_H
#define POET_COMPUTE_GRAPH_INTERNAL_H

#include "base/memory.h"
#include "compute/backend.h"
#include "compute/graph.h"
#include "compute/op.h"

struct poet_node {
    poet_op op;
    const char *name; /* scope path */
    int n_src, n_dst;
    poet_val *src; /* in the graph's arena; POET_NONE: an absent optional source */
    poet_val dst[POET_MAX_DST];
    poet_attr attr;
};

typedef struct poet_node poet_node;

/* What one operation is. Each op defines `const poet_op_rule poet_rule_<name>` in ops/<family>.c;
 * graph.c gathers them through ops.def. */
typedef struct poet_op_rule {
    /* Checks the sources and sets dtype and shape of every destination (data is unused). An absent
     * optional source is NULL. A failure is a sentence without the op's name or path: "96 channels
     * do not divide into 5 groups". */
    poet_status (*infer)(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                         poet_tensor *dst);

    /* Emits the gradient: dy has one value for each destination (POET_NONE: no gradient arrived
     * there), dx one for each source, POET_NONE at the start. Not called when no source wants a
     * gradient. NULL: the op passes none. */
    void (*grad)(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx);

    /* The reference: plain, sums in double, any real type through poet_get and poet_put. */
    poet_kernel ref;

    /* 1 + index of the source whose memory destination i is (views and updates in place); 0: memory
     * of its own. */
    int alias[POET_MAX_DST];

    /* The kernel tolerates that destination 0 is the memory of source 0, when that has equal bytes
     * and dies here. */
    bool in_place;

    /* Destinations that alias a source change it: the node must run even when nothing reads the
     * result. */
    bool updates;
} poet_op_rule;

const poet_op_rule *poet_op_get_rule(poet_op op);

typedef enum poet_place {
    POET_PLACE_NODE,  /* computed by a node */
    POET_PLACE_INPUT, /* filled by the caller */
    POET_PLACE_PARAM  /* lives in the params store */
} poet_place;

typedef struct poet_value {
    poet_tensor tensor; /* data is NULL until a program is made */
    poet_place place;
    int node;         /* producer, or -1 */
    int param;        /* index in the params store, or -1 */
    int alias;        /* value whose memory this is, or -1 */
    const char *name; /* of inputs and outputs; NULL otherwise */
    bool output;
    bool wants_grad; /* a gradient can flow from here to a parameter or a marked input */
    bool hidden;     /* a weight matrix of a hidden layer: Muon's domain */
    poet_val grad;
    poet_val cast; /* the latest cast of it */
} poet_value;

struct poet_graph {
    poet_arena *arena;
    poet_params *params;
    poet_dtype precision;
    poet_node *nodes; /* growable arrays, in order of recording */
    int n_nodes, cap_nodes;
    poet_value *values;
    int n_values, cap_values;
    char scope[256];
    poet_status error;
    char *error_text;
};

/* Appends a node. Sources may be POET_NONE where optional. dst receives poet_op_destinations(op)
 * values (all POET_NONE after a failure). Returns dst[0]. */
poet_val poet_emit(poet_graph *g, poet_op op, int n_src, const poet_val *src, const poet_attr *attr,
                   poet_val *dst);

/* Records the sticky error, unless there is one already. */
void poet_graph_fail(poet_graph *g, poet_status status);

/* The operand in the graph's precision: a cast where that differs, v itself else. */
poet_val poet_to_precision(poet_graph *g, poet_val v);

poet_value *poet_graph_value(poet_graph *g, poet_val v); /* NULL for POET_NONE */

#endif
