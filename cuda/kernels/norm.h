/* Group norm and RMS norm, as poet_group_norm and poet_rms_norm of compute/graph.h. */
#ifndef POET_CUDA_KERNELS_NORM_H
#define POET_CUDA_KERNELS_NORM_H

#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x (frames,pixels,groups*width). */
typedef struct poet_group_norm_sizes {
    int frames, pixels, groups, width;
    int silu; /* follows the norm */
} poet_group_norm_sizes;

/* y like x; mean, rstd (frames,groups). */
int poet_cuda_group_norm(poet_stream stream, const float *x, const float *gain, const float *bias,
                         float *y, float *mean, float *rstd, const poet_group_norm_sizes *sizes);

typedef struct poet_group_norm_sources {
    const float *x, *gain, *bias, *mean, *rstd, *dy;
} poet_group_norm_sources;

/* dx like x. parts: the gradients of gain and bias by frame, (2,frames,groups*width), still to be summed over frames. */
int poet_cuda_group_norm_bwd(poet_stream stream, const poet_group_norm_sources *sources, float *dx,
                             float *parts, const poet_group_norm_sizes *sizes);

/* x, y (rows,width); rstd (rows). */
int poet_cuda_rms_norm(poet_stream stream, const float *x, const float *gain, float *y, float *rstd,
                       int rows, int width);

/* The slices of rows whose gradients of gain are summed for themselves. */
int poet_cuda_rms_norm_slices(int rows);

/* dx (rows,width). parts (slices,width): the gradient of gain, still to be summed over slices. */
int poet_cuda_rms_norm_bwd(poet_stream stream, const float *x, const float *gain, const float *rstd,
                           const float *dy, float *dx, float *parts, int rows, int width);

#ifdef __cplusplus
}
#endif

#endif
