/* Matrix products. Where weights are constant, that is in inference, by the packed product of
 * cpu_linear.c, whose rows do not depend on the batch; in training by oneDNN, all transposes. */
#include "base/memory.h"
#include "compute/cpu/cpu_dnnl_internal.h"
#include "compute/cpu/cpu_linear_internal.h"

typedef struct sizes {
    int64_t m, k, n;
} sizes;

static sizes sizes_of(const poet_call *call)
{
    const poet_shape *a = &call->src[0]->shape, *b = &call->src[1]->shape;
    bool ta = call->attr->matmul.transpose_a, tb = call->attr->matmul.transpose_b;
    return (sizes){.m = ta ? a->dim[1] : poet_shape_span(a, 0, a->ndim - 1),
                   .k = ta ? a->dim[0] : a->dim[a->ndim - 1],
                   .n = b->dim[tb ? 0 : 1]};
}

static const poet_tensor *bias_of(const poet_call *call)
{
    return call->n_src > 2 ? call->src[2] : NULL;
}

/* ---- inference ---- */

static bool is_linear(const poet_call *call)
{
    return call->constant_weights && !call->attr->matmul.transpose_a &&
           call->src[0]->dtype == POET_F32 && poet_cpu_vectors() > 0;
}

static linear_job linear_of(const poet_call *call)
{
    sizes s = sizes_of(call);
    const poet_tensor *bias = bias_of(call);
    return (linear_job){.m = s.m,
                        .n = s.n,
                        .k = s.k,
                        .a = poet_cpu_src(call, 0),
                        .b = poet_cpu_src(call, 1),
                        .transposed = call->attr->matmul.transpose_b,
                        .bias = bias ? bias->data : NULL,
                        .y = poet_cpu_dst(call, 0)};
}

/* Weights packed once. */
typedef struct linear_weights {
    void *packed;
    bool half;
} linear_weights;

/* b is packed once into memory of its own when it is a parameter; in each run, into scratch, when
 * the program computes it: then it has no memory yet when scratch is asked for. */
static size_t linear_scratch(const poet_call *call)
{
    sizes s = sizes_of(call);
    return call->src[1]->data ? 0 : poet_cpu_linear_bytes(s.n, s.k, false);
}

static void linear_release(poet_call *call)
{
    linear_weights *weights = call->prepared;
    if (weights)
        poet_free(weights->packed);
    poet_free(weights);
    call->prepared = NULL;
}

static poet_status linear_prepare(const poet_device *device, poet_call *call)
{
    if (call->scratch_bytes > 0)
        return POET_OK;
    linear_job job = linear_of(call);
    linear_weights *weights = call->prepared = poet_calloc(1, sizeof *weights);
    if (!weights)
        return POET_ERR_NOMEM;
    job.half = weights->half = poet_cpu_linear_is_half(&job);
    job.packed = weights->packed = poet_alloc(poet_cpu_linear_bytes(job.n, job.k, job.half));
    if (!job.packed) {
        linear_release(call);
        return POET_ERR_NOMEM;
    }
    poet_cpu_linear_pack(device, &job);
    return POET_OK;
}

static void linear_run(const poet_device *device, const poet_call *call)
{
    linear_job job = linear_of(call);
    const linear_weights *weights = call->prepared;
    job.packed = weights ? weights->packed : call->scratch;
    job.half = weights && weights->half;
    if (!weights)
        poet_cpu_linear_pack(device, &job);
    poet_cpu_linear(device, &job);
}

/* ---- training ---- */

/* A (rows, columns) operand, row-major, or stored transposed. */
static poet_status operand(dnnl_memory_desc_t *md, int64_t rows, int64_t columns, bool transposed,
                           dnnl_data_type_t type)
{
    dnnl_dims_t dims = {rows, columns};
    POET_DNNL(dnnl_memory_desc_init_by_tag(md, 2, dims, type, transposed ? dnnl_ba : dnnl_ab));
    return POET_OK;
}

typedef struct matmul_memories {
    dnnl_memory_desc_t a, b, bias, y;
} matmul_memories;

