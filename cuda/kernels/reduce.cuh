/* Sums and extremes over the lanes of a warp and over a block, equal in all its threads, in an order that the number of
 * threads fixes. All threads take part; blocks are of POET_BLOCK threads in x. */
#pragma once

#include "cuda/kernels/launch.cuh"

enum {
    POET_WARP = 32,
    POET_SLICE = 16 * POET_BLOCK
}; /* a slice: what a block sums, in parts of 16 to a thread */

#define POET_ALL_LANES 0xFFFFFFFFU

struct poet_plus {
    template <typename T> __device__ T operator()(T a, T b) const
    {
        return a + b;
    }
};

struct poet_least {
    template <typename T> __device__ T operator()(T a, T b) const
    {
        return b < a ? b : a;
    }
};

template <typename T, typename Join>
static inline __device__ T poet_warp_join(T value, const Join &join)
{
    for (int by = POET_WARP / 2; by > 0; by /= 2)
        value = join(value, __shfl_xor_sync(POET_ALL_LANES, value, by));
    return value;
}

template <typename T, typename Join>
static inline __device__ T poet_block_join(T value, const Join &join)
{
    __shared__ T part[POET_BLOCK / POET_WARP];
    value = poet_warp_join(value, join);
    if (threadIdx.x % POET_WARP == 0)
        part[threadIdx.x / POET_WARP] = value;
    __syncthreads();
    T all = part[0];
    for (int warp = 1; warp < POET_BLOCK / POET_WARP; warp++)
        all = join(all, part[warp]);
    __syncthreads(); /* before the next call writes */
    return all;
}

template <typename T> static inline __device__ T poet_warp_sum(T value)
{
    return poet_warp_join(value, poet_plus());
}

template <typename T> static inline __device__ T poet_block_sum(T value)
{
    return poet_block_join(value, poet_plus());
}

/* The sum of the slices' sums, by one block. */
static inline __device__ double poet_sum_parts(const float *parts, int n)
{
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += POET_BLOCK)
        sum += static_cast<double>(parts[i]);
    return poet_block_sum(sum);
}
