/* Updates of parameters, in place. */
#include "compute/ops/rule_internal.h"

#include <math.h>

static poet_status need_hyper(const poet_tensor *hyper)
{
    return rule_need(hyper, "hyper", POET_SHAPE(2));
}

/* ---- clipping ---- */

static poet_status infer_clip(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                              poet_tensor *dst)
{
    (void)attr;
    for (int i = 0; i < n_src; i++)
        POET_TRY(rule_need_real(src[i], "a gradient"));
    dst[0] = dst[1] = rule_real(POET_SCALAR);
    return POET_OK;
}

static poet_status ref_clip(poet_device *device, const poet_call *call)
{
    (void)device;
    double square = 0, limit = (double)call->attr->clip.limit;
    for (int i = 0; i < call->n_src; i++) {
        int64_t n = poet_tensor_count(call->src[i]);
        for (int64_t k = 0; k < n; k++)
            square += poet_get(call->src[i], k) * poet_get(call->src[i], k);
    }
    double norm = sqrt(square);
    poet_put(call->dst[0], 0, limit > 0 ? fmin(1, limit / (norm + 1e-6)) : 1);
    poet_put(call->dst[1], 0, norm);
    return POET_OK;
}

const poet_op_rule poet_rule_clip_factor = {.infer = infer_clip, .ref = ref_clip};

poet_val poet_clip_factor(poet_graph *g, int n, const poet_val *grads, float limit, poet_val *norm)
{
    poet_attr attr = {.clip = {.limit = limit}};
    poet_val dst[POET_MAX_DST];
    poet_emit(g, POET_OP_CLIP_FACTOR, n, grads, &attr, dst);
    if (norm)
        *norm = dst[1];
    return dst[0];
}

/* ---- AdamW ---- */

static poet_status infer_adamw(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                               poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the parameter"));
    POET_TRY(rule_need(src[1], "the gradient", src[0]->shape));
    POET_TRY(rule_need(src[2], "m", src[0]->shape));
    POET_TRY(rule_need(src[3], "v", src[0]->shape));
    POET_TRY(rule_need(src[4], "factor", POET_SCALAR));
    POET_TRY(need_hyper(src[5]));
    dst[0] = *src[0];
    dst[1] = *src[2];
    dst[2] = *src[3];
    return POET_OK;
}

static poet_status ref_adamw(poet_device *device, const poet_call *call)
{
    (void)device;
    double beta1 = (double)call->attr->optim.beta1, beta2 = (double)call->attr->optim.beta2;
    double eps = (double)call->attr->optim.eps, decay = (double)call->attr->optim.weight_decay;
    double rate = poet_get(call->src[5], 0) * (double)call->attr->optim.rate_scale;
    double step = poet_get(call->src[5], 1), factor = poet_get(call->src[4], 0);
    double correct1 = 1 - pow(beta1, step), correct2 = 1 - pow(beta2, step);
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        double g = factor * poet_get(call->src[1], i), p = poet_get(call->src[0], i);
        double m = beta1 * poet_get(call->src[2], i) + (1 - beta1) * g;
        double v = beta2 * poet_get(call->src[3], i) + (1 - beta2) * g * g;
        double update = m / correct1 / (sqrt(v / correct2) + eps);
        poet_put(call->dst[0], i, p - rate * (update + decay * p));
        poet_put(call->dst[1], i, m);
        poet_put(call->dst[2], i, v);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_adamw = {
    .infer = infer_adamw, .ref = ref_adamw, .alias = {1, 3, 4}, .updates = true};

void poet_adamw(poet_graph *g, poet_val param, poet_val grad, poet_val m, poet_val v,
                poet_val factor, poet_val hyper, float beta1, float beta2, float eps,
                float weight_decay, float rate_scale)
{
    poet_attr attr = {.optim = {.beta1 = beta1,
                                .beta2 = beta2,
                                .eps = eps,
                                .weight_decay = weight_decay,
                                .rate_scale = rate_scale}};
    poet_val src[] = {param, grad, m, v, factor, hyper};
    poet_emit(g, POET_OP_ADAMW, 6, src, &attr, NULL);
}

/* ---- pieces of Muon ---- */

static poet_status infer_momentum(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                  poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the gradient"));
    POET_TRY(rule_need(src[1], "m", src[0]->shape));
    POET_TRY(rule_need(src[2], "factor", POET_SCALAR));
    dst[0] = rule_real(src[0]->shape);
    dst[1] = *src[1];
    return POET_OK;
}

static poet_status ref_momentum(poet_device *device, const poet_call *call)
{
    (void)device;
    double beta = (double)call->attr->optim.beta1, factor = poet_get(call->src[2], 0);
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        double g = factor * poet_get(call->src[0], i);
        double m = beta * poet_get(call->src[1], i) + g;
        poet_put(call->dst[0], i, g + beta * m);
        poet_put(call->dst[1], i, m);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_momentum = {.infer = infer_momentum,
                                         .ref = ref_momentum,
                                         .alias = {0, 2},
                                         .in_place = true,
                                         .updates = true};

poet_val poet_momentum(poet_graph *g, poet_val grad, poet_val m, poet_val factor, float beta)
{
    poet_attr attr = {.optim = {.beta1 = beta}};
    return poet_emit(g, POET_OP_MOMENTUM, 3, (poet_val[]){grad, m, factor}, &attr, NULL);
}

static poet_status infer_unit_norm(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                   poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "x"));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

static poet_status ref_unit_norm(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    double square = 0;
    for (int64_t i = 0; i < n; i++)
        square += poet_get(call->src[0], i) * poet_get(call->src[0], i);
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i, poet_get(call->src[0], i) / (sqrt(square) + 1e-7));
    return POET_OK;
}

