/* Updates of parameters: one thread for each element, one pass over memory, by which all are bound.
 *
 * AdamW (Loshchilov and Hutter 2019), step t, g = factor grad:
 *     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *     param -= rate (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + decay param)
 * Step and rate are known to the device alone. 1 - b^t = -expm1(t log b) keeps its digits in f32 where b^t is near 1.
 *
 * Momentum, unit norm and descent are pieces of Muon (Jordan et al. 2024). The norm of many tensors (Pascanu et al. 2013,
 * for clipping) comes of one launch over slices of all of them, and of one block that adds the slices up in f64. */
#include "cuda/kernels/optim.h"
#include "cuda/kernels/reduce.cuh"

#include <cmath>

/* ---- norms ---- */

void poet_cuda_add_piece(poet_pieces *pieces, const float *x, int count)
{
    int i = pieces->n++;
    pieces->x[i] = x;
    pieces->count[i] = count;
    pieces->first[i + 1] = pieces->first[i] + static_cast<int>(poet_blocks(count, POET_SLICE));
}

/* The tensor of a slice: the last one that begins no later. */
static inline __device__ int piece_of(const poet_pieces &pieces, int slice)
{
    int low = 0, high = pieces.n;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        *(pieces.first[middle] <= slice ? &low : &high) = middle;
    }
    return low;
}

static __global__ void squares(poet_pieces pieces, float *parts)
{
    int slice = static_cast<int>(blockIdx.x), piece = piece_of(pieces, slice);
    const float *x = pieces.x[piece];
    int64_t begin = static_cast<int64_t>(slice - pieces.first[piece]) * POET_SLICE;
    int64_t end = min(begin + POET_SLICE, static_cast<int64_t>(pieces.count[piece]));
    float sum = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += POET_BLOCK)
        sum = fmaf(x[i], x[i], sum);
    sum = poet_block_sum(sum);
    if (threadIdx.x == 0)
        parts[slice] = sum;
}

int poet_cuda_squares(poet_stream stream, const poet_pieces *pieces, float *parts)
{
    return POET_LAUNCH(squares, static_cast<unsigned>(pieces->first[pieces->n]), POET_BLOCK, 0,
                       stream, *pieces, parts);
}

static __global__ void clip(const float *parts, int n_parts, float limit, float *factor,
                            float *norm)
{
    double length = sqrt(poet_sum_parts(parts, n_parts));
    if (threadIdx.x > 0)
        return;
    *factor =
        limit > 0 ? static_cast<float>(fmin(1.0, static_cast<double>(limit) / (length + 1e-6))) : 1;
    *norm = static_cast<float>(length);
}

int poet_cuda_clip_factor(poet_stream stream, const float *parts, int n_parts, float limit,
                          float *factor, float *norm)
{
    return POET_LAUNCH(clip, 1, POET_BLOCK, 0, stream, parts, n_parts, limit, factor, norm);
}

static __global__ void inverse_norm(const float *parts, int n_parts, float *factor)
{
    double length = sqrt(poet_sum_parts(parts, n_parts));
    if (threadIdx.x == 0)
        *factor = static_cast<float>(1 / (length + 1e-7));
}

static __global__ void scale_by(const float *x, const float *factor, float *y, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        y[i] = x[i] * *factor;
}

int poet_cuda_unit_norm(poet_stream stream, const float *x, const float *parts, int n_parts,
                        float *factor, float *y, int n)
{
    int code = POET_LAUNCH(inverse_norm, 1, POET_BLOCK, 0, stream, parts, n_parts, factor);
    return code ? code
                : POET_LAUNCH(scale_by, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x,
                              factor, y, n);
}

/* ---- AdamW ---- */

static __global__ void adamw(float *param, const float *grad, float *m, float *v,
                             const float *factor, const float *hyper, int n, poet_adamw_rule rule,
                             float log_beta1, float log_beta2)
{
    int64_t i = poet_thread();
    if (i >= n)
        return;
    float rate = hyper[0] * rule.rate_scale, step = hyper[1];
    float rest1 = -expm1f(step * log_beta1), rest2 = -expm1f(step * log_beta2);
    float g = *factor * grad[i], p = param[i];
    float mean = fmaf(rule.beta1, m[i], (1 - rule.beta1) * g);
    float square = fmaf(rule.beta2, v[i], (1 - rule.beta2) * g * g);
    float update = mean / rest1 / (sqrtf(square / rest2) + rule.eps);
    param[i] = p - rate * fmaf(rule.weight_decay, p, update);
    m[i] = mean;
    v[i] = square;
}

int poet_cuda_adamw(poet_stream stream, float *param, const float *grad, float *m, float *v,
                    const float *factor, const float *hyper, int n, const poet_adamw_rule *rule)
{
    float log_beta1 = static_cast<float>(std::log(static_cast<double>(rule->beta1)));
    float log_beta2 = static_cast<float>(std::log(static_cast<double>(rule->beta2)));
    return POET_LAUNCH(adamw, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, param, grad, m, v,
                       factor, hyper, n, *rule, log_beta1, log_beta2);
}

/* ---- pieces of Muon, and the average of weights ---- */

static __global__ void momentum(const float *grad, float *m, const float *factor, float beta,
                                float *update, int n)
{
    int64_t i = poet_thread();
    if (i >= n)
        return;
    float g = *factor * grad[i];
    m[i] = fmaf(beta, m[i], g);
    update[i] = fmaf(beta, m[i], g);
}

int poet_cuda_momentum(poet_stream stream, const float *grad, float *m, const float *factor,
                       float beta, float *update, int n)
{
    return POET_LAUNCH(momentum, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, grad, m, factor,
                       beta, update, n);
}

static __global__ void descend(float *param, const float *update, const float *hyper,
                               float rate_scale, float weight_decay, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        param[i] -= hyper[0] * rate_scale * fmaf(weight_decay, param[i], update[i]);
}

int poet_cuda_descend(poet_stream stream, float *param, const float *update, const float *hyper,
                      float rate_scale, float weight_decay, int n)
{
    return POET_LAUNCH(descend, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, param, update,
                       hyper, rate_scale, weight_decay, n);
}

static __global__ void average(float *mean, const float *param, const float *hyper, float share,
                               int n)
{
    int64_t i = poet_thread();
    if (i < n)
        mean[i] = fmaf(param[i] - mean[i], fmaxf(share, 1 / fmaxf(hyper[1], 1)), mean[i]);
}

int poet_cuda_average(poet_stream stream, float *mean, const float *param, const float *hyper,
                      float decay, int n)
{
    float share = static_cast<float>(1 - static_cast<double>(decay));
    return POET_LAUNCH(average, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, mean, param,
                       hyper, share, n);
}
