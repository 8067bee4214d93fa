/* Convolutions: calls of kernels/conv3d.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/conv3d.h"

/* Each has two of x, w and y among its tensors. Without tensor cores. */
static poet_conv3d_sizes sizes_of(const poet_call *call)
{
    const poet_tensor *w = call->op == POET_OP_CONV3D_DW ? call->dst[0] : call->src[1];
    const int64_t *pixels = call->src[0]->shape.dim, *kernel = w->shape.dim;
    return (poet_conv3d_sizes){.batch = (int)pixels[0],
                               .frames = (int)pixels[1],
                               .height = (int)pixels[2],
                               .width = (int)pixels[3],
                               .kt = (int)kernel[1],
                               .kh = (int)kernel[2],
                               .kw = (int)kernel[3],
                               .ci = (int)kernel[4],
                               .co = (int)kernel[0]};
}

static poet_conv3d_sizes sizes_on(const poet_cuda_device *device, const poet_call *call)
{
    poet_conv3d_sizes sizes = sizes_of(call);
    sizes.tensor_cores = poet_cuda_tensor_cores(device, poet_cuda_operand(call, 0));
    return sizes;
}

static int run_conv3d(const poet_cuda_device *device, const poet_call *call)
{
    poet_conv3d_sizes sizes = sizes_on(device, call);
    const float *bias = call->n_src > 2 ? poet_cuda_src(call, 2) : NULL;
    return poet_cuda_conv3d(device->stream, poet_cuda_operand(call, 0), poet_cuda_operand(call, 1),
                            bias, poet_cuda_dst(call, 0), call->scratch, &sizes);
}

static int run_dx(const poet_cuda_device *device, const poet_call *call)
{
    poet_conv3d_sizes sizes = sizes_on(device, call);
    return poet_cuda_conv3d_dx(device->stream, poet_cuda_operand(call, 0),
                               poet_cuda_operand(call, 1), poet_cuda_dst(call, 0), call->scratch,
                               &sizes);
}

static int run_dw(const poet_cuda_device *device, const poet_call *call)
{
    poet_conv3d_sizes sizes = sizes_on(device, call);
    return poet_cuda_conv3d_dw(device->stream, poet_cuda_operand(call, 0),
                               poet_cuda_operand(call, 1), poet_cuda_dst(call, 0), call->scratch,
                               &sizes);
}

static poet_cuda_way way(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_tensor_cores(device, poet_cuda_operand(call, 0))
               ? (poet_cuda_way){"tensor bf16", POET_UNIT_TENSOR}
               : (poet_cuda_way){"tile", POET_UNIT_F32};
}

static size_t scratch(const poet_call *call)
{
    poet_conv3d_sizes sizes = sizes_of(call);
    poet_gemm_plan plan = call->op == POET_OP_CONV3D      ? poet_cuda_conv3d_plan(&sizes)
                          : call->op == POET_OP_CONV3D_DX ? poet_cuda_conv3d_dx_plan(&sizes)
                                                          : poet_cuda_conv3d_dw_plan(&sizes);
    return (size_t)poet_cuda_gemm_parts(&plan) * sizeof(float);
}

void poet_cuda_conv3d_ops(poet_cuda_op *ops)
{
    poet_cuda_op op = {.scratch = scratch, .bf16 = true, .way = way};
    ops[POET_OP_CONV3D] = ops[POET_OP_CONV3D_DX] = ops[POET_OP_CONV3D_DW] = op;
    ops[POET_OP_CONV3D].run = run_conv3d;
    ops[POET_OP_CONV3D_DX].run = run_dx;
    ops[POET_OP_CONV3D_DW].run = run_dw;
}
