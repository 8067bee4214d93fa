/* Element-wise operations. Each is a loop over a part of the elements; a destination may be the
 * memory of the first source. */
#include "base/rng.h"
#include "compute/cpu/cpu_broadcast_internal.h"
#include "compute/cpu/cpu_vec.h"

enum { GRAIN = 32768 }; /* elements that pay for a thread */

typedef struct flat_job {
    const float *a, *b;
    void *y;
    bool half; /* y is bf16 */
    float factor;
} flat_job;

/* ---- add, mul, expand: a second source that broadcasts ---- */

typedef struct broadcast_job {
    poet_broadcast shape;
    poet_op op;
    const float *a, *b;
    void *y;
    bool half; /* y is bf16 */
} broadcast_job;

VEC_INLINE vf combine(poet_op op, vf a, vf b)
{
    switch (op) {
    case POET_OP_ADD: return a + b;
    case POET_OP_MUL: return a * b;
    default: return b;
    }
}

/* Neighbours; b is a vector too, or one number for all. */
VEC_INLINE void combine_run(poet_op op, const broadcast_job *j, const poet_run *run)
{
    const float *a = op == POET_OP_EXPAND ? NULL : j->a + run->big, *b = j->b + run->small;
    vf one = vf_all(b[0]);
    for (int64_t i = 0; i < run->n; i += LANES) {
        vf bi = run->one ? one : vf_load_n(b + i, run->n - i);
        vf ai = op == POET_OP_EXPAND ? one : vf_load_n(a + i, run->n - i);
        vf_store_as(j->half, j->y, run->big + i, run->n - i, combine(op, ai, bi));
    }
}

static VEC void combine_items(const void *context, int64_t begin, int64_t end)
{
    const broadcast_job *j = context;
    for (int64_t item = begin; item < end; item++) {
        poet_run run = poet_broadcast_run(&j->shape, item);
        switch (j->op) {
        case POET_OP_ADD: combine_run(POET_OP_ADD, j, &run); break;
        case POET_OP_MUL: combine_run(POET_OP_MUL, j, &run); break;
        default: combine_run(POET_OP_EXPAND, j, &run); break;
        }
    }
}

static poet_status combine_kernel(poet_device *device, const poet_call *call)
{
    const poet_tensor *b = call->op == POET_OP_EXPAND ? call->src[0] : call->src[1];
    broadcast_job j = {.shape = poet_broadcast_plan(&call->dst[0]->shape, &b->shape),
                       .op = call->op,
                       .a = poet_cpu_src(call, 0),
                       .b = b->data,
                       .y = call->dst[0]->data,
                       .half = poet_cpu_half(call)};
    poet_cpu_parallel(device, j.shape.items, GRAIN / j.shape.run + 1, combine_items, &j);
    return POET_OK;
}

/* ---- scale ---- */

static VEC void scale_part(const void *context, int64_t begin, int64_t end)
{
    const flat_job *j = context;
    for (int64_t i = begin; i < end; i += LANES)
        vf_store_as(j->half, j->y, i, end - i, vf_load_n(j->a + i, end - i) * vf_all(j->factor));
}

static poet_status scale_kernel(poet_device *device, const poet_call *call)
{
    flat_job j = {.a = poet_cpu_src(call, 0),
                  .y = call->dst[0]->data,
                  .half = poet_cpu_half(call),
                  .factor = call->attr->scale.factor};
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN, scale_part, &j);
    return POET_OK;
}

/* ---- activations ---- */

/* The tanh form of GELU is x * sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3): one exponential, and
 * no cancellation where it is small. */
VEC_INLINE vf gelu_gate(vf x)
{
    return vf_sigmoid(vf_all(2 * 0.7978845608F) * vf_fma(x * x * vf_all(0.044715F), x, x));
}

VEC_INLINE vf gelu(vf x)
{
    return x * gelu_gate(x);
}

VEC_INLINE vf gelu_slope(vf x)
{
    vf s = gelu_gate(x), du = vf_fma(x * x, vf_all(3 * 0.044715F), vf_all(1));
    return s + x * s * (vf_all(1) - s) * vf_all(2 * 0.7978845608F) * du;
}

VEC_INLINE vf relu2(vf x)
{
    vf r = vf_max(x, vf_all(0));
    return r * r;
}

VEC_INLINE vf relu2_slope(vf x)
{
    return vf_max(x, vf_all(0)) * vf_all(2);
}

/* 1 - tanh^2, without the cancellation. */
VEC_INLINE vf tanh_slope(vf x)
{
    vf e = vf_exp(vf_min(x, -x) * vf_all(2)), d = vf_all(1) + e;
    return vf_all(4) * e / (d * d);
}

/* One loop for each activation and each slope: y = f(a), y = b * f'(a). */
#define ACT(name, f, slope)                                                                        \
    static VEC void name##_part(const void *context, int64_t begin, int64_t end)                   \
    {                                                                                              \
        const flat_job *j = context;                                                               \
        for (int64_t i = begin; i < end; i += LANES)                                               \
            vf_store_as(j->half, j->y, i, end - i, f(vf_load_n(j->a + i, end - i)));               \
    }                                                                                              \
                                                                                                   \
    static VEC void name##_bwd_part(const void *context, int64_t begin, int64_t end)               \
    {                                                                                              \
        const flat_job *j = context;                                                               \
        for (int64_t i = begin; i < end; i += LANES) {                                             \
            vf d = slope(vf_load_n(j->a + i, end - i));                                            \
            vf_store_as(j->half, j->y, i, end - i, vf_load_n(j->b + i, end - i) * d);              \
        }                                                                                          \
    }

