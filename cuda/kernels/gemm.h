/* How a matrix product is cut over the card: what matmul and conv3d share on the host. */
#ifndef POET_CUDA_KERNELS_GEMM_H
#define POET_CUDA_KERNELS_GEMM_H

#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y (M,N): a block of threads makes `tile` x `tile` of it, over one of `slices` parts of K. More than one slice: each
 * has a y for itself in `parts`, which are added at the end, in order. */
typedef struct poet_gemm_plan {
    int m, n, k;
    int tile; /* POET_TILE_SMALL or POET_TILE_BIG */
    int slices;
    int tensor_cores; /* products of bf16 operands are made by them; needs compute capability 8.0 */
} poet_gemm_plan;

enum { POET_TILE_SMALL = 64, POET_TILE_BIG = 128 };

/* What fills a card, by the sizes alone; tensor_cores is 0. */
poet_gemm_plan poet_cuda_gemm_plan(int m, int n, int k);

/* The floats of `parts`; 0 with one slice. */
int64_t poet_cuda_gemm_parts(const poet_gemm_plan *plan);

/* y = the sum of parts (slices,M,N), plus bias (N) unless that is NULL. */
int poet_cuda_gemm_add_parts(poet_stream stream, const float *parts, const float *bias, float *y,
                             const poet_gemm_plan *plan);

#ifdef __cplusplus
}
#endif

#endif
