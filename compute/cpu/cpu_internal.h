/* The inside of the CPU backend: what its kernel files share.
 *
 * Each family of operations (cpu_norm.c, cpu_attention.c, ...) fills its rows of one table of
 * poet_cpu_op; cpu_backend.c turns the table into a backend. Work is divided by poet_cpu_parallel
 * alone. Sums are made in an order that does not depend on the number of threads, except inside
 * oneDNN, where they depend on nothing else. */
#ifndef POET_COMPUTE_CPU_INTERNAL_H
#define POET_COMPUTE_CPU_INTERNAL_H

#include "compute/backend.h"

typedef struct poet_cpu_op {
    poet_kernel run;
    size_t (*scratch)(poet_device *device, const poet_call *call); /* NULL: none */
    size_t (*packed)(poet_device *device, const poet_call *call);  /* NULL: none */
    poet_status (*prepare)(poet_device *device, poet_call *call);  /* NULL: nothing to do */
    void (*release)(poet_device *device, poet_call *call);         /* the reverse of prepare */
    const char *(*implementation)(const poet_call *call);          /* NULL: the vector unit */
    /* A call with a bf16 tensor, or one that does not fit, is left to the reference. */
    bool mixed;                          /* bf16 is fine */
    bool narrow;                         /* also writes its first result as bf16 */
    bool (*fits)(const poet_call *call); /* NULL: always */
} poet_cpu_op;

/* Each sets the rows of its operations. */
void poet_cpu_attention(poet_cpu_op *ops);
void poet_cpu_attention_cached(poet_cpu_op *ops);
void poet_cpu_conv(poet_cpu_op *ops);
void poet_cpu_eltwise(poet_cpu_op *ops);
void poet_cpu_layout(poet_cpu_op *ops);
void poet_cpu_loss(poet_cpu_op *ops);
void poet_cpu_matmul(poet_cpu_op *ops);
void poet_cpu_norm(poet_cpu_op *ops);
void poet_cpu_rotary(poet_cpu_op *ops);
void poet_cpu_optim(poet_cpu_op *ops);
void poet_cpu_quantize(poet_cpu_op *ops);
void poet_cpu_sample(poet_cpu_op *ops);
void poet_cpu_tables(poet_cpu_op *ops);
void poet_cpu_winograd(poet_cpu_op *ops);
void poet_cpu_winograd_dw(poet_cpu_op *ops);

/* Calls range(context, begin, end) on parts of [0, n), at least `grain` items each, one part a
 * thread: where starting threads would cost more than it saves, give a large grain. */
typedef void (*poet_cpu_range)(const void *context, int64_t begin, int64_t end);
void poet_cpu_parallel(const poet_device *device, int64_t n, int64_t grain, poet_cpu_range range,
                       const void *context);

/* The number of parts that poet_cpu_parallel would make. */
int64_t poet_cpu_parts(const poet_device *device, int64_t n, int64_t grain);

/* The sum of part(context, begin, end) over a fixed number of slices of [0, n), added in order. */
typedef double (*poet_cpu_part)(const void *context, int64_t begin, int64_t end);
double poet_cpu_sum(const poet_device *device, int64_t n, poet_cpu_part part, const void *context);

/* Widest vector unit the kernels may use: 0 none, 2 AVX2 and FMA, 3 also AVX-512. On other
 * processors than x86 the compiler's own vectors count as 2. */
int poet_cpu_vectors(void);

static inline const float *poet_cpu_src(const poet_call *call, int i)
{
    return call->src[i] ? call->src[i]->data : NULL;
}

static inline float *poet_cpu_dst(const poet_call *call, int i)
{
    return call->dst[i]->data;
}

/* Whether the first result is bf16; that of an operation that narrows may be. */
static inline bool poet_cpu_half(const poet_call *call)
{
    return call->dst[0]->dtype == POET_BF16;
}

static inline int64_t poet_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t poet_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t poet_round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

#endif
