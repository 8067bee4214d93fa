/* Self-attention with a bidirectional prefix: whole, its gradient, and with a cache of keys and values. */
#ifndef POET_CUDA_KERNELS_ATTENTION_H
#define POET_CUDA_KERNELS_ATTENTION_H

#include "cuda/kernels/fault.h"
#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { POET_ATTENTION_WIDEST = 128 }; /* head */

/* qkv (b,t,3*heads*d). position and room are those of the cache. */
typedef struct poet_attention_args {
    poet_operand qkv;
    int b, t, heads, d, prefix;
    int room;             /* positions of a row of the cache; t without one */
    float scale;          /* of the scores */
    const int *lengths;   /* (b); NULL without a prefix */
    const int *position;  /* (b): of the first of the t positions; NULL without a cache: 0 */
    float *keys, *values; /* the cache (b,room,heads*d); NULL: they are in qkv */
    poet_fault *fault;    /* a length or position out of range */
} poet_attention_args;

/* y (b,t,heads*d); lse (b,heads,t), or NULL. With a cache its keys and values are what is seen. */
int poet_cuda_attention(poet_stream stream, const poet_attention_args *a, float *y, float *lse);

/* Copies the keys and values of qkv to their positions in the cache. */
int poet_cuda_attention_remember(poet_stream stream, const poet_attention_args *a);

/* dqkv (b,t,3*heads*d). through: b heads t floats of scratch. */
int poet_cuda_attention_bwd(poet_stream stream, const poet_attention_args *a, const float *y,
                            const float *lse, const float *dy, float *through, float *dqkv);

#ifdef __cplusplus
}
#endif

#endif
