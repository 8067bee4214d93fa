/* Operations that move elements: views, cuts and joins, broadcasts and their sums. */
#include "compute/ops/rule_internal.h"

#include <string.h>

/* ---- reshape ---- */

static poet_status infer_reshape(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    (void)n_src;
    char have[96], want[96];
    if (poet_shape_count(&src[0]->shape) != poet_shape_count(&attr->shape.shape))
        return POET_FAIL(POET_ERR_MISMATCH, "%s does not hold the elements of %s",
                         poet_shape_text(&attr->shape.shape, want),
                         poet_shape_text(&src[0]->shape, have));
    dst[0] = (poet_tensor){.dtype = src[0]->dtype, .shape = attr->shape.shape};
    return POET_OK;
}

static poet_status ref_view(poet_device *device, const poet_call *call)
{
    (void)device;
    (void)call;
    return POET_OK;
}

static void grad_reshape(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = poet_reshape(g, dy[0], *poet_val_shape(g, node->src[0]));
}

const poet_op_rule poet_rule_reshape = {
    .infer = infer_reshape, .grad = grad_reshape, .ref = ref_view, .alias = {1}};

poet_val poet_reshape(poet_graph *g, poet_val x, poet_shape shape)
{
    poet_attr attr = {.shape = {.shape = shape}};
    return poet_emit(g, POET_OP_RESHAPE, 1, &x, &attr, NULL);
}

/* ---- concat, slice, pad: runs of bytes along one axis ---- */

static poet_status need_axis(const poet_tensor *x, int axis)
{
    char text[96];
    if (axis < 0 || axis >= x->shape.ndim)
        return POET_FAIL(POET_ERR_ARG, "the shape %s has no axis %d",
                         poet_shape_text(&x->shape, text), axis);
    return POET_OK;
}

/* Bytes of one step along an axis, and of the whole axis. */
static size_t step_bytes(const poet_tensor *x, int axis)
{
    return (size_t)poet_shape_span(&x->shape, axis + 1, x->shape.ndim) * poet_dtype_bytes(x->dtype);
}

static size_t axis_bytes(const poet_tensor *x, int axis)
{
    return (size_t)x->shape.dim[axis] * step_bytes(x, axis);
}

static poet_status infer_concat(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    int axis = attr->range.axis;
    POET_TRY(need_axis(src[0], axis));
    dst[0] = *src[0];
    for (int i = 1; i < n_src; i++) {
        if (!src[i])
            return POET_FAIL(POET_ERR_ARG, "source %d is absent", i);
        if (src[i]->dtype != src[0]->dtype)
            return POET_FAIL(POET_ERR_MISMATCH, "%s beside %s", poet_dtype_name(src[0]->dtype),
                             poet_dtype_name(src[i]->dtype));
        POET_TRY(rule_need_dims(src[i], "each source", src[0]->shape.ndim));
        poet_shape same = src[0]->shape;
        same.dim[axis] = src[i]->shape.dim[axis];
        POET_TRY(rule_need_shape(src[i], "a source", same));
        dst[0].shape.dim[axis] += src[i]->shape.dim[axis];
    }
    return POET_OK;
}

static poet_status ref_concat(poet_device *device, const poet_call *call)
{
    (void)device;
    int axis = call->attr->range.axis;
    int64_t outer = poet_shape_span(&call->dst[0]->shape, 0, axis);
    char *dst = call->dst[0]->data;
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < call->n_src; i++) {
            size_t bytes = axis_bytes(call->src[i], axis);
            memcpy(dst, (const char *)call->src[i]->data + (size_t)o * bytes, bytes);
            dst += bytes;
        }
    return POET_OK;
}

static void grad_concat(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    int axis = node->attr.range.axis;
    int64_t begin = 0;
    for (int i = 0; i < node->n_src; i++) {
        int64_t length = poet_dim(g, node->src[i], axis);
        if (rule_wants(g, node->src[i]))
            dx[i] = poet_slice(g, dy[0], axis, begin, length);
        begin += length;
    }
}

