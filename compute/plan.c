/* Memory planning: liveness over the linear list of nodes, then best fit on a sorted free list (the
 * method of ggml-alloc). */
#include "compute/plan_internal.h"

#include <string.h>

static int find_root(poet_graph *g, int value)
{
    while (g->values[value].alias >= 0)
        value = g->values[value].alias;
    return value;
}

/* An update matters when the memory it changes outlives the run, or when a later node that runs
 * reads that memory. */
static bool must_run(poet_graph *g, const poet_node *node, const bool *needed, const int *root)
{
    bool updates = poet_op_get_rule(node->op)->updates;
    for (int i = 0; i < node->n_dst; i++) {
        int value = node->dst[i].id;
        if (needed[value] || g->values[value].output)
            return true;
        if (updates && g->values[value].alias >= 0 &&
            (g->values[root[value]].place != POET_PLACE_NODE || needed[root[value]]))
            return true;
    }
    return false;
}

poet_status poet_plan_select(poet_graph *g, poet_plan *out)
{
    *out = (poet_plan){.runs = poet_arena_alloc(g->arena, (size_t)g->n_nodes * sizeof(bool)),
                       .root = poet_arena_alloc(g->arena, (size_t)g->n_values * sizeof(int))};
    bool *needed = poet_arena_alloc(g->arena, (size_t)g->n_values * sizeof(bool));
    if (!out->runs || !out->root || !needed)
        return POET_ERR_NOMEM;
    for (int v = 0; v < g->n_values; v++)
        out->root[v] = find_root(g, v);
    for (int n = g->n_nodes - 1; n >= 0; n--) {
        const poet_node *node = &g->nodes[n];
        out->runs[n] = must_run(g, node, needed, out->root);
        for (int i = 0; out->runs[n] && i < node->n_src; i++)
            if (node->src[i].id >= 0)
                needed[node->src[i].id] = needed[out->root[node->src[i].id]] = true;
    }
    return POET_OK;
}

/* ---- the block ---- */

typedef struct gap {
    int64_t offset, bytes;
} gap;

typedef struct block {
    gap *gaps; /* free ranges below end, by offset, never adjacent */
    int count, capacity;
    int64_t end; /* everything from here on is free */
    int64_t peak;
} block;

static int64_t block_take(block *b, int64_t bytes)
{
    int best = -1;
    for (int i = 0; i < b->count; i++)
        if (b->gaps[i].bytes >= bytes && (best < 0 || b->gaps[i].bytes < b->gaps[best].bytes))
            best = i;
    if (best >= 0) {
        int64_t offset = b->gaps[best].offset;
        b->gaps[best].offset += bytes;
        b->gaps[best].bytes -= bytes;
        if (b->gaps[best].bytes == 0)
            memmove(&b->gaps[best], &b->gaps[best + 1], (size_t)(--b->count - best) * sizeof(gap));
        return offset;
    }
    int64_t offset = b->end;
    b->end += bytes;
    if (b->end > b->peak)
        b->peak = b->end;
    return offset;
}

static poet_status block_give(block *b, int64_t offset, int64_t bytes)
{
    if (b->count == b->capacity) {
        int capacity = b->capacity ? 2 * b->capacity : 32;
        gap *bigger = poet_realloc(b->gaps, (size_t)capacity * sizeof *bigger);
        if (!bigger)
            return POET_ERR_NOMEM;
        b->gaps = bigger;
        b->capacity = capacity;
    }
    int at = 0;
    while (at < b->count && b->gaps[at].offset < offset)
        at++;
    memmove(&b->gaps[at + 1], &b->gaps[at], (size_t)(b->count - at) * sizeof(gap));
    b->gaps[at] = (gap){offset, bytes};
    b->count++;
    if (at + 1 < b->count && offset + bytes == b->gaps[at + 1].offset) {
        b->gaps[at].bytes += b->gaps[at + 1].bytes;
        memmove(&b->gaps[at + 1], &b->gaps[at + 2], (size_t)(--b->count - at - 1) * sizeof(gap));
    }
    if (at > 0 && b->gaps[at - 1].offset + b->gaps[at - 1].bytes == offset) {
        b->gaps[at - 1].bytes += b->gaps[at].bytes;
        memmove(&b->gaps[at], &b->gaps[at + 1], (size_t)(--b->count - at) * sizeof(gap));
        at--;
    }
    if (b->gaps[at].offset + b->gaps[at].bytes == b->end) {
        b->end = b->gaps[at].offset;
        b->count--;
    }
    return POET_OK;
}

/* ---- liveness ---- */

