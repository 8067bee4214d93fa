/* Losses.
 *
 * Mean differences: blocks sum slices, one block adds the slices up in f64.
 *     mse  mean d^2, slope 2 d / n          l1  mean |d|, slope sign(d) / n          d = x - target
 *
 * Cross entropy, softmax fused in: a warp for each row reads the logits once. Its lanes keep the greatest logit m so far
 * and s = sum exp(x - m), rescaled when m grows (Milakov and Gimelshein, "Online normalizer calculation for softmax",
 * 2018); pairs (m, s) of two lanes join in the same way.
 *     lse = m + log s,   row loss = lse - x[target],   loss = mean over the rows whose target is not negative
 *     slope: dy (exp(x - lse) - [k = target]) / rows that count, in one pass more */
#include "cuda/kernels/fault.cuh"
#include "cuda/kernels/loss.h"
#include "cuda/kernels/reduce.cuh"

#include <cfloat>

/* ---- mean squared and mean absolute difference ---- */

enum difference { SQUARED, ABSOLUTE };

template <int kind>
static __global__ void slice_sums(const float *x, const float *target, float *parts, int n)
{
    int64_t begin = static_cast<int64_t>(blockIdx.x) * POET_SLICE;
    int64_t end = min(begin + POET_SLICE, static_cast<int64_t>(n));
    float sum = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += POET_BLOCK) {
        float d = x[i] - target[i];
        sum += kind == SQUARED ? d * d : fabsf(d);
    }
    sum = poet_block_sum(sum);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sum;
}

static __global__ void mean_of(const float *parts, int n_parts, int n, float *loss)
{
    double sum = poet_sum_parts(parts, n_parts);
    if (threadIdx.x == 0)
        *loss = static_cast<float>(sum / static_cast<double>(n));
}

template <int kind>
static int launch_difference(poet_stream stream, const float *x, const float *target, float *parts,
                             float *loss, int n)
{
    int n_parts = poet_cuda_loss_parts(n);
    int code = POET_LAUNCH(slice_sums<kind>, static_cast<unsigned>(n_parts), POET_BLOCK, 0, stream,
                           x, target, parts, n);
    return code ? code : POET_LAUNCH(mean_of, 1, POET_BLOCK, 0, stream, parts, n_parts, n, loss);
}

int poet_cuda_loss_parts(int n)
{
    return static_cast<int>(poet_blocks(n, POET_SLICE));
}

int poet_cuda_mse(poet_stream stream, const float *x, const float *target, float *parts,
                  float *loss, int n)
{
    return launch_difference<SQUARED>(stream, x, target, parts, loss, n);
}

int poet_cuda_l1(poet_stream stream, const float *x, const float *target, float *parts, float *loss,
                 int n)
{
    return launch_difference<ABSOLUTE>(stream, x, target, parts, loss, n);
}

template <int kind>
static __global__ void slopes(const float *x, const float *target, const float *dy, float *dx,
                              int n)
{
    int64_t i = poet_thread();
    if (i >= n)
        return;
    float d = x[i] - target[i], share = *dy / static_cast<float>(n);
    dx[i] = share * (kind == SQUARED ? 2 * d : static_cast<float>((d > 0) - (d < 0)));
}

int poet_cuda_mse_bwd(poet_stream stream, const float *x, const float *target, const float *dy,
                      float *dx, int n)
{
    return POET_LAUNCH(slopes<SQUARED>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x,
                       target, dy, dx, n);
}

int poet_cuda_l1_bwd(poet_stream stream, const float *x, const float *target, const float *dy,
                     float *dx, int n)
{
    return POET_LAUNCH(slopes<ABSOLUTE>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x,
                       target, dy, dx, n);
}

/* ---- cross entropy ---- */

enum { ROWS = POET_BLOCK / POET_WARP }; /* of a block */

/* The greatest of some logits, and the sum of exp(x - greatest); of none, FLT_MAX's negative and 0: no case apart. */
struct partial_softmax {
    float greatest, sum;
};

