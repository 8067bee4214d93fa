/* Element-wise operations. y may be the memory of the first source. */
#ifndef POET_CUDA_KERNELS_ELTWISE_H
#define POET_CUDA_KERNELS_ELTWISE_H

#include "cuda/kernels/launch.h"
#include "cuda/kernels/strides.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y (n) = a + b, a * b; b broadcasts by strides. */
int poet_cuda_add(poet_stream stream, const float *a, const float *b, float *y, int n,
                  const poet_strides *strides);
int poet_cuda_mul(poet_stream stream, const float *a, const float *b, float *y, int n,
                  const poet_strides *strides);

/* y (n) = b, by strides. */
int poet_cuda_expand(poet_stream stream, const float *b, float *y, int n,
                     const poet_strides *strides);

int poet_cuda_scale(poet_stream stream, const float *x, float factor, float *y, int n);
int poet_cuda_fill(poet_stream stream, float value, float *y, int n);

/* act: a poet_activation. y = f(x); dx = dy f'(x). */
int poet_cuda_act(poet_stream stream, int act, const float *x, float *y, int n);
int poet_cuda_act_bwd(poet_stream stream, int act, const float *x, const float *dy, float *dx,
                      int n);

/* Both types alike: a copy. */
int poet_cuda_cast(poet_stream stream, poet_operand x, void *y, int y_bf16, int n);

/* y_i = x_i factor, or 0 where word i%4 of Philox(seed, *step, i/4) is below threshold. */
int poet_cuda_dropout(poet_stream stream, const float *x, const int32_t *step, uint64_t seed,
                      uint32_t threshold, float factor, float *y, int n);

#ifdef __cplusplus
}
#endif

#endif
