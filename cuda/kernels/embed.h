/* Rows of tables, as poet_embed of compute/graph.h. */
#ifndef POET_CUDA_KERNELS_EMBED_H
#define POET_CUDA_KERNELS_EMBED_H

#include "cuda/kernels/fault.h"
#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* table (slots,v,width), index (rows,slots), y (rows,width). */
typedef struct poet_embed_sizes {
    int rows, slots, v, width;
} poet_embed_sizes;

/* An index outside 0..v-1 is a fault, and adds nothing. */
int poet_cuda_embed(poet_stream stream, const float *table, const int *index, float *y,
                    poet_fault *fault, const poet_embed_sizes *sizes);
int poet_cuda_embed_ints(poet_stream stream, const int *table, const int *index, int *y,
                         poet_fault *fault, const poet_embed_sizes *sizes);
int poet_cuda_embed_bwd(poet_stream stream, const int *index, const float *dy, float *dtable,
                        poet_fault *fault, const poet_embed_sizes *sizes);

#ifdef __cplusplus
}
#endif

#endif
