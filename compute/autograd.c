/* Reverse-mode differentiation, symbol to symbol: the gradient is more nodes of the same list, so
 * planner and backends see one program. Contributions are added in the fixed order in which the
 * list is walked. */
#include "compute/graph_internal.h"

void poet_wants_grad(poet_graph *g, poet_val v)
{
    poet_value *value = poet_graph_value(g, v);
    if (value)
        value->wants_grad = true;
}

poet_val poet_grad(poet_graph *g, poet_val v)
{
    poet_value *value = poet_graph_value(g, v);
    return value ? value->grad : POET_NONE;
}

static void accumulate(poet_graph *g, poet_val v, poet_val contribution)
{
    if (contribution.id < 0 || !poet_graph_value(g, v)->wants_grad)
        return;
    /* Gradients are f32 even where the operand was cast down. */
    contribution = poet_cast(g, contribution, POET_F32);
    poet_val sum = poet_graph_value(g, v)->grad;
    sum = sum.id < 0 ? contribution : poet_add(g, sum, contribution);
    poet_graph_value(g, v)->grad = sum;
}

static bool any(const poet_val *v, int n)
{
    for (int i = 0; i < n; i++)
        if (v[i].id >= 0)
            return true;
    return false;
}

static void node_backward(poet_graph *g, int index)
{
    poet_node node = g->nodes[index]; /* a copy: emitting moves the array */
    const poet_op_rule *rule = poet_op_get_rule(node.op);
    poet_val dy[POET_MAX_DST];
    for (int i = 0; i < node.n_dst; i++)
        dy[i] = poet_graph_value(g, node.dst[i])->grad;
    bool wanted = false;
    for (int i = 0; i < node.n_src; i++) {
        poet_value *source = poet_graph_value(g, node.src[i]);
        wanted = wanted || (source && source->wants_grad);
    }
    if (!rule->grad || !wanted || !any(dy, node.n_dst))
        return;
    poet_val *dx = poet_arena_alloc(g->arena, (size_t)node.n_src * sizeof *dx);
    if (!dx) {
        poet_graph_fail(g, POET_ERR_NOMEM);
        return;
    }
    for (int i = 0; i < node.n_src; i++)
        dx[i] = POET_NONE;
    rule->grad(g, &node, dy, dx);
    for (int i = 0; i < node.n_src && !g->error; i++)
        if (node.src[i].id >= 0)
            accumulate(g, node.src[i], dx[i]);
}

void poet_graph_backward(poet_graph *g, poet_val loss)
{
    poet_value *value = poet_graph_value(g, loss);
    if (g->error || !value)
        return;
    if (poet_shape_count(&value->tensor.shape) != 1 || value->grad.id >= 0) {
        poet_graph_fail(g, POET_FAIL(POET_ERR_ARG, "backward: the loss must be one number, once"));
        return;
    }
    poet_val one = poet_fill(g, loss, 1);
    poet_value *start = poet_graph_value(g, loss);
    start->grad = one;
    int last = start->node;
    char scope[sizeof g->scope];
    for (size_t i = 0; i < sizeof scope; i++)
        scope[i] = g->scope[i];
    for (int i = last; i >= 0 && !g->error; i--) {
        g->scope[0] = 0;
        poet_scope_begin(g,
                         g->nodes[i].name); /* a gradient's failure names the layer it belongs to */
        node_backward(g, i);
    }
    for (size_t i = 0; i < sizeof scope; i++)
        g->scope[i] = scope[i];
}
