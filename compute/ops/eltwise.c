/* Element-wise operations. */
#include "compute/ops/rule_internal.h"

#include "base/rng.h"

#include <math.h>

/* ---- add and mul, with a broadcast second source ---- */

static poet_status infer_binary(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the first source"));
    POET_TRY(rule_need_real(src[1], "the second source"));
    POET_TRY(rule_need_broadcast(&src[1]->shape, &src[0]->shape));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

static poet_status ref_add(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *a = call->src[0], *b = call->src[1];
    int64_t n = poet_tensor_count(a);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i,
                 poet_get(a, i) + poet_get(b, rule_broadcast(&b->shape, &a->shape, i)));
    return POET_OK;
}

static void grad_add(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = dy[0];
    if (rule_wants(g, node->src[1]))
        dx[1] = poet_sum_to(g, dy[0], *poet_val_shape(g, node->src[1]));
}

static poet_status ref_mul(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *a = call->src[0], *b = call->src[1];
    int64_t n = poet_tensor_count(a);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i,
                 poet_get(a, i) * poet_get(b, rule_broadcast(&b->shape, &a->shape, i)));
    return POET_OK;
}

static void grad_mul(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val a = node->src[0], b = node->src[1];
    if (rule_wants(g, a))
        dx[0] = poet_mul(g, dy[0], b);
    if (rule_wants(g, b))
        dx[1] = poet_sum_to(g, poet_mul(g, dy[0], a), *poet_val_shape(g, b));
}

const poet_op_rule poet_rule_add = {
    .infer = infer_binary, .grad = grad_add, .ref = ref_add, .in_place = true};
const poet_op_rule poet_rule_mul = {
    .infer = infer_binary, .grad = grad_mul, .ref = ref_mul, .in_place = true};

poet_val poet_add(poet_graph *g, poet_val a, poet_val b)
{
    return poet_emit(g, POET_OP_ADD, 2, (poet_val[]){a, b}, NULL, NULL);
}

poet_val poet_mul(poet_graph *g, poet_val a, poet_val b)
{
    return poet_emit(g, POET_OP_MUL, 2, (poet_val[]){a, b}, NULL, NULL);
}

/* ---- one source, one result of its shape ---- */

static poet_status infer_unary(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                               poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the source"));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

static poet_status ref_scale(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i, poet_get(call->src[0], i) * (double)call->attr->scale.factor);
    return POET_OK;
}

static void grad_scale(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = poet_scale(g, dy[0], node->attr.scale.factor);
}

static poet_status ref_fill(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->dst[0]);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i, (double)call->attr->scale.factor);
    return POET_OK;
}

const poet_op_rule poet_rule_fill = {.infer = infer_unary, .ref = ref_fill};

poet_val poet_fill(poet_graph *g, poet_val like, float value)
{
    poet_attr attr = {.scale = {.factor = value}};
    return poet_emit(g, POET_OP_FILL, 1, &like, &attr, NULL);
}

const poet_op_rule poet_rule_scale = {
    .infer = infer_unary, .grad = grad_scale, .ref = ref_scale, .in_place = true};

poet_val poet_scale(poet_graph *g, poet_val x, float factor)
{
    poet_attr attr = {.scale = {.factor = factor}};
    return poet_emit(g, POET_OP_SCALE, 1, &x, &attr, NULL);
}

/* ---- activations ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static const double gelu_c = 0.7978845608028654; /* sqrt(2 / pi) */

static double activate(double x, int act)
{
    switch (act) {
    case POET_ACT_SILU: return x * sigmoid(x);
    case POET_ACT_GELU: return 0.5 * x * (1 + tanh(gelu_c * (x + 0.044715 * x * x * x)));
    case POET_ACT_RELU2: return x > 0 ? x * x : 0;
    case POET_ACT_TANH: return tanh(x);
    default: return x;
    }
}

static double activate_slope(double x, int act)
{
    double s, t;
    switch (act) {
    case POET_ACT_SILU: s = sigmoid(x); return s * (1 + x * (1 - s));
    case POET_ACT_GELU:
        t = tanh(gelu_c * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_c * (1 + 3 * 0.044715 * x * x);
    case POET_ACT_RELU2: return x > 0 ? 2 * x : 0;
    case POET_ACT_TANH: t = tanh(x); return 1 - t * t;
    default: return 1;
    }
}

static poet_status infer_act(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                             poet_tensor *dst)
{
    if (attr->act.act < POET_ACT_NONE || attr->act.act > POET_ACT_TANH)
        return POET_FAIL(POET_ERR_ARG, "there is no activation %d", attr->act.act);
    return infer_unary(attr, n_src, src, dst);
}

static poet_status ref_act(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i, activate(poet_get(call->src[0], i), call->attr->act.act));
    return POET_OK;
}

static void grad_act(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = poet_emit(g, POET_OP_ACT_BWD, 2, (poet_val[]){node->src[0], dy[0]}, &node->attr, NULL);
}

static poet_status infer_act_bwd(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    POET_TRY(rule_need(src[1], "dy", src[0]->shape));
    return infer_act(attr, n_src, src, dst);
}

static poet_status ref_act_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i,
                 poet_get(call->src[1], i) *
                     activate_slope(poet_get(call->src[0], i), call->attr->act.act));
    return POET_OK;
}

