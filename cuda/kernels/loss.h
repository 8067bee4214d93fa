/* Losses and their gradients, as of compute/graph.h. Losses, and dy, are one float. */
#ifndef POET_CUDA_KERNELS_LOSS_H
#define POET_CUDA_KERNELS_LOSS_H

#include "cuda/kernels/fault.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The floats of `parts` that a mean over n elements wants. */
int poet_cuda_loss_parts(int n);

/* loss = mean (x - target)^2, mean |x - target|, over n elements. */
int poet_cuda_mse(poet_stream stream, const float *x, const float *target, float *parts,
                  float *loss, int n);
int poet_cuda_l1(poet_stream stream, const float *x, const float *target, float *parts, float *loss,
                 int n);

/* dx (n) may be the memory of x. */
int poet_cuda_mse_bwd(poet_stream stream, const float *x, const float *target, const float *dy,
                      float *dx, int n);
int poet_cuda_l1_bwd(poet_stream stream, const float *x, const float *target, const float *dy,
                     float *dx, int n);

/* logits (rows,v), target (rows) -> loss, row_loss (rows), lse (rows). A target of v or more is POET_FAULT_TARGET. */
int poet_cuda_cross_entropy(poet_stream stream, const float *logits, const int32_t *target,
                            float *loss, float *row_loss, float *lse, int rows, int v,
                            poet_fault *fault);

/* dlogits may be the memory of logits. share: one float to work with. */
int poet_cuda_cross_entropy_bwd(poet_stream stream, const float *logits, const int32_t *target,
                                const float *lse, const float *dy, float *share, float *dlogits,
                                int rows, int v);

#ifdef __cplusplus
}
#endif

#endif
