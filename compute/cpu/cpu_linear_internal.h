/* The matrix product of inference: y = a b + bias with b packed in panels. Every result is one
 * chain of fused multiply-adds over ascending k, so a row of y has the same bits whatever other
 * rows are computed with it, on every width of vector and any number of threads: a clip does not
 * depend on the batch it is made in. */
#ifndef POET_COMPUTE_CPU_LINEAR_INTERNAL_H
#define POET_COMPUTE_CPU_LINEAR_INTERNAL_H

#include "compute/cpu/cpu_internal.h"

typedef struct linear_job {
    int64_t m, n, k;
    const float *a; /* (M,K) */
    const float *b; /* (K,N), or (N,K) when transposed */
    bool transposed;
    const float *bias; /* (N) or NULL */
    float *packed;     /* poet_cpu_linear_floats of them */
    float *y;          /* (M,N) */
} linear_job;

int64_t poet_cpu_linear_floats(int64_t n, int64_t k);

/* Fills packed from b. */
void poet_cpu_linear_pack(const poet_device *device, const linear_job *job);

/* Computes y from a, packed and bias. */
void poet_cpu_linear(const poet_device *device, const linear_job *job);

#endif
