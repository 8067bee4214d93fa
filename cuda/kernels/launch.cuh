/* The words a .cu file is written in, under nvcc and as host code (cuda/simt).
 *
 *     POET_LAUNCH(kernel, grid, block, shared_bytes, stream, arguments...)   returns the error number
 *     POET_DYNAMIC_SHARED(float, tile);                                      float *tile in dynamic shared memory
 *     POET_UNROLL                                                            before a loop over what must lie in registers
 *
 * A kernel with commas in its template arguments goes into parentheses. Kernels and device functions are static. What a
 * card may lack (tensor cores) is guarded by __CUDA_ARCH__, and the same is written out for the host build beside it. */
#pragma once

#include "cuda/kernels/launch.h"

#ifdef __CUDACC__

#include <cuda_runtime.h>

#define POET_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                \
    (kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__),                                   \
     static_cast<int>(cudaGetLastError()))

#define POET_DYNAMIC_SHARED(type, name)                                                            \
    extern __shared__ float4 poet_dynamic_shared[];                                                \
    type *name = reinterpret_cast<type *>(poet_dynamic_shared)

#define POET_UNROLL _Pragma("unroll")

#else

#include "cuda/simt/simt.cuh"

#define POET_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                \
    (static_cast<void>(stream), poet_simt::launch(grid, block, shared_bytes, kernel, __VA_ARGS__))

#define POET_DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(poet_simt_now->shared)

#define POET_UNROLL

#endif

enum { POET_BLOCK = 256 }; /* threads of a block where nothing speaks for another number */

/* Blocks for one thread per item; at least one, as an empty grid is an error. */
static inline unsigned poet_blocks(int64_t items, int block)
{
    return items < 1 ? 1U : static_cast<unsigned>((items + block - 1) / block);
}

/* The index of this thread in a one-dimensional grid; beyond INT32_MAX in the last block of the largest tensors. */
static inline __device__ int64_t poet_thread()
{
    return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/* ---- bf16 as bits: no card has to know the type ---- */

static inline __device__ float poet_bf16_value(uint16_t bits)
{
    return __uint_as_float(static_cast<unsigned>(bits) << 16);
}

/* To nearest, ties to even; a NaN stays one. */
static inline __device__ uint16_t poet_bf16_bits(float value)
{
    unsigned bits = __float_as_uint(value);
    if (value != value)
        return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* What an element of either type is, as f32. */
static inline __device__ float poet_value(float x)
{
    return x;
}

static inline __device__ float poet_value(uint16_t x)
{
    return poet_bf16_value(x);
}

/* Element i of an operand. */
template <typename T> static inline __device__ float poet_load(const T *x, int64_t i)
{
    return poet_value(x[i]);
}

static inline __device__ void poet_store(float *y, int64_t i, float value)
{
    y[i] = value;
}

static inline __device__ void poet_store(uint16_t *y, int64_t i, float value)
{
    y[i] = poet_bf16_bits(value);
}
