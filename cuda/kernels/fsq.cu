/* Finite scalar quantization (Mentzer et al., "Finite scalar quantization: VQ-VAE made simple", 2023, appendix A) and its
 * binary form, LFQ (Yu et al., "Language model beats diffusion", 2023).
 *
 * A channel of L levels: bounded = tanh(z + shift) half - offset, its level round(bounded) + L/2, its value
 * (level - L/2) / (L/2); the gradient of the bounding is (1 - tanh^2) half / (L/2). A binary channel is -1 or 1.
 *
 * The entropy loss, with u = 4 z / temperature, p = sigmoid(u), H(p) = softplus(u) - u p, and m the mean of p over rows:
 *     loss = mean over channels of (mean over rows of H(p)) - gamma H(m)
 *     dloss/du = p (1 - p) (gamma log(m / (1 - m)) - u) / (rows channels)
 *
 * In double where the reference rounds or subtracts what is nearly equal: these are few numbers. */
#include "cuda/kernels/fault.cuh"
#include "cuda/kernels/fsq.h"

/* ---- levels ---- */

static inline __device__ int level_of(const poet_fsq_levels &f, int c, double z)
{
    if (f.binary)
        return z > 0;
    return static_cast<int>(rint(tanh(z + f.shift[c]) * f.half[c] - f.offset[c])) + f.levels[c] / 2;
}

static inline __device__ float value_of(const poet_fsq_levels &f, int c, int level)
{
    int middle = f.levels[c] / 2;
    return f.binary ? static_cast<float>(2 * level - 1)
                    : static_cast<float>(level - middle) / static_cast<float>(middle);
}

/* A thread has a row. */
static __global__ void fsq(const float *z, float *y, int32_t *index, int rows, poet_fsq_levels f,
                           poet_fault *fault)
{
    int64_t row = poet_thread();
    if (row >= rows)
        return;
    int code = 0, radix = 1;
    for (int c = 0; c < f.channels; c++) {
        float x = z[row * f.channels + c];
        if (x != x) {
            poet_report(fault, POET_FAULT_NUMBER, row);
            x = 0;
        }
        int level = level_of(f, c, static_cast<double>(x));
        y[row * f.channels + c] = value_of(f, c, level);
        code += level * radix;
        radix = c + 1 < f.channels ? radix * f.levels[c] : radix;
    }
    index[row] = code;
}

int poet_cuda_fsq(poet_stream stream, const float *z, float *y, int32_t *index, int rows,
                  const poet_fsq_levels *levels, poet_fault *fault)
{
    return POET_LAUNCH(fsq, poet_blocks(rows, POET_BLOCK), POET_BLOCK, 0, stream, z, y, index, rows,
                       *levels, fault);
}

static __global__ void fsq_bwd(const float *z, const float *dy, float *dz, int rows,
                               poet_fsq_levels f)
{
    int64_t i = poet_thread();
    if (i >= static_cast<int64_t>(rows) * f.channels)
        return;
    int c = static_cast<int>(i % f.channels);
    double t = tanh(static_cast<double>(z[i]) + f.shift[c]), width = f.levels[c] / 2;
    dz[i] = static_cast<float>(static_cast<double>(dy[i]) * (1 - t * t) * f.half[c] / width);
}

int poet_cuda_fsq_bwd(poet_stream stream, const float *z, const float *dy, float *dz, int rows,
                      const poet_fsq_levels *levels)
{
    int64_t n = static_cast<int64_t>(rows) * levels->channels;
    return POET_LAUNCH(fsq_bwd, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, z, dy, dz, rows,
                       *levels);
}

static __global__ void fsq_codes(const int32_t *index, float *y, int rows, poet_fsq_levels f,
                                 poet_fault *fault)
{
    int64_t row = poet_thread();
    if (row >= rows)
        return;
    int rest = index[row];
    bool negative = rest < 0;
    for (int c = 0; c < f.channels; c++) {
        y[row * f.channels + c] = value_of(f, c, negative ? 0 : rest % f.levels[c]);
        rest /= f.levels[c];
    }
    if (negative || rest > 0)
        poet_report(fault, POET_FAULT_INDEX, row);
}

