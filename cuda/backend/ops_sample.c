/* Sampling: calls of kernels/sample.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/sample.h"

static poet_draw draw_of(const poet_call *call)
{
    int rows = (int)call->src[1]->shape.dim[0];
    return (poet_draw){.logits = call->src[0]->data,
                       .settings = call->src[1]->data,
                       .keys = call->src[2]->data,
                       .rows = rows,
                       .v = (int)call->src[0]->shape.dim[1],
                       .guided = call->src[0]->shape.dim[0] != rows};
}

static int run_sample(const poet_cuda_device *device, const poet_call *call)
{
    poet_draw draw = draw_of(call);
    return poet_cuda_sample(device->stream, &draw, call->scratch, poet_cuda_dst(call, 0),
                            device->fault);
}

static size_t sample_scratch(const poet_call *call)
{
    poet_draw draw = draw_of(call);
    return poet_cuda_sample_bytes(draw.rows, draw.v);
}

void poet_cuda_sample_ops(poet_cuda_op *ops)
{
    ops[POET_OP_SAMPLE] = (poet_cuda_op){.run = run_sample, .scratch = sample_scratch};
}
