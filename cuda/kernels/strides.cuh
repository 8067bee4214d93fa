/* Elements by strides, on the device. */
#pragma once

#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/strides.h"

/* The element of the small tensor for element i of the big one. */
static inline __device__ int poet_offset(const poet_strides &strides, int i)
{
    int offset = 0;
    for (int axis = 0; axis < strides.n - 1; axis++) {
        offset += i % strides.dim[axis] * strides.stride[axis];
        i /= strides.dim[axis];
    }
    return offset + i * strides.stride[strides.n - 1];
}
