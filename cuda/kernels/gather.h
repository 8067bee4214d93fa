/* Integers picked from rows and put into them, as poet_gather and poet_scatter of compute/graph.h. */
#ifndef POET_CUDA_KERNELS_GATHER_H
#define POET_CUDA_KERNELS_GATHER_H

#include "cuda/kernels/fault.h"
#include "cuda/kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the places of b rows stand: index (n,m), of which row[b] is used, or row[0] for all rows when rows is 1. */
typedef struct poet_places {
    const int *index, *row;
    int rows, b, l, n, m; /* l: integers a row of x */
} poet_places;

/* y (b,m) from x (b,l); offset (m) or NULL. A row or place outside is a fault, and gives 0. */
int poet_cuda_gather(poet_stream stream, const int *x, const poet_places *places, const int *offset,
                     int *y, poet_fault *fault);

/* values (b,m) into x (b,l). A row or place outside is a fault, and changes nothing. */
int poet_cuda_scatter(poet_stream stream, int *x, const poet_places *places, const int *values,
                      poet_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
