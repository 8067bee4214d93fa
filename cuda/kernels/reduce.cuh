/* Sums over the threads of a block, in an order that depends on their number alone. */
#pragma once

#include "cuda/kernels/launch.cuh"

/* Over a warp of 32, whose lanes all take part; every one gets the sum. */
template <typename Real> static inline __device__ Real poet_warp_sum(Real value)
{
    for (int by = warpSize / 2; by > 0; by /= 2)
        value += __shfl_xor_sync(0xFFFFFFFFU, value, by);
    return value;
}

/* Over a block of POET_BLOCK threads in one dimension, which all call it; every one gets the sum. part is shared memory
 * for one number of each warp, and free for others once the next barrier is behind. */
static inline __device__ float poet_block_sum(float value, float *part)
{
    int lane = static_cast<int>(threadIdx.x) % warpSize,
        warp = static_cast<int>(threadIdx.x) / warpSize;
    float sum = 0;
    value = poet_warp_sum(value);
    __syncthreads();
    if (lane == 0)
        part[warp] = value;
    __syncthreads();
    for (int w = 0; w < POET_BLOCK / warpSize; w++)
        sum += part[w];
    return sum;
}
