/* Matrix products. */
#include "compute/ops/rule_internal.h"

/* Rows of op(a), the inner dim, columns of op(b). */
typedef struct sizes {
    int64_t m, k, n;
} sizes;

static sizes measure(const poet_attr *attr, const poet_tensor *a, const poet_tensor *b)
{
    bool ta = attr->matmul.transpose_a, tb = attr->matmul.transpose_b;
    return (sizes){.m = ta ? a->shape.dim[1] : rule_count_rows(a),
                   .k = ta ? a->shape.dim[0] : poet_shape_last(&a->shape),
                   .n = b->shape.dim[tb ? 0 : 1]};
}

static poet_status infer(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                         poet_tensor *dst)
{
    const poet_tensor *a = src[0], *b = src[1];
    POET_TRY(rule_need_real(a, "a"));
    POET_TRY(rule_need_dims(b, "b", 2));
    if (a->dtype != b->dtype)
        return POET_FAIL(POET_ERR_MISMATCH, "%s times %s", poet_dtype_name(a->dtype),
                         poet_dtype_name(b->dtype));
    if (a->shape.ndim < 2 || attr->matmul.transpose_a)
        POET_TRY(rule_need_dims(a, "a", 2));
    sizes s = measure(attr, a, b);
    int64_t k = b->shape.dim[attr->matmul.transpose_b ? 1 : 0];
    if (s.k != k)
        return POET_FAIL(POET_ERR_MISMATCH, "%lld columns times %lld rows", (long long)s.k,
                         (long long)k);
    if (n_src > 2 && src[2])
        POET_TRY(rule_need(src[2], "bias", POET_SHAPE(s.n)));
    dst[0] = rule_real(a->shape);
    if (attr->matmul.transpose_a)
        dst[0].shape.dim[0] = s.m;
    dst[0].shape.dim[a->shape.ndim - 1] = s.n;
    return POET_OK;
}

static poet_status ref(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *a = call->src[0], *b = call->src[1];
    const poet_tensor *bias = call->n_src > 2 ? call->src[2] : NULL;
    bool ta = call->attr->matmul.transpose_a, tb = call->attr->matmul.transpose_b;
    sizes s = measure(call->attr, a, b);
    for (int64_t i = 0; i < s.m; i++)
        for (int64_t j = 0; j < s.n; j++) {
            double sum = bias ? poet_get(bias, j) : 0;
            for (int64_t k = 0; k < s.k; k++)
                sum += poet_get(a, ta ? k * s.m + i : i * s.k + k) *
                       poet_get(b, tb ? j * s.k + k : k * s.n + j);
            poet_put(call->dst[0], i * s.n + j, sum);
        }
    return POET_OK;
}

static poet_val emit(poet_graph *g, poet_val a, bool ta, poet_val b, bool tb, poet_val bias)
{
    poet_attr attr = {.matmul = {.transpose_a = ta, .transpose_b = tb}};
    return poet_emit(g, POET_OP_MATMUL, bias.id < 0 ? 2 : 3, (poet_val[]){a, b, bias}, &attr, NULL);
}

/* As a matrix: leading dims are rows. */
static poet_val flat(poet_graph *g, poet_val x)
{
    const poet_shape *shape = poet_val_shape(g, x);
    if (shape->ndim <= 2)
        return x;
    return poet_reshape(
        g, x, POET_SHAPE(poet_shape_span(shape, 0, shape->ndim - 1), poet_shape_last(shape)));
}

/* The operands' type is that of the forward product, whatever precision the graph has by now. */
static void grad(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val a = node->src[0], b = node->src[1];
    bool ta = node->attr.matmul.transpose_a, tb = node->attr.matmul.transpose_b;
    poet_val d = poet_cast(g, dy[0], poet_val_dtype(g, a));
    if (rule_wants(g, a))
        dx[0] = ta ? emit(g, b, tb, d, true, POET_NONE) : emit(g, d, false, b, !tb, POET_NONE);
    if (rule_wants(g, b))
        dx[1] = tb ? emit(g, flat(g, d), true, flat(g, a), ta, POET_NONE)
                   : emit(g, flat(g, a), !ta, flat(g, d), false, POET_NONE);
    if (node->n_src > 2 && rule_wants(g, node->src[2]))
        dx[2] = poet_sum_to(g, dy[0], *poet_val_shape(g, node->src[2]));
}

const poet_op_rule poet_rule_matmul = {.infer = infer, .grad = grad, .ref = ref};

poet_val poet_matmul(poet_graph *g, poet_val a, bool transpose_a, poet_val b, bool transpose_b,
                     poet_val bias)
{
    return emit(g, poet_to_precision(g, a), transpose_a, poet_to_precision(g, b), transpose_b,
                bias);
}
