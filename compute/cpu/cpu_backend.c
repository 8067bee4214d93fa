/* The CPU backend: the reference's table with faster kernels in it, and the one place where work is
 * divided among threads. */
#include "compute/cpu/cpu_internal.h"
#include "compute/graph_internal.h"

#include <omp.h>
#include <pthread.h>

static poet_cpu_op ops[POET_OP_COUNT];

int poet_cpu_vectors(void)
{
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 0;
    return __builtin_cpu_supports("avx512f") ? 3 : 2;
#else
    return 2;
#endif
}

int64_t poet_cpu_parts(const poet_device *device, int64_t n, int64_t grain)
{
    return poet_max(1, poet_min(device->threads, n / poet_max(grain, 1)));
}

void poet_cpu_parallel(const poet_device *device, int64_t n, int64_t grain, poet_cpu_range range,
                       const void *context)
{
    int64_t parts = poet_cpu_parts(device, n, grain);
    if (parts == 1) {
        range(context, 0, n);
        return;
    }
#pragma omp parallel for num_threads((int)parts) schedule(static, 1)
    for (int64_t part = 0; part < parts; part++)
        range(context, n * part / parts, n * (part + 1) / parts);
}

enum { SUM_SLICES = 16 };

typedef struct sum_job {
    int64_t n;
    poet_cpu_part part;
    const void *context;
    double *sums;
} sum_job;

static void sum_slices(const void *context, int64_t begin, int64_t end)
{
    const sum_job *job = context;
    for (int64_t i = begin; i < end; i++)
        job->sums[i] =
            job->part(job->context, job->n * i / SUM_SLICES, job->n * (i + 1) / SUM_SLICES);
}

double poet_cpu_sum(const poet_device *device, int64_t n, poet_cpu_part part, const void *context)
{
    double sums[SUM_SLICES], sum = 0;
    sum_job job = {n, part, context, sums};
    poet_cpu_parallel(device, SUM_SLICES, n < 65536 ? SUM_SLICES : 1, sum_slices, &job);
    for (int i = 0; i < SUM_SLICES; i++)
        sum += sums[i];
    return sum;
}

static bool all_f32(const poet_call *call, bool but_the_first_result)
{
    for (int i = 0; i < call->n_src; i++)
        if (call->src[i] && call->src[i]->dtype == POET_BF16)
            return false;
    for (int i = but_the_first_result; i < call->n_dst; i++)
        if (call->dst[i]->dtype == POET_BF16)
            return false;
    return true;
}

/* The fast op for a call; NULL where the reference does it. */
static const poet_cpu_op *op_of(const poet_call *call)
{
    const poet_cpu_op *op = &ops[call->op];
    bool fits = (op->mixed || all_f32(call, op->narrow)) && (!op->fits || op->fits(call));
    return op->run && fits ? op : NULL;
}

static poet_status run(poet_device *device, const poet_call *call)
{
    const poet_cpu_op *op = op_of(call);
    return op ? op->run(device, call) : poet_op_get_rule(call->op)->ref(device, call);
}

static size_t scratch(poet_device *device, const poet_call *call)
{
    const poet_cpu_op *op = op_of(call);
    return op && op->scratch ? op->scratch(device, call) : 0;
}

static size_t packed(poet_device *device, const poet_call *call)
{
    const poet_cpu_op *op = op_of(call);
    return op && op->packed ? op->packed(device, call) : 0;
}

static poet_status prepare(poet_device *device, poet_call *call)
{
    const poet_cpu_op *op = op_of(call);
    return op && op->prepare ? op->prepare(device, call) : POET_OK;
}

static void release(poet_device *device, poet_call *call)
{
    const poet_cpu_op *op = op_of(call);
    if (op && op->release)
        op->release(device, call);
}

/* Products of f32 are f32. */
static bool narrows(poet_op op, poet_dtype source)
{
    return ops[op].narrow && (op != POET_OP_MATMUL || source == POET_BF16);
}

static const char *implementation(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_cpu_op *op = op_of(call);
    if (!op)
        return "ref";
    return op->implementation ? op->implementation(call) : "vector";
}

static poet_status cpu_open(const poet_backend *backend, int index, poet_device **out)
{
    *out = NULL;
    if (index != 0)
        return POET_FAIL(POET_ERR_ARG, "cpu: there is no device number %d", index);
    poet_device *device = poet_calloc(1, sizeof *device);
    if (!device)
        return POET_ERR_NOMEM;
    *device = (poet_device){.backend = backend, .threads = omp_get_max_threads()};
    *out = device;
    return POET_OK;
}

static bool has_bf16(void)
{
#if defined(__x86_64__)
    return poet_cpu_vectors() == 3 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

static void fill_ops(void)
{
    poet_cpu_conv(ops);
    poet_cpu_matmul(ops);
    if (poet_cpu_vectors() == 0)
        return;
    poet_cpu_winograd(ops);
    poet_cpu_winograd_dw(ops);
    poet_cpu_attention(ops);
    poet_cpu_attention_cached(ops);
    poet_cpu_eltwise(ops);
    poet_cpu_layout(ops);
    poet_cpu_loss(ops);
    poet_cpu_norm(ops);
    poet_cpu_rotary(ops);
    poet_cpu_optim(ops);
    poet_cpu_quantize(ops);
    poet_cpu_sample(ops);
    poet_cpu_tables(ops);
}

void poet_cpu_fill(poet_backend *backend)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_ops);
    backend->name = "cpu";
    backend->description = "oneDNN, AVX2 and OpenMP";
    backend->bf16 = has_bf16();
    backend->narrows = narrows;
    backend->open = cpu_open;
    backend->scratch = scratch;
    backend->packed = packed;
    backend->prepare = prepare;
    backend->release = release;
    backend->implementation = implementation;
    for (int op = 0; op < POET_OP_COUNT; op++)
        if (ops[op].run)
            backend->kernel[op] = run;
}

static poet_backend table;

static void fill_table(void)
{
    poet_ref_fill(&table, POET_F32);
    poet_cpu_fill(&table);
}

const poet_backend *poet_backend_cpu(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_table);
    return &table;
}