int poet_cuda_fsq_codes(poet_stream stream, const int32_t *index, float *y, int rows,
                        const poet_fsq_levels *levels, poet_fault *fault)
{
    return POET_LAUNCH(fsq_codes, poet_blocks(rows, POET_BLOCK), POET_BLOCK, 0, stream, index, y,
                       rows, *levels, fault);
}

/* ---- the entropy of bits ---- */

static inline __device__ double sigmoid(double u)
{
    return 1 / (1 + exp(-u));
}

/* Of a bit that is 1 with probability sigmoid(u). */
static inline __device__ double bit_entropy(double u)
{
    return fmax(u, 0.0) + log1p(exp(-fabs(u))) - u * sigmoid(u);
}

/* Kept off 0 and 1, where the entropy has no slope that a float could hold. */
static inline __device__ double log_odds(double mean)
{
    mean = fmin(fmax(mean, 1e-7), 1 - 1e-7);
    return log(mean / (1 - mean));
}

/* A block for each channel: means[c] of p, means[channels + c] of H(p), over rows. */
static __global__ void bit_means(poet_entropy_args a)
{
    __shared__ double p[POET_BLOCK], h[POET_BLOCK];
    unsigned me = threadIdx.x, c = blockIdx.x;
    double sum_p = 0, sum_h = 0;
    for (int64_t row = me; row < a.rows; row += POET_BLOCK) {
        double u = 4 / a.temperature * static_cast<double>(a.z[row * a.channels + c]);
        sum_p += sigmoid(u);
        sum_h += bit_entropy(u);
    }
    p[me] = sum_p;
    h[me] = sum_h;
    for (unsigned half = POET_BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (me < half) {
            p[me] += p[me + half];
            h[me] += h[me + half];
        }
    }
    if (me == 0) {
        a.means[c] = p[0] / a.rows;
        a.means[a.channels + c] = h[0] / a.rows;
    }
}

static int launch_means(poet_stream stream, const poet_entropy_args *args)
{
    return POET_LAUNCH(bit_means, static_cast<unsigned>(args->channels), POET_BLOCK, 0, stream,
                       *args);
}

/* One thread: a sum over a dozen channels. */
static __global__ void entropy_loss(poet_entropy_args a, float *loss)
{
    double sum = 0;
    for (int c = 0; c < a.channels; c++)
        sum += a.means[a.channels + c] - a.gamma * bit_entropy(log_odds(a.means[c]));
    *loss = static_cast<float>(sum / a.channels);
}

int poet_cuda_lfq_entropy(poet_stream stream, const poet_entropy_args *args, float *loss)
{
    int code = launch_means(stream, args);
    return code ? code : POET_LAUNCH(entropy_loss, 1, 1, 0, stream, *args, loss);
}

static __global__ void entropy_bwd(poet_entropy_args a, const float *dy, float *dz)
{
    int64_t i = poet_thread(), n = static_cast<int64_t>(a.rows) * a.channels;
    if (i >= n)
        return;
    double scale = 4 / a.temperature, u = scale * static_cast<double>(a.z[i]), p = sigmoid(u);
    double slope = p * (1 - p) * (a.gamma * log_odds(a.means[i % a.channels]) - u);
    dz[i] = static_cast<float>(static_cast<double>(*dy) * scale / static_cast<double>(n) * slope);
}

int poet_cuda_lfq_entropy_bwd(poet_stream stream, const poet_entropy_args *args, const float *dy,
                              float *dz)
{
    int64_t n = static_cast<int64_t>(args->rows) * args->channels;
    int code = launch_means(stream, args);
    return code ? code
                : POET_LAUNCH(entropy_bwd, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, *args,
                              dy, dz);
}
