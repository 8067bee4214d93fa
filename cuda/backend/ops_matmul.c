/* Matrix products: calls of kernels/matmul.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/matmul.h"

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

static int run_matmul(const poet_cuda_device *device, const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    return poet_cuda_has_few_rows(&args) ? poet_cuda_few_rows(device->stream, &args)
                                         : poet_cuda_matmul(device->stream, &args);
}

static size_t matmul_scratch(const poet_call *call)
{
    poet_matmul_args args = args_of(call);
    return poet_cuda_has_few_rows(&args) ? 0
                                         : (size_t)poet_cuda_gemm_parts(&args.plan) * sizeof(float);
}

void poet_cuda_matmul_ops(poet_cuda_op *ops)
{
    ops[POET_OP_MATMUL] =
        (poet_cuda_op){.run = run_matmul, .scratch = matmul_scratch, .bf16 = true};
}
