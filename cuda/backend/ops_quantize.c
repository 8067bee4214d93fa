/* Vector quantization: calls of kernels/quantize.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/quantize.h"

static int run_nearest(const poet_cuda_device *device, const poet_call *call)
{
    const int64_t *codebook = call->src[1]->shape.dim;
    return poet_cuda_nearest(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                             poet_cuda_dst(call, 0), poet_cuda_dst(call, 1),
                             poet_cuda_count(call->dst[0]), (int)codebook[0], (int)codebook[1]);
}

static int run_codebook_ema(const poet_cuda_device *device, const poet_call *call)
{
    const int64_t *codebook = call->src[0]->shape.dim;
    poet_codebook_args args = {.codebook = poet_cuda_dst(call, 0),
                               .total = poet_cuda_dst(call, 1),
                               .count = poet_cuda_dst(call, 2),
                               .z = poet_cuda_src(call, 3),
                               .index = poet_cuda_src(call, 4),
                               .step = poet_cuda_src(call, 5),
                               .rows = poet_cuda_count(call->src[4]),
                               .codes = (int)codebook[0],
                               .channels = (int)codebook[1],
                               .decay = (double)call->attr->ema.decay,
                               .restart = (double)call->attr->ema.restart,
                               .seed = call->attr->ema.seed};
    return poet_cuda_codebook_ema(device->stream, &args, device->fault);
}

static int run_count_codes(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_count_codes(device->stream, poet_cuda_dst(call, 0), poet_cuda_src(call, 1),
                                 poet_cuda_count(call->src[1]), poet_cuda_count(call->dst[0]),
                                 device->fault);
}

void poet_cuda_quantize_ops(poet_cuda_op *ops)
{
    ops[POET_OP_NEAREST] = (poet_cuda_op){.run = run_nearest};
    ops[POET_OP_CODEBOOK_EMA] = (poet_cuda_op){.run = run_codebook_ema};
    ops[POET_OP_COUNT_CODES] = (poet_cuda_op){.run = run_count_codes};
}
