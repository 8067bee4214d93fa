/* Element-wise operations: calls of kernels/eltwise.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/backend/strides_internal.h"
#include "cuda/kernels/eltwise.h"

static int run_binary(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *a = call->src[0], *b = call->src[1];
    poet_strides strides = poet_strides_of(&b->shape, &a->shape);
    int (*launch)(poet_stream, const float *, const float *, float *, int, const poet_strides *) =
        call->op == POET_OP_ADD ? poet_cuda_add : poet_cuda_mul;
    return launch(device->stream, a->data, b->data, poet_cuda_dst(call, 0), poet_cuda_count(a),
                  &strides);
}

static int run_expand(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *x = call->src[0], *y = call->dst[0];
    poet_strides strides = poet_strides_of(&x->shape, &y->shape);
    return poet_cuda_expand(device->stream, x->data, y->data, poet_cuda_count(y), &strides);
}

static int run_scale(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_scale(device->stream, poet_cuda_src(call, 0), call->attr->scale.factor,
                           poet_cuda_dst(call, 0), poet_cuda_count(call->dst[0]));
}

static int run_fill(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_fill(device->stream, call->attr->scale.factor, poet_cuda_dst(call, 0),
                          poet_cuda_count(call->dst[0]));
}

static int run_act(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_act(device->stream, call->attr->act.act, poet_cuda_src(call, 0),
                         poet_cuda_dst(call, 0), poet_cuda_count(call->dst[0]));
}

static int run_act_bwd(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_act_bwd(device->stream, call->attr->act.act, poet_cuda_src(call, 0),
                             poet_cuda_src(call, 1), poet_cuda_dst(call, 0),
                             poet_cuda_count(call->dst[0]));
}

static int run_cast(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_cast(device->stream, poet_cuda_operand(call, 0), poet_cuda_dst(call, 0),
                          call->dst[0]->dtype == POET_BF16, poet_cuda_count(call->dst[0]));
}

static int run_dropout(const poet_cuda_device *device, const poet_call *call)
{
    double share = (double)call->attr->dropout.share;
    return poet_cuda_dropout(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                             call->attr->dropout.seed, (uint32_t)(share * 0x1p32),
                             (float)(1 / (1 - share)), poet_cuda_dst(call, 0),
                             poet_cuda_count(call->dst[0]));
}

/* The result is the source's memory: nothing to do. */
static int run_view(const poet_cuda_device *device, const poet_call *call)
{
    (void)device;
    (void)call;
    return 0;
}

void poet_cuda_eltwise_ops(poet_cuda_op *ops)
{
    ops[POET_OP_ADD] = ops[POET_OP_MUL] = (poet_cuda_op){.run = run_binary};
    ops[POET_OP_EXPAND] = (poet_cuda_op){.run = run_expand};
    ops[POET_OP_SCALE] = (poet_cuda_op){.run = run_scale};
    ops[POET_OP_FILL] = (poet_cuda_op){.run = run_fill, .bf16 = true};
    ops[POET_OP_ACT] = (poet_cuda_op){.run = run_act};
    ops[POET_OP_ACT_BWD] = (poet_cuda_op){.run = run_act_bwd};
    ops[POET_OP_CAST] = (poet_cuda_op){.run = run_cast, .bf16 = true};
    ops[POET_OP_DROPOUT] = (poet_cuda_op){.run = run_dropout};
    ops[POET_OP_RESHAPE] = ops[POET_OP_STOP_GRAD] = ops[POET_OP_STRAIGHT_THROUGH] =
        (poet_cuda_op){.run = run_view, .bf16 = true};
}
