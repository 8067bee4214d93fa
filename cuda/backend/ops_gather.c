/* Integers by places: calls of kernels/gather.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/gather.h"

static poet_places places_of(const poet_call *call)
{
    const poet_shape *x = &call->src[0]->shape, *index = &call->src[1]->shape;
    return (poet_places){.index = poet_cuda_src(call, 1),
                         .row = poet_cuda_src(call, 2),
                         .rows = poet_cuda_count(call->src[2]),
                         .b = (int)x->dim[0],
                         .l = (int)x->dim[1],
                         .n = (int)index->dim[0],
                         .m = (int)index->dim[1]};
}

static int run_gather(const poet_cuda_device *device, const poet_call *call)
{
    poet_places places = places_of(call);
    return poet_cuda_gather(device->stream, poet_cuda_src(call, 0), &places, poet_cuda_src(call, 3),
                            poet_cuda_dst(call, 0), device->fault);
}

static int run_scatter(const poet_cuda_device *device, const poet_call *call)
{
    poet_places places = places_of(call);
    return poet_cuda_scatter(device->stream, poet_cuda_dst(call, 0), &places,
                             poet_cuda_src(call, 3), device->fault);
}

void poet_cuda_gather_ops(poet_cuda_op *ops)
{
    ops[POET_OP_GATHER] = (poet_cuda_op){.run = run_gather};
    ops[POET_OP_SCATTER] = (poet_cuda_op){.run = run_scatter};
}
