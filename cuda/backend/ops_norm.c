/* Norms: calls of kernels/norm.cu; gradients by channel are summed by kernels/layout.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/layout.h"
#include "cuda/kernels/norm.h"

/* (rows,channels) -> (channels). */
static poet_sums sum_of_rows(int rows, int channels)
{
    return (poet_sums){.kept = {.n = 1, .dim = {channels}, .stride = {1}},
                       .summed = {.n = 1, .dim = {rows}, .stride = {channels}},
                       .n_kept = channels,
                       .n_summed = rows};
}

/* Scratch is `tables` of parts (rows,channels), and what their sums want behind them. */
static size_t parts_scratch(int tables, int rows, int channels)
{
    poet_sums sums = sum_of_rows(rows, channels);
    return ((size_t)tables * (size_t)rows * (size_t)channels +
            (size_t)poet_cuda_sum_to_parts(&sums)) *
           sizeof(float);
}

/* dst[1 + k] = the sum of table k. */
static int sum_parts(const poet_cuda_device *device, const poet_call *call, int tables, int rows,
                     int channels)
{
    poet_sums sums = sum_of_rows(rows, channels);
    int64_t table = (int64_t)rows * channels;
    float *parts = call->scratch, *rest = parts + tables * table;
    int code = 0;
    for (int k = 0; k < tables && !code; k++)
        code = poet_cuda_sum_to(device->stream, parts + k * table, poet_cuda_dst(call, 1 + k), rest,
                                &sums);
    return code;
}

static poet_group_norm_sizes group_sizes(const poet_call *call)
{
    const poet_tensor *x = call->src[0];
    int groups = call->attr->norm.groups;
    return (poet_group_norm_sizes){.frames = poet_cuda_span(x, 0, 2),
                                   .pixels = poet_cuda_span(x, 2, 4),
                                   .groups = groups,
                                   .width = (int)x->shape.dim[4] / groups,
                                   .silu = call->attr->norm.act == POET_ACT_SILU};
}

static int run_group_norm(const poet_cuda_device *device, const poet_call *call)
{
    poet_group_norm_sizes sizes = group_sizes(call);
    return poet_cuda_group_norm(device->stream, poet_cuda_src(call, 0), poet_cuda_src(call, 1),
                                poet_cuda_src(call, 2), poet_cuda_dst(call, 0),
                                poet_cuda_dst(call, 1), poet_cuda_dst(call, 2), &sizes);
}

static int run_group_norm_bwd(const poet_cuda_device *device, const poet_call *call)
{
    poet_group_norm_sizes sizes = group_sizes(call);
    poet_group_norm_sources sources = {
        .x = poet_cuda_src(call, 0),
        .gain = poet_cuda_src(call, 1),
        .bias = poet_cuda_src(call, 2),
        .mean = poet_cuda_src(call, 3),
        .rstd = poet_cuda_src(call, 4),
        .dy = poet_cuda_src(call, 5),
    };
    int code = poet_cuda_group_norm_bwd(device->stream, &sources, poet_cuda_dst(call, 0),
                                        call->scratch, &sizes);
    return code ? code : sum_parts(device, call, 2, sizes.frames, sizes.groups * sizes.width);
}

static size_t group_norm_bwd_scratch(const poet_call *call)
{
    poet_group_norm_sizes sizes = group_sizes(call);
    return parts_scratch(2, sizes.frames, sizes.groups * sizes.width);
}

static int width_of(const poet_tensor *x)
{
    return (int)poet_shape_last(&x->shape);
}

static int rows_of(const poet_tensor *x)
{
    return poet_cuda_span(x, 0, x->shape.ndim - 1);
}

static int run_rms_norm(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *x = call->src[0];
    return poet_cuda_rms_norm(device->stream, x->data, poet_cuda_src(call, 1),
                              poet_cuda_dst(call, 0), poet_cuda_dst(call, 1), rows_of(x),
                              width_of(x));
}

static int run_rms_norm_bwd(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *x = call->src[0];
    int rows = rows_of(x), width = width_of(x);
    int code = poet_cuda_rms_norm_bwd(device->stream, x->data, poet_cuda_src(call, 1),
                                      poet_cuda_src(call, 2), poet_cuda_src(call, 3),
                                      poet_cuda_dst(call, 0), call->scratch, rows, width);
    return code ? code : sum_parts(device, call, 1, poet_cuda_rms_norm_slices(rows), width);
}

static size_t rms_norm_bwd_scratch(const poet_call *call)
{
    const poet_tensor *x = call->src[0];
    return parts_scratch(1, poet_cuda_rms_norm_slices(rows_of(x)), width_of(x));
}

void poet_cuda_norm_ops(poet_cuda_op *ops)
{
    ops[POET_OP_GROUP_NORM] = (poet_cuda_op){.run = run_group_norm};
    ops[POET_OP_GROUP_NORM_BWD] =
        (poet_cuda_op){.run = run_group_norm_bwd, .scratch = group_norm_bwd_scratch};
    ops[POET_OP_RMS_NORM] = (poet_cuda_op){.run = run_rms_norm};
    ops[POET_OP_RMS_NORM_BWD] =
        (poet_cuda_op){.run = run_rms_norm_bwd, .scratch = rms_norm_bwd_scratch};
}
