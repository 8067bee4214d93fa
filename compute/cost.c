#include "compute/cost.h"

#include <stdio.h>
#include <string.h>

static double bytes_of(const poet_tensor *t)
{
    return t ? (double)poet_tensor_bytes(t) : 0;
}

static double count_of(const poet_tensor *t)
{
    return (double)poet_tensor_count(t);
}

/* Of what a backend packs the second source is the weights. */
static double sources(const poet_call *call)
{
    double sum = 0;
    for (int i = 0; i < call->n_src; i++)
        sum += i == 1 && call->packed_bytes ? (double)call->packed_bytes : bytes_of(call->src[i]);
    return sum;
}

static double results(const poet_call *call)
{
    double sum = 0;
    for (int i = 0; i < call->n_dst; i++)
        sum += bytes_of(call->dst[i]);
    return sum;
}

/* ---- families whose work is another than all of their tensors ---- */

/* Every result is a copy of as many elements. */
static poet_cost moving(const poet_call *call)
{
    return (poet_cost){2 * results(call), 0};
}

static poet_cost matmul(const poet_call *call)
{
    const poet_tensor *a = call->src[0], *y = call->dst[0];
    double k = count_of(a) / (count_of(y) / (double)poet_shape_last(&y->shape));
    bool bias = call->n_src > 2 && call->src[2];
    return (poet_cost){sources(call) + results(call), count_of(y) * (2 * k + bias)};
}

/* The same products forward and for both gradients: each place of the clip with each weight. */
static poet_cost convolution(const poet_call *call, const poet_tensor *w, const poet_tensor *y)
{
    double places = count_of(y) / (double)poet_shape_last(&y->shape);
    return (poet_cost){sources(call) + results(call), 2 * places * count_of(w)};
}

/* Pairs of positions that meet: all of the prefix with each other, the others with what came before. */
static double pairs(double t, double prefix)
{
    return prefix * prefix + (t * (t + 1) - prefix * (prefix + 1)) / 2;
}

/* products: how many of them a pair takes part in, each C numbers long. */
static poet_cost attention(const poet_call *call, double products)
{
    const int64_t *dim = call->src[0]->shape.dim;
    double c = (double)dim[2] / 3, heads = call->attr->attention.heads;
    double met = (double)dim[0] * pairs((double)dim[1], call->attr->attention.prefix);
    return (poet_cost){sources(call) + results(call), met * (2 * products * c + 4 * heads)};
}

static poet_cost attention_cached(const poet_call *call)
{
    const poet_tensor *qkv = call->src[0], *keys = call->src[1];
    double b = (double)qkv->shape.dim[0], t = (double)qkv->shape.dim[1];
    double c = (double)qkv->shape.dim[2] / 3, room = (double)keys->shape.dim[1];
    double prefix = call->attr->attention.prefix, heads = call->attr->attention.heads;
    double seen = prefix > 0 && t == prefix ? prefix : (prefix + room + t) / 2;
    double row = b * c * (double)poet_dtype_bytes(keys->dtype);
    return (poet_cost){bytes_of(qkv) + bytes_of(call->dst[0]) + 2 * row * (seen + t),
                       b * t * seen * (4 * c + 4 * heads)};
}

static poet_cost embedding(const poet_call *call)
{
    const poet_tensor *table = call->src[0], *index = call->src[1], *y = call->dst[0];
    double slots = table->shape.ndim == 3 ? (double)table->shape.dim[0] : 1;
    return (poet_cost){bytes_of(index) + (slots + 1) * bytes_of(y), (slots - 1) * count_of(y)};
}

/* Elements that are picked or put, and the places they have. */
static poet_cost gathering(const poet_call *call, const poet_tensor *elements)
{
    return (poet_cost){3 * bytes_of(elements) + bytes_of(call->src[2]), 0};
}

static poet_cost nearest(const poet_call *call)
{
    const poet_tensor *z = call->src[0], *codebook = call->src[1];
    double codes = (double)codebook->shape.dim[0];
    return (poet_cost){sources(call) + results(call), 2 * count_of(z) * codes};
}

/* ---- families that go through their tensors: operations for each element of the first source ---- */

