/* Products of a few rows in 8-bit integers: a quarter of the bytes to read, for making clips. An approximation. */
#ifndef POET_CUDA_KERNELS_INT8_H
#define POET_CUDA_KERNELS_INT8_H

#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sums of more terms could overflow. */
enum { POET_INT8_MOST_TERMS = 1 << 17 };

/* A matrix (rows,K), each row with a scale of its own; made of memory of poet_cuda_int8_bytes, aligned to 4. */
typedef struct poet_int8 {
    int *word; /* (rows, ceil(K / 4)): four numbers each, the first lowest; zeros behind the last */
    float *scale; /* (rows) */
    int rows, words;
} poet_int8;

size_t poet_cuda_int8_bytes(int rows, int k);
poet_int8 poet_cuda_int8_in(void *memory, int rows, int k);

/* to = x (rows,K), of which the largest of a row becomes 127. */
int poet_cuda_to_int8(poet_stream stream, poet_operand x, int k, const poet_int8 *to);

/* y (M,N) = a b' + bias; a (M,K) of at most POET_FEW_ROWS rows, b (N,K), bias (N) or NULL. */
int poet_cuda_int8_rows(poet_stream stream, const poet_int8 *a, const poet_int8 *b,
                        const float *bias, float *y);

#ifdef __cplusplus
}
#endif

#endif
