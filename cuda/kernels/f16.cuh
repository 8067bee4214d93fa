/* Elements in f16 (IEEE 754 binary16: 11 bits, up to 65504): stored by any card, converted by one instruction. */
#pragma once

#include "cuda/kernels/launch.cuh"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

/* The bits, so that no kernel computes in it unawares. */
struct poet_f16 {
    uint16_t bits;
};

/* To nearest, ties to even; infinite from 65520 on. */
static inline __device__ poet_f16 poet_f16_of(float value)
{
    return {__half_as_ushort(__float2half_rn(value))};
}

static inline __device__ float poet_value(poet_f16 x)
{
    return __half2float(__ushort_as_half(x.bits));
}
