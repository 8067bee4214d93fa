/* Recording: values, scopes, leaves, and the sticky error. */
#include "compute/graph_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define POET_OP(name, NAME, sources, destinations) extern const poet_op_rule poet_rule_##name;
#include "compute/ops.def"
#undef POET_OP

static const struct {
    const char *name;
    int sources, destinations;
    const poet_op_rule *rule;
} ops[POET_OP_COUNT] = {

#define POET_OP(name, NAME, sources, destinations)                                                 \
    {#name, sources, destinations, &poet_rule_##name},
#include "compute/ops.def"
#undef POET_OP
};

const char *poet_op_name(poet_op op)
{
    return ops[op].name;
}

int poet_op_sources(poet_op op)
{
    return ops[op].sources;
}

int poet_op_destinations(poet_op op)
{
    return ops[op].destinations;
}

const poet_op_rule *poet_op_get_rule(poet_op op)
{
    return ops[op].rule;
}

poet_graph *poet_graph_create(poet_params *params)
{
    poet_graph *g = poet_calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->arena = poet_arena_create();
    g->params = params;
    if (!g->arena) {
        poet_free(g);
        return NULL;
    }
    return g;
}

void poet_graph_destroy(poet_graph *graph)
{
    if (!graph)
        return;
    poet_arena_destroy(graph->arena);
    poet_free(graph->nodes);
    poet_free(graph->values);
    poet_free(graph->error_text);
    poet_free(graph);
}

void poet_graph_fail(poet_graph *g, poet_status status)
{
    if (g->error)
        return;
    g->error = status;
    g->error_text = poet_strdup(poet_error_message());
}

poet_status poet_graph_status(poet_graph *g)
{
    if (g->error && g->error_text)
        poet_fail(g->error, "%s", g->error_text);
    return g->error;
}

void poet_graph_set_precision(poet_graph *g, poet_dtype dtype)
{
    g->precision = dtype;
}

void poet_scope_begin(poet_graph *g, const char *name)
{
    size_t used = strlen(g->scope);
    if (used + strlen(name) + 2 > sizeof g->scope) {
        poet_graph_fail(g, POET_FAIL(POET_ERR_ARG, "%s.%s: scopes nest too deep", g->scope, name));
        return;
    }
    snprintf(g->scope + used, sizeof g->scope - used, used ? ".%s" : "%s", name);
}

void poet_scope_end(poet_graph *g)
{
    char *dot = strrchr(g->scope, '.');
    *(dot ? dot : g->scope) = 0;
}

/* The name under the open scopes, in the arena. */
static const char *scoped(poet_graph *g, const char *name)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s%s", g->scope, *g->scope ? "." : "", name);
    const char *copy = poet_arena_strdup(g->arena, full);
    if (!copy)
        poet_graph_fail(g, POET_ERR_NOMEM);
    return copy;
}

/* Room for one more element in a growable array. */
static bool grow(poet_graph *g, void **array, int count, int *capacity, size_t element)
{
    if (count < *capacity)
        return true;
    int wanted = *capacity ? 2 * *capacity : 64;
    void *bigger = poet_realloc(*array, (size_t)wanted * element);
    if (!bigger) {
        poet_graph_fail(g, POET_ERR_NOMEM);
        return false;
    }
    *array = bigger;
    *capacity = wanted;
    return true;
}

static poet_val add_value(poet_graph *g, poet_value value)
{
    if (g->error || !grow(g, (void **)&g->values, g->n_values, &g->cap_values, sizeof value))
        return POET_NONE;
    assert(g->values);
    value.grad = value.cast = POET_NONE;
    g->values[g->n_values] = value;
    return (poet_val){g->n_values++};
}

poet_value *poet_graph_value(poet_graph *g, poet_val v)
{
    return v.id < 0 || v.id >= g->n_values ? NULL : &g->values[v.id];
}

static poet_value leaf(poet_place place, poet_dtype dtype, poet_shape shape)
{
    return (poet_value){.tensor = {.dtype = dtype, .shape = shape},
                        .place = place,
                        .node = -1,
                        .param = -1,
                        .alias = -1};
}

poet_val poet_input(poet_graph *g, const char *name, poet_dtype dtype, poet_shape shape)
{
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i].name && strcmp(g->values[i].name, name) == 0) {
            poet_graph_fail(g, POET_FAIL(POET_ERR_ARG, "%s: two inputs have this name", name));
            return POET_NONE;
        }
    poet_value value = leaf(POET_PLACE_INPUT, dtype, shape);
    value.name = poet_arena_strdup(g->arena, name);
    if (!value.name)
        poet_graph_fail(g, POET_ERR_NOMEM);
    return add_value(g, value);
}

poet_val poet_state(poet_graph *g, const char *name, poet_kind kind, poet_dtype dtype,
                    poet_shape shape, poet_init init)
{
    const char *full = scoped(g, name);
    if (g->error)
        return POET_NONE;
    poet_value value = leaf(POET_PLACE_PARAM, dtype, shape);
    poet_status status = poet_params_get(g->params, full, kind, dtype, &shape, init, &value.param);
    if (status) {
        poet_graph_fail(g, status);
        return POET_NONE;
    }
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i].place == POET_PLACE_PARAM && g->values[i].param == value.param)
            return (poet_val){i};
    value.wants_grad = kind == POET_PARAM;
    return add_value(g, value);
}

