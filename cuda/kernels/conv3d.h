/* Causal convolution and its two gradients, as poet_conv3d of compute/graph.h. */
#ifndef POET_CUDA_KERNELS_CONV3D_H
#define POET_CUDA_KERNELS_CONV3D_H

#include "cuda/kernels/gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x (B,T,H,W,ci), w (co,kt,kh,kw,ci), y (B,T,H,W,co). */
typedef struct poet_conv3d_sizes {
    int batch, frames, height, width;
    int kt, kh, kw;
    int ci, co;
    int tensor_cores; /* as in poet_gemm_plan */
} poet_conv3d_sizes;

/* The products that the three are: what they want of `parts` is poet_cuda_gemm_parts of these. */
poet_gemm_plan poet_cuda_conv3d_plan(const poet_conv3d_sizes *sizes);
poet_gemm_plan poet_cuda_conv3d_dx_plan(const poet_conv3d_sizes *sizes);
poet_gemm_plan poet_cuda_conv3d_dw_plan(const poet_conv3d_sizes *sizes);

/* Operands of one type; bias (co) may be NULL. */
int poet_cuda_conv3d(poet_stream stream, poet_operand x, poet_operand w, const float *bias,
                     float *y, float *parts, const poet_conv3d_sizes *sizes);
int poet_cuda_conv3d_dx(poet_stream stream, poet_operand dy, poet_operand w, float *dx,
                        float *parts, const poet_conv3d_sizes *sizes);
int poet_cuda_conv3d_dw(poet_stream stream, poet_operand x, poet_operand dy, float *dw,
                        float *parts, const poet_conv3d_sizes *sizes);

#ifdef __cplusplus
}
#endif

#endif
