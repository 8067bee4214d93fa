/* Self-attention with a bidirectional prefix: whole, its gradient, and incrementally with a cache
 * of keys and values. */
#include "compute/ops/rule_internal.h"

#include <math.h>

/* qkv (B,T,3C): per position q, k, v of C = heads * D each. */
typedef struct layout {
    int64_t b, t, c, heads, d;
    double scale;
} layout;

static layout measure(const poet_tensor *qkv, int heads)
{
    const int64_t *dim = qkv->shape.dim;
    int64_t c = dim[2] / 3, d = c / heads;
    return (layout){dim[0], dim[1], c, heads, d, 1 / sqrt((double)d)};
}

/* Where head h of q (part 0), k (1) or v (2) of a position begins. */
static int64_t at(const layout *s, int64_t b, int64_t t, int part, int64_t h)
{
    return (b * s->t + t) * 3 * s->c + part * s->c + h * s->d;
}

static double dot(const poet_tensor *a, int64_t i, const poet_tensor *b, int64_t j, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += poet_get(a, i + k) * poet_get(b, j + k);
    return sum;
}

/* Position i sees the real prefix, and what came since the prefix. */
static bool sees(int64_t i, int64_t j, int64_t prefix, int64_t length)
{
    return j < prefix ? j < length : j <= i;
}

static poet_status need_qkv(const poet_attr *attr, const poet_tensor *qkv)
{
    int heads = attr->attention.heads;
    POET_TRY(rule_need_real(qkv, "qkv"));
    POET_TRY(rule_need_dims(qkv, "qkv", 3));
    if (heads < 1 || qkv->shape.dim[2] % (3 * (int64_t)heads))
        return POET_FAIL(POET_ERR_MISMATCH, "%lld numbers are not q, k and v of %d heads",
                         (long long)qkv->shape.dim[2], heads);
    return POET_OK;
}

/* lengths: source i, absent only without a prefix. */
static poet_status need_lengths(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                int i)
{
    if (n_src > i && src[i]) {
        POET_TRY(rule_need_int(src[i], "lengths"));
        return rule_need_shape(src[i], "lengths", POET_SHAPE(src[0]->shape.dim[0]));
    }
    if (attr->attention.prefix > 0)
        return POET_FAIL(POET_ERR_ARG, "a prefix needs its lengths");
    return POET_OK;
}

static poet_status need_prefix(const poet_attr *attr, int64_t positions)
{
    if (attr->attention.prefix < 0 || attr->attention.prefix > positions)
        return POET_FAIL(POET_ERR_ARG, "a prefix of %d among %lld positions",
                         attr->attention.prefix, (long long)positions);
    return POET_OK;
}

/* How much of row b's prefix is real; checked here because it is only known at run time. */
static poet_status read_length(const poet_call *call, int source, int64_t b, int64_t *length)
{
    int prefix = call->attr->attention.prefix;
    *length = prefix ? poet_get_int(call->src[source], b) : 0;
    if (prefix && (*length < 1 || *length > prefix))
        return POET_FAIL(POET_ERR_ARG, "row %lld: length %lld is not in 1..%d", (long long)b,
                         (long long)*length, prefix);
    return POET_OK;
}

/* ---- forward ---- */

static poet_status infer_attention(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                   poet_tensor *dst)
{
    const int64_t *dim = src[0]->shape.dim;
    POET_TRY(need_qkv(attr, src[0]));
    POET_TRY(need_lengths(attr, n_src, src, 1));
    POET_TRY(need_prefix(attr, dim[1]));
    dst[0] = rule_real(POET_SHAPE(dim[0], dim[1], dim[2] / 3));
    dst[1] = rule_real(POET_SHAPE(dim[0], attr->attention.heads, dim[1]));
    return POET_OK;
}

/* One query's softmax over n keys whose scores are given (-INFINITY: not seen), times their
 * values; v[j] begins at values + j * stride. Returns log sum exp of the scores. */
static double attend(double *score, int64_t n, const poet_tensor *v, int64_t values, int64_t stride,
                     poet_tensor *y, int64_t out, int64_t d)
{
    double high = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++)
        high = fmax(high, score[j]);
    for (int64_t j = 0; j < n; j++)
        sum += score[j] = exp(score[j] - high);
    for (int64_t k = 0; k < d; k++) {
        double mean = 0;
        for (int64_t j = 0; j < n; j++)
            if (score[j] != 0) /* what is not seen may not even be finite */
                mean += score[j] / sum * poet_get(v, values + j * stride + k);
        poet_put(y, out + k, mean);
    }
    return high + log(sum);
}

