/* Finite scalar quantization and the entropy loss of bits: calls of kernels/fsq.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/fsq.h"

#include <assert.h>
#include <math.h>

/* Mentzer et al. 2023, appendix A; the same numbers as in compute/ops/fsq.c. */
static poet_fsq_levels levels_of(const poet_call *call)
{
    static_assert((int)POET_FSQ_CHANNELS == (int)POET_MAX_LEVELS, "room for all channels");
    poet_fsq_levels f = {.channels = call->attr->fsq.channels, .binary = call->attr->fsq.binary};
    for (int c = 0; c < f.channels; c++) {
        f.levels[c] = call->attr->fsq.levels[c];
        f.half[c] = (f.levels[c] - 1) * (1 - 1e-3) / 2;
        f.offset[c] = f.levels[c] % 2 ? 0 : 0.5;
        f.shift[c] = tan(f.offset[c] / f.half[c]);
    }
    return f;
}

static int run_fsq(const poet_cuda_device *device, const poet_call *call)
{
    poet_fsq_levels levels = levels_of(call);
    return poet_cuda_fsq(device->stream, poet_cuda_src(call, 0), poet_cuda_dst(call, 0),
                         poet_cuda_dst(call, 1), poet_cuda_count(call->dst[1]), &levels,
                         device->fault);
}

static int run_fsq_bwd(const poet_cuda_device *device, const poet_call *call)
{
    poet_fsq_levels levels = levels_of(call);
    return poet_cuda_fsq_bwd(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                             poet_cuda_dst(call, 0),
                             poet_cuda_count(call->dst[0]) / levels.channels, &levels);
}

static int run_fsq_codes(const poet_cuda_device *device, const poet_call *call)
{
    poet_fsq_levels levels = levels_of(call);
    return poet_cuda_fsq_codes(device->stream, poet_cuda_src(call, 0), poet_cuda_dst(call, 0),
                               poet_cuda_count(call->src[0]), &levels, device->fault);
}

static poet_entropy_args entropy_of(const poet_call *call)
{
    const poet_tensor *z = call->src[0];
    return (poet_entropy_args){.z = z->data,
                               .means = call->scratch,
                               .rows = poet_cuda_span(z, 0, z->shape.ndim - 1),
                               .channels = (int)poet_shape_last(&z->shape),
                               .temperature = (double)call->attr->entropy.temperature,
                               .gamma = (double)call->attr->entropy.gamma};
}

static int run_lfq_entropy(const poet_cuda_device *device, const poet_call *call)
{
    poet_entropy_args args = entropy_of(call);
    return poet_cuda_lfq_entropy(device->stream, &args, poet_cuda_dst(call, 0));
}

static int run_lfq_entropy_bwd(const poet_cuda_device *device, const poet_call *call)
{
    poet_entropy_args args = entropy_of(call);
    return poet_cuda_lfq_entropy_bwd(device->stream, &args, poet_cuda_src(call, 1),
                                     poet_cuda_dst(call, 0));
}

static size_t entropy_scratch(const poet_call *call)
{
    return 2 * (size_t)poet_shape_last(&call->src[0]->shape) * sizeof(double);
}

void poet_cuda_fsq_ops(poet_cuda_op *ops)
{
    ops[POET_OP_FSQ] = (poet_cuda_op){.run = run_fsq};
    ops[POET_OP_FSQ_BWD] = (poet_cuda_op){.run = run_fsq_bwd};
    ops[POET_OP_FSQ_CODES] = (poet_cuda_op){.run = run_fsq_codes};
    ops[POET_OP_LFQ_ENTROPY] = (poet_cuda_op){.run = run_lfq_entropy, .scratch = entropy_scratch};
    ops[POET_OP_LFQ_ENTROPY_BWD] =
        (poet_cuda_op){.run = run_lfq_entropy_bwd, .scratch = entropy_scratch};
}
