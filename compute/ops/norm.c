/* Group norm, per frame and with an optional SiLU, and RMS norm. */
#include "compute/ops/rule_internal.h"

#include <math.h>

static const double group_epsilon = 1e-5, rms_epsilon = 1e-6;

/* ---- group norm ---- */

/* A group is the channels [c, c + width) of the pixels of one frame. */
typedef struct groups {
    int64_t frames, pixels, channels, width, per_frame;
} groups;

static groups measure(const poet_tensor *x, int n)
{
    const int64_t *dim = x->shape.dim;
    return (groups){dim[0] * dim[1], dim[2] * dim[3], dim[4], dim[4] / n, n};
}

static int64_t element(const groups *s, int64_t group, int64_t i)
{
    int64_t frame = group / s->per_frame, pixel = i / s->width;
    return (frame * s->pixels + pixel) * s->channels + group % s->per_frame * s->width +
           i % s->width;
}

static poet_status infer_group_norm(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                    poet_tensor *dst)
{
    (void)n_src;
    const int64_t *dim = src[0]->shape.dim;
    int n = attr->norm.groups;
    POET_TRY(rule_need_real(src[0], "x"));
    POET_TRY(rule_need_dims(src[0], "x", 5));
    if (n < 1 || dim[4] % n)
        return POET_FAIL(POET_ERR_MISMATCH, "%lld channels do not divide into %d groups",
                         (long long)dim[4], n);
    if (attr->norm.act != POET_ACT_NONE && attr->norm.act != POET_ACT_SILU)
        return POET_FAIL(POET_ERR_ARG, "only SiLU can follow in the same operation");
    POET_TRY(rule_need(src[1], "gain", POET_SHAPE(dim[4])));
    POET_TRY(rule_need(src[2], "bias", POET_SHAPE(dim[4])));
    dst[0] = rule_real(src[0]->shape);
    dst[1] = dst[2] = rule_real(POET_SHAPE(dim[0], dim[1], n));
    return POET_OK;
}

static poet_status ref_group_norm(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0];
    groups s = measure(x, call->attr->norm.groups);
    int64_t size = s.pixels * s.width;
    for (int64_t group = 0; group < s.frames * s.per_frame; group++) {
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < size; i++)
            mean += poet_get(x, element(&s, group, i)) / (double)size;
        for (int64_t i = 0; i < size; i++) {
            double d = poet_get(x, element(&s, group, i)) - mean;
            variance += d * d / (double)size;
        }
        double rstd = 1 / sqrt(variance + group_epsilon);
        poet_put(call->dst[1], group, mean);
        poet_put(call->dst[2], group, rstd);
        for (int64_t i = 0; i < size; i++) {
            int64_t at = element(&s, group, i), c = at % s.channels;
            double y = (poet_get(x, at) - mean) * rstd * poet_get(call->src[1], c) +
                       poet_get(call->src[2], c);
            poet_put(call->dst[0], at,
                     call->attr->norm.act == POET_ACT_SILU ? y / (1 + exp(-y)) : y);
        }
    }
    return POET_OK;
}

static void grad_group_norm(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    if (dy[0].id < 0)
        return; /* mean and rstd are kept for the gradient and carry none */
    poet_val src[] = {node->src[0], node->src[1], node->src[2], node->dst[1], node->dst[2], dy[0]};
    poet_emit(g, POET_OP_GROUP_NORM_BWD, 6, src, &node->attr, dx);
}

static poet_status infer_group_norm_bwd(const poet_attr *attr, int n_src,
                                        const poet_tensor *const *src, poet_tensor *dst)
{
    POET_TRY(infer_group_norm(attr, n_src, src, dst));
    POET_TRY(rule_need(src[3], "mean", dst[1].shape));
    POET_TRY(rule_need(src[4], "rstd", dst[1].shape));
    POET_TRY(rule_need(src[5], "dy", src[0]->shape));
    dst[1] = dst[2] = rule_real(src[1]->shape);
    return POET_OK;
}

/* The gradient before the activation, and the normalised x, of one element. */
static double before_act(const poet_call *call, int64_t at, int64_t group, double *normal)
{
    int64_t c = at % poet_shape_last(&call->src[0]->shape);
    double d = poet_get(call->src[5], at);
    *normal = (poet_get(call->src[0], at) - poet_get(call->src[3], group)) *
              poet_get(call->src[4], group);
    if (call->attr->norm.act == POET_ACT_SILU) {
        double z = *normal * poet_get(call->src[1], c) + poet_get(call->src[2], c);
        double sigmoid = 1 / (1 + exp(-z));
        d *= sigmoid * (1 + z * (1 - sigmoid));
    }
    return d;
}

/* With n the normalised x and d the gradient there (times gain): dx = rstd (d - mean(d) - n mean(d
 * n)), means over the group. */
