/* Causal 3D convolution and its two gradients. */
#include "compute/ops/rule_internal.h"

/* Sizes of x or y (but for channels), of the kernel, and channels in and out. */
typedef struct sizes {
    int64_t b, t, h, w, kt, kh, kw, ci, co;
} sizes;

static sizes measure(const poet_shape *x, const poet_shape *w)
{
    return (sizes){x->dim[0], x->dim[1], x->dim[2], x->dim[3], w->dim[1],
                   w->dim[2], w->dim[3], w->dim[4], w->dim[0]};
}

static poet_status need_kernel(const poet_shape *w)
{
    char text[96];
    if (w->ndim != 5 || w->dim[2] % 2 == 0 || w->dim[3] % 2 == 0)
        return POET_FAIL(POET_ERR_MISMATCH, "a kernel %s is not (Cout,kT,kH,kW,Cin), kH and kW odd",
                         poet_shape_text(w, text));
    return POET_OK;
}

static poet_status need_same_type(const poet_tensor *a, const poet_tensor *b)
{
    if (a->dtype != b->dtype)
        return POET_FAIL(POET_ERR_MISMATCH, "%s and %s together", poet_dtype_name(a->dtype),
                         poet_dtype_name(b->dtype));
    return rule_need_real(a, "operands");
}

static poet_shape with_channels(poet_shape shape, int64_t channels)
{
    shape.dim[4] = channels;
    return shape;
}

/* One multiplication of the convolution: which elements of x, w and y meet. */
typedef void (*meet_fn)(void *opaque, int64_t x, int64_t w, int64_t y);

/* Visits every product that is not with padding: y(t,i,j,o) meets x(t+dt-kT+1, i+di-kH/2,
 * j+dj-kW/2, c) at w(o,dt,di,dj,c). The three kernels differ only in which of the three is the
 * sum. */
static void visit_pixel(const sizes *s, int64_t y_pixel, meet_fn meet, void *opaque)
{
    int64_t j = y_pixel % s->w, i = y_pixel / s->w % s->h, t = y_pixel / s->w / s->h % s->t;
    int64_t b = y_pixel / s->w / s->h / s->t, taps = s->kt * s->kh * s->kw;
    for (int64_t tap = 0; tap < taps; tap++) {
        int64_t dj = tap % s->kw, di = tap / s->kw % s->kh, dt = tap / s->kw / s->kh;
        int64_t xt = t + dt - s->kt + 1, xi = i + di - s->kh / 2, xj = j + dj - s->kw / 2;
        if (xt < 0 || xi < 0 || xi >= s->h || xj < 0 || xj >= s->w)
            continue;
        int64_t x_pixel = ((b * s->t + xt) * s->h + xi) * s->w + xj;
        for (int64_t o = 0; o < s->co; o++)
            for (int64_t c = 0; c < s->ci; c++)
                meet(opaque, x_pixel * s->ci + c, (o * taps + tap) * s->ci + c,
                     y_pixel * s->co + o);
    }
}

typedef struct products {
    const poet_tensor *x, *w, *dy;
    double *sum;
} products;

static void meet_y(void *opaque, int64_t x, int64_t w, int64_t y)
{
    products *p = opaque;
    p->sum[y] += poet_get(p->x, x) * poet_get(p->w, w);
}

static void meet_dx(void *opaque, int64_t x, int64_t w, int64_t y)
{
    products *p = opaque;
    p->sum[x] += poet_get(p->dy, y) * poet_get(p->w, w);
}

static void meet_dw(void *opaque, int64_t x, int64_t w, int64_t y)
{
    products *p = opaque;
    p->sum[w] += poet_get(p->dy, y) * poet_get(p->x, x);
}

/* Sums all products into dst, plus bias (by the last dim) where there is one. */
static poet_status convolve(const sizes *s, products p, meet_fn meet, const poet_tensor *bias,
                            poet_tensor *dst)
{
    int64_t n = poet_tensor_count(dst), last = poet_shape_last(&dst->shape);
    int64_t pixels = s->b * s->t * s->h * s->w;
    p.sum = poet_calloc((size_t)n, sizeof *p.sum);
    if (!p.sum)
        return POET_ERR_NOMEM;
    for (int64_t pixel = 0; pixel < pixels; pixel++)
        visit_pixel(s, pixel, meet, &p);
    for (int64_t i = 0; i < n; i++)
        poet_put(dst, i, p.sum[i] + (bias ? poet_get(bias, i % last) : 0));
    poet_free(p.sum);
    return POET_OK;
}

