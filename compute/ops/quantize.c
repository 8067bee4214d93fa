/* Vector quantization with a learned codebook, and finite scalar quantization without one. */
#include "compute/ops/rule_internal.h"

#include "base/rng.h"

#include <math.h>

/* ---- nearest ---- */

static poet_status infer_nearest(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "z"));
    POET_TRY(rule_need_dims(src[1], "the codebook", 2));
    POET_TRY(rule_need(src[1], "the codebook",
                       POET_SHAPE(src[1]->shape.dim[0], poet_shape_last(&src[0]->shape))));
    dst[0] = rule_int(rule_rows(src[0]->shape));
    dst[1] = rule_real(rule_rows(src[0]->shape));
    return POET_OK;
}

static poet_status ref_nearest(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *z = call->src[0], *codebook = call->src[1];
    int64_t rows = rule_count_rows(z), codes = codebook->shape.dim[0];
    int64_t width = codebook->shape.dim[1];
    for (int64_t row = 0; row < rows; row++) {
        double best = INFINITY;
        int64_t index = 0;
        for (int64_t k = 0; k < codes; k++) {
            double distance = 0;
            for (int64_t c = 0; c < width; c++) {
                double d = poet_get(z, row * width + c) - poet_get(codebook, k * width + c);
                distance += d * d;
            }
            if (distance < best) {
                best = distance;
                index = k;
            }
        }
        poet_put(call->dst[0], row, (double)index);
        poet_put(call->dst[1], row, best);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_nearest = {.infer = infer_nearest, .ref = ref_nearest};

poet_val poet_nearest(poet_graph *g, poet_val z, poet_val codebook, poet_val *distance)
{
    poet_val dst[POET_MAX_DST];
    poet_emit(g, POET_OP_NEAREST, 2, (poet_val[]){z, codebook}, NULL, dst);
    if (distance)
        *distance = dst[1];
    return dst[0];
}

/* ---- codebook by running averages ---- */

static poet_status infer_ema(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                             poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    poet_tensor nearest[POET_MAX_DST];
    const poet_tensor *z_and_codebook[] = {src[3], src[0]};
    POET_TRY(infer_nearest(NULL, 2, z_and_codebook, nearest));
    POET_TRY(rule_need(src[1], "total", src[0]->shape));
    POET_TRY(rule_need(src[2], "count", POET_SHAPE(src[0]->shape.dim[0])));
    POET_TRY(rule_need_int(src[4], "index"));
    POET_TRY(rule_need_shape(src[4], "index", nearest[0].shape));
    POET_TRY(rule_need_int(src[5], "step"));
    POET_TRY(rule_need_shape(src[5], "step", POET_SHAPE(1)));
    for (int i = 0; i < 3; i++)
        dst[i] = *src[i];
    return POET_OK;
}

/* This batch's vectors per code: their number, and their sum. */
static poet_status gather(const poet_tensor *z, const poet_tensor *index, int64_t codes,
                          double *number, double *sum)
{
    int64_t rows = rule_count_rows(z), width = poet_shape_last(&z->shape);
    for (int64_t row = 0; row < rows; row++) {
        int32_t code = poet_get_int(index, row);
        if (code < 0 || code >= codes)
            return POET_FAIL(POET_ERR_ARG, "index %d at %lld is outside a codebook of %lld", code,
                             (long long)row, (long long)codes);
        number[code]++;
        for (int64_t c = 0; c < width; c++)
            sum[code * width + c] += poet_get(z, row * width + c);
    }
    return POET_OK;
}

/* A code below the threshold starts again at row (word 0 * N) >> 32 of z, with the count of an
 * average code: with less it would be restarted again before it can win vectors. */
static void update_code(const poet_call *call, int64_t k, double number, const double *sum)
{
    const poet_tensor *z = call->src[3];
    poet_tensor *codebook = call->dst[0], *total = call->dst[1], *count = call->dst[2];
    int64_t rows = rule_count_rows(z), width = poet_shape_last(&z->shape);
    double decay = (double)call->attr->ema.decay;
    double share = (double)rows / (double)codebook->shape.dim[0];
    double n = decay * poet_get(count, k) + (1 - decay) * number;
    bool restart = n < (double)call->attr->ema.restart * share;
    uint32_t words[4];
    poet_philox(call->attr->ema.seed, (uint64_t)(int64_t)poet_get_int(call->src[5], 0), (uint64_t)k,
                words);
    int64_t row = (int64_t)(((uint64_t)words[0] * (uint64_t)rows) >> 32);
    if (restart)
        n = share;
    poet_put(count, k, n);
    for (int64_t c = 0; c < width; c++) {
        int64_t at = k * width + c;
        double t = restart ? share * poet_get(z, row * width + c)
                           : decay * poet_get(total, at) + (1 - decay) * sum[c];
        poet_put(total, at, t);
        if (n > 1e-6)
            poet_put(codebook, at, t / n);
    }
}

static poet_status ref_ema(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t codes = call->src[0]->shape.dim[0], width = call->src[0]->shape.dim[1];
    double *number = poet_calloc((size_t)(codes * (width + 1)), sizeof *number);
    if (!number)
        return POET_ERR_NOMEM;
    double *sum = number + codes;
    poet_status status = gather(call->src[3], call->src[4], codes, number, sum);
    for (int64_t k = 0; !status && k < codes; k++)
        update_code(call, k, number[k], sum + k * width);
    poet_free(number);
    return status;
}

const poet_op_rule poet_rule_codebook_ema = {
    .infer = infer_ema, .ref = ref_ema, .alias = {1, 2, 3}, .updates = true};

poet_val poet_codebook_ema(poet_graph *g, poet_val codebook, poet_val total, poet_val count,
                           poet_val z, poet_val index, poet_val step, float decay, float restart,
                           uint64_t seed)
{
    poet_attr attr = {.ema = {.decay = decay, .restart = restart, .seed = seed}};
    poet_val src[] = {codebook, total, count, z, index, step};
    return poet_emit(g, POET_OP_CODEBOOK_EMA, 6, src, &attr, NULL);
}

/* ---- how often each code occurs ---- */

static poet_status infer_count(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                               poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the histogram"));
    POET_TRY(rule_need_dims(src[0], "the histogram", 1));
    POET_TRY(rule_need_int(src[1], "index"));
    dst[0] = *src[0];
    return POET_OK;
}

static poet_status ref_count(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[1]), codes = call->dst[0]->shape.dim[0];
    for (int64_t i = 0; i < n; i++) {
        int32_t code = poet_get_int(call->src[1], i);
        if (code < 0 || code >= codes)
            return POET_FAIL(POET_ERR_ARG, "index %d at %lld is outside a histogram of %lld", code,
                             (long long)i, (long long)codes);
        poet_put(call->dst[0], code, poet_get(call->dst[0], code) + 1);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_count_codes = {
    .infer = infer_count, .ref = ref_count, .alias = {1}, .updates = true};

poet_val poet_count_codes(poet_graph *g, poet_val histogram, poet_val index)
{
    return poet_emit(g, POET_OP_COUNT_CODES, 2, (poet_val[]){histogram, index}, NULL, NULL);
}
