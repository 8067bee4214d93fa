/* Losses: scalars, and their gradients. */
#include "compute/ops/rule_internal.h"

#include <math.h>

/* ---- mean squared and mean absolute difference ---- */

static poet_status infer_difference(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                    poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "x"));
    POET_TRY(rule_need(src[1], "target", src[0]->shape));
    dst[0] = rule_real(POET_SCALAR);
    return POET_OK;
}

static poet_status infer_difference_bwd(const poet_attr *attr, int n_src,
                                        const poet_tensor *const *src, poet_tensor *dst)
{
    POET_TRY(infer_difference(attr, n_src, src, dst));
    POET_TRY(rule_need(src[2], "dy", POET_SCALAR));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

static double difference(const poet_call *call, int64_t i)
{
    return poet_get(call->src[0], i) - poet_get(call->src[1], i);
}

static poet_status ref_mse(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += difference(call, i) * difference(call, i);
    poet_put(call->dst[0], 0, sum / (double)n);
    return POET_OK;
}

static poet_status ref_mse_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    double factor = 2 * poet_get(call->src[2], 0) / (double)n;
    for (int64_t i = 0; i < n; i++)
        poet_put(call->dst[0], i, factor * difference(call, i));
    return POET_OK;
}

static poet_status ref_l1(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(difference(call, i));
    poet_put(call->dst[0], 0, sum / (double)n);
    return POET_OK;
}

static poet_status ref_l1_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    double factor = poet_get(call->src[2], 0) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = difference(call, i);
        poet_put(call->dst[0], i, factor * ((d > 0) - (d < 0)));
    }
    return POET_OK;
}

static void grad_mse(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val src[] = {node->src[0], node->src[1], dy[0]};
    dx[0] = poet_emit(g, POET_OP_MSE_BWD, 3, src, NULL, NULL);
}

static void grad_l1(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val src[] = {node->src[0], node->src[1], dy[0]};
    dx[0] = poet_emit(g, POET_OP_L1_BWD, 3, src, NULL, NULL);
}

const poet_op_rule poet_rule_mse = {.infer = infer_difference, .grad = grad_mse, .ref = ref_mse};
const poet_op_rule poet_rule_mse_bwd = {
    .infer = infer_difference_bwd, .ref = ref_mse_bwd, .in_place = true};
const poet_op_rule poet_rule_l1 = {.infer = infer_difference, .grad = grad_l1, .ref = ref_l1};
const poet_op_rule poet_rule_l1_bwd = {
    .infer = infer_difference_bwd, .ref = ref_l1_bwd, .in_place = true};

poet_val poet_mse(poet_graph *g, poet_val x, poet_val target)
{
    return poet_emit(g, POET_OP_MSE, 2, (poet_val[]){x, target}, NULL, NULL);
}

poet_val poet_l1(poet_graph *g, poet_val x, poet_val target)
{
    return poet_emit(g, POET_OP_L1, 2, (poet_val[]){x, target}, NULL, NULL);
}

/* ---- cross entropy ---- */

static poet_status infer_cross_entropy(const poet_attr *attr, int n_src,
                                       const poet_tensor *const *src, poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "logits"));
    POET_TRY(rule_need_int(src[1], "target"));
    POET_TRY(rule_need_shape(src[1], "target", rule_rows(src[0]->shape)));
    dst[0] = rule_real(POET_SCALAR);
    dst[1] = dst[2] = rule_real(rule_rows(src[0]->shape));
    return POET_OK;
}

/* log sum exp of one row. */
static double row_lse(const poet_tensor *logits, int64_t row, int64_t v)
{
    double high = -INFINITY, sum = 0;
    for (int64_t k = 0; k < v; k++)
        high = fmax(high, poet_get(logits, row * v + k));
    for (int64_t k = 0; k < v; k++)
        sum += exp(poet_get(logits, row * v + k) - high);
    return high + log(sum);
}

static poet_status ref_cross_entropy(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *logits = call->src[0], *target = call->src[1];
    int64_t rows = poet_tensor_count(target), v = poet_shape_last(&logits->shape), counted = 0;
    double sum = 0;
    for (int64_t row = 0; row < rows; row++) {
        int32_t t = poet_get_int(target, row);
        if (t >= v)
            return POET_FAIL(POET_ERR_ARG, "target %d at %lld is outside %lld classes", t,
                             (long long)row, (long long)v);
        double lse = row_lse(logits, row, v);
        double loss = t < 0 ? 0 : lse - poet_get(logits, row * v + t);
        poet_put(call->dst[1], row, loss);
        poet_put(call->dst[2], row, lse);
        sum += loss;
        counted += t >= 0;
    }
    poet_put(call->dst[0], 0, counted ? sum / (double)counted : 0);
    return POET_OK;
}

static void grad_cross_entropy(poet_graph *g, const poet_node *node, const poet_val *dy,
                               poet_val *dx)
{
    if (dy[1].id >= 0) {
        poet_graph_fail(g,
                        POET_FAIL(POET_ERR_UNSUPPORTED,
                                  "%s: the losses of single rows carry no gradient", node->name));
        return;
    }
    poet_val src[] = {node->src[0], node->src[1], node->dst[2], dy[0]};
    dx[0] = poet_emit(g, POET_OP_CROSS_ENTROPY_BWD, 4, src, NULL, NULL);
}

