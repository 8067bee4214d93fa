/* Vector quantization with a learned codebook (K,C). */
#ifndef POET_CUDA_KERNELS_QUANTIZE_H
#define POET_CUDA_KERNELS_QUANTIZE_H

#include "cuda/kernels/fault.h"
#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The nearest of `codes` rows of the codebook for each of `rows` rows of z, and its squared distance; the lowest index
 * where distances are equal. */
int poet_cuda_nearest(poet_stream stream, const float *z, const float *codebook, int32_t *index,
                      float *distance, int rows, int codes, int channels);

/* As poet_codebook_ema of compute/graph.h, in place on codebook, total and count. */
typedef struct poet_codebook_args {
    float *codebook, *total, *count;
    const float *z;       /* (rows,channels) */
    const int32_t *index; /* (rows) */
    const int32_t *step;  /* (1) */
    int rows, codes, channels;
    double decay, restart;
    uint64_t seed;
} poet_codebook_args;

int poet_cuda_codebook_ema(poet_stream stream, const poet_codebook_args *args, poet_fault *fault);

/* histogram (codes) += how often each code is in index (n). */
int poet_cuda_count_codes(poet_stream stream, float *histogram, const int32_t *index, int n,
                          int codes, poet_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
