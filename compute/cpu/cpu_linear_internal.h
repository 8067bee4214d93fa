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
    void *packed;      /* poet_cpu_linear_bytes of them */
    bool half;         /* packed as bf16 */
    float *y;          /* (M,N) */
} linear_job;

size_t poet_cpu_linear_bytes(int64_t n, int64_t k, bool half);

/* Is every weight of b a bf16 number, as those of a model that was saved in bf16? Then b may be
 * packed as such: the same product, but half the memory to read, which is what a single row waits
 * for. */
bool poet_cpu_linear_is_half(const linear_job *job);

/* Fills packed from b. */
void poet_cpu_linear_pack(const poet_device *device, const linear_job *job);

/* Computes y from a, packed and bias. */
void poet_cpu_linear(const poet_device *device, const linear_job *job);

#endif
