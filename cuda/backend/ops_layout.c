/* Operations that move elements: calls of kernels/layout.cu. */
#include "cuda/backend/backend_internal.h"
#include "cuda/backend/strides_internal.h"
#include "cuda/kernels/layout.h"

/* Elements of one step along an axis, and of the whole axis. */
static int step_of(const poet_tensor *t, int axis)
{
    return poet_cuda_span(t, axis + 1, t->shape.ndim);
}

static int pitch_of(const poet_tensor *t, int axis)
{
    return poet_cuda_span(t, axis, t->shape.ndim);
}

/* The shorter of the two tensors has the runs; the other begins `start` elements later in each row. */
static poet_runs runs_of(const poet_tensor *x, const poet_tensor *y, int axis)
{
    int x_pitch = pitch_of(x, axis), y_pitch = pitch_of(y, axis);
    return (poet_runs){.rows = poet_cuda_span(x, 0, axis),
                       .run = x_pitch < y_pitch ? x_pitch : y_pitch,
                       .x_pitch = x_pitch,
                       .y_pitch = y_pitch};
}

static int element_bytes(const poet_tensor *t)
{
    return (int)poet_dtype_bytes(t->dtype);
}

static int run_concat(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *y = call->dst[0];
    int axis = call->attr->range.axis, start = 0, code = 0;
    for (int i = 0; i < call->n_src && !code; i++) {
        const poet_tensor *x = call->src[i];
        poet_runs runs = runs_of(x, y, axis);
        runs.y_start = start;
        start += runs.x_pitch;
        code = poet_cuda_copy_runs(device->stream, element_bytes(x), x->data, y->data, &runs);
    }
    return code;
}

static int run_slice(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *x = call->src[0], *y = call->dst[0];
    int axis = call->attr->range.axis;
    poet_runs runs = runs_of(x, y, axis);
    runs.x_start = (int)call->attr->range.begin * step_of(x, axis);
    return poet_cuda_copy_runs(device->stream, element_bytes(x), x->data, y->data, &runs);
}

static int run_pad(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *x = call->src[0], *y = call->dst[0];
    int axis = call->attr->range.axis;
    poet_runs runs = runs_of(x, y, axis);
    runs.y_start = (int)call->attr->range.begin * step_of(x, axis);
    return poet_cuda_pad(device->stream, element_bytes(x), x->data, y->data, poet_cuda_count(y),
                         &runs);
}

static int run_sum_to(const poet_cuda_device *device, const poet_call *call)
{
    poet_sums sums = poet_sums_of(&call->dst[0]->shape, &call->src[0]->shape);
    return poet_cuda_sum_to(device->stream, poet_cuda_src(call, 0), poet_cuda_dst(call, 0),
                            call->scratch, &sums);
}

static size_t sum_to_scratch(const poet_call *call)
{
    poet_sums sums = poet_sums_of(&call->dst[0]->shape, &call->src[0]->shape);
    return (size_t)poet_cuda_sum_to_parts(&sums) * sizeof(float);
}

static int run_transpose(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *x = call->src[0];
    return poet_cuda_transpose(device->stream, x->data, poet_cuda_dst(call, 0),
                               (int)x->shape.dim[0], (int)x->shape.dim[1]);
}

static poet_patches sizes_of(const poet_tensor *patches, int p)
{
    const int64_t *dim = patches->shape.dim;
    return (poet_patches){.n = poet_cuda_count(patches),
                          .groups = (int)dim[1],
                          .rows = (int)dim[2],
                          .columns = (int)dim[3],
                          .p = p};
}

static int run_patchify(const poet_cuda_device *device, const poet_call *call)
{
    const poet_tensor *video = call->src[0];
    poet_patches sizes = sizes_of(call->dst[0], call->attr->patch.patch);
    return poet_cuda_patchify(device->stream, video->data, video->dtype == POET_U8,
                              poet_cuda_dst(call, 0), &sizes);
}

static int run_unpatchify(const poet_cuda_device *device, const poet_call *call)
{
    poet_patches sizes = sizes_of(call->src[0], call->attr->patch.patch);
    return poet_cuda_unpatchify(device->stream, poet_cuda_src(call, 0), poet_cuda_dst(call, 0),
                                &sizes);
}

static int run_to_bytes(const poet_cuda_device *device, const poet_call *call)
{
    return poet_cuda_to_bytes(device->stream, poet_cuda_src(call, 0), poet_cuda_dst(call, 0),
                              poet_cuda_count(call->src[0]));
}

void poet_cuda_layout_ops(poet_cuda_op *ops)
{
    ops[POET_OP_CONCAT] = (poet_cuda_op){.run = run_concat, .bf16 = true};
    ops[POET_OP_SLICE] = (poet_cuda_op){.run = run_slice, .bf16 = true};
    ops[POET_OP_PAD] = (poet_cuda_op){.run = run_pad, .bf16 = true};
    ops[POET_OP_SUM_TO] = (poet_cuda_op){.run = run_sum_to, .scratch = sum_to_scratch};
    ops[POET_OP_TRANSPOSE] = (poet_cuda_op){.run = run_transpose};
    ops[POET_OP_PATCHIFY] = (poet_cuda_op){.run = run_patchify};
    ops[POET_OP_UNPATCHIFY] = (poet_cuda_op){.run = run_unpatchify};
    ops[POET_OP_TO_BYTES] = (poet_cuda_op){.run = run_to_bytes};
}
