/* Updates of parameters: calls of kernels/optim.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/optim.h"

/* Appends a source; a full table is launched before and begins anew. */
static int add_source(const poet_cuda_device *device, poet_pieces *pieces, const poet_tensor *x,
                      float **parts)
{
    int code = 0;
    if (pieces->n == POET_PIECES) {
        code = poet_cuda_squares(device->stream, pieces, *parts);
        *parts += pieces->first[pieces->n];
        *pieces = (poet_pieces){0};
    }
    poet_cuda_add_piece(pieces, x->data, poet_cuda_count(x));
    return code;
}

/* The sums of squares of the slices of all sources, to scratch; *n_parts. */
static int run_squares(const poet_cuda_device *device, const poet_call *call, int *n_parts)
{
    poet_pieces pieces = {0};
    float *parts = call->scratch;
    int code = 0;
    for (int i = 0; i < call->n_src && !code; i++)
        code = add_source(device, &pieces, call->src[i], &parts);
    *n_parts = (int)(parts - (float *)call->scratch) + pieces.first[pieces.n];
    return code ? code : poet_cuda_squares(device->stream, &pieces, parts);
}

static int count_parts(const poet_call *call)
{
    int n = 0;
    for (int i = 0; i < call->n_src; i++) {
        poet_pieces one = {0};
        poet_cuda_add_piece(&one, NULL, poet_cuda_count(call->src[i]));
        n += one.first[1];
    }
    return n;
}

static size_t parts_scratch(const poet_call *call)
{
    return ((size_t)count_parts(call) + 1) * sizeof(float);
}

static int run_clip_factor(const poet_cuda_device *device, const poet_call *call)
{
    int n_parts, code = run_squares(device, call, &n_parts);
    return code ? code
                : poet_cuda_clip_factor(device->stream, call->scratch, n_parts,
                                        call->attr->clip.limit, poet_cuda_dst(call, 0),
                                        poet_cuda_dst(call, 1));
}

static int run_unit_norm(const poet_cuda_device *device, const poet_call *call)
{
    int n_parts, code = run_squares(device, call, &n_parts);
    float *parts = call->scratch;
    return code ? code
                : poet_cuda_unit_norm(device->stream, poet_cuda_src(call, 0), parts, n_parts,
                                      parts + n_parts, poet_cuda_dst(call, 0),
                                      poet_cuda_count(call->dst[0]));
}

static int run_adamw(const poet_cuda_device *device, const poet_call *call)
{
    poet_adamw_rule rule = {.beta1 = call->attr->optim.beta1,
                            .beta2 = call->attr->optim.beta2,
                            .eps = call->attr->optim.eps,
                            .weight_decay = call->attr->optim.weight_decay,
                            .rate_scale = call->attr->optim.rate_scale};
    return poet_cuda_adamw(device->stream, poet_cuda_dst(call, 0), poet_cuda_src(call, 1),
                           poet_cuda_dst(call, 1), poet_cuda_dst(call, 2), poet_cuda_src(call, 4),
                           poet_cuda_src(call, 5), poet_cuda_count(call->dst[0]), &rule);
}

static int run_momentum(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_momentum(device->stream, poet_cuda_src(call, 0), poet_cuda_dst(call, 1),
                              poet_cuda_src(call, 2), call->attr->optim.beta1,
                              poet_cuda_dst(call, 0), poet_cuda_count(call->dst[0]));
}

static int run_descend(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_descend(device->stream, poet_cuda_dst(call, 0), poet_cuda_src(call, 1),
                             poet_cuda_src(call, 2), call->attr->optim.rate_scale,
                             call->attr->optim.weight_decay, poet_cuda_count(call->dst[0]));
}

static int run_average(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_average(device->stream, poet_cuda_dst(call, 0), poet_cuda_src(call, 1),
                             poet_cuda_src(call, 2), call->attr->optim.beta1,
                             poet_cuda_count(call->dst[0]));
}

void poet_cuda_optim_ops(poet_cuda_op *ops)
{
    ops[POET_OP_CLIP_FACTOR] = (poet_cuda_op){.run = run_clip_factor, .scratch = parts_scratch};
    ops[POET_OP_UNIT_NORM] = (poet_cuda_op){.run = run_unit_norm, .scratch = parts_scratch};
    ops[POET_OP_ADAMW] = (poet_cuda_op){.run = run_adamw};
    ops[POET_OP_MOMENTUM] = (poet_cuda_op){.run = run_momentum};
    ops[POET_OP_DESCEND] = (poet_cuda_op){.run = run_descend};
    ops[POET_OP_AVERAGE] = (poet_cuda_op){.run = run_average};
}