const poet_op_rule poet_rule_unit_norm = {
    .infer = infer_unit_norm, .ref = ref_unit_norm, .in_place = true};

poet_val poet_unit_norm(poet_graph *g, poet_val x)
{
    return poet_emit(g, POET_OP_UNIT_NORM, 1, &x, NULL, NULL);
}

static poet_status infer_descend(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the parameter"));
    POET_TRY(rule_need(src[1], "the update", src[0]->shape));
    POET_TRY(need_hyper(src[2]));
    dst[0] = *src[0];
    return POET_OK;
}

static poet_status ref_descend(poet_device *device, const poet_call *call)
{
    (void)device;
    double rate = poet_get(call->src[2], 0) * (double)call->attr->optim.rate_scale;
    double decay = (double)call->attr->optim.weight_decay;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        double p = poet_get(call->src[0], i);
        poet_put(call->dst[0], i, p - rate * (poet_get(call->src[1], i) + decay * p));
    }
    return POET_OK;
}

const poet_op_rule poet_rule_descend = {
    .infer = infer_descend, .ref = ref_descend, .alias = {1}, .updates = true};

void poet_descend(poet_graph *g, poet_val param, poet_val update, poet_val hyper, float rate_scale,
                  float weight_decay)
{
    poet_attr attr = {.optim = {.rate_scale = rate_scale, .weight_decay = weight_decay}};
    poet_emit(g, POET_OP_DESCEND, 3, (poet_val[]){param, update, hyper}, &attr, NULL);
}

/* ---- running average of weights ---- */

static poet_status infer_average(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    return infer_descend(attr, n_src, src, dst);
}

static poet_status ref_average(poet_device *device, const poet_call *call)
{
    (void)device;
    double share =
        fmax(1 - (double)call->attr->optim.beta1, 1 / fmax(poet_get(call->src[2], 1), 1));
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        double mean = poet_get(call->src[0], i);
        poet_put(call->dst[0], i, mean + (poet_get(call->src[1], i) - mean) * share);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_average = {
    .infer = infer_average, .ref = ref_average, .alias = {1}, .updates = true};

void poet_average(poet_graph *g, poet_val mean, poet_val param, poet_val hyper, float decay)
{
    poet_attr attr = {.optim = {.beta1 = decay}};
    poet_emit(g, POET_OP_AVERAGE, 3, (poet_val[]){mean, param, hyper}, &attr, NULL);
}
