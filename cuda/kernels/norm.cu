/* Norms. With n = (x - mean) rstd, z = gain n + bias:
 *
 *   group norm (Wu and He, 2018), over the pixels of a frame and the channels of a group; y = z, or SiLU(z).
 *       With d = dz gain: dx = rstd (d - mean(d) - n mean(d n)), dgain = sum dz n, dbias = sum dz.
 *       The two means are sums of gain dbias and gain dgain over the group's channels, so one pass over x gives all.
 *   RMS norm (Zhang and Sennrich, 2019), over a row, with no mean and no bias: dx = rstd (d - n mean(d n)).
 *
 * The variance is summed around the mean, in a second pass over what the caches hold: x^2 - mean^2 would cancel. */
#include "cuda/kernels/norm.h"
#include "cuda/kernels/reduce.cuh"

static const float group_epsilon = 1e-5F;
static const double rms_epsilon = 1e-6;

enum { WARP = 32, WARPS = POET_BLOCK / WARP };

static inline __device__ float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* ---- group norm: a block for each frame and group ---- */

/* A thread has a channel of up to POET_BLOCK neighbours, and every `rows`-th pixel; threads that are left over have none. */
struct group_thread {
    int64_t start; /* of the group in x */
    int columns, rows, column, row;
    int channels;
};

static inline __device__ group_thread thread_of(const poet_group_norm_sizes &sizes)
{
    int frame = static_cast<int>(blockIdx.x) / sizes.groups,
        group = static_cast<int>(blockIdx.x) % sizes.groups;
    int channels = sizes.groups * sizes.width,
        columns = min(sizes.width, static_cast<int>(POET_BLOCK));
    int thread = static_cast<int>(threadIdx.x), rows = POET_BLOCK / columns;
    int row = thread / columns;
    return {static_cast<int64_t>(frame) * sizes.pixels * channels + group * sizes.width,
            columns,
            rows,
            thread % columns,
            row < rows ? row : sizes.pixels,
            channels};
}

/* The sum of term(element) over the group, in every thread. */
template <typename Term>
static inline __device__ float group_sum(const poet_group_norm_sizes &sizes, const group_thread &t,
                                         Term term)
{
    float sum = 0;
    for (int c = t.column; c < sizes.width; c += t.columns)
        for (int pixel = t.row; pixel < sizes.pixels; pixel += t.rows)
            sum += term(t.start + static_cast<int64_t>(pixel) * t.channels + c);
    return poet_block_sum(sum);
}

