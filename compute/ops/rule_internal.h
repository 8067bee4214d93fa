/* What the rules of all op families share: checks of sources, shapes of results, broadcasting. */
#ifndef POET_COMPUTE_OPS_RULE_INTERNAL_H
#define POET_COMPUTE_OPS_RULE_INTERNAL_H

#include "compute/graph_internal.h"

static inline poet_tensor rule_real(poet_shape shape)
{
    return (poet_tensor){.dtype = POET_F32, .shape = shape};
}

static inline poet_tensor rule_int(poet_shape shape)
{
    return (poet_tensor){.dtype = POET_I32, .shape = shape};
}

static inline poet_status rule_need_real(const poet_tensor *t, const char *what)
{
    if (!poet_dtype_is_real(t->dtype))
        return POET_FAIL(POET_ERR_MISMATCH, "%s must be real, not %s", what,
                         poet_dtype_name(t->dtype));
    return POET_OK;
}

static inline poet_status rule_need_int(const poet_tensor *t, const char *what)
{
    if (t->dtype != POET_I32)
        return POET_FAIL(POET_ERR_MISMATCH, "%s must be i32, not %s", what,
                         poet_dtype_name(t->dtype));
    return POET_OK;
}

static inline poet_status rule_need_dims(const poet_tensor *t, const char *what, int ndim)
{
    char text[96];
    if (t->shape.ndim != ndim)
        return POET_FAIL(POET_ERR_MISMATCH, "%s must have %d dims, not the shape %s", what, ndim,
                         poet_shape_text(&t->shape, text));
    return POET_OK;
}

static inline poet_status rule_need_shape(const poet_tensor *t, const char *what, poet_shape shape)
{
    char have[96], want[96];
    if (!poet_shape_equal(&t->shape, &shape))
        return POET_FAIL(POET_ERR_MISMATCH, "%s has the shape %s, not %s", what,
                         poet_shape_text(&t->shape, have), poet_shape_text(&shape, want));
    return POET_OK;
}

/* Real, and of the shape. */
static inline poet_status rule_need(const poet_tensor *t, const char *what, poet_shape shape)
{
    POET_TRY(rule_need_real(t, what));
    return rule_need_shape(t, what, shape);
}

/* The shape without its last dim: one element a row. */
static inline poet_shape rule_rows(poet_shape shape)
{
    if (shape.ndim > 0)
        shape.ndim--;
    return shape;
}

/* How many rows a tensor has when its last dim is a row. */
static inline int64_t rule_count_rows(const poet_tensor *t)
{
    return poet_shape_span(&t->shape, 0, t->shape.ndim - 1);
}

static inline int rule_axis(poet_graph *g, poet_val x, int axis)
{
    return axis < 0 ? axis + poet_val_shape(g, x)->ndim : axis;
}

/* small broadcasts to big: aligned at the last axis, each of its dims equals big's or is 1. */
static inline poet_status rule_need_broadcast(const poet_shape *small, const poet_shape *big)
{
    char a[96], b[96];
    bool fits = small->ndim <= big->ndim;
    for (int k = 1; fits && k <= small->ndim; k++) {
        int64_t dim = small->dim[small->ndim - k];
        fits = dim == 1 || dim == big->dim[big->ndim - k];
    }
    if (!fits)
        return POET_FAIL(POET_ERR_MISMATCH, "%s does not broadcast to %s",
                         poet_shape_text(small, a), poet_shape_text(big, b));
    return POET_OK;
}

/* The element of small that belongs to element i of big. */
static inline int64_t rule_broadcast(const poet_shape *small, const poet_shape *big, int64_t i)
{
    int64_t index = 0, stride = 1;
    for (int k = 1; k <= small->ndim; k++) {
        int64_t n = big->dim[big->ndim - k], m = small->dim[small->ndim - k];
        if (m != 1)
            index += i % n * stride;
        i /= n;
        stride *= m;
    }
    return index;
}

/* Is the gradient of this source asked for? */
static inline bool rule_wants(poet_graph *g, poet_val v)
{
    poet_value *value = poet_graph_value(g, v);
    return value && value->wants_grad;
}

#endif