ACT(silu, vf_silu, vf_silu_slope)
ACT(gelu, gelu, gelu_slope)
ACT(relu2, relu2, relu2_slope)
ACT(tanh, vf_tanh, tanh_slope)

static bool knows_act(const poet_call *call)
{
    return call->attr->act.act != POET_ACT_NONE;
}

static poet_status act_kernel(poet_device *device, const poet_call *call)
{
    static const poet_cpu_range parts[2][POET_ACT_TANH + 1] = {
        {NULL, silu_part, gelu_part, relu2_part, tanh_part},
        {NULL, silu_bwd_part, gelu_bwd_part, relu2_bwd_part, tanh_bwd_part}};
    bool bwd = call->op == POET_OP_ACT_BWD;
    flat_job j = {.a = poet_cpu_src(call, 0),
                  .b = bwd ? poet_cpu_src(call, 1) : NULL,
                  .y = call->dst[0]->data,
                  .half = poet_cpu_half(call)};
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN / 4,
                      parts[bwd][call->attr->act.act], &j);
    return POET_OK;
}

/* ---- casts ---- */

typedef struct cast_job {
    const void *x;
    void *y;
} cast_job;

static VEC void to_bf16_part(const void *context, int64_t begin, int64_t end)
{
    const cast_job *j = context;
    for (int64_t i = begin; i < end; i += LANES)
        vf_store_as(true, j->y, i, end - i, vf_load_n((const float *)j->x + i, end - i));
}

static VEC void from_bf16_part(const void *context, int64_t begin, int64_t end)
{
    const cast_job *j = context;
    const uint16_t *x = j->x;
    float *y = j->y;
    int64_t i = begin;
    for (; i + LANES <= end; i += LANES)
        vf_store(y + i, vf_from_bf16(x + i));
    if (i < end) {
        uint16_t half[LANES] = {0};
        memcpy(half, x + i, (size_t)(end - i) * sizeof *half);
        vf_store_n(y + i, end - i, vf_from_bf16(half));
    }
}

static void copy_part(const void *context, int64_t begin, int64_t end)
{
    const cast_job *j = context;
    memcpy((char *)j->y + begin * 4, (const char *)j->x + begin * 4, (size_t)(end - begin) * 4);
}

static bool is_f32_or_bf16(const poet_call *call)
{
    return call->src[0]->dtype != call->dst[0]->dtype || call->src[0]->dtype == POET_F32;
}

static poet_status cast_kernel(poet_device *device, const poet_call *call)
{
    cast_job j = {.x = call->src[0]->data, .y = call->dst[0]->data};
    poet_cpu_range part = call->dst[0]->dtype == POET_BF16   ? to_bf16_part
                          : call->src[0]->dtype == POET_BF16 ? from_bf16_part
                                                             : copy_part;
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN, part, &j);
    return POET_OK;
}

/* ---- dropout ---- */

typedef struct dropout_job {
    const float *x;
    float *y, scale;
    uint32_t threshold;
    uint64_t seed, step;
    int64_t n;
} dropout_job;

/* Parts of four elements, which share a block of Philox. */
static void dropout_part(const void *context, int64_t begin, int64_t end)
{
    const dropout_job *j = context;
    for (int64_t four = begin; four < end; four++) {
        uint32_t words[4];
        poet_philox(j->seed, j->step, (uint64_t)four, words);
        for (int64_t i = four * 4; i < poet_min(four * 4 + 4, j->n); i++)
            j->y[i] = words[i % 4] >= j->threshold ? j->x[i] * j->scale : 0;
    }
}

static poet_status dropout_kernel(poet_device *device, const poet_call *call)
{
    double share = (double)call->attr->dropout.share;
    dropout_job j = {.x = poet_cpu_src(call, 0),
                     .y = poet_cpu_dst(call, 0),
                     .scale = (float)(1 / (1 - share)),
                     .threshold = (uint32_t)(share * 0x1p32),
                     .seed = call->attr->dropout.seed,
                     .step = (uint64_t)(int64_t) * (const int32_t *)call->src[1]->data,
                     .n = poet_tensor_count(call->src[0])};
    poet_cpu_parallel(device, (j.n + 3) / 4, GRAIN / 32, dropout_part, &j);
    return POET_OK;
}

void poet_cpu_eltwise(poet_cpu_op *ops)
{
    ops[POET_OP_ADD] = ops[POET_OP_MUL] = ops[POET_OP_EXPAND] =
        (poet_cpu_op){.run = combine_kernel, .narrow = true};
    ops[POET_OP_SCALE] = (poet_cpu_op){.run = scale_kernel, .narrow = true};
    ops[POET_OP_ACT] = ops[POET_OP_ACT_BWD] =
        (poet_cpu_op){.run = act_kernel, .narrow = true, .fits = knows_act};
    ops[POET_OP_CAST] = (poet_cpu_op){.run = cast_kernel, .mixed = true, .fits = is_f32_or_bf16};
    ops[POET_OP_DROPOUT] = (poet_cpu_op){.run = dropout_kernel};
}
