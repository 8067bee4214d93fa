/* Plans of broadcasts and their sums, for the kernels of strides.cuh. */
#ifndef POET_CUDA_BACKEND_STRIDES_INTERNAL_H
#define POET_CUDA_BACKEND_STRIDES_INTERNAL_H

#include "compute/tensor.h"
#include "cuda/kernels/layout.h"
#include "cuda/kernels/strides.h"

/* small broadcasts to big. */
poet_strides poet_strides_of(const poet_shape *small, const poet_shape *big);

/* big is summed to small. */
poet_sums poet_sums_of(const poet_shape *small, const poet_shape *big);

#endif