static double each_element(poet_op op)
{
    switch (op) {
    case POET_OP_ADD:
    case POET_OP_MUL:
    case POET_OP_SCALE:
    case POET_OP_DROPOUT:
    case POET_OP_SUM_TO:
    case POET_OP_COUNT_CODES: return 1;
    case POET_OP_TO_BYTES:
    case POET_OP_MOMENTUM:
    case POET_OP_AVERAGE:
    case POET_OP_UNIT_NORM:
    case POET_OP_MSE:
    case POET_OP_MSE_BWD:
    case POET_OP_L1:
    case POET_OP_L1_BWD: return 3;
    case POET_OP_ACT:
    case POET_OP_ROTARY:
    case POET_OP_RMS_NORM:
    case POET_OP_CROSS_ENTROPY:
    case POET_OP_CROSS_ENTROPY_BWD:
    case POET_OP_CLIP_FACTOR:
    case POET_OP_DESCEND:
    case POET_OP_CODEBOOK_EMA: return 4;
    case POET_OP_ACT_BWD:
    case POET_OP_GROUP_NORM:
    case POET_OP_RMS_NORM_BWD:
    case POET_OP_FSQ:
    case POET_OP_FSQ_BWD:
    case POET_OP_FSQ_CODES:
    case POET_OP_LFQ_ENTROPY:
    case POET_OP_LFQ_ENTROPY_BWD:
    case POET_OP_SAMPLE: return 8;
    case POET_OP_GROUP_NORM_BWD:
    case POET_OP_ADAMW: return 12;
    default: return 0;
    }
}

static poet_cost passing(const poet_call *call)
{
    return (poet_cost){sources(call) + results(call),
                       each_element(call->op) * count_of(call->src[0])};
}

poet_cost poet_call_cost(const poet_call *call)
{
    switch (call->op) {
    case POET_OP_RESHAPE: return (poet_cost){0, 0};
    case POET_OP_FILL: return (poet_cost){results(call), 0};
    case POET_OP_STOP_GRAD:
    case POET_OP_STRAIGHT_THROUGH:
    case POET_OP_CONCAT:
    case POET_OP_SLICE:
    case POET_OP_TRANSPOSE: return moving(call);
    case POET_OP_MATMUL: return matmul(call);
    case POET_OP_CONV3D: return convolution(call, call->src[1], call->dst[0]);
    case POET_OP_CONV3D_DX: return convolution(call, call->src[1], call->src[0]);
    case POET_OP_CONV3D_DW: return convolution(call, call->dst[0], call->src[1]);
    case POET_OP_ATTENTION: return attention(call, 2);
    case POET_OP_ATTENTION_BWD: return attention(call, 5);
    case POET_OP_ATTENTION_CACHED: return attention_cached(call);
    case POET_OP_EMBED: return embedding(call);
    case POET_OP_GATHER: return gathering(call, call->dst[0]);
    case POET_OP_SCATTER: return gathering(call, call->src[3]);
    case POET_OP_NEAREST: return nearest(call);
    default: return passing(call);
    }
}

/* ---- sums ---- */

static double peak_of(poet_device *device, const poet_call *call)
{
    return device->backend->peak ? device->backend->peak(device, call) : device->peak_flops;
}

static double least_seconds(double bandwidth, double peak, poet_cost cost)
{
    if (bandwidth <= 0 || peak <= 0)
        return 0;
    double moving = cost.bytes / bandwidth, computing = cost.flops / peak;
    return moving > computing ? moving : computing;
}

static poet_work_row *row_of(poet_work *work, poet_op op, const char *implementation)
{
    for (int i = 0; i < work->n; i++)
        if (work->rows[i].op == op && strcmp(work->rows[i].implementation, implementation) == 0)
            return &work->rows[i];
    if (work->n == POET_WORK_ROWS)
        return &work->rows[work->n - 1];
    poet_work_row *row = &work->rows[work->n++];
    *row = (poet_work_row){.op = op};
    snprintf(row->implementation, sizeof row->implementation, "%s", implementation);
    return row;
}

void poet_work_add(poet_work *work, poet_device *device, const poet_call *call, double calls,
                   double seconds)
{
    const poet_backend *backend = device->backend;
    char name[sizeof work->rows->implementation] = "";
    if (backend->implementation)
        snprintf(name, sizeof name, "%s", backend->implementation(device, call));
    poet_work_row *row = row_of(work, call->op, name);
    poet_cost cost = poet_call_cost(call);
    double bandwidth = work->bandwidth > 0 ? work->bandwidth : device->peak_bandwidth;
    row->peak = work->peak > 0 ? work->peak : peak_of(device, call);
    row->calls += calls;
    row->bytes += calls * cost.bytes;
    row->flops += calls * cost.flops;
    row->least += calls * least_seconds(bandwidth, row->peak, cost);
    row->seconds += seconds;
}
