#include "tests/simt/faults.h"

#include "cuda/kernels/launch.cuh"

enum { N = FAULT_THREADS, HALF = N / 2 };

#define LAUNCHER(kernel)                                                                           \
    static int launch_##kernel(const float *in, float *out)                                        \
    {                                                                                              \
        return POET_LAUNCH(kernel, 1, N, 2 * N * sizeof(float), nullptr, in, out);                 \
    }

static float identity(int i)
{
    return static_cast<float>(i);
}

static float mirrored(int i)
{
    return static_cast<float>(N - 1 - i);
}

static float sum_of_all(int)
{
    return static_cast<float>(N * (N - 1) / 2);
}

static float sum_of_warp(int i)
{
    int first = i / 32 * 32;
    return static_cast<float>(32 * first + 31 * 32 / 2);
}

/* ---- sound ---- */

static __global__ void mirror(const float *in, float *out)
{
    __shared__ float tile[N];
    int i = static_cast<int>(threadIdx.x);
    tile[i] = in[i];
    __syncthreads();
    out[i] = tile[N - 1 - i];
}

static __global__ void mirror_dynamic(const float *in, float *out)
{
    POET_DYNAMIC_SHARED(float, tile);
    int i = static_cast<int>(threadIdx.x);
    tile[i] = in[i];
    __syncthreads();
    out[i] = tile[N - 1 - i];
}

static __global__ void tree(const float *in, float *out)
{
    __shared__ float part[N];
    int i = static_cast<int>(threadIdx.x);
    part[i] = in[i];
    for (int half = HALF; half > 0; half /= 2) {
        __syncthreads();
        if (i < half)
            part[i] += part[i + half];
    }
    __syncthreads();
    out[i] = part[0];
}

static __global__ void warp_tree(const float *in, float *out)
{
    float sum = in[threadIdx.x];
    for (int by = 16; by > 0; by /= 2)
        sum += __shfl_xor_sync(0xFFFFFFFFU, sum, by);
    out[threadIdx.x] = sum;
}

/* The second sum is written where, without the barrier, a slower warp may still have to read the first. */
static __device__ void sum_twice(const float *in, float *out, bool barrier)
{
    __shared__ float part[N / 32];
    float sum = in[threadIdx.x];
    for (int round = 0; round < 2; round++) {
        for (int by = 16; by > 0; by /= 2)
            sum += __shfl_xor_sync(0xFFFFFFFFU, sum, by);
        if (threadIdx.x % 32 == 0)
            part[threadIdx.x / 32] = sum;
        __syncthreads();
        sum = (part[0] + part[1]) / (round == 0 ? 1 : N);
        if (barrier)
            __syncthreads();
    }
    out[threadIdx.x] = sum;
}

static __global__ void two_sums(const float *in, float *out)
{
    sum_twice(in, out, true);
}

static __global__ void warp_words(const float *in, float *out)
{
    int lane = static_cast<int>(threadIdx.x % 32);
    float up = __shfl_up_sync(0xFFFFFFFFU, in[threadIdx.x], 1);
    float down = __shfl_down_sync(0xFFFFFFFFU, in[threadIdx.x], 1);
    float first = __shfl_sync(0xFFFFFFFFU, in[threadIdx.x], 0, 8);
    bool right = lane == 0 ? up == in[threadIdx.x] : up == in[threadIdx.x] - 1;
    right = right && (lane == 31 ? down == in[threadIdx.x] : down == in[threadIdx.x] + 1);
    right = right && first == static_cast<float>(threadIdx.x / 8 * 8);
    right = right && __ballot_sync(0xFFFFFFFFU, lane < 3) == 7U;
    right = right && __any_sync(0xFFFFFFFFU, lane == 5) && !__all_sync(0xFFFFFFFFU, lane == 5);
    out[threadIdx.x] = right ? in[threadIdx.x] : -1;
}

/* ---- a race: some order shows it ---- */

static __global__ void dropped_barrier(const float *in, float *out)
{
    __shared__ float tile[N];
    int i = static_cast<int>(threadIdx.x);
    tile[i] = in[i];
    out[i] = tile[N - 1 - i];
}

static __global__ void dropped_barrier_in_tree(const float *in, float *out)
{
    __shared__ float part[N];
    int i = static_cast<int>(threadIdx.x);
    part[i] = in[i];
    __syncthreads();
    for (int half = HALF; half > 0; half /= 2)
        if (i < half)
            part[i] += part[i + half];
    __syncthreads();
    out[i] = part[0];
}

static __global__ void dropped_barrier_between(const float *in, float *out)
{
    sum_twice(in, out, false);
}

static __global__ void unfilled_shared(const float *in, float *out)
{
    __shared__ float tile[N + 1];
    int i = static_cast<int>(threadIdx.x);
    tile[i] = in[i];
    __syncthreads();
    out[i] = tile[i] + 0 * tile[N];
}

static __global__ void short_mask(const float *in, float *out)
{
    float sum = in[threadIdx.x];
    unsigned mask = threadIdx.x % 32 < 16 ? 0xFFFFU : 0xFFFF0000U;
    for (int by = 16; by > 0; by /= 2)
        sum += __shfl_xor_sync(mask, sum, by);
    out[threadIdx.x] = sum;
}

