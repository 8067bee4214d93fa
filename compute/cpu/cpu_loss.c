/* Losses and their gradients. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

typedef struct difference_job {
    const float *x, *target;
    float *dx, factor;
} difference_job;

VEC_INLINE vf vf_abs(vf a)
{
    return vf_max(a, -a);
}

/* ---- mean squared and mean absolute difference ---- */

enum { RUN = 1024 }; /* elements summed in floats before a double takes over */

#define DIFFERENCE(name, term, slope)                                                              \
    static VEC double name##_part(const void *context, int64_t begin, int64_t end)                 \
    {                                                                                              \
        const difference_job *j = context;                                                         \
        double sum = 0;                                                                            \
        for (int64_t first = begin; first < end; first += RUN) {                                   \
            int64_t last = poet_min(first + RUN, end);                                             \
            vf run = vf_all(0);                                                                    \
            for (int64_t i = first; i < last; i += LANES) {                                        \
                vf d = vf_load_n(j->x + i, last - i) - vf_load_n(j->target + i, last - i);         \
                run += term(d);                                                                    \
            }                                                                                      \
            sum += (double)vf_sum(run);                                                            \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
                                                                                                   \
    static VEC void name##_bwd_part(const void *context, int64_t begin, int64_t end)               \
    {                                                                                              \
        const difference_job *j = context;                                                         \
        for (int64_t i = begin; i < end; i += LANES) {                                             \
            vf d = vf_load_n(j->x + i, end - i) - vf_load_n(j->target + i, end - i);               \
            vf_store_n(j->dx + i, end - i, slope(d) * vf_all(j->factor));                          \
        }                                                                                          \
    }

VEC_INLINE vf square(vf d)
{
    return d * d;
}

VEC_INLINE vf twice(vf d)
{
    return d + d;
}

VEC_INLINE vf sign(vf d)
{
    vf one = vf_choose(d > vf_all(0), vf_all(1), vf_all(0));
    return vf_choose(d < vf_all(0), vf_all(-1), one);
}

DIFFERENCE(mse, square, twice)
DIFFERENCE(l1, vf_abs, sign)

static poet_status difference_kernel(poet_device *device, const poet_call *call)
{
    int64_t n = poet_tensor_count(call->src[0]);
    difference_job j = {.x = poet_cpu_src(call, 0), .target = poet_cpu_src(call, 1)};
    double sum = poet_cpu_sum(device, n, call->op == POET_OP_MSE ? mse_part : l1_part, &j);
    *poet_cpu_dst(call, 0) = (float)(sum / (double)n);
    return POET_OK;
}

static poet_status difference_bwd_kernel(poet_device *device, const poet_call *call)
{
    int64_t n = poet_tensor_count(call->src[0]);
    difference_job j = {.x = poet_cpu_src(call, 0),
                        .target = poet_cpu_src(call, 1),
                        .dx = poet_cpu_dst(call, 0),
                        .factor = (float)((double)*poet_cpu_src(call, 2) / (double)n)};
    poet_cpu_parallel(device, n, 32768, call->op == POET_OP_MSE_BWD ? mse_bwd_part : l1_bwd_part,
                      &j);
    return POET_OK;
}

/* ---- cross entropy ---- */

typedef struct entropy_job {
    int64_t rows, v;
    const float *logits, *lse_in;
    const int32_t *target;
    float *row_loss, *lse; /* forward */
    float *dlogits, factor;
} entropy_job;

static entropy_job entropy_of(const poet_call *call)
{
    entropy_job j = {.rows = poet_tensor_count(call->src[1]),
                     .v = poet_shape_last(&call->src[0]->shape),
                     .logits = poet_cpu_src(call, 0),
                     .target = call->src[1]->data};
    return j;
}

/* Rows whose target is not negative. */
static int64_t count_rows(const entropy_job *j)
{
    int64_t counted = 0;
    for (int64_t row = 0; row < j->rows; row++)
        counted += j->target[row] >= 0;
    return counted;
}

static VEC float row_lse(const float *x, int64_t v)
{
    vf high = vf_all(x[0]), sum = vf_all(0);
    int64_t whole = v / LANES * LANES;
    for (int64_t k = 0; k < whole; k += LANES)
        high = vf_max(high, vf_load(x + k));
    float greatest = vf_greatest(high), rest = 0;
    for (int64_t k = whole; k < v; k++)
        greatest = x[k] > greatest ? x[k] : greatest;
    for (int64_t k = 0; k < whole; k += LANES)
        sum += vf_exp(vf_load(x + k) - vf_all(greatest));
    for (int64_t k = whole; k < v; k++)
        rest += expf(x[k] - greatest);
    return greatest + logf(vf_sum(sum) + rest);
}

static void entropy_rows(const void *context, int64_t begin, int64_t end)
{
    const entropy_job *j = context;
    for (int64_t row = begin; row < end; row++) {
        const float *x = j->logits + row * j->v;
        int32_t t = j->target[row];
        j->lse[row] = row_lse(x, j->v);
        j->row_loss[row] = t < 0 ? 0 : j->lse[row] - x[t];
    }
}

static poet_status cross_entropy_kernel(poet_device *device, const poet_call *call)
{
    entropy_job j = entropy_of(call);
    j.row_loss = poet_cpu_dst(call, 1);
    j.lse = poet_cpu_dst(call, 2);
    for (int64_t row = 0; row < j.rows; row++)
        if (j.target[row] >= j.v)
            return POET_FAIL(POET_ERR_ARG, "target %d at %lld is outside %lld classes",
                             j.target[row], (long long)row, (long long)j.v);
    poet_cpu_parallel(device, j.rows, 16384 / j.v + 1, entropy_rows, &j);
    int64_t counted = count_rows(&j);
    double sum = 0;
    for (int64_t row = 0; row < j.rows; row++)
        sum += (double)j.row_loss[row];
    *poet_cpu_dst(call, 0) = counted ? (float)(sum / (double)counted) : 0;
    return POET_OK;
}

static VEC void entropy_rows_bwd(const void *context, int64_t begin, int64_t end)
{
    const entropy_job *j = context;
    for (int64_t row = begin; row < end; row++) {
        const float *x = j->logits + row * j->v;
        float *dx = j->dlogits + row * j->v;
        int32_t t = j->target[row];
        vf lse = vf_all(j->lse_in[row]), factor = vf_all(t < 0 ? 0 : j->factor);
        for (int64_t k = 0; k < j->v; k += LANES)
            vf_store_n(dx + k, j->v - k, vf_exp(vf_load_n(x + k, j->v - k) - lse) * factor);
        if (t >= 0)
            dx[t] -= j->factor;
    }
}

static poet_status cross_entropy_bwd_kernel(poet_device *device, const poet_call *call)
{
    entropy_job j = entropy_of(call);
    int64_t counted = count_rows(&j);
    j.lse_in = poet_cpu_src(call, 2);
    j.dlogits = poet_cpu_dst(call, 0);
    j.factor = counted ? (float)((double)*poet_cpu_src(call, 3) / (double)counted) : 0;
    poet_cpu_parallel(device, j.rows, 16384 / j.v + 1, entropy_rows_bwd, &j);
    return POET_OK;
}

void poet_cpu_loss(poet_cpu_op *ops)
{
    ops[POET_OP_MSE] = ops[POET_OP_L1] = (poet_cpu_op){.run = difference_kernel};
    ops[POET_OP_MSE_BWD] = ops[POET_OP_L1_BWD] = (poet_cpu_op){.run = difference_bwd_kernel};
    ops[POET_OP_CROSS_ENTROPY] = (poet_cpu_op){.run = cross_entropy_kernel};
    ops[POET_OP_CROSS_ENTROPY_BWD] = (poet_cpu_op){.run = cross_entropy_bwd_kernel};
}
