/* Finite scalar quantization (Mentzer et al. 2023, appendix A), and its binary form, LFQ.
 *
 * A channel of L levels: bounded = tanh(z + shift) half - offset with half = (L-1)(1 - 0.001)/2,
 * offset = 1/2 for even L, else 0, shift = tan(offset/half); the level is round(bounded), in
 * -(L/2)..(L-1)/2, its value level/(L/2). A binary channel has the value -1 or 1. */
#include "compute/ops/rule_internal.h"

#include <math.h>
#include <string.h>

typedef struct channel {
    double half, offset, shift, width;
} channel;

static channel describe(int levels)
{
    int middle = levels / 2;
    channel c = {
        .half = (levels - 1) * (1 - 1e-3) / 2, .offset = levels % 2 ? 0 : 0.5, .width = middle};
    c.shift = tan(c.offset / c.half);
    return c;
}

static poet_status need_levels(const poet_attr *attr)
{
    int64_t codes = 1;
    if (attr->fsq.channels < 1 || attr->fsq.channels > POET_MAX_LEVELS)
        return POET_FAIL(POET_ERR_ARG, "%d channels; 1 to %d are possible", attr->fsq.channels,
                         POET_MAX_LEVELS);
    for (int c = 0; c < attr->fsq.channels; c++) {
        int levels = attr->fsq.levels[c];
        if (levels < 2 || (attr->fsq.binary && levels != 2))
            return POET_FAIL(POET_ERR_ARG, "channel %d has %d levels", c, levels);
        codes *= levels;
        if (codes > INT32_MAX)
            return POET_FAIL(POET_ERR_ARG, "the levels make more than 2^31 codes");
    }
    return POET_OK;
}

/* Too many channels are refused by need_levels, when the op is inferred. */
static poet_attr attribute(int64_t channels, const int *levels, bool binary)
{
    poet_attr attr = {.fsq = {.channels = (int)channels, .binary = binary}};
    if (channels > 0 && channels <= POET_MAX_LEVELS)
        memcpy(attr.fsq.levels, levels, (size_t)channels * sizeof *levels);
    return attr;
}

/* ---- forward ---- */

static poet_status infer_fsq(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                             poet_tensor *dst)
{
    (void)n_src;
    POET_TRY(need_levels(attr));
    POET_TRY(rule_need_real(src[0], "z"));
    dst[0] = rule_real(src[0]->shape);
    dst[1] = rule_int(rule_rows(src[0]->shape));
    return POET_OK;
}

/* The level of z, counted from 0. */
static int quantize(double z, int levels, bool binary)
{
    if (binary)
        return z > 0;
    channel c = describe(levels);
    return (int)(nearbyint(tanh(z + c.shift) * c.half - c.offset) + c.width);
}

static double value_of(int level, int levels, bool binary)
{
    int middle = levels / 2;
    return binary ? 2 * level - 1 : (level - middle) / (double)middle;
}

static poet_status ref_fsq(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *z = call->src[0];
    int channels = call->attr->fsq.channels;
    bool binary = call->attr->fsq.binary;
    int64_t rows = rule_count_rows(z);
    for (int64_t row = 0; row < rows; row++) {
        int64_t code = 0, radix = 1;
        for (int c = 0; c < channels; c++) {
            int levels = call->attr->fsq.levels[c];
            double x = poet_get(z, row * channels + c);
            if (isnan(x))
                return POET_FAIL(POET_ERR_ARG, "row %lld is not a number", (long long)row);
            int level = quantize(x, levels, binary);
            poet_put(call->dst[0], row * channels + c, value_of(level, levels, binary));
            code += level * radix;
            radix *= levels;
        }
        poet_put(call->dst[1], row, (double)code);
    }
    return POET_OK;
}

static void grad_fsq(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    if (node->attr.fsq.binary)
        dx[0] = dy[0]; /* straight through: there is no bounding */
    else
        dx[0] =
            poet_emit(g, POET_OP_FSQ_BWD, 2, (poet_val[]){node->src[0], dy[0]}, &node->attr, NULL);
}

const poet_op_rule poet_rule_fsq = {.infer = infer_fsq, .grad = grad_fsq, .ref = ref_fsq};

poet_val poet_fsq(poet_graph *g, poet_val z, const int *levels, bool binary, poet_val *index)
{
    poet_attr attr = attribute(poet_dim(g, z, -1), levels, binary);
    poet_val dst[POET_MAX_DST];
    poet_emit(g, POET_OP_FSQ, 1, &z, &attr, dst);
    if (index)
        *index = dst[1];
    return dst[0];
}

/* ---- gradient of the bounding; rounding passes it straight through ---- */

static poet_status infer_fsq_bwd(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    poet_tensor forward[POET_MAX_DST];
    POET_TRY(infer_fsq(attr, n_src, src, forward));
    POET_TRY(rule_need(src[1], "dy", src[0]->shape));
    dst[0] = forward[0];
    return POET_OK;
}

static poet_status ref_fsq_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        channel c = describe(call->attr->fsq.levels[i % call->attr->fsq.channels]);
        double t = tanh(poet_get(call->src[0], i) + c.shift);
        poet_put(call->dst[0], i, poet_get(call->src[1], i) * (1 - t * t) * c.half / c.width);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_fsq_bwd = {
    .infer = infer_fsq_bwd, .ref = ref_fsq_bwd, .in_place = true};

/* ---- from codes to values ---- */

static poet_status infer_codes(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                               poet_tensor *dst)
{
    (void)n_src;
    POET_TRY(need_levels(attr));
    POET_TRY(rule_need_int(src[0], "index"));
    dst[0] = rule_real(src[0]->shape);
    if (dst[0].shape.ndim == POET_MAX_DIMS)
        return POET_FAIL(POET_ERR_MISMATCH, "index has too many dims");
    dst[0].shape.dim[dst[0].shape.ndim++] = attr->fsq.channels;
    return POET_OK;
}

static poet_status ref_codes(poet_device *device, const poet_call *call)
{
    (void)device;
    int channels = call->attr->fsq.channels;
    int64_t rows = poet_tensor_count(call->src[0]);
    for (int64_t row = 0; row < rows; row++) {
        int32_t code = poet_get_int(call->src[0], row), rest = code;
        for (int c = 0; c < channels; c++) {
            int levels = call->attr->fsq.levels[c];
            poet_put(call->dst[0], row * channels + c,
                     value_of(rest % levels, levels, call->attr->fsq.binary));
            rest /= levels;
        }
        if (code < 0 || rest > 0)
            return POET_FAIL(POET_ERR_ARG, "index %d at %lld is no code of these levels", code,
                             (long long)row);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_fsq_codes = {.infer = infer_codes, .ref = ref_codes};

poet_val poet_fsq_codes(poet_graph *g, poet_val index, int channels, const int *levels, bool binary)
{
    poet_attr attr = attribute(channels, levels, binary);
    return poet_emit(g, POET_OP_FSQ_CODES, 1, &index, &attr, NULL);
}
