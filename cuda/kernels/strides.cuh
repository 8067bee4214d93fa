/* Elements by strides, on the device. */
#pragma once

#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/strides.h"

/* The element of the small tensor for element i of the big one; what is left of i after the last axis is 0. Written out, else
 * the compiler keeps a copy of the strides in local memory. */
static inline __device__ int poet_offset(const poet_strides &strides, int i)
{
    int offset = 0;
    POET_UNROLL
    for (int axis = 0; axis < POET_AXES; axis++) {
        int rest = axis < strides.n - 1 ? i / strides.dim[axis] : 0;
        offset += (i - rest * strides.dim[axis]) * strides.stride[axis];
        i = rest;
    }
    return offset;
}
