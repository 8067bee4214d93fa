/* Products with weights in f16: half the bytes to read, and tensor cores from Turing on, for making clips. */
#ifndef POET_CUDA_KERNELS_F16_H
#define POET_CUDA_KERNELS_F16_H

#include "cuda/kernels/fault.h"
#include "cuda/kernels/gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What poet_cuda_f16_matmul needs: 7.5. */
enum { POET_F16_CAPABILITY = 75 };

/* A matrix (rows,K); made of memory of poet_cuda_f16_bytes, aligned to 4. */
typedef struct poet_f16_matrix {
    unsigned *
        word; /* (rows, ceil(K / 2)): two neighbours each, the first lower; a zero behind the last of odd K */
    int rows, words;
} poet_f16_matrix;

size_t poet_cuda_f16_bytes(int rows, int k);
poet_f16_matrix poet_cuda_f16_in(void *memory, int rows, int k);

/* to = x (rows,K), to nearest. What f16 does not hold, beyond 65504 or not a number, is a POET_FAULT_RANGE. */
int poet_cuda_to_f16(poet_stream stream, const float *x, int k, const poet_f16_matrix *to,
                     poet_fault *fault);

typedef struct poet_f16_args {
    const float *a;    /* (M,K) */
    poet_f16_matrix b; /* (N,K) */
    const float *bias; /* (N) or NULL */
    float *y;          /* (M,N) = a b' + bias */
    float *parts;      /* poet_cuda_f16_matmul: as the plan wants */
    poet_gemm_plan plan;
} poet_f16_args;

/* At most POET_FEW_ROWS rows, any card: a stays in f32. */
int poet_cuda_f16_rows(poet_stream stream, const poet_f16_args *args);

/* Any number of rows, on tensor cores, which needs POET_F16_CAPABILITY: a becomes f16 on its way, infinite from 65520 on. */
int poet_cuda_f16_matmul(poet_stream stream, const poet_f16_args *args);

#ifdef __cplusplus
}
#endif

#endif