static poet_status ref_attention(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *qkv = call->src[0];
    layout s = measure(qkv, call->attr->attention.heads);
    int64_t prefix = call->attr->attention.prefix, length = 0;
    double *score = poet_calloc((size_t)s.t, sizeof *score);
    poet_status status = score ? POET_OK : POET_ERR_NOMEM;
    for (int64_t row = 0; !status && row < s.b * s.heads; row++) {
        int64_t b = row / s.heads, h = row % s.heads;
        status = read_length(call, 1, b, &length);
        for (int64_t i = 0; !status && i < s.t; i++) {
            for (int64_t j = 0; j < s.t; j++)
                score[j] = sees(i, j, prefix, length) ? s.scale * dot(qkv, at(&s, b, i, 0, h), qkv,
                                                                      at(&s, b, j, 1, h), s.d)
                                                      : -INFINITY;
            double lse = attend(score, s.t, qkv, at(&s, b, 0, 2, h), 3 * s.c, call->dst[0],
                                (b * s.t + i) * s.c + h * s.d, s.d);
            poet_put(call->dst[1], row * s.t + i, lse);
        }
    }
    poet_free(score);
    return status;
}

static void grad_attention(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    if (dy[0].id < 0)
        return; /* lse is kept for the gradient and carries none */
    poet_val lengths = node->n_src > 1 ? node->src[1] : POET_NONE;
    poet_val src[] = {node->src[0], node->dst[0], node->dst[1], dy[0], lengths};
    dx[0] = poet_emit(g, POET_OP_ATTENTION_BWD, 5, src, &node->attr, NULL);
}

const poet_op_rule poet_rule_attention = {
    .infer = infer_attention, .grad = grad_attention, .ref = ref_attention};

poet_val poet_attention(poet_graph *g, poet_val qkv, poet_val lengths, int heads, int prefix)
{
    poet_attr attr = {.attention = {.heads = heads, .prefix = prefix}};
    poet_val src[] = {poet_to_precision(g, qkv), lengths};
    return poet_emit(g, POET_OP_ATTENTION, 2, src, &attr, NULL);
}

/* ---- gradient ---- */

static poet_status infer_bwd(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                             poet_tensor *dst)
{
    poet_tensor forward[POET_MAX_DST];
    const poet_tensor *first[] = {src[0], n_src > 4 ? src[4] : NULL};
    POET_TRY(infer_attention(attr, 2, first, forward));
    POET_TRY(rule_need(src[1], "y", forward[0].shape));
    POET_TRY(rule_need(src[2], "lse", forward[1].shape));
    POET_TRY(rule_need(src[3], "dy", forward[0].shape));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

/* One query i of one head. With p the softmax: dv_j += p_j dy, ds_j = p_j (dy v_j - dy y), dq +=
 * scale ds_j k_j, dk_j += scale ds_j q. */
static void query_bwd(const poet_call *call, const layout *s, int64_t b, int64_t h, int64_t i,
                      int64_t length, double *d)
{
    const poet_tensor *qkv = call->src[0], *dy = call->src[3];
    int64_t out = (b * s->t + i) * s->c + h * s->d, q = at(s, b, i, 0, h);
    double through = dot(dy, out, call->src[1], out, s->d);
    double lse = poet_get(call->src[2], (b * s->heads + h) * s->t + i);
    for (int64_t j = 0; j < s->t; j++) {
        if (!sees(i, j, call->attr->attention.prefix, length))
            continue;
        int64_t k = at(s, b, j, 1, h), v = at(s, b, j, 2, h);
        double p = exp(s->scale * dot(qkv, q, qkv, k, s->d) - lse);
        double ds = s->scale * p * (dot(dy, out, qkv, v, s->d) - through);
        for (int64_t n = 0; n < s->d; n++) {
            d[v + n] += p * poet_get(dy, out + n);
            d[q + n] += ds * poet_get(qkv, k + n);
            d[k + n] += ds * poet_get(qkv, q + n);
        }
    }
}

static poet_status ref_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    layout s = measure(call->src[0], call->attr->attention.heads);
    int64_t n = poet_tensor_count(call->dst[0]), length = 0;
    double *d = poet_calloc((size_t)n, sizeof *d);
    poet_status status = d ? POET_OK : POET_ERR_NOMEM;
    for (int64_t row = 0; !status && row < s.b * s.heads; row++) {
        status = read_length(call, 4, row / s.heads, &length);
        for (int64_t i = 0; !status && i < s.t; i++)
            query_bwd(call, &s, row / s.heads, row % s.heads, i, length, d);
    }
    for (int64_t i = 0; !status && i < n; i++)
        poet_put(call->dst[0], i, d[i]);
    poet_free(d);
    return status;
}

