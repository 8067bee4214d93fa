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

/* b is packed once when it is a weight, and in each run, into scratch, when the program computes it. */
static size_t linear_bytes(const poet_call *call, bool weight)
{
    sizes s = sizes_of(call);
    return poet_call_is_constant(call, 1) == weight ? poet_cpu_linear_bytes(s.n, s.k, false) : 0;
}

/* What is prepared: whether the packed weights are halves. */
static poet_status linear_prepare(const poet_device *device, poet_call *call)
{
    if (!call->packed)
        return POET_OK;
    linear_job job = linear_of(call);
    bool *half = call->prepared = poet_alloc(sizeof *half);
    if (!half)
        return POET_ERR_NOMEM;
    job.half = *half = poet_cpu_linear_is_half(&job);
    job.packed = call->packed;
    poet_cpu_linear_pack(device, &job);
    return POET_OK;
}

static void linear_run(const poet_device *device, const poet_call *call)
{
    linear_job job = linear_of(call);
    const bool *half = call->prepared;
    job.packed = half ? call->packed : call->scratch;
    job.half = half && *half;
    if (!half)
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
    return is_linear(call) ? linear_bytes(call, false) : dnnl_scratch(device, call);
}

static size_t matmul_packed(poet_device *device, const poet_call *call)
{
    (void)device;
    return is_linear(call) ? linear_bytes(call, true) : 0;
}

static poet_status matmul_prepare(poet_device *device, poet_call *call)
{
    return is_linear(call) ? linear_prepare(device, call) : dnnl_prepare(device, call);
}

static void matmul_release(poet_device *device, poet_call *call)
{
    if (!is_linear(call)) {
        poet_dnnl_release(device, call);
        return;
    }
    poet_free(call->prepared);
    call->prepared = NULL;
}

static const char *matmul_implementation(const poet_call *call)
{
    if (!is_linear(call))
        return poet_dnnl_implementation(call);
    const bool *prepared = call->prepared;
    bool half = prepared && *prepared;
    if (poet_cpu_vectors() == 3)
        return half ? "packed bf16 avx512" : "packed avx512";
    return half ? "packed bf16 avx2" : "packed avx2";
}

void poet_cpu_matmul(poet_cpu_op *ops)
{
    ops[POET_OP_MATMUL] = (poet_cpu_op){.run = matmul_run,
                                        .scratch = matmul_scratch,
                                        .packed = matmul_packed,
                                        .prepare = matmul_prepare,
                                        .release = matmul_release,
                                        .implementation = matmul_implementation,
                                        .mixed = true,
                                        .narrow = true};
}