/* ---- forward ---- */

static poet_status infer_conv3d(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    (void)attr;
    const poet_tensor *x = src[0], *w = src[1];
    POET_TRY(need_same_type(x, w));
    POET_TRY(rule_need_dims(x, "x", 5));
    POET_TRY(need_kernel(&w->shape));
    if (x->shape.dim[4] != w->shape.dim[4])
        return POET_FAIL(POET_ERR_MISMATCH, "%lld channels into a kernel for %lld",
                         (long long)x->shape.dim[4], (long long)w->shape.dim[4]);
    if (n_src > 2 && src[2])
        POET_TRY(rule_need(src[2], "bias", POET_SHAPE(w->shape.dim[0])));
    dst[0] = rule_real(with_channels(x->shape, w->shape.dim[0]));
    return POET_OK;
}

static poet_status ref_conv3d(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0], *w = call->src[1];
    sizes s = measure(&x->shape, &w->shape);
    return convolve(&s, (products){.x = x, .w = w}, meet_y, call->n_src > 2 ? call->src[2] : NULL,
                    call->dst[0]);
}

/* The operands' type is that of the forward convolution, whatever precision the graph has by now.
 */
static void grad_conv3d(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val x = node->src[0], w = node->src[1];
    poet_val d = poet_cast(g, dy[0], poet_val_dtype(g, x));
    if (rule_wants(g, x)) {
        poet_attr attr = {.shape = {.shape = *poet_val_shape(g, x)}};
        dx[0] = poet_emit(g, POET_OP_CONV3D_DX, 2, (poet_val[]){d, w}, &attr, NULL);
    }
    if (rule_wants(g, w)) {
        poet_attr attr = {.shape = {.shape = *poet_val_shape(g, w)}};
        dx[1] = poet_emit(g, POET_OP_CONV3D_DW, 2, (poet_val[]){x, d}, &attr, NULL);
    }
    if (node->n_src > 2 && rule_wants(g, node->src[2]))
        dx[2] = poet_sum_to(g, dy[0], *poet_val_shape(g, node->src[2]));
}

const poet_op_rule poet_rule_conv3d = {
    .infer = infer_conv3d, .grad = grad_conv3d, .ref = ref_conv3d};

poet_val poet_conv3d(poet_graph *g, poet_val x, poet_val w, poet_val bias)
{
    poet_val src[] = {poet_to_precision(g, x), poet_to_precision(g, w), bias};
    return poet_emit(g, POET_OP_CONV3D, bias.id < 0 ? 2 : 3, src, NULL, NULL);
}

/* ---- gradients ---- */

static poet_status infer_dx(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                            poet_tensor *dst)
{
    (void)n_src;
    POET_TRY(need_same_type(src[0], src[1]));
    POET_TRY(need_kernel(&src[1]->shape));
    poet_shape dy = with_channels(attr->shape.shape, src[1]->shape.dim[0]);
    POET_TRY(rule_need_shape(src[0], "dy", dy));
    dst[0] = rule_real(attr->shape.shape);
    return POET_OK;
}

static poet_status ref_dx(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *dy = call->src[0], *w = call->src[1];
    sizes s = measure(&dy->shape, &w->shape);
    return convolve(&s, (products){.dy = dy, .w = w}, meet_dx, NULL, call->dst[0]);
}

static poet_status infer_dw(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                            poet_tensor *dst)
{
    (void)n_src;
    const poet_shape *w = &attr->shape.shape;
    POET_TRY(need_same_type(src[0], src[1]));
    POET_TRY(need_kernel(w));
    POET_TRY(rule_need_dims(src[0], "x", 5));
    POET_TRY(rule_need_shape(src[1], "dy", with_channels(src[0]->shape, w->dim[0])));
    dst[0] = rule_real(*w);
    return POET_OK;
}

static poet_status ref_dw(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0], *dy = call->src[1];
    sizes s = measure(&x->shape, &call->dst[0]->shape);
    return convolve(&s, (products){.x = x, .dy = dy}, meet_dw, NULL, call->dst[0]);
}

const poet_op_rule poet_rule_conv3d_dx = {.infer = infer_dx, .ref = ref_dx};
const poet_op_rule poet_rule_conv3d_dw = {.infer = infer_dw, .ref = ref_dw};