static poet_status infer_cross_entropy_bwd(const poet_attr *attr, int n_src,
                                           const poet_tensor *const *src, poet_tensor *dst)
{
    POET_TRY(infer_cross_entropy(attr, n_src, src, dst));
    POET_TRY(rule_need(src[2], "lse", dst[2].shape));
    POET_TRY(rule_need(src[3], "dy", POET_SCALAR));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

static poet_status ref_cross_entropy_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *logits = call->src[0], *target = call->src[1];
    int64_t rows = poet_tensor_count(target), v = poet_shape_last(&logits->shape), counted = 0;
    for (int64_t row = 0; row < rows; row++)
        counted += poet_get_int(target, row) >= 0;
    double factor = counted ? poet_get(call->src[3], 0) / (double)counted : 0;
    for (int64_t row = 0; row < rows; row++) {
        int32_t t = poet_get_int(target, row);
        for (int64_t k = 0; k < v; k++) {
            double p = exp(poet_get(logits, row * v + k) - poet_get(call->src[2], row));
            poet_put(call->dst[0], row * v + k, t < 0 ? 0 : factor * (p - (k == t)));
        }
    }
    return POET_OK;
}

const poet_op_rule poet_rule_cross_entropy = {
    .infer = infer_cross_entropy, .grad = grad_cross_entropy, .ref = ref_cross_entropy};
const poet_op_rule poet_rule_cross_entropy_bwd = {
    .infer = infer_cross_entropy_bwd, .ref = ref_cross_entropy_bwd, .in_place = true};

poet_val poet_cross_entropy(poet_graph *g, poet_val logits, poet_val target, poet_val *row_loss)
{
    poet_val dst[POET_MAX_DST];
    poet_emit(g, POET_OP_CROSS_ENTROPY, 2, (poet_val[]){logits, target}, NULL, dst);
    if (row_loss)
        *row_loss = dst[1];
    return dst[0];
}

/* ---- the entropy loss of LFQ ---- */

static poet_status infer_entropy(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    (void)n_src;
    if (!(attr->entropy.temperature > 0))
        return POET_FAIL(POET_ERR_ARG, "a temperature of %g is not positive",
                         (double)attr->entropy.temperature);
    POET_TRY(rule_need_real(src[0], "z"));
    dst[0] = rule_real(POET_SCALAR);
    return POET_OK;
}

static double sigmoid(double u)
{
    return 1 / (1 + exp(-u));
}

/* Entropy of a bit that is 1 with probability sigmoid(u): softplus(u) - u sigmoid(u). */
static double bit_entropy(double u)
{
    return fmax(u, 0) + log1p(exp(-fabs(u))) - u * sigmoid(u);
}

/* The log-odds of the mean probability of one channel. The mean is kept off 0 and 1, where its
 * entropy has no slope that a float could hold. */
static double mean_log_odds(const poet_call *call, int64_t c, int64_t rows, int64_t channels)
{
    double scale = 4 / (double)call->attr->entropy.temperature, mean = 0;
    for (int64_t row = 0; row < rows; row++)
        mean += sigmoid(scale * poet_get(call->src[0], row * channels + c)) / (double)rows;
    mean = fmin(fmax(mean, 1e-7), 1 - 1e-7);
    return log(mean / (1 - mean));
}

static poet_status ref_entropy(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *z = call->src[0];
    int64_t rows = rule_count_rows(z), channels = poet_shape_last(&z->shape);
    double scale = 4 / (double)call->attr->entropy.temperature, sum = 0;
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0;
        for (int64_t row = 0; row < rows; row++)
            mean += bit_entropy(scale * poet_get(z, row * channels + c)) / (double)rows;
        sum += mean - (double)call->attr->entropy.gamma *
                          bit_entropy(mean_log_odds(call, c, rows, channels));
    }
    poet_put(call->dst[0], 0, sum / (double)channels);
    return POET_OK;
}

static void grad_entropy(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val src[] = {node->src[0], dy[0]};
    dx[0] = poet_emit(g, POET_OP_LFQ_ENTROPY_BWD, 2, src, &node->attr, NULL);
}

static poet_status infer_entropy_bwd(const poet_attr *attr, int n_src,
                                     const poet_tensor *const *src, poet_tensor *dst)
{
    POET_TRY(infer_entropy(attr, n_src, src, dst));
    POET_TRY(rule_need(src[1], "dy", POET_SCALAR));
    dst[0] = rule_real(src[0]->shape);
    return POET_OK;
}

/* dH(sigmoid(u))/du = -u p (1-p); dH(mean)/dmean = -log odds(mean). */
static poet_status ref_entropy_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *z = call->src[0];
    int64_t rows = rule_count_rows(z), channels = poet_shape_last(&z->shape);
    double scale = 4 / (double)call->attr->entropy.temperature;
    double factor = poet_get(call->src[1], 0) * scale / (double)(rows * channels);
    for (int64_t c = 0; c < channels; c++) {
        double odds = mean_log_odds(call, c, rows, channels);
        for (int64_t row = 0; row < rows; row++) {
            double u = scale * poet_get(z, row * channels + c), p = sigmoid(u);
            double slope = p * (1 - p) * ((double)call->attr->entropy.gamma * odds - u);
            poet_put(call->dst[0], row * channels + c, factor * slope);
        }
    }
    return POET_OK;
}

const poet_op_rule poet_rule_lfq_entropy = {
    .infer = infer_entropy, .grad = grad_entropy, .ref = ref_entropy};
const poet_op_rule poet_rule_lfq_entropy_bwd = {.infer = infer_entropy_bwd, .ref = ref_entropy_bwd};

poet_val poet_lfq_entropy(poet_graph *g, poet_val z, float temperature, float gamma)
{
    poet_attr attr = {.entropy = {.temperature = temperature, .gamma = gamma}};
    return poet_emit(g, POET_OP_LFQ_ENTROPY, 1, &z, &attr, NULL);
}
