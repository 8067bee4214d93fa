/* Losses: calls of kernels/loss.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/loss.h"

/* ---- differences ---- */

static int run_difference(const poet_cuda_device *device, const poet_call *call)
{
    int (*launch)(poet_stream, const float *, const float *, float *, float *, int) =
        call->op == POET_OP_MSE ? poet_cuda_mse : poet_cuda_l1;
    return launch(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1), call->scratch,
                  poet_cuda_dst(call, 0), poet_cuda_count(call->src[0]));
}

static size_t difference_scratch(const poet_call *call)
{
    return (size_t)poet_cuda_loss_parts(poet_cuda_count(call->src[0])) * sizeof(float);
}

static int run_difference_bwd(const poet_cuda_device *device, const poet_call *call)
{
    int (*launch)(poet_stream, const float *, const float *, const float *, float *, int) =
        call->op == POET_OP_MSE_BWD ? poet_cuda_mse_bwd : poet_cuda_l1_bwd;
    return launch(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                  poet_cuda_src(call, 2), poet_cuda_dst(call, 0), poet_cuda_count(call->src[0]));
}

/* ---- cross entropy ---- */

static int classes_of(const poet_tensor *logits)
{
    return (int)poet_shape_last(&logits->shape);
}

static int run_cross_entropy(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_cross_entropy(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                                   poet_cuda_dst(call, 0), poet_cuda_dst(call, 1),
                                   poet_cuda_dst(call, 2), poet_cuda_count(call->src[1]),
                                   classes_of(call->src[0]), device->fault);
}

static int run_cross_entropy_bwd(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_cross_entropy_bwd(
        device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1), poet_cuda_src(call, 2),
        poet_cuda_src(call, 3), call->scratch, poet_cuda_dst(call, 0),
        poet_cuda_count(call->src[1]), classes_of(call->src[0]));
}

static size_t share_scratch(const poet_call *call)
{
    (void)call;
    return sizeof(float);
}

void poet_cuda_loss_ops(poet_cuda_op *ops)
{
    ops[POET_OP_MSE] = ops[POET_OP_L1] =
        (poet_cuda_op){.run = run_difference, .scratch = difference_scratch};
    ops[POET_OP_MSE_BWD] = ops[POET_OP_L1_BWD] = (poet_cuda_op){.run = run_difference_bwd};
    ops[POET_OP_CROSS_ENTROPY] = (poet_cuda_op){.run = run_cross_entropy};
    ops[POET_OP_CROSS_ENTROPY_BWD] =
        (poet_cuda_op){.run = run_cross_entropy_bwd, .scratch = share_scratch};
}