poet_val poet_param(poet_graph *g, const char *name, poet_shape shape, poet_init init)
{
    return poet_state(g, name, POET_PARAM, POET_F32, shape, init);
}

void poet_mark_hidden(poet_graph *g, poet_val weight)
{
    poet_value *value = poet_graph_value(g, weight);
    if (value)
        value->hidden = true;
}

poet_val poet_result(poet_graph *g, const char *name, poet_val v)
{
    poet_value *value = poet_graph_value(g, v);
    if (value && value->name) { /* an input, or a result already: another name is another view */
        v = poet_reshape(g, v, value->tensor.shape);
        value = poet_graph_value(g, v);
    }
    if (!value)
        return POET_NONE;
    value->output = true;
    value->name = poet_arena_strdup(g->arena, name);
    if (!value->name)
        poet_graph_fail(g, POET_ERR_NOMEM);
    return v;
}

const poet_shape *poet_val_shape(poet_graph *g, poet_val v)
{
    static const poet_shape scalar = {.ndim = 0};
    poet_value *value = poet_graph_value(g, v);
    return value ? &value->tensor.shape : &scalar;
}

int64_t poet_dim(poet_graph *g, poet_val v, int axis)
{
    const poet_shape *shape = poet_val_shape(g, v);
    int i = axis < 0 ? axis + shape->ndim : axis;
    return i >= 0 && i < shape->ndim ? shape->dim[i] : 1;
}

poet_dtype poet_val_dtype(poet_graph *g, poet_val v)
{
    poet_value *value = poet_graph_value(g, v);
    return value ? value->tensor.dtype : POET_F32;
}

poet_val poet_to_precision(poet_graph *g, poet_val v)
{
    return g->precision == POET_F32 ? v : poet_cast(g, v, g->precision);
}

/* Shapes and types of the destinations by the op's rule; failures get the scope's path in front. */
static bool infer(poet_graph *g, const poet_node *node, poet_tensor dst[POET_MAX_DST])
{
    const poet_tensor **sources =
        poet_arena_alloc(g->arena, (size_t)node->n_src * sizeof(const poet_tensor *));
    if (!sources) {
        poet_graph_fail(g, POET_ERR_NOMEM);
        return false;
    }
    for (int i = 0; i < node->n_src; i++) {
        poet_value *value = poet_graph_value(g, node->src[i]);
        sources[i] = value ? &value->tensor : NULL;
        if (!value && i < poet_op_sources(node->op)) {
            poet_graph_fail(g, POET_FAIL(POET_ERR_ARG, "%s: %s: source %d is absent", node->name,
                                         poet_op_name(node->op), i));
            return false;
        }
    }
    memset(dst, 0, POET_MAX_DST * sizeof *dst);
    poet_status status = ops[node->op].rule->infer(&node->attr, node->n_src, sources, dst);
    if (status)
        poet_graph_fail(g, poet_context(status, "%s: %s", node->name, poet_op_name(node->op)));
    return !status;
}

poet_val poet_emit(poet_graph *g, poet_op op, int n_src, const poet_val *src, const poet_attr *attr,
                   poet_val *dst)
{
    poet_node node = {.op = op, .n_src = n_src, .n_dst = ops[op].destinations};
    poet_tensor tensors[POET_MAX_DST];
    poet_val unwanted[POET_MAX_DST];
    if (!dst)
        dst = unwanted;
    for (int i = 0; i < node.n_dst; i++)
        dst[i] = node.dst[i] = POET_NONE;
    if (g->error)
        return POET_NONE;
    if (attr)
        node.attr = *attr;
    node.name = poet_arena_strdup(g->arena, g->scope);
    node.src = poet_arena_alloc(g->arena, (size_t)n_src * sizeof *src);
    if (!node.name || !node.src) {
        poet_graph_fail(g, POET_ERR_NOMEM);
        return POET_NONE;
    }
    memcpy(node.src, src, (size_t)n_src * sizeof *src);
    if (!infer(g, &node, tensors) ||
        !grow(g, (void **)&g->nodes, g->n_nodes, &g->cap_nodes, sizeof node))
        return POET_NONE;

    bool wants_grad = false;
    for (int i = 0; i < n_src; i++) {
        poet_value *value = poet_graph_value(g, src[i]);
        wants_grad = wants_grad || (value && value->wants_grad);
    }
    for (int i = 0; i < node.n_dst; i++) {
        poet_value value = leaf(POET_PLACE_NODE, tensors[i].dtype, tensors[i].shape);
        int alias = ops[op].rule->alias[i];
        value.node = g->n_nodes;
        value.alias = alias ? src[alias - 1].id : -1;
        value.wants_grad =
            wants_grad && ops[op].rule->grad && poet_dtype_is_real(value.tensor.dtype);
        dst[i] = node.dst[i] = add_value(g, value);
    }
    if (g->error)
        return POET_NONE;
    g->nodes[g->n_nodes++] = node;
    return node.dst[0];
}
