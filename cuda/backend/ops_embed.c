/* Tables: calls of kernels/embed.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/embed.h"

/* A table (V,C) is one slot. */
static poet_embed_sizes measure(const poet_tensor *table, const poet_tensor *index)
{
    const poet_shape *shape = &table->shape;
    int slots = shape->ndim == 3 ? (int)shape->dim[0] : 1;
    return (poet_embed_sizes){.rows = poet_cuda_count(index) / slots,
                              .slots = slots,
                              .v = (int)shape->dim[shape->ndim - 2],
                              .width = (int)poet_shape_last(shape)};
}

static int run_embed(const poet_cuda_device *device, const poet_call *call)
{
    poet_embed_sizes sizes = measure(call->src[0], call->src[1]);
    if (call->src[0]->dtype == POET_I32)
        return poet_cuda_embed_ints(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                                    poet_cuda_dst(call, 0), device->fault, &sizes);
    return poet_cuda_embed(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                           poet_cuda_dst(call, 0), device->fault, &sizes);
}

static int run_embed_bwd(const poet_cuda_device *device, const poet_call *call)
{
    poet_embed_sizes sizes = measure(call->dst[0], call->src[0]);
    return poet_cuda_embed_bwd(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                               poet_cuda_dst(call, 0), device->fault, &sizes);
}

void poet_cuda_embed_ops(poet_cuda_op *ops)
{
    ops[POET_OP_EMBED] = (poet_cuda_op){.run = run_embed};
    ops[POET_OP_EMBED_BWD] = (poet_cuda_op){.run = run_embed_bwd};
}
