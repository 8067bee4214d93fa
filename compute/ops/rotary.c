/* Rotary positions. */
#include "compute/ops/rule_internal.h"

/* The rows of qkv, and one head's half: pairs of numbers that are turned together. */
typedef struct layout {
    int64_t rows, t, heads, d, half;
} layout;

static layout measure(const poet_tensor *qkv, int heads)
{
    int64_t d = qkv->shape.dim[2] / 3 / heads;
    return (layout){qkv->shape.dim[0] * qkv->shape.dim[1], qkv->shape.dim[1], heads, d, d / 2};
}

static poet_status infer(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                         poet_tensor *dst)
{
    (void)n_src;
    const poet_tensor *qkv = src[0];
    int64_t heads = attr->rotary.heads;
    POET_TRY(rule_need_real(qkv, "qkv"));
    POET_TRY(rule_need_dims(qkv, "qkv", 3));
    if (heads < 1 || qkv->shape.dim[2] % (6 * heads))
        return POET_FAIL(POET_ERR_MISMATCH,
                         "%lld columns do not divide into q, k and v of %lld heads of even width",
                         (long long)qkv->shape.dim[2], (long long)heads);
    POET_TRY(
        rule_need(src[1], "turns", POET_SHAPE(qkv->shape.dim[1], qkv->shape.dim[2] / 3 / heads)));
    dst[0] = rule_real(qkv->shape);
    return POET_OK;
}

/* One head's q or k, at element `at`, by the cosines and sines of its row of turns. */
static void turn(const poet_call *call, const layout *s, int64_t at, int64_t turns)
{
    const poet_tensor *x = call->src[0], *table = call->src[1];
    for (int64_t i = 0; i < s->half; i++) {
        double cosine = poet_get(table, turns + i), sine = poet_get(table, turns + s->half + i);
        double a = poet_get(x, at + i), b = poet_get(x, at + s->half + i);
        sine = call->attr->rotary.back ? -sine : sine;
        poet_put(call->dst[0], at + i, a * cosine - b * sine);
        poet_put(call->dst[0], at + s->half + i, a * sine + b * cosine);
    }
}

static poet_status ref(poet_device *device, const poet_call *call)
{
    (void)device;
    layout s = measure(call->src[0], call->attr->rotary.heads);
    int64_t c = s.heads * s.d;
    for (int64_t row = 0; row < s.rows; row++) {
        for (int64_t head = 0; head < 2 * s.heads; head++)
            turn(call, &s, row * 3 * c + head * s.d, row % s.t * s.d);
        for (int64_t i = 2 * c; i < 3 * c; i++)
            poet_put(call->dst[0], row * 3 * c + i, poet_get(call->src[0], row * 3 * c + i));
    }
    return POET_OK;
}

static poet_val emit(poet_graph *g, poet_val qkv, poet_val turns, int heads, bool back)
{
    poet_attr attr = {.rotary = {.heads = heads, .back = back}};
    return poet_emit(g, POET_OP_ROTARY, 2, (poet_val[]){qkv, turns}, &attr, NULL);
}

/* A rotation's gradient is turned back. */
static void grad(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    dx[0] = emit(g, dy[0], node->src[1], node->attr.rotary.heads, !node->attr.rotary.back);
}

const poet_op_rule poet_rule_rotary = {.infer = infer, .grad = grad, .ref = ref, .in_place = true};

poet_val poet_rotary(poet_graph *g, poet_val qkv, poet_val turns, int heads)
{
    return emit(g, qkv, turns, heads, false);
}
