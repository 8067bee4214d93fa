/* Finite scalar quantization, and the entropy loss of its binary form. */
#ifndef POET_CUDA_KERNELS_FSQ_H
#define POET_CUDA_KERNELS_FSQ_H

#include "cuda/kernels/fault.h"
#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { POET_FSQ_CHANNELS = 16 };

/* A channel is bounded to tanh(z + shift) half - offset. */
typedef struct poet_fsq_levels {
    int channels, binary;
    int levels[POET_FSQ_CHANNELS];
    double half[POET_FSQ_CHANNELS], offset[POET_FSQ_CHANNELS], shift[POET_FSQ_CHANNELS];
} poet_fsq_levels;

/* z, y, dy, dz (rows,channels), index (rows). */
int poet_cuda_fsq(poet_stream stream, const float *z, float *y, int32_t *index, int rows,
                  const poet_fsq_levels *levels, poet_fault *fault);
int poet_cuda_fsq_bwd(poet_stream stream, const float *z, const float *dy, float *dz, int rows,
                      const poet_fsq_levels *levels);
int poet_cuda_fsq_codes(poet_stream stream, const int32_t *index, float *y, int rows,
                        const poet_fsq_levels *levels, poet_fault *fault);

/* As poet_lfq_entropy of compute/graph.h. */
typedef struct poet_entropy_args {
    const float *z; /* (rows,channels) */
    double *means;  /* memory for 2 channels of them */
    int rows, channels;
    double temperature, gamma;
} poet_entropy_args;

int poet_cuda_lfq_entropy(poet_stream stream, const poet_entropy_args *args, float *loss);

/* dy: of the loss, one number. */
int poet_cuda_lfq_entropy_bwd(poet_stream stream, const poet_entropy_args *args, const float *dy,
                              float *dz);

#ifdef __cplusplus
}
#endif

#endif
