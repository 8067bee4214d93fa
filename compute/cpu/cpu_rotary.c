/* Rotary positions: pairs of vectors, a head's first half and its second. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

typedef struct rotary_job {
    const float *x, *turns;
    void *y;
    bool half; /* y is bf16 */
    int64_t t, heads, d, pairs;
    float sign; /* -1 turns back */
} rotary_job;

static VEC void turn_head(const rotary_job *j, int64_t at, const float *turns)
{
    const float *x = j->x + at;
    for (int64_t i = 0; i < j->pairs; i += LANES) {
        int64_t left = j->pairs - i;
        vf cosine = vf_load_n(turns + i, left);
        vf sine = vf_all(j->sign) * vf_load_n(turns + j->pairs + i, left);
        vf a = vf_load_n(x + i, left), b = vf_load_n(x + j->pairs + i, left);
        vf_store_as(j->half, j->y, at + i, left, a * cosine - b * sine);
        vf_store_as(j->half, j->y, at + j->pairs + i, left, a * sine + b * cosine);
    }
}

static VEC void rotary_rows(const void *context, int64_t begin, int64_t end)
{
    const rotary_job *j = context;
    int64_t c = j->heads * j->d;
    for (int64_t row = begin; row < end; row++) {
        for (int64_t head = 0; head < 2 * j->heads; head++)
            turn_head(j, row * 3 * c + head * j->d, j->turns + row % j->t * j->d);
        for (int64_t i = 0, v = (row * 3 + 2) * c; i < c && j->y != j->x; i += LANES)
            vf_store_as(j->half, j->y, v + i, c - i, vf_load_n(j->x + v + i, c - i));
    }
}

static poet_status rotary_kernel(poet_device *device, const poet_call *call)
{
    const poet_shape *shape = &call->src[0]->shape;
    int heads = call->attr->rotary.heads;
    rotary_job j = {.x = poet_cpu_src(call, 0),
                    .turns = poet_cpu_src(call, 1),
                    .y = call->dst[0]->data,
                    .half = poet_cpu_half(call),
                    .t = shape->dim[1],
                    .heads = heads,
                    .d = shape->dim[2] / 3 / heads,
                    .sign = call->attr->rotary.back ? -1.0F : 1.0F};
    j.pairs = j.d / 2;
    poet_cpu_parallel(device, shape->dim[0] * shape->dim[1], 32768 / shape->dim[2] + 1, rotary_rows,
                      &j);
    return POET_OK;
}

void poet_cpu_rotary(poet_cpu_op *ops)
{
    ops[POET_OP_ROTARY] = (poet_cpu_op){.run = rotary_kernel, .narrow = true};
}