static inline __device__ partial_softmax join(partial_softmax a, partial_softmax b)
{
    float greatest = fmaxf(a.greatest, b.greatest);
    return {greatest, a.sum * expf(a.greatest - greatest) + b.sum * expf(b.greatest - greatest)};
}

static inline __device__ float log_sum_exp(const float *x, int v, int lane)
{
    partial_softmax mine = {-FLT_MAX, 0};
    for (int k = lane; k < v; k += POET_WARP) {
        if (x[k] > mine.greatest)
            mine = {x[k], mine.sum * expf(mine.greatest - x[k])};
        mine.sum += expf(x[k] - mine.greatest);
    }
    for (int by = POET_WARP / 2; by > 0; by /= 2) {
        float greatest = __shfl_xor_sync(POET_ALL_LANES, mine.greatest, by);
        float sum = __shfl_xor_sync(POET_ALL_LANES, mine.sum, by);
        mine = join(mine, {greatest, sum});
    }
    return mine.greatest + logf(mine.sum);
}

static __global__ void entropies(const float *logits, const int32_t *target, float *row_loss,
                                 float *lse, int rows, int v, poet_fault *fault)
{
    int64_t row = static_cast<int64_t>(blockIdx.x) * ROWS + threadIdx.y;
    if (row >= rows)
        return;
    const float *x = logits + row * v;
    float all = log_sum_exp(x, v, static_cast<int>(threadIdx.x));
    if (threadIdx.x > 0)
        return;
    int t = target[row];
    if (t >= v)
        poet_report(fault, POET_FAULT_TARGET, row);
    lse[row] = all;
    row_loss[row] = t < 0 || t >= v ? 0 : all - x[t];
}

/* The sum of the rows' losses, or dy where there are none, divided by the number of rows that count. */
static __global__ void per_row(const int32_t *target, const float *row_loss, const float *dy,
                               int rows, float *share)
{
    double sum = 0;
    int count = 0;
    for (int row = static_cast<int>(threadIdx.x); row < rows; row += POET_BLOCK) {
        sum += row_loss ? static_cast<double>(row_loss[row]) : 0;
        count += target[row] >= 0;
    }
    sum = poet_block_sum(sum);
    count = poet_block_sum(count);
    if (threadIdx.x > 0)
        return;
    double whole = row_loss ? sum : static_cast<double>(*dy);
    *share = count > 0 ? static_cast<float>(whole / count) : 0;
}

int poet_cuda_cross_entropy(poet_stream stream, const float *logits, const int32_t *target,
                            float *loss, float *row_loss, float *lse, int rows, int v,
                            poet_fault *fault)
{
    dim3 block(POET_WARP, ROWS);
    int code = POET_LAUNCH(entropies, poet_blocks(rows, ROWS), block, 0, stream, logits, target,
                           row_loss, lse, rows, v, fault);
    return code ? code
                : POET_LAUNCH(per_row, 1, POET_BLOCK, 0, stream, target, row_loss, nullptr, rows,
                              loss);
}

static __global__ void entropy_slopes(const float *logits, const int32_t *target, const float *lse,
                                      const float *share, float *dlogits, int rows, int v)
{
    int64_t row = static_cast<int64_t>(blockIdx.x) * ROWS + threadIdx.y;
    if (row >= rows)
        return;
    int t = target[row];
    float all = lse[row];
    for (int k = static_cast<int>(threadIdx.x); k < v; k += POET_WARP) {
        float p = expf(logits[row * v + k] - all);
        dlogits[row * v + k] = t < 0 ? 0 : *share * (p - static_cast<float>(k == t));
    }
}

int poet_cuda_cross_entropy_bwd(poet_stream stream, const float *logits, const int32_t *target,
                                const float *lse, const float *dy, float *share, float *dlogits,
                                int rows, int v)
{
    dim3 block(POET_WARP, ROWS);
    int code = POET_LAUNCH(per_row, 1, POET_BLOCK, 0, stream, target, nullptr, dy, rows, share);
    return code ? code
                : POET_LAUNCH(entropy_slopes, poet_blocks(rows, ROWS), block, 0, stream, logits,
                              target, lse, share, dlogits, rows, v);
}
