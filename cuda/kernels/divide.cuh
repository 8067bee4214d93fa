/* Division by a poet_divisor, on the device. */
#pragma once

#include "cuda/kernels/divide.h"
#include "cuda/kernels/launch.cuh"

/* x / d.by for x from 0 to 2^31 - 1. */
static inline __device__ int poet_divide(int x, const poet_divisor &d)
{
    unsigned n = static_cast<unsigned>(x);
    return static_cast<int>((__umulhi(n, d.multiplier) + n) >> d.shift);
}
