/* Rotary positions. */
#ifndef POET_CUDA_KERNELS_ROTARY_H
#define POET_CUDA_KERNELS_ROTARY_H

#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* qkv (rows,3*heads*2*half), turns (t,2*half): row r is position r % t. */
typedef struct poet_rotary_sizes {
    int rows, t, heads, half;
    int back; /* turns the other way */
} poet_rotary_sizes;

/* As poet_rotary of compute/graph.h; y may be the memory of qkv. */
int poet_cuda_rotary(poet_stream stream, const float *qkv, const float *turns, float *y,
                     const poet_rotary_sizes *sizes);

#ifdef __cplusplus
}
#endif

#endif
