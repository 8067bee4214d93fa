/* A tensor beside one that broadcasts to it: which element of the small one belongs to an element of the big one. Adjacent
 * axes that behave alike are joined, so that equal shapes have one axis and a bias (C) beside (...,C) two. Host code. */
#ifndef POET_CUDA_KERNELS_STRIDES_H
#define POET_CUDA_KERNELS_STRIDES_H

#include <stdint.h>

enum { POET_AXES = 5 };

/* Axes from the innermost outwards; an axis that the small tensor lacks has stride 0 there. */
typedef struct poet_strides {
    int n; /* at least 1 */
    int dim[POET_AXES];
    int stride[POET_AXES];
} poet_strides;

#endif