static poet_status memories_of(const poet_call *call, matmul_memories *m)
{
    sizes s = sizes_of(call);
    dnnl_data_type_t type = poet_dnnl_type(call->src[0]);
    POET_TRY(operand(&m->a, s.m, s.k, call->attr->matmul.transpose_a, type));
    POET_TRY(operand(&m->b, s.k, s.n, call->attr->matmul.transpose_b, type));
    POET_TRY(operand(&m->bias, 1, s.n, false, dnnl_f32));
    return operand(&m->y, s.m, s.n, false, poet_dnnl_type(call->dst[0]));
}

static poet_status describe(const poet_device *device, const poet_call *call,
                            dnnl_primitive_desc_t *out)
{
    matmul_memories m;
    POET_TRY(memories_of(call, &m));
    dnnl_matmul_desc_t desc;
    POET_DNNL(dnnl_matmul_desc_init(&desc, &m.a, &m.b, bias_of(call) ? &m.bias : NULL, &m.y));
    return poet_dnnl_describe(device, &desc, out);
}

static size_t dnnl_scratch(const poet_device *device, const poet_call *call)
{
    dnnl_primitive_desc_t pd;
    if (describe(device, call, &pd))
        return 0; /* prepare will fail in the same way, and can say so */
    size_t bytes = poet_dnnl_scratchpad(pd);
    dnnl_primitive_desc_destroy(pd);
    return bytes;
}

static poet_status add_arguments(const poet_call *call, poet_dnnl *p)
{
    matmul_memories m;
    POET_TRY(memories_of(call, &m));
    POET_TRY(poet_dnnl_arg(p, DNNL_ARG_SRC, &m.a, call->src[0]->data));
    POET_TRY(poet_dnnl_arg(p, DNNL_ARG_WEIGHTS, &m.b, call->src[1]->data));
    if (bias_of(call))
        POET_TRY(poet_dnnl_arg(p, DNNL_ARG_BIAS, &m.bias, bias_of(call)->data));
    return poet_dnnl_arg(p, DNNL_ARG_DST, &m.y, call->dst[0]->data);
}

static poet_status dnnl_prepare(poet_device *device, poet_call *call)
{
    dnnl_primitive_desc_t pd;
    POET_TRY(describe(device, call, &pd));
    poet_dnnl *p = NULL;
    poet_status status = poet_dnnl_create(pd, call->scratch, &p);
    if (!status)
        status = add_arguments(call, p);
    dnnl_primitive_desc_destroy(pd);
    call->prepared = p;
    if (status)
        poet_dnnl_release(device, call);
    return status;
}

/* ---- the op ---- */

static poet_status matmul_run(poet_device *device, const poet_call *call)
{
    if (!is_linear(call))
        return poet_dnnl_kernel(device, call);
    linear_run(device, call);
    return POET_OK;
}

static size_t matmul_scratch(poet_device *device, const poet_call *call)
{
    return is_linear(call) ? linear_scratch(call) : dnnl_scratch(device, call);
}

static poet_status matmul_prepare(poet_device *device, poet_call *call)
{
    return is_linear(call) ? linear_prepare(device, call) : dnnl_prepare(device, call);
}

static void matmul_release(poet_device *device, poet_call *call)
{
    if (is_linear(call))
        linear_release(call);
    else
        poet_dnnl_release(device, call);
}

static const char *matmul_implementation(const poet_call *call)
{
    if (!is_linear(call))
        return poet_dnnl_implementation(call);
    const linear_weights *weights = call->prepared;
    bool half = weights && weights->half;
    if (poet_cpu_vectors() == 3)
        return half ? "packed bf16 avx512" : "packed avx512";
    return half ? "packed bf16 avx2" : "packed avx2";
}

void poet_cpu_matmul(poet_cpu_op *ops)
{
    ops[POET_OP_MATMUL] = (poet_cpu_op){.run = matmul_run,
                                        .scratch = matmul_scratch,
                                        .prepare = matmul_prepare,
                                        .release = matmul_release,
                                        .implementation = matmul_implementation,
                                        .mixed = true,
                                        .narrow = true};
}