const poet_op_rule poet_rule_attention_bwd = {.infer = infer_bwd, .ref = ref_bwd};

/* ---- with a cache ---- */

static poet_status infer_cached(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    const int64_t *dim = src[0]->shape.dim, *keys = src[1]->shape.dim;
    POET_TRY(need_qkv(attr, src[0]));
    POET_TRY(rule_need_real(src[1], "keys"));
    POET_TRY(rule_need_dims(src[1], "keys", 3));
    POET_TRY(rule_need_shape(src[1], "keys", POET_SHAPE(dim[0], keys[1], dim[2] / 3)));
    POET_TRY(rule_need(src[2], "values", src[1]->shape));
    POET_TRY(rule_need_int(src[3], "position"));
    POET_TRY(rule_need_shape(src[3], "position", POET_SHAPE(dim[0])));
    POET_TRY(need_lengths(attr, n_src, src, 4));
    POET_TRY(need_prefix(attr, keys[1]));
    dst[0] = rule_real(POET_SHAPE(dim[0], dim[1], dim[2] / 3));
    dst[1] = *src[1];
    dst[2] = *src[2];
    return POET_OK;
}

static poet_status read_position(const poet_call *call, const layout *s, int64_t b,
                                 int64_t *position)
{
    int64_t room = call->src[1]->shape.dim[1], prefix = call->attr->attention.prefix;
    *position = poet_get_int(call->src[3], b);
    bool is_prefix = *position == 0 && s->t == prefix;
    if (*position < 0 || *position + s->t > room || (!is_prefix && *position < prefix))
        return POET_FAIL(POET_ERR_ARG,
                         "row %lld: %lld positions from %lld on do not fit a cache of %lld with a "
                         "prefix of %lld",
                         (long long)b, (long long)s->t, (long long)*position, (long long)room,
                         (long long)prefix);
    return POET_OK;
}

static void remember(const poet_call *call, const layout *s, int64_t b, int64_t position)
{
    int64_t room = call->src[1]->shape.dim[1];
    for (int64_t i = 0; i < s->t * s->c; i++)
        for (int part = 1; part <= 2; part++)
            poet_put(call->dst[part], (b * room + position) * s->c + i,
                     poet_get(call->src[0], at(s, b, i / s->c, part, 0) + i % s->c));
}

static poet_status cached_row(const poet_call *call, const layout *s, int64_t b, double *score)
{
    int64_t room = call->src[1]->shape.dim[1], prefix = call->attr->attention.prefix;
    int64_t position, length;
    POET_TRY(read_position(call, s, b, &position));
    POET_TRY(read_length(call, 4, b, &length));
    remember(call, s, b, position);
    for (int64_t row = 0; row < s->t * s->heads; row++) {
        int64_t i = row / s->heads, h = row % s->heads, seen = position + s->t;
        int64_t cached = b * room * s->c + h * s->d;
        for (int64_t j = 0; j < seen; j++)
            score[j] = sees(position + i, j, prefix, length)
                           ? s->scale * dot(call->src[0], at(s, b, i, 0, h), call->dst[1],
                                            cached + j * s->c, s->d)
                           : -INFINITY;
        attend(score, seen, call->dst[2], cached, s->c, call->dst[0],
               (b * s->t + i) * s->c + h * s->d, s->d);
    }
    return POET_OK;
}

static poet_status ref_cached(poet_device *device, const poet_call *call)
{
    (void)device;
    layout s = measure(call->src[0], call->attr->attention.heads);
    double *score = poet_calloc((size_t)call->src[1]->shape.dim[1], sizeof *score);
    poet_status status = score ? POET_OK : POET_ERR_NOMEM;
    for (int64_t b = 0; !status && b < s.b; b++)
        status = cached_row(call, &s, b, score);
    poet_free(score);
    return status;
}

const poet_op_rule poet_rule_attention_cached = {
    .infer = infer_cached, .ref = ref_cached, .alias = {0, 2, 3}, .updates = true};

poet_val poet_attention_cached(poet_graph *g, poet_val qkv, poet_val keys, poet_val values,
                               poet_val position, poet_val lengths, int heads, int prefix)
{
    poet_attr attr = {.attention = {.heads = heads, .prefix = prefix}};
    poet_val src[] = {poet_to_precision(g, qkv), keys, values, position, lengths};
    return poet_emit(g, POET_OP_ATTENTION_CACHED, 5, src, &attr, NULL);
}