const poet_op_rule poet_rule_act = {
    .infer = infer_act, .grad = grad_act, .ref = ref_act, .in_place = true};
const poet_op_rule poet_rule_act_bwd = {
    .infer = infer_act_bwd, .ref = ref_act_bwd, .in_place = true};

poet_val poet_act(poet_graph *g, poet_val x, poet_activation act)
{
    poet_attr attr = {.act = {.act = (int)act}};
    return act == POET_ACT_NONE ? x : poet_emit(g, POET_OP_ACT, 1, &x, &attr, NULL);
}

/* ---- types and gradient stops ---- */

static poet_status infer_cast(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                              poet_tensor *dst)
{
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the source"));
    if (attr->cast.dtype != POET_F32 && attr->cast.dtype != POET_BF16)
        return POET_FAIL(POET_ERR_ARG, "a graph casts to f32 or bf16 only");
    dst[0] = (poet_tensor){.dtype = (poet_dtype)attr->cast.dtype, .shape = src[0]->shape};
    return POET_OK;
}

static poet_status ref_copy(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i, poet_get(call->src[0], i));
    return POET_OK;
}

static void grad_cast(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    (void)g;
    (void)node;
    dx[0] = dy[0];
}

const poet_op_rule poet_rule_cast = {.infer = infer_cast, .grad = grad_cast, .ref = ref_copy};

/* What several products read is cast once. */
poet_val poet_cast(poet_graph *g, poet_val x, poet_dtype dtype)
{
    poet_attr attr = {.cast = {.dtype = (int)dtype}};
    poet_value *value = poet_graph_value(g, x);
    if (poet_val_dtype(g, x) == dtype)
        return x;
    if (value && value->cast.id >= 0 && poet_val_dtype(g, value->cast) == dtype)
        return value->cast;
    poet_val y = poet_emit(g, POET_OP_CAST, 1, &x, &attr, NULL);
    if (y.id >= 0)
        poet_graph_value(g, x)->cast = y;
    return y;
}

/* Views: the result is the source's memory, so there is nothing to compute. */
static poet_status ref_view(poet_device *device, const poet_call *call)
{
    (void)device;
    (void)call;
    return POET_OK;
}

static poet_status infer_view(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                              poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    dst[0] = *src[0];
    return POET_OK;
}

const poet_op_rule poet_rule_stop_grad = {.infer = infer_view, .ref = ref_view, .alias = {1}};

poet_val poet_stop_grad(poet_graph *g, poet_val x)
{
    return poet_emit(g, POET_OP_STOP_GRAD, 1, &x, NULL, NULL);
}

static poet_status infer_straight_through(const poet_attr *attr, int n_src,
                                          const poet_tensor *const *src, poet_tensor *dst)
{
    POET_TRY(rule_need_real(src[0], "the value"));
    POET_TRY(rule_need(src[1], "what the gradient goes through", src[0]->shape));
    return infer_view(attr, n_src, src, dst);
}

static void grad_straight_through(poet_graph *g, const poet_node *node, const poet_val *dy,
                                  poet_val *dx)
{
    (void)g;
    (void)node;
    dx[1] = dy[0];
}

const poet_op_rule poet_rule_straight_through = {
    .infer = infer_straight_through, .grad = grad_straight_through, .ref = ref_view, .alias = {1}};

poet_val poet_straight_through(poet_graph *g, poet_val value, poet_val through)
{
    return poet_emit(g, POET_OP_STRAIGHT_THROUGH, 2, (poet_val[]){value, through}, NULL, NULL);
}

/* ---- dropout ---- */

static poet_status infer_dropout(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    if (!(attr->dropout.share >= 0 && attr->dropout.share < 1))
        return POET_FAIL(POET_ERR_ARG, "a share of %g is not in 0..1", (double)attr->dropout.share);
    POET_TRY(rule_need_int(src[1], "step"));
    POET_TRY(rule_need_shape(src[1], "step", POET_SHAPE(1)));
    return infer_unary(attr, n_src, src, dst);
}

/* Element i is dropped when word i%4 of Philox(seed, step, i/4) is below share * 2^32. */
static poet_status ref_dropout(poet_device *device, const poet_call *call)
{
    (void)device;
    double share = (double)call->attr->dropout.share;
    uint32_t threshold = (uint32_t)(share * 0x1p32), words[4] = {0};
    uint64_t step = (uint64_t)(int64_t)poet_get_int(call->src[1], 0);
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            poet_philox(call->attr->dropout.seed, step, (uint64_t)(i / 4), words);
        bool kept = words[i % 4] >= threshold;
        poet_put(call->dst[0], i, kept ? poet_get(call->src[0], i) / (1 - share) : 0);
    }
    return POET_OK;
}

static void grad_dropout(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = poet_emit(g, POET_OP_DROPOUT, 2, (poet_val[]){dy[0], node->src[1]}, &node->attr, NULL);
}

const poet_op_rule poet_rule_dropout = {
    .infer = infer_dropout, .grad = grad_dropout, .ref = ref_dropout, .in_place = true};

poet_val poet_dropout(poet_graph *g, poet_val x, poet_val step, float share, uint64_t seed)
{
    poet_attr attr = {.dropout = {.share = share, .seed = seed}};
    return poet_emit(g, POET_OP_DROPOUT, 2, (poet_val[]){x, step}, &attr, NULL);
}