static __global__ void shifted_index(const float *in, float *out)
{
    if (threadIdx.x + 1 < N)
        out[threadIdx.x + 1] = in[threadIdx.x + 1];
}

/* A matrix of N/16 rows: neighbours in a row are neighbours in memory, and rows are 16 apart, or so many as there are rows. */
static __device__ void copy_matrix(const float *in, float *out, int pitch)
{
    int row = static_cast<int>(threadIdx.x) / 16, column = static_cast<int>(threadIdx.x) % 16;
    out[row * 16 + column] = in[row * pitch + column];
}

static __global__ void rows_of_pitch(const float *in, float *out)
{
    copy_matrix(in, out, 16);
}

static __global__ void swapped_pitch(const float *in, float *out)
{
    copy_matrix(in, out, N / 16);
}

/* ---- what ends the process ---- */

static __global__ void divergent_barrier(const float *in, float *out)
{
    int i = static_cast<int>(threadIdx.x);
    if (i < HALF)
        __syncthreads();
    out[i] = in[i];
}

static __global__ void two_barriers(const float *in, float *out)
{
    int i = static_cast<int>(threadIdx.x);
    if (i < HALF)
        __syncthreads();
    else
        __syncthreads();
    out[i] = in[i];
}

static __global__ void divergent_shuffle(const float *in, float *out)
{
    int i = static_cast<int>(threadIdx.x);
    float x = in[i];
    if (i != 3)
        x = __shfl_sync(0xFFFFFFFFU, x, i);
    out[i] = x;
}

static __global__ void outside_mask(const float *in, float *out)
{
    out[threadIdx.x] = __shfl_sync(0x7FFFFFFFU, in[threadIdx.x], static_cast<int>(threadIdx.x));
}

static __global__ void read_beyond(const float *in, float *out)
{
    out[threadIdx.x] = in[threadIdx.x + 1] - 1;
}

static __global__ void write_before(const float *in, float *out)
{
    *(out + threadIdx.x - 1) = in[threadIdx.x];
    out[threadIdx.x] = in[threadIdx.x];
}

static __global__ void beyond_shared(const float *in, float *out)
{
    __shared__ float tile[N];
    int i = static_cast<int>(threadIdx.x);
    tile[i] = in[i];
    __syncthreads();
    const float *volatile next = tile + 1;
    out[i] = next[i] - 1;
}

LAUNCHER(mirror)
LAUNCHER(mirror_dynamic)
LAUNCHER(tree)
LAUNCHER(warp_tree)
LAUNCHER(two_sums)
LAUNCHER(warp_words)
LAUNCHER(dropped_barrier)
LAUNCHER(dropped_barrier_in_tree)
LAUNCHER(dropped_barrier_between)
LAUNCHER(unfilled_shared)
LAUNCHER(short_mask)
LAUNCHER(shifted_index)
LAUNCHER(rows_of_pitch)
LAUNCHER(swapped_pitch)
LAUNCHER(divergent_barrier)
LAUNCHER(two_barriers)
LAUNCHER(divergent_shuffle)
LAUNCHER(outside_mask)
LAUNCHER(read_beyond)
LAUNCHER(write_before)
LAUNCHER(beyond_shared)

/* The host reads through a device pointer. */
static int launch_host_read(const float *in, float *out)
{
    volatile float first = in[0];
    return POET_LAUNCH(mirror, 1, N, 0, nullptr, in, out + 0 * static_cast<int>(first));
}

#define SOUND(name, expected)                                                                      \
    {                                                                                              \
#name, 1, 0, 0, launch_##name, expected                                                    \
    }
#define WRONG(name, expected)                                                                      \
    {                                                                                              \
#name, 0, 0, 0, launch_##name, expected                                                    \
    }
#define STOPS(name)                                                                                \
    {                                                                                              \
#name, 0, 1, 0, launch_##name, identity                                                    \
    }
#define STOPS_ASAN(name)                                                                           \
    {                                                                                              \
#name, 0, 1, 1, launch_##name, identity                                                    \
    }

const fault_kernel *fault_kernels(int *count)
{
    static const fault_kernel kernels[] = {SOUND(mirror, mirrored),
                                           SOUND(mirror_dynamic, mirrored),
                                           SOUND(tree, sum_of_all),
                                           SOUND(warp_tree, sum_of_warp),
                                           SOUND(two_sums, sum_of_all),
                                           SOUND(warp_words, identity),
                                           SOUND(rows_of_pitch, identity),
                                           WRONG(dropped_barrier, mirrored),
                                           WRONG(dropped_barrier_in_tree, sum_of_all),
                                           WRONG(dropped_barrier_between, sum_of_all),
                                           WRONG(unfilled_shared, identity),
                                           WRONG(short_mask, sum_of_warp),
                                           WRONG(shifted_index, identity),
                                           WRONG(swapped_pitch, identity),
                                           STOPS(divergent_barrier),
                                           STOPS(two_barriers),
                                           STOPS(divergent_shuffle),
                                           STOPS(outside_mask),
                                           STOPS(write_before),
                                           STOPS(host_read),
                                           STOPS_ASAN(read_beyond),
                                           STOPS_ASAN(beyond_shared)};
    *count = static_cast<int>(sizeof kernels / sizeof *kernels);
    return kernels;
}
