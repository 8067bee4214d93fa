/* Casts to bf16 that cost nothing: where a cast is all that reads a result, whoever computes the result writes bf16 itself, and
 * the cast becomes a view of it. It rounds the same f32 number in the same way: the bits stay. */
#include "compute/plan_internal.h"

static void count_uses(poet_graph *g, int *uses)
{
    for (int n = 0; n < g->n_nodes; n++)
        for (int i = 0; i < g->nodes[n].n_src; i++)
            if (g->nodes[n].src[i].id >= 0)
                uses[g->nodes[n].src[i].id]++;
}

/* The node that computes what v shows, where views and one cast are all that read it; or NULL. */
static const poet_node *sole_producer(poet_graph *g, const int *uses, poet_val v)
{
    for (;;) {
        const poet_value *value = poet_graph_value(g, v);
        if (uses[v.id] != 1 || value->output || value->place != POET_PLACE_NODE ||
            value->tensor.dtype != POET_F32)
            return NULL;
        const poet_node *node = &g->nodes[value->node];
        if (node->op != POET_OP_RESHAPE)
            return node->dst[0].id == v.id ? node : NULL;
        v = node->src[0];
    }
}

/* From the producer's result to the cast everything is bf16. */
static void make_view(poet_graph *g, poet_node *cast)
{
    poet_value *result = poet_graph_value(g, cast->dst[0]);
    cast->op = POET_OP_RESHAPE;
    cast->attr = (poet_attr){.shape = {result->tensor.shape}};
    result->alias = cast->src[0].id;
    for (int v = cast->src[0].id; v >= 0; v = g->values[v].alias)
        g->values[v].tensor.dtype = POET_BF16;
}

poet_status poet_fuse_casts(poet_graph *g, const poet_backend *backend)
{
    if (!backend->narrows)
        return POET_OK;
    int *uses = poet_arena_alloc(g->arena, (size_t)(g->n_values + 1) * sizeof *uses);
    if (!uses)
        return POET_ERR_NOMEM;
    count_uses(g, uses);
    for (int n = 0; n < g->n_nodes; n++) {
        poet_node *cast = &g->nodes[n];
        if (cast->op != POET_OP_CAST || cast->attr.cast.dtype != POET_BF16)
            continue;
        const poet_node *producer = sole_producer(g, uses, cast->src[0]);
        if (producer && backend->narrows(producer->op, poet_val_dtype(g, producer->src[0])))
            make_view(g, cast);
    }
    return POET_OK;
}
