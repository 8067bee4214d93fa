/* Updates of parameters. hyper (2), in device memory: learning rate, and the step, counted from 1. */
#ifndef POET_CUDA_KERNELS_OPTIM_H
#define POET_CUDA_KERNELS_OPTIM_H

#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { POET_PIECES = 64 };

/* Tensors whose squares are summed by one launch, each in slices of its own. */
typedef struct poet_pieces {
    int n; /* 1 to POET_PIECES */
    const float *x[POET_PIECES];
    int count[POET_PIECES];
    int first[POET_PIECES + 1]; /* slices of the tensors before; the last one: of all */
} poet_pieces;

/* Appends a tensor; first[n] is the number of slices so far. */
void poet_cuda_add_piece(poet_pieces *pieces, const float *x, int count);

/* parts[i] = the sum of the squares of slice i. */
int poet_cuda_squares(poet_stream stream, const poet_pieces *pieces, float *parts);

/* norm = sqrt(sum of parts); factor = min(1, limit / (norm + 1e-6)), 1 when limit <= 0. */
int poet_cuda_clip_factor(poet_stream stream, const float *parts, int n_parts, float limit,
                          float *factor, float *norm);

/* y (n) = x / (sqrt(sum of parts) + 1e-7). factor: one float to work with. */
int poet_cuda_unit_norm(poet_stream stream, const float *x, const float *parts, int n_parts,
                        float *factor, float *y, int n);

typedef struct poet_adamw_rule {
    float beta1, beta2, eps, weight_decay, rate_scale;
} poet_adamw_rule;

/* As poet_adamw of compute/graph.h; factor in device memory. */
int poet_cuda_adamw(poet_stream stream, float *param, const float *grad, float *m, float *v,
                    const float *factor, const float *hyper, int n, const poet_adamw_rule *rule);

/* As the pieces of Muon and poet_average there. update may be the memory of grad. */
int poet_cuda_momentum(poet_stream stream, const float *grad, float *m, const float *factor,
                       float beta, float *update, int n);
int poet_cuda_descend(poet_stream stream, float *param, const float *update, const float *hyper,
                      float rate_scale, float weight_decay, int n);
int poet_cuda_average(poet_stream stream, float *mean, const float *param, const float *hyper,
                      float decay, int n);

#ifdef __cplusplus
}
#endif

#endif
