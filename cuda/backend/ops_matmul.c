/* Matrix products: calls of kernels/matmul.cu, and of kernels/int8.cu where the environment variable POET_CUDA_WEIGHTS is
 * "int8" when the program is made: then products of a few rows with constant weights read these in 8 bits. */
#include "cuda/backend/backend_internal.h"
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

/* ---- weights in 8 bits ---- */

/* Asked at plan time, where only parameters have memory. An approximation is never chosen unasked. */
static bool asks_int8(const poet_call *call, const poet_matmul_args *args)
{
    const char *weights = getenv("POET_CUDA_WEIGHTS");
    return weights && strcmp(weights, "int8") == 0 && call->constant_weights &&
           call->src[1]->data && poet_cuda_has_few_rows(args) &&
           args->plan.k <= POET_INT8_MOST_TERMS;
}

/* Products of few rows have no other use for scratch. */
static size_t matmul_packed(const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    bool int8 = poet_cuda_has_few_rows(&args) && call->scratch_bytes > 0;
    return int8 ? poet_cuda_int8_bytes(args.plan.n, args.plan.k) : 0;
}

static int matmul_pack(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    poet_int8 weights = poet_cuda_int8_in(call->prepared, args.plan.n, args.plan.k);
    return poet_cuda_to_int8(device->stream, args.b, args.plan.k, &weights);
}

static int run_int8(const poet_cuda_device *device, const poet_call *call,
                    const poet_matmul_args *args)
{
    poet_int8 weights = poet_cuda_int8_in(call->prepared, args->plan.n, args->plan.k);
    poet_int8 rows = poet_cuda_int8_in(call->scratch, args->plan.m, args->plan.k);
    int code = poet_cuda_to_int8(device->stream, args->a, args->plan.k, &rows);
    return code ? code : poet_cuda_int8_rows(device->stream, &rows, &weights, args->bias, args->y);
}

/* ---- the operation ---- */

static int run_matmul(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    if (call->prepared)
        return run_int8(device, call, &args);
    args.plan.tensor_cores = poet_cuda_tensor_cores(device, args.a);
    return poet_cuda_has_few_rows(&args) ? poet_cuda_few_rows(device->stream, &args)
                                         : poet_cuda_matmul(device->stream, &args);
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
                                         .pack = matmul_pack};
}
