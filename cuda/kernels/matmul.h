/* Matrix products: op(a) op(b) + bias. */
#ifndef POET_CUDA_KERNELS_MATMUL_H
#define POET_CUDA_KERNELS_MATMUL_H

#include "cuda/kernels/gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct poet_matmul_args {
    poet_operand a, b;            /* of one type */
    int transpose_a, transpose_b; /* a (M,K), or (K,M); b (K,N), or (N,K) */
    const float *bias;            /* (N) or NULL */
    float *y;                     /* (M,N) */
    float *parts;                 /* as the plan wants */
    poet_gemm_plan plan;
} poet_matmul_args;

int poet_cuda_matmul(poet_stream stream, const poet_matmul_args *args);

enum { POET_FEW_ROWS = 8 };

/* A product of a few rows reads the weights once and has little else to do. Has it a kernel of its own, for this layout? */
int poet_cuda_has_few_rows(const poet_matmul_args *args);

/* As matmul, where poet_cuda_has_few_rows; no parts. */
int poet_cuda_few_rows(poet_stream stream, const poet_matmul_args *args);

#ifdef __cplusplus
}
#endif

#endif
