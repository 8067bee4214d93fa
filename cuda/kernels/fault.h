/* What a kernel found to be wrong with its data, as one word of device memory that the host reads when it waits: the place
 * in the upper bits, the kind in the lowest byte. The fault of the lowest place is kept, in whatever order threads run. */
#ifndef POET_CUDA_KERNELS_FAULT_H
#define POET_CUDA_KERNELS_FAULT_H

#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned long long poet_fault;

#define POET_FAULT_NONE (~0ULL)

enum {
    POET_FAULT_INDEX = 1,    /* an index is outside its table; place: element of the index */
    POET_FAULT_LOGITS = 2,   /* a logit is not a number, or none is finite; place: the row */
    POET_FAULT_TARGET = 3,   /* a class to learn is outside the logits; place: the row */
    POET_FAULT_NUMBER = 4,   /* what is to be quantized is not a number; place: the row */
    POET_FAULT_POSITION = 5, /* the new positions do not fit the cache; place: the row */
    POET_FAULT_LENGTH = 6,   /* the length of a prefix is not in 1..prefix; place: the row */
    POET_FAULT_RANGE = 7     /* a weight is not within the range of f16; place: its element */
};

/* *fault = POET_FAULT_NONE. Also what open probes a card with: the error says when this build has no code for it. */
int poet_cuda_clear_fault(poet_stream stream, poet_fault *fault);

/* Its kernel, by which a runtime tells what code the card runs. */
const void *poet_cuda_probe(void);

#ifdef __cplusplus
}
#endif

#endif
