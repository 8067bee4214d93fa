/* Attention and rotary positions: calls of kernels/attention*.cu and kernels/rotary.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/rotary.h"

#include <math.h>

/* lengths: the index of that source. */
static poet_attention_args measure(const poet_cuda_device *device, const poet_call *call,
                                   int lengths)
{
    const int64_t *dim = call->src[0]->shape.dim;
    int heads = call->attr->attention.heads, d = (int)dim[2] / 3 / heads;
    int prefix = call->attr->attention.prefix;
    return (poet_attention_args){.qkv = poet_cuda_operand(call, 0),
                                 .b = (int)dim[0],
                                 .t = (int)dim[1],
                                 .heads = heads,
                                 .d = d,
                                 .prefix = prefix,
                                 .room = (int)dim[1],
                                 .scale = 1 / sqrtf((float)d),
                                 .lengths = prefix ? poet_cuda_src(call, lengths) : NULL,
                                 .fault = device->fault};
}

static poet_status check_width(const poet_call *call)
{
    long long width = call->src[0]->shape.dim[2] / 3 / call->attr->attention.heads;
    if (width > POET_ATTENTION_WIDEST)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "heads of %lld numbers; kernels know up to %d",
                         width, POET_ATTENTION_WIDEST);
    return POET_OK;
}

static int run_attention(const poet_cuda_device *device, const poet_call *call)
{
    poet_attention_args a = measure(device, call, 1);
    return poet_cuda_attention(device->stream, &a, poet_cuda_dst(call, 0), poet_cuda_dst(call, 1));
}

static int run_attention_bwd(const poet_cuda_device *device, const poet_call *call)
{
    poet_attention_args a = measure(device, call, 4);
    return poet_cuda_attention_bwd(device->stream, &a, poet_cuda_src(call, 1),
                                   poet_cuda_src(call, 2), poet_cuda_src(call, 3), call->scratch,
                                   poet_cuda_dst(call, 0));
}

static size_t attention_bwd_scratch(const poet_call *call)
{
    return (size_t)poet_tensor_count(call->src[2]) * sizeof(float);
}

static int run_attention_cached(const poet_cuda_device *device, const poet_call *call)
{
    poet_attention_args a = measure(device, call, 4);
    a.keys = poet_cuda_dst(call, 1);
    a.values = poet_cuda_dst(call, 2);
    a.position = poet_cuda_src(call, 3);
    a.room = (int)call->src[1]->shape.dim[1];
    int code = poet_cuda_attention_remember(device->stream, &a);
    return code ? code : poet_cuda_attention(device->stream, &a, poet_cuda_dst(call, 0), NULL);
}

/* Only qkv may be bf16. */
static poet_status check_cached(const poet_call *call)
{
    if (call->src[1]->dtype != POET_F32)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "a cache in %s; use f32",
                         poet_dtype_name(call->src[1]->dtype));
    return check_width(call);
}

static int run_rotary(const poet_cuda_device *device, const poet_call *call)
{
    const int64_t *dim = call->src[0]->shape.dim;
    int heads = call->attr->rotary.heads;
    poet_rotary_sizes sizes = {.rows = (int)(dim[0] * dim[1]),
                               .t = (int)dim[1],
                               .heads = heads,
                               .half = (int)dim[2] / 6 / heads,
                               .back = call->attr->rotary.back};
    return poet_cuda_rotary(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                            poet_cuda_dst(call, 0), &sizes);
}

void poet_cuda_attention_ops(poet_cuda_op *ops)
{
    ops[POET_OP_ATTENTION] =
        (poet_cuda_op){.run = run_attention, .check = check_width, .bf16 = true};
    ops[POET_OP_ATTENTION_BWD] = (poet_cuda_op){.run = run_attention_bwd,
                                                .scratch = attention_bwd_scratch,
                                                .check = check_width,
                                                .bf16 = true};
    ops[POET_OP_ATTENTION_CACHED] =
        (poet_cuda_op){.run = run_attention_cached, .check = check_cached, .bf16 = true};
    ops[POET_OP_ROTARY] = (poet_cuda_op){.run = run_rotary};
}