typedef struct planner {
    poet_graph *g;
    poet_plan *plan;
    const size_t *bytes, *scratch_bytes;
    int64_t alignment;
    bool separate;
    int *last; /* per root: the last node that touches it; n_nodes when it must survive the run */
    block block;
} planner;

static int64_t rounded(const planner *p, size_t bytes)
{
    int64_t b = bytes ? (int64_t)bytes : 1;
    return (b + p->alignment - 1) / p->alignment * p->alignment;
}

static void find_last_uses(planner *p)
{
    poet_graph *g = p->g;
    for (int n = 0; n < g->n_nodes; n++) {
        if (!p->plan->runs[n])
            continue;
        for (int i = 0; i < g->nodes[n].n_src; i++)
            if (g->nodes[n].src[i].id >= 0)
                p->last[p->plan->root[g->nodes[n].src[i].id]] = n;
        for (int i = 0; i < g->nodes[n].n_dst; i++)
            p->last[p->plan->root[g->nodes[n].dst[i].id]] = n;
    }
    for (int v = 0; v < g->n_values; v++)
        if (g->values[v].output)
            p->last[p->plan->root[v]] = g->n_nodes;
}

static bool is_planned(const planner *p, int root)
{
    return p->g->values[root].place == POET_PLACE_NODE;
}

/* Gives destination 0 the memory of source 0 where the kernel allows it and nobody needs the source
 * any more. */
static bool take_over(planner *p, int n)
{
    const poet_node *node = &p->g->nodes[n];
    int dst = node->dst[0].id;
    if (p->separate || !poet_op_get_rule(node->op)->in_place || node->src[0].id < 0)
        return false;
    int root = p->plan->root[node->src[0].id];
    if (p->plan->root[dst] != dst || !is_planned(p, root) || p->last[root] != n ||
        p->bytes[root] != p->bytes[dst])
        return false;
    p->plan->offset[dst] = p->plan->offset[root];
    p->last[root] = -1; /* the memory now belongs to dst */
    return true;
}

static poet_status release(planner *p, int root, int n)
{
    if (p->separate || !is_planned(p, root) || p->last[root] != n)
        return POET_OK;
    p->last[root] = -1; /* once, even when a node reads it twice */
    return block_give(&p->block, p->plan->offset[root], rounded(p, p->bytes[root]));
}

static poet_status plan_node(planner *p, int n)
{
    const poet_node *node = &p->g->nodes[n];
    poet_plan *plan = p->plan;
    bool taken = take_over(p, n);
    for (int i = taken ? 1 : 0; i < node->n_dst; i++) {
        int dst = node->dst[i].id;
        if (plan->root[dst] == dst)
            plan->offset[dst] = block_take(&p->block, rounded(p, p->bytes[dst]));
    }
    if (p->scratch_bytes[n]) {
        int64_t bytes = rounded(p, p->scratch_bytes[n]);
        plan->scratch[n] = block_take(&p->block, bytes);
        if (!p->separate)
            POET_TRY(block_give(&p->block, plan->scratch[n], bytes));
    }
    for (int i = 0; i < node->n_src; i++)
        if (node->src[i].id >= 0)
            POET_TRY(release(p, plan->root[node->src[i].id], n));
    for (int i = 0; i < node->n_dst; i++)
        POET_TRY(release(p, plan->root[node->dst[i].id], n));
    return POET_OK;
}

poet_status poet_plan_make(poet_graph *g, const size_t *bytes, const size_t *scratch_bytes,
                           size_t alignment, bool separate, poet_plan *out)
{
    out->offset = poet_arena_alloc(g->arena, (size_t)g->n_values * sizeof *out->offset);
    out->scratch = poet_arena_alloc(g->arena, (size_t)g->n_nodes * sizeof *out->scratch);
    planner p = {.g = g,
                 .plan = out,
                 .bytes = bytes,
                 .scratch_bytes = scratch_bytes,
                 .alignment = (int64_t)alignment,
                 .separate = separate,
                 .last = poet_arena_alloc(g->arena, (size_t)g->n_values * sizeof(int))};
    if (!out->offset || !out->scratch || !p.last)
        return POET_ERR_NOMEM;
    for (int v = 0; v < g->n_values; v++) {
        out->offset[v] = POET_PLAN_NOWHERE;
        p.last[v] = -1;
    }
    for (int n = 0; n < g->n_nodes; n++)
        out->scratch[n] = POET_PLAN_NOWHERE;
    find_last_uses(&p);
    poet_status status = POET_OK;
    for (int n = 0; n < g->n_nodes && !status; n++)
        if (out->runs[n])
            status = plan_node(&p, n);
    out->block = (size_t)p.block.peak;
    poet_free(p.block.gaps);
    return status;
}