static poet_status ref_group_norm_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    groups s = measure(call->src[0], call->attr->norm.groups);
    int64_t size = s.pixels * s.width;
    double *dgain = poet_calloc((size_t)s.channels * 2, sizeof *dgain);
    if (!dgain)
        return POET_ERR_NOMEM;
    double *dbias = dgain + s.channels;
    for (int64_t group = 0; group < s.frames * s.per_frame; group++) {
        double normal, mean_d = 0, mean_dn = 0;
        for (int64_t i = 0; i < size; i++) {
            int64_t at = element(&s, group, i), c = at % s.channels;
            double d = before_act(call, at, group, &normal);
            dgain[c] += d * normal;
            dbias[c] += d;
            d *= poet_get(call->src[1], c) / (double)size;
            mean_d += d;
            mean_dn += d * normal;
        }
        for (int64_t i = 0; i < size; i++) {
            int64_t at = element(&s, group, i), c = at % s.channels;
            double d = before_act(call, at, group, &normal) * poet_get(call->src[1], c);
            poet_put(call->dst[0], at,
                     poet_get(call->src[4], group) * (d - mean_d - normal * mean_dn));
        }
    }
    for (int64_t c = 0; c < s.channels; c++) {
        poet_put(call->dst[1], c, dgain[c]);
        poet_put(call->dst[2], c, dbias[c]);
    }
    poet_free(dgain);
    return POET_OK;
}

const poet_op_rule poet_rule_group_norm = {
    .infer = infer_group_norm, .grad = grad_group_norm, .ref = ref_group_norm};
const poet_op_rule poet_rule_group_norm_bwd = {.infer = infer_group_norm_bwd,
                                               .ref = ref_group_norm_bwd};

poet_val poet_group_norm(poet_graph *g, poet_val x, poet_val gain, poet_val bias, int n_groups,
                         poet_activation act)
{
    poet_attr attr = {.norm = {.groups = n_groups, .act = (int)act}};
    return poet_emit(g, POET_OP_GROUP_NORM, 3, (poet_val[]){x, gain, bias}, &attr, NULL);
}

/* ---- RMS norm ---- */

static poet_status infer_rms_norm(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                  poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "x"));
    POET_TRY(rule_need(src[1], "gain", POET_SHAPE(poet_shape_last(&src[0]->shape))));
    dst[0] = rule_real(src[0]->shape);
    dst[1] = rule_real(rule_rows(src[0]->shape));
    return POET_OK;
}

static poet_status ref_rms_norm(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0];
    int64_t rows = rule_count_rows(x), width = poet_shape_last(&x->shape);
    for (int64_t row = 0; row < rows; row++) {
        double square = 0;
        for (int64_t c = 0; c < width; c++) {
            double v = poet_get(x, row * width + c);
            square += v * v / (double)width;
        }
        double rstd = 1 / sqrt(square + rms_epsilon);
        poet_put(call->dst[1], row, rstd);
        for (int64_t c = 0; c < width; c++)
            poet_put(call->dst[0], row * width + c,
                     poet_get(x, row * width + c) * rstd * poet_get(call->src[1], c));
    }
    return POET_OK;
}

static void grad_rms_norm(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    if (dy[0].id < 0)
        return;
    poet_val src[] = {node->src[0], node->src[1], node->dst[1], dy[0]};
    poet_emit(g, POET_OP_RMS_NORM_BWD, 4, src, NULL, dx);
}

static poet_status infer_rms_norm_bwd(const poet_attr *attr, int n_src,
                                      const poet_tensor *const *src, poet_tensor *dst)
{
    POET_TRY(infer_rms_norm(attr, n_src, src, dst));
    POET_TRY(rule_need(src[2], "rstd", dst[1].shape));
    POET_TRY(rule_need(src[3], "dy", src[0]->shape));
    dst[1] = rule_real(src[1]->shape);
    return POET_OK;
}

/* With n = x rstd and d = dy gain: dx = rstd (d - n mean(d n)). */
static poet_status ref_rms_norm_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *x = call->src[0], *gain = call->src[1], *dy = call->src[3];
    int64_t rows = rule_count_rows(x), width = poet_shape_last(&x->shape);
    double *dgain = poet_calloc((size_t)width, sizeof *dgain);
    if (!dgain)
        return POET_ERR_NOMEM;
    for (int64_t row = 0; row < rows; row++) {
        double rstd = poet_get(call->src[2], row), mean = 0;
        for (int64_t c = 0; c < width; c++) {
            double dn = poet_get(dy, row * width + c) * poet_get(x, row * width + c) * rstd;
            dgain[c] += dn;
            mean += dn * poet_get(gain, c) / (double)width;
        }
        for (int64_t c = 0; c < width; c++) {
            int64_t at = row * width + c;
            double d = poet_get(dy, at) * poet_get(gain, c);
            poet_put(call->dst[0], at, rstd * (d - poet_get(x, at) * rstd * mean));
        }
    }
    for (int64_t c = 0; c < width; c++)
        poet_put(call->dst[1], c, dgain[c]);
    poet_free(dgain);
    return POET_OK;
}

const poet_op_rule poet_rule_rms_norm = {
    .infer = infer_rms_norm, .grad = grad_rms_norm, .ref = ref_rms_norm};
const poet_op_rule poet_rule_rms_norm_bwd = {.infer = infer_rms_norm_bwd, .ref = ref_rms_norm_bwd};

poet_val poet_rms_norm(poet_graph *g, poet_val x, poet_val gain)
{
    return poet_emit(g, POET_OP_RMS_NORM, 2, (poet_val[]){x, gain}, NULL, NULL);
}
