/* Updates of parameters: each one pass over memory. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

enum { GRAIN = 16384 };

typedef struct update_job {
    float *p, *m, *v, *y;
    const float *g;
    float factor, beta1, beta2, eps, decay, rate, correct1, correct2;
} update_job;

/* ---- sums of squares ---- */

static VEC double squares_part(const void *context, int64_t begin, int64_t end)
{
    enum { RUN = 1024 }; /* elements summed in floats before a double takes over */

    const float *x = context;
    double sum = 0;
    for (int64_t first = begin; first < end; first += RUN) {
        int64_t last = poet_min(first + RUN, end);
        vf run = vf_all(0);
        for (int64_t i = first; i < last; i += LANES) {
            vf v = vf_load_n(x + i, last - i);
            run = vf_fma(v, v, run);
        }
        sum += (double)vf_sum(run);
    }
    return sum;
}

static poet_status clip_kernel(poet_device *device, const poet_call *call)
{
    double square = 0, limit = (double)call->attr->clip.limit;
    for (int i = 0; i < call->n_src; i++)
        square +=
            poet_cpu_sum(device, poet_tensor_count(call->src[i]), squares_part, call->src[i]->data);
    double norm = sqrt(square);
    *poet_cpu_dst(call, 0) = limit > 0 ? (float)fmin(1, limit / (norm + 1e-6)) : 1;
    *poet_cpu_dst(call, 1) = (float)norm;
    return POET_OK;
}

static VEC void scale_part(const void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    for (int64_t i = begin; i < end; i += LANES)
        vf_store_n(j->y + i, end - i, vf_load_n(j->g + i, end - i) * vf_all(j->factor));
}

static poet_status unit_norm_kernel(poet_device *device, const poet_call *call)
{
    int64_t n = poet_tensor_count(call->src[0]);
    double square = poet_cpu_sum(device, n, squares_part, call->src[0]->data);
    update_job j = {.g = poet_cpu_src(call, 0),
                    .y = poet_cpu_dst(call, 0),
                    .factor = (float)(1 / (sqrt(square) + 1e-7))};
    poet_cpu_parallel(device, n, GRAIN, scale_part, &j);
    return POET_OK;
}

/* ---- AdamW ---- */

static VEC void adamw_part(const void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    for (int64_t i = begin; i < end; i += LANES) {
        int64_t n = end - i;
        vf g = vf_load_n(j->g + i, n) * vf_all(j->factor), p = vf_load_n(j->p + i, n);
        vf m = vf_fma(vf_all(j->beta1), vf_load_n(j->m + i, n), vf_all(1 - j->beta1) * g);
        vf v = vf_fma(vf_all(j->beta2), vf_load_n(j->v + i, n), vf_all(1 - j->beta2) * g * g);
        vf update = m * vf_all(j->correct1) / (vf_sqrt(v * vf_all(j->correct2)) + vf_all(j->eps));
        vf_store_n(j->p + i, n, p - vf_all(j->rate) * vf_fma(vf_all(j->decay), p, update));
        vf_store_n(j->m + i, n, m);
        vf_store_n(j->v + i, n, v);
    }
}

static poet_status adamw_kernel(poet_device *device, const poet_call *call)
{
    const float *hyper = poet_cpu_src(call, 5);
    double step = (double)hyper[1];
    update_job j = {.p = poet_cpu_dst(call, 0),
                    .g = poet_cpu_src(call, 1),
                    .m = poet_cpu_dst(call, 1),
                    .v = poet_cpu_dst(call, 2),
                    .factor = *poet_cpu_src(call, 4),
                    .beta1 = call->attr->optim.beta1,
                    .beta2 = call->attr->optim.beta2,
                    .eps = call->attr->optim.eps,
                    .decay = call->attr->optim.weight_decay,
                    .rate = hyper[0] * call->attr->optim.rate_scale};
    j.correct1 = (float)(1 / (1 - pow((double)j.beta1, step)));
    j.correct2 = (float)(1 / (1 - pow((double)j.beta2, step)));
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN, adamw_part, &j);
    return POET_OK;
}

/* ---- pieces of Muon, and the average of weights ---- */

static VEC void momentum_part(const void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    for (int64_t i = begin; i < end; i += LANES) {
        int64_t n = end - i;
        vf g = vf_load_n(j->g + i, n) * vf_all(j->factor);
        vf m = vf_fma(vf_all(j->beta1), vf_load_n(j->m + i, n), g);
        vf_store_n(j->y + i, n, vf_fma(vf_all(j->beta1), m, g));
        vf_store_n(j->m + i, n, m);
    }
}

static poet_status momentum_kernel(poet_device *device, const poet_call *call)
{
    update_job j = {.g = poet_cpu_src(call, 0),
                    .y = poet_cpu_dst(call, 0),
                    .m = poet_cpu_dst(call, 1),
                    .factor = *poet_cpu_src(call, 2),
                    .beta1 = call->attr->optim.beta1};
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN, momentum_part, &j);
    return POET_OK;
}

static VEC void descend_part(const void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    for (int64_t i = begin; i < end; i += LANES) {
        vf p = vf_load_n(j->p + i, end - i), g = vf_load_n(j->g + i, end - i);
        vf_store_n(j->p + i, end - i, p - vf_all(j->rate) * vf_fma(vf_all(j->decay), p, g));
    }
}

static poet_status descend_kernel(poet_device *device, const poet_call *call)
{
    update_job j = {.p = poet_cpu_dst(call, 0),
                    .g = poet_cpu_src(call, 1),
                    .rate = *poet_cpu_src(call, 2) * call->attr->optim.rate_scale,
                    .decay = call->attr->optim.weight_decay};
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN, descend_part, &j);
    return POET_OK;
}

static VEC void average_part(const void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    for (int64_t i = begin; i < end; i += LANES) {
        vf p = vf_load_n(j->p + i, end - i), g = vf_load_n(j->g + i, end - i);
        vf_store_n(j->p + i, end - i, vf_fma(g - p, vf_all(j->factor), p));
    }
}

static poet_status average_kernel(poet_device *device, const poet_call *call)
{
    double step = fmax((double)poet_cpu_src(call, 2)[1], 1);
    update_job j = {.p = poet_cpu_dst(call, 0),
                    .g = poet_cpu_src(call, 1),
                    .factor = (float)fmax(1 - (double)call->attr->optim.beta1, 1 / step)};
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), GRAIN, average_part, &j);
    return POET_OK;
}

void poet_cpu_optim(poet_cpu_op *ops)
{
    ops[POET_OP_CLIP_FACTOR] = (poet_cpu_op){.run = clip_kernel};
    ops[POET_OP_UNIT_NORM] = (poet_cpu_op){.run = unit_norm_kernel};
    ops[POET_OP_ADAMW] = (poet_cpu_op){.run = adamw_kernel};
    ops[POET_OP_MOMENTUM] = (poet_cpu_op){.run = momentum_kernel};
    ops[POET_OP_DESCEND] = (poet_cpu_op){.run = descend_kernel};
    ops[POET_OP_AVERAGE] = (poet_cpu_op){.run = average_kernel};
}