static __global__ void group_norm(const float *x, const float *gain, const float *bias, float *y,
                                  float *means, float *rstds, poet_group_norm_sizes sizes)
{
    group_thread t = thread_of(sizes);
    float n = static_cast<float>(sizes.pixels) * static_cast<float>(sizes.width);
    float mean = group_sum(sizes, t, [=](int64_t i) { return x[i]; }) / n;
    float square = group_sum(sizes, t, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
    float rstd = 1 / sqrtf(square / n + group_epsilon);
    if (threadIdx.x == 0) {
        means[blockIdx.x] = mean;
        rstds[blockIdx.x] = rstd;
    }
    int first = static_cast<int>(blockIdx.x) % sizes.groups * sizes.width;
    for (int c = t.column; c < sizes.width; c += t.columns)
        for (int pixel = t.row; pixel < sizes.pixels; pixel += t.rows) {
            int64_t i = t.start + static_cast<int64_t>(pixel) * t.channels + c;
            float z = (x[i] - mean) * rstd * gain[first + c] + bias[first + c];
            y[i] = sizes.silu ? z * sigmoid(z) : z;
        }
}

int poet_cuda_group_norm(poet_stream stream, const float *x, const float *gain, const float *bias,
                         float *y, float *mean, float *rstd, const poet_group_norm_sizes *sizes)
{
    return POET_LAUNCH(group_norm, static_cast<unsigned>(sizes->frames * sizes->groups), POET_BLOCK,
                       0, stream, x, gain, bias, y, mean, rstd, *sizes);
}

/* dz and n of one element. */
static inline __device__ float2 before_act(const poet_group_norm_sources &s, int silu, int64_t i,
                                           int channel)
{
    float normal = (s.x[i] - s.mean[blockIdx.x]) * s.rstd[blockIdx.x], d = s.dy[i];
    if (silu) {
        float z = normal * s.gain[channel] + s.bias[channel], gate = sigmoid(z);
        d *= gate * (1 + z * (1 - gate));
    }
    return {d, normal};
}

/* Sums over the rows of threads: the first row gets them. */
static inline __device__ float sum_of_rows(float value, const group_thread &t, float *part)
{
    float sum = 0;
    __syncthreads();
    part[threadIdx.x] = value;
    __syncthreads();
    for (int row = 0; row < t.rows && t.row == 0; row++)
        sum += part[row * t.columns + t.column];
    return sum;
}

static __global__ void group_norm_bwd(poet_group_norm_sources s, float *dx, float *parts,
                                      poet_group_norm_sizes sizes)
{
    __shared__ float part[POET_BLOCK];
    group_thread t = thread_of(sizes);
    int group = static_cast<int>(blockIdx.x) % sizes.groups,
        frame = static_cast<int>(blockIdx.x) / sizes.groups;
    float *dgain = parts + static_cast<int64_t>(frame) * t.channels + group * sizes.width;
    float *dbias = dgain + static_cast<int64_t>(sizes.frames) * t.channels;
    float mean_d = 0, mean_dn = 0,
          n = static_cast<float>(sizes.pixels) * static_cast<float>(sizes.width);
    for (int first = 0; first < sizes.width; first += t.columns) {
        int c = first + t.column;
        float sum_d = 0, sum_dn = 0;
        for (int pixel = t.row; pixel < sizes.pixels && c < sizes.width; pixel += t.rows) {
            int64_t i = t.start + static_cast<int64_t>(pixel) * t.channels + c;
            float2 d = before_act(s, sizes.silu, i, group * sizes.width + c);
            sum_d += d.x;
            sum_dn += d.x * d.y;
        }
        sum_d = sum_of_rows(sum_d, t, part);
        sum_dn = sum_of_rows(sum_dn, t, part);
        if (t.row == 0 && c < sizes.width) {
            float gain = s.gain[group * sizes.width + c];
            dgain[c] = sum_dn;
            dbias[c] = sum_d;
            mean_d += gain * sum_d / n;
            mean_dn += gain * sum_dn / n;
        }
    }
    mean_d = poet_block_sum(mean_d);
    mean_dn = poet_block_sum(mean_dn);
    for (int c = t.column; c < sizes.width; c += t.columns)
        for (int pixel = t.row; pixel < sizes.pixels; pixel += t.rows) {
            int64_t i = t.start + static_cast<int64_t>(pixel) * t.channels + c;
            int channel = group * sizes.width + c;
            float2 d = before_act(s, sizes.silu, i, channel);
            dx[i] = s.rstd[blockIdx.x] * (d.x * s.gain[channel] - mean_d - d.y * mean_dn);
        }
}

int poet_cuda_group_norm_bwd(poet_stream stream, const poet_group_norm_sources *sources, float *dx,
                             float *parts, const poet_group_norm_sizes *sizes)
{
    return POET_LAUNCH(group_norm_bwd, static_cast<unsigned>(sizes->frames * sizes->groups),
                       POET_BLOCK, 0, stream, *sources, dx, parts, *sizes);
}

/* ---- RMS norm: a warp for each row ---- */

/* The row of this warp; all of a warp have one, or none. */
static inline __device__ int64_t row_of_warp()
{
    return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
}

/* Real is double where a row has one number or a few: there the gradient is the small difference of large terms, and the
 * last bit of rstd counts. */
template <typename Real>
static __global__ void rms_norm(const float *x, const float *gain, float *y, float *rstds, int rows,
                                int width)
{
    int64_t row = row_of_warp(), start = row * width;
    if (row >= rows)
        return;
    Real square = 0;
    for (int c = static_cast<int>(threadIdx.x); c < width; c += WARP)
        square += static_cast<Real>(x[start + c]) * x[start + c];
    square = poet_warp_sum(square) / static_cast<Real>(width);
    Real rstd = static_cast<Real>(1 / sqrt(square + static_cast<Real>(rms_epsilon)));
    if (threadIdx.x == 0)
        rstds[row] = static_cast<float>(rstd);
    for (int c = static_cast<int>(threadIdx.x); c < width; c += WARP)
        y[start + c] = static_cast<float>(x[start + c] * rstd * gain[c]);
}

template <typename Real>
static __global__ void rms_norm_dx(const float *x, const float *gain, const float *rstds,
                                   const float *dy, float *dx, int rows, int width)
{
    int64_t row = row_of_warp(), start = row * width;
    if (row >= rows)
        return;
    Real rstd = rstds[row], mean = 0;
    for (int c = static_cast<int>(threadIdx.x); c < width; c += WARP)
        mean += static_cast<Real>(dy[start + c]) * gain[c] * x[start + c] * rstd;
    mean = poet_warp_sum(mean) / static_cast<Real>(width);
    for (int c = static_cast<int>(threadIdx.x); c < width; c += WARP) {
        Real d = static_cast<Real>(dy[start + c]) * gain[c];
        dx[start + c] = static_cast<float>(rstd * (d - x[start + c] * rstd * mean));
    }
}

enum { NARROW = 8 };

int poet_cuda_rms_norm(poet_stream stream, const float *x, const float *gain, float *y, float *rstd,
                       int rows, int width)
{
    dim3 block(WARP, WARPS);
    unsigned grid = poet_blocks(rows, WARPS);
    return width < NARROW ? POET_LAUNCH(rms_norm<double>, grid, block, 0, stream, x, gain, y, rstd,
                                        rows, width)
                          : POET_LAUNCH(rms_norm<float>, grid, block, 0, stream, x, gain, y, rstd,
                                        rows, width);
}

static int launch_rms_norm_dx(poet_stream stream, const float *x, const float *gain,
                              const float *rstd, const float *dy, float *dx, int rows, int width)
{
    dim3 block(WARP, WARPS);
    unsigned grid = poet_blocks(rows, WARPS);
    return width < NARROW ? POET_LAUNCH(rms_norm_dx<double>, grid, block, 0, stream, x, gain, rstd,
                                        dy, dx, rows, width)
                          : POET_LAUNCH(rms_norm_dx<float>, grid, block, 0, stream, x, gain, rstd,
                                        dy, dx, rows, width);
}

/* A block has WARP neighbouring channels and a slice of the rows, each of its warps every WARPS-th one. */
static __global__ void rms_norm_dgain(const float *x, const float *rstds, const float *dy,
                                      float *parts, int rows, int width)
{
    __shared__ float part[WARPS][WARP];
    int c = static_cast<int>(blockIdx.x * WARP + threadIdx.x);
    int64_t begin = static_cast<int64_t>(rows) * blockIdx.y / gridDim.y;
    int64_t end = static_cast<int64_t>(rows) * (blockIdx.y + 1) / gridDim.y;
    float sum = 0;
    for (int64_t row = begin + threadIdx.y; row < end && c < width; row += WARPS)
        sum += dy[row * width + c] * x[row * width + c] * rstds[row];
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || c >= width)
        return;
    for (int w = 1; w < WARPS; w++)
        sum += part[w][threadIdx.x];
    parts[static_cast<int64_t>(blockIdx.y) * width + c] = sum;
}

enum { SLICE_ROWS = 256, MOST_SLICES = 256 };

int poet_cuda_rms_norm_slices(int rows)
{
    int slices = (rows + SLICE_ROWS - 1) / SLICE_ROWS;
    return slices < MOST_SLICES ? slices : MOST_SLICES;
}

int poet_cuda_rms_norm_bwd(poet_stream stream, const float *x, const float *gain, const float *rstd,
                           const float *dy, float *dx, float *parts, int rows, int width)
{
    dim3 block(WARP, WARPS);
    dim3 grid(poet_blocks(width, WARP), static_cast<unsigned>(poet_cuda_rms_norm_slices(rows)));
    int code = launch_rms_norm_dx(stream, x, gain, rstd, dy, dx, rows, width);
    return code ? code
                : POET_LAUNCH(rms_norm_dgain, grid, block, 0, stream, x, rstd, dy, parts, rows,
                              width);
}