const poet_op_rule poet_rule_concat = {
    .infer = infer_concat, .grad = grad_concat, .ref = ref_concat};

poet_val poet_concat(poet_graph *g, int n, const poet_val *x, int axis)
{
    poet_attr attr = {.range = {.axis = n > 0 ? rule_axis(g, x[0], axis) : 0}};
    if (n < 1) {
        poet_graph_fail(g, POET_FAIL(POET_ERR_ARG, "concat: nothing to join"));
        return POET_NONE;
    }
    return poet_emit(g, POET_OP_CONCAT, n, x, &attr, NULL);
}

static poet_status infer_slice(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                               poet_tensor *dst)
{
    (void)n_src;
    int axis = attr->range.axis;
    int64_t begin = attr->range.begin, end = attr->range.end;
    char text[96];
    POET_TRY(need_axis(src[0], axis));
    if (begin < 0 || begin >= end || end > src[0]->shape.dim[axis])
        return POET_FAIL(POET_ERR_ARG, "%lld..%lld is not a part of axis %d of %s",
                         (long long)begin, (long long)end, axis,
                         poet_shape_text(&src[0]->shape, text));
    dst[0] = *src[0];
    dst[0].shape.dim[axis] = end - begin;
    return POET_OK;
}

static poet_status ref_slice(poet_device *device, const poet_call *call)
{
    (void)device;
    int axis = call->attr->range.axis;
    const poet_tensor *x = call->src[0];
    poet_tensor *y = call->dst[0];
    int64_t outer = poet_shape_span(&x->shape, 0, axis);
    size_t skipped = (size_t)call->attr->range.begin * step_bytes(x, axis);
    size_t from = axis_bytes(x, axis), to = axis_bytes(y, axis);
    for (int64_t o = 0; o < outer; o++)
        memcpy((char *)y->data + (size_t)o * to, (const char *)x->data + (size_t)o * from + skipped,
               to);
    return POET_OK;
}

static void grad_slice(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    int axis = node->attr.range.axis;
    dx[0] = poet_pad(g, dy[0], axis, node->attr.range.begin,
                     poet_dim(g, node->src[0], axis) - node->attr.range.end);
}

const poet_op_rule poet_rule_slice = {.infer = infer_slice, .grad = grad_slice, .ref = ref_slice};

poet_val poet_slice(poet_graph *g, poet_val x, int axis, int64_t begin, int64_t length)
{
    poet_attr attr = {
        .range = {.axis = rule_axis(g, x, axis), .begin = begin, .end = begin + length}};
    return poet_emit(g, POET_OP_SLICE, 1, &x, &attr, NULL);
}

static poet_status infer_pad(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                             poet_tensor *dst)
{
    (void)n_src;
    int64_t before = attr->range.begin, after = attr->range.end;
    POET_TRY(need_axis(src[0], attr->range.axis));
    if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
        return POET_FAIL(POET_ERR_ARG, "%lld before and %lld after is no padding",
                         (long long)before, (long long)after);
    dst[0] = *src[0];
    dst[0].shape.dim[attr->range.axis] += before + after;
    return POET_OK;
}

/* All-zero bytes are 0 in every type. */
static poet_status ref_pad(poet_device *device, const poet_call *call)
{
    (void)device;
    int axis = call->attr->range.axis;
    const poet_tensor *x = call->src[0];
    poet_tensor *y = call->dst[0];
    int64_t outer = poet_shape_span(&x->shape, 0, axis);
    size_t before = (size_t)call->attr->range.begin * step_bytes(x, axis);
    size_t from = axis_bytes(x, axis), to = axis_bytes(y, axis);
    memset(y->data, 0, poet_tensor_bytes(y));
    for (int64_t o = 0; o < outer; o++)
        memcpy((char *)y->data + (size_t)o * to + before, (const char *)x->data + (size_t)o * from,
               from);
    return POET_OK;
}

static void grad_pad(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    int axis = node->attr.range.axis;
    dx[0] = poet_slice(g, dy[0], axis, node->attr.range.begin, poet_dim(g, node->src[0], axis));
}

