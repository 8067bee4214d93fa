/* Matrix products: calls of kernels/matmul.cu, and for constant weights (N,K) of what the environment variable
 * POET_CUDA_WEIGHTS asks for when the program is made: with "int8" products of a few rows read these in 8 bits
 * (kernels/int8.cu); with "f16" all do so in f16 (kernels/f16.cu), but those of more rows on a card without tensor cores. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/f16.h"
#include "cuda/kernels/int8.h"
#include "cuda/kernels/matmul.h"

#include <stdlib.h>
#include <string.h>

static poet_matmul_args args_of(const poet_call *call)
{
    const poet_tensor *a = call->src[0], *b = call->src[1];
    bool ta = call->attr->matmul.transpose_a, tb = call->attr->matmul.transpose_b;
    int rows = poet_cuda_span(a, 0, a->shape.ndim - 1), columns = (int)poet_shape_last(&a->shape);
    int n = (int)b->shape.dim[tb ? 0 : 1];
    return (poet_matmul_args){.a = poet_cuda_operand(call, 0),
                              .b = poet_cuda_operand(call, 1),
                              .transpose_a = ta,
                              .transpose_b = tb,
                              .bias = call->n_src > 2 ? poet_cuda_src(call, 2) : NULL,
                              .y = poet_cuda_dst(call, 0),
                              .parts = call->scratch,
                              .plan =
                                  poet_cuda_gemm_plan(ta ? columns : rows, n, ta ? rows : columns)};
}

/* ---- weights in fewer bits ---- */

/* Asked when the program is made. An approximation is never chosen unasked. */
static bool asks(const char *form, const poet_call *call)
{
    const char *weights = getenv("POET_CUDA_WEIGHTS");
    return weights && strcmp(weights, form) == 0 && poet_call_is_constant(call, 1);
}

static bool asks_int8(const poet_call *call, const poet_matmul_args *args)
{
    return asks("int8", call) && poet_cuda_has_few_rows(args) &&
           args->plan.k <= POET_INT8_MOST_TERMS;
}

/* Many rows are for tensor cores. */
static bool asks_f16(const poet_cuda_device *device, const poet_call *call,
                     const poet_matmul_args *args)
{
    bool fits = !args->a.bf16 && !args->transpose_a && args->transpose_b;
    return asks("f16", call) && fits &&
           (poet_cuda_has_few_rows(args) || device->capability >= POET_F16_CAPABILITY);
}

/* Products of few rows have no other use for scratch. */
static bool has_int8(const poet_call *call, const poet_matmul_args *args)
{
    return poet_cuda_has_few_rows(args) && call->scratch_bytes > 0;
}

static size_t matmul_packed(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    if (has_int8(call, &args))
        return poet_cuda_int8_bytes(args.plan.n, args.plan.k);
    return asks_f16(device, call, &args) ? poet_cuda_f16_bytes(args.plan.n, args.plan.k) : 0;
}

static int matmul_pack(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    int n = args.plan.n, k = args.plan.k;
    if (has_int8(call, &args)) {
        poet_int8 weights = poet_cuda_int8_in(call->packed, n, k);
        return poet_cuda_to_int8(device->stream, args.b, k, &weights);
    }
    poet_f16_matrix weights = poet_cuda_f16_in(call->packed, n, k);
    return poet_cuda_to_f16(device->stream, args.b.data, k, &weights, device->fault);
}

static int run_int8(const poet_cuda_device *device, const poet_call *call,
                    const poet_matmul_args *args)
{
    poet_int8 weights = poet_cuda_int8_in(call->packed, args->plan.n, args->plan.k);
    poet_int8 rows = poet_cuda_int8_in(call->scratch, args->plan.m, args->plan.k);
    int code = poet_cuda_to_int8(device->stream, args->a, args->plan.k, &rows);
    return code ? code : poet_cuda_int8_rows(device->stream, &rows, &weights, args->bias, args->y);
}

static int run_f16(const poet_cuda_device *device, const poet_call *call, const poet_matmul_args *m)
{
    poet_f16_args args = {.a = m->a.data,
                          .b = poet_cuda_f16_in(call->packed, m->plan.n, m->plan.k),
                          .bias = m->bias,
                          .y = m->y,
                          .parts = m->parts,
                          .plan = m->plan};
    return poet_cuda_has_few_rows(m) ? poet_cuda_f16_rows(device->stream, &args)
                                     : poet_cuda_f16_matmul(device->stream, &args);
}

/* ---- the operation ---- */

static int run_matmul(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    if (call->packed)
        return has_int8(call, &args) ? run_int8(device, call, &args) : run_f16(device, call, &args);
    args.plan.tensor_cores = poet_cuda_tensor_cores(device, args.a);
    return poet_cuda_has_few_rows(&args) ? poet_cuda_few_rows(device->stream, &args)
                                         : poet_cuda_matmul(device->stream, &args);
}

static poet_cuda_way matmul_way(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    bool few = poet_cuda_has_few_rows(&args), packed = call->packed_bytes > 0;
    if (packed && has_int8(call, &args))
        return (poet_cuda_way){"rows int8", POET_UNIT_INT8};
    if (few)
        return (poet_cuda_way){packed ? "rows f16" : "rows", POET_UNIT_F32};
    if (packed)
        return (poet_cuda_way){"tensor f16", POET_UNIT_TENSOR};
    return poet_cuda_tensor_cores(device, args.a) ? (poet_cuda_way){"tensor bf16", POET_UNIT_TENSOR}
                                                  : (poet_cuda_way){"tile", POET_UNIT_F32};
}

static size_t matmul_scratch(const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    if (asks_int8(call, &args))
        return poet_cuda_int8_bytes(args.plan.m, args.plan.k);
    return poet_cuda_has_few_rows(&args) ? 0
                                         : (size_t)poet_cuda_gemm_parts(&args.plan) * sizeof(float);
}

void poet_cuda_matmul_ops(poet_cuda_op *ops)
{
    ops[POET_OP_MATMUL] = (poet_cuda_op){.run = run_matmul,
                                         .scratch = matmul_scratch,
                                         .bf16 = true,
                                         .packed = matmul_packed,
                                         .pack = matmul_pack,
                                         .way = matmul_way};
}
