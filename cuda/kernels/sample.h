/* Drawing one code per row, as poet_sample of compute/graph.h. */
#ifndef POET_CUDA_KERNELS_SAMPLE_H
#define POET_CUDA_KERNELS_SAMPLE_H

#include "cuda/kernels/fault.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct poet_draw {
    const float *logits;   /* (rows,v); guided: (2 rows,v), the unconditional ones last */
    const float *settings; /* (rows,5): guidance, temperature, top_k, top_p, min_p */
    const int32_t *keys;   /* (rows,4): seed low, seed high, stream, counter */
    int rows, v, guided;
} poet_draw;

/* Bytes of work memory. */
size_t poet_cuda_sample_bytes(int rows, int v);

/* A row with a logit that is no number, or none finite, is POET_FAULT_LOGITS. */
int poet_cuda_sample(poet_stream stream, const poet_draw *draw, void *work, int32_t *code,
                     poet_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