const poet_op_rule poet_rule_pad = {.infer = infer_pad, .grad = grad_pad, .ref = ref_pad};

poet_val poet_pad(poet_graph *g, poet_val x, int axis, int64_t before, int64_t after)
{
    poet_attr attr = {.range = {.axis = rule_axis(g, x, axis), .begin = before, .end = after}};
    return poet_emit(g, POET_OP_PAD, 1, &x, &attr, NULL);
}

/* ---- broadcasts ---- */

static poet_status infer_sum_to(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the source"));
    POET_TRY(rule_need_broadcast(&attr->shape.shape, &src[0]->shape));
    dst[0] = rule_real(attr->shape.shape);
    return POET_OK;
}

static poet_status ref_sum_to(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0];
    poet_tensor *y = call->dst[0];
    int64_t n = poet_tensor_count(x), m = poet_tensor_count(y);
    double *sums = poet_calloc((size_t)m, sizeof *sums);
    if (!sums)
        return POET_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        sums[rule_broadcast(&y->shape, &x->shape, i)] += poet_get(x, i);
    for (int64_t i = 0; i < m; i++)
        poet_put(y, i, sums[i]);
    poet_free(sums);
    return POET_OK;
}

static void grad_sum_to(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = poet_expand(g, dy[0], *poet_val_shape(g, node->src[0]));
}

static poet_status infer_expand(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the source"));
    POET_TRY(rule_need_broadcast(&src[0]->shape, &attr->shape.shape));
    dst[0] = rule_real(attr->shape.shape);
    return POET_OK;
}

static poet_status ref_expand(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0];
    poet_tensor *y = call->dst[0];
    int64_t n = poet_tensor_count(y);
    for (int64_t i = 0; i < n; i++)
        poet_put(y, i, poet_get(x, rule_broadcast(&x->shape, &y->shape, i)));
    return POET_OK;
}

static void grad_expand(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = poet_sum_to(g, dy[0], *poet_val_shape(g, node->src[0]));
}

const poet_op_rule poet_rule_sum_to = {
    .infer = infer_sum_to, .grad = grad_sum_to, .ref = ref_sum_to};
const poet_op_rule poet_rule_expand = {
    .infer = infer_expand, .grad = grad_expand, .ref = ref_expand};

/* Both are the identity on an f32 value of that shape already. */
static bool has_shape(poet_graph *g, poet_val x, const poet_shape *shape)
{
    return x.id >= 0 && poet_val_dtype(g, x) == POET_F32 &&
           poet_shape_equal(poet_val_shape(g, x), shape);
}

poet_val poet_sum_to(poet_graph *g, poet_val x, poet_shape shape)
{
    poet_attr attr = {.shape = {.shape = shape}};
    return has_shape(g, x, &shape) ? x : poet_emit(g, POET_OP_SUM_TO, 1, &x, &attr, NULL);
}

poet_val poet_expand(poet_graph *g, poet_val x, poet_shape shape)
{
    poet_attr attr = {.shape = {.shape = shape}};
    return has_shape(g, x, &shape) ? x : poet_emit(g, POET_OP_EXPAND, 1, &x, &attr, NULL);
}

/* ---- transpose ---- */

static poet_status infer_transpose(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                   poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the source"));
    POET_TRY(rule_need_dims(src[0], "the source", 2));
    dst[0] = rule_real(POET_SHAPE(src[0]->shape.dim[1], src[0]->shape.dim[0]));
    return POET_OK;
}

static poet_status ref_transpose(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0];
    int64_t rows = x->shape.dim[0], columns = x->shape.dim[1];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            poet_put(call->dst[0], c * rows + r, poet_get(x, r * columns + c));
    return POET_OK;
}

static void grad_transpose(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    (void)node;
    dx[0] = poet_transpose(g, dy[0]);
}

const poet_op_rule poet_rule_transpose = {
    .infer = infer_transpose, .grad = grad_transpose, .ref = ref_transpose};

poet_val poet_transpose(poet_graph *g, poet_val x)
{
    return poet_emit(g, POET_OP_TRANSPOSE, 1, &x, NULL, NULL);
}
