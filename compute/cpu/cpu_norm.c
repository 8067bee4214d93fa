/* Group norm with its activation, and RMS norm, with their gradients. Sums of gradients over rows
 * or frames are made over a fixed number of slices, added in order, whatever the number of threads.
 */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

enum { SLICES = 16 };

/* ---- group norm ---- */

typedef struct group_job {
    int64_t frames, pixels, c, groups, width; /* width: channels of a group */
    bool silu;
    const float *x, *gain, *bias, *mean_in, *rstd_in, *dy;
    float *y, *mean, *rstd;    /* forward */
    float *dx, *dgain, *dbias; /* backward */
    float *scratch;            /* backward: (frames, 5, C); forward: (frames, 2, C) */
} group_job;

static group_job group_of(const poet_call *call)
{
    const int64_t *dim = call->src[0]->shape.dim;
    group_job j = {.frames = dim[0] * dim[1],
                   .pixels = dim[2] * dim[3],
                   .c = dim[4],
                   .groups = call->attr->norm.groups,
                   .silu = call->attr->norm.act == POET_ACT_SILU,
                   .x = poet_cpu_src(call, 0),
                   .gain = poet_cpu_src(call, 1),
                   .bias = poet_cpu_src(call, 2),
                   .scratch = call->scratch};
    j.width = j.c / j.groups;
    return j;
}

static double group_sum(const float *channels, int64_t width)
{
    double sum = 0;
    for (int64_t c = 0; c < width; c++)
        sum += (double)channels[c];
    return sum;
}

/* Per channel of one frame: sum[c] of x, or of (x - mean)^2 where mean is given. Pixels are summed
 * in runs of 64, so that errors do not grow with the frame. */
static VEC void channel_sums(const group_job *j, const float *x, const float *mean, float *sum)
{
    enum { RUN = 64 };

    for (int64_t c = 0; c < j->c; c += LANES) {
        int64_t n = j->c - c;
        vf shift = mean ? vf_load_n(mean + c, n) : vf_all(0), total = vf_all(0);
        for (int64_t first = 0; first < j->pixels; first += RUN) {
            vf part = vf_all(0);
            int64_t last = poet_min(first + RUN, j->pixels);
            for (int64_t p = first; p < last; p++) {
                vf v = vf_load_n(x + p * j->c + c, n) - shift;
                part = mean ? vf_fma(v, v, part) : part + v;
            }
            total += part;
        }
        vf_store_n(sum + c, n, total);
    }
}

/* y = act(x * slope + shift), a slope and a shift for each channel. */
static VEC void normalise(const group_job *j, const float *x, const float *slope,
                          const float *shift, float *y)
{
    for (int64_t p = 0; p < j->pixels; p++, x += j->c, y += j->c)
        for (int64_t c = 0; c < j->c; c += LANES) {
            int64_t n = j->c - c;
            vf v = vf_fma(vf_load_n(x + c, n), vf_load_n(slope + c, n), vf_load_n(shift + c, n));
            vf_store_n(y + c, n, j->silu ? vf_silu(v) : v);
        }
}

static VEC void group_frames(const void *context, int64_t begin, int64_t end)
{
    const group_job *j = context;
    for (int64_t frame = begin; frame < end; frame++) {
        const float *x = j->x + frame * j->pixels * j->c;
        float *a = j->scratch + frame * 2 * j->c, *b = a + j->c;
        float *mean = j->mean + frame * j->groups, *rstd = j->rstd + frame * j->groups;
        double size = (double)(j->pixels * j->width);
        channel_sums(j, x, NULL, a);
        for (int64_t g = 0; g < j->groups; g++) {
            mean[g] = (float)(group_sum(a + g * j->width, j->width) / size);
            for (int64_t c = 0; c < j->width; c++)
                b[g * j->width + c] = mean[g];
        }
        channel_sums(j, x, b, a);
        for (int64_t g = 0; g < j->groups; g++)
            rstd[g] = (float)(1 / sqrt(group_sum(a + g * j->width, j->width) / size + 1e-5));
        for (int64_t c = 0; c < j->c; c++) {
            a[c] = rstd[c / j->width] * j->gain[c];
            b[c] = j->bias[c] - mean[c / j->width] * a[c];
        }
        normalise(j, x, a, b, j->y + frame * j->pixels * j->c);
    }
}

static poet_status group_norm_run(poet_device *device, const poet_call *call)
{
    group_job j = group_of(call);
    j.y = poet_cpu_dst(call, 0);
    j.mean = poet_cpu_dst(call, 1);
    j.rstd = poet_cpu_dst(call, 2);
    poet_cpu_parallel(device, j.frames, 8192 / (j.pixels * j.c) + 1, group_frames, &j);
    return POET_OK;
}

static size_t group_norm_scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    group_job j = group_of(call);
    return (size_t)(j.frames * 2 * j.c) * sizeof(float);
}

/* The gradient before the activation of the channels at c. */
VEC_INLINE vf group_before_act(const group_job *j, vf normal, vf dy, int64_t c)
{
    if (!j->silu)
        return dy;
    int64_t n = j->c - c;
    return dy * vf_silu_slope(vf_fma(normal, vf_load_n(j->gain + c, n), vf_load_n(j->bias + c, n)));
}

/* One frame's sums over pixels of d and of d * normal into sums (2, C), d the gradient before the
 * activation; d itself goes into dx for now. */
static VEC void group_sums(const group_job *j, int64_t at, const float *mean, const float *rstd,
                           float *sums)
{
    memset(sums, 0, (size_t)(2 * j->c) * sizeof *sums);
    for (int64_t p = 0; p < j->pixels; p++, at += j->c)
        for (int64_t c = 0; c < j->c; c += LANES) {
            int64_t n = j->c - c;
            vf normal =
                (vf_load_n(j->x + at + c, n) - vf_load_n(mean + c, n)) * vf_load_n(rstd + c, n);
            vf d = group_before_act(j, normal, vf_load_n(j->dy + at + c, n), c);
            vf_store_n(j->dx + at + c, n, d);
            vf_store_n(sums + c, n, vf_load_n(sums + c, n) + d);
            vf_store_n(sums + j->c + c, n, vf_fma(d, normal, vf_load_n(sums + j->c + c, n)));
        }
}

/* dx = d * slope - x * pull - push, per channel, d in dx's place. */
static VEC void group_dx(const group_job *j, int64_t at, const float *slope, const float *pull,
                         const float *push)
{
    for (int64_t p = 0; p < j->pixels; p++, at += j->c)
        for (int64_t c = 0; c < j->c; c += LANES) {
            int64_t n = j->c - c;
            vf d = vf_load_n(j->dx + at + c, n) * vf_load_n(slope + c, n);
            d -=
                vf_fma(vf_load_n(j->x + at + c, n), vf_load_n(pull + c, n), vf_load_n(push + c, n));
            vf_store_n(j->dx + at + c, n, d);
        }
}

/* With means over the group: dx = rstd (d gain - mean(d gain) - normal mean(d gain normal)). */
static VEC void group_frames_bwd(const void *context, int64_t begin, int64_t end)
{
    const group_job *j = context;
    for (int64_t frame = begin; frame < end; frame++) {
        int64_t at = frame * j->pixels * j->c;
        float *sums = j->scratch + frame * 5 * j->c; /* kept: they are summed to dbias and dgain */
        float *a = sums + 2 * j->c, *b = a + j->c, *slope = b + j->c;
        for (int64_t c = 0; c < j->c; c++) {
            a[c] = j->mean_in[frame * j->groups + c / j->width];
            b[c] = j->rstd_in[frame * j->groups + c / j->width];
        }
        group_sums(j, at, a, b, sums);
        for (int64_t g = 0; g < j->groups; g++) {
            double d = 0, dn = 0, size = (double)(j->pixels * j->width);
            for (int64_t c = g * j->width; c < (g + 1) * j->width; c++) {
                d += (double)j->gain[c] * (double)sums[c];
                dn += (double)j->gain[c] * (double)sums[j->c + c];
            }
            double mean = (double)j->mean_in[frame * j->groups + g];
            double rstd = (double)j->rstd_in[frame * j->groups + g];
            double pull = rstd * rstd * dn / size;
            for (int64_t c = g * j->width; c < (g + 1) * j->width; c++) {
                a[c] = (float)pull;
                b[c] = (float)(rstd * d / size - mean * pull);
                slope[c] = (float)rstd * j->gain[c];
            }
        }
        group_dx(j, at, slope, a, b);
    }
}

static poet_status group_norm_bwd_run(poet_device *device, const poet_call *call)
{
    group_job j = group_of(call);
    j.mean_in = poet_cpu_src(call, 3);
    j.rstd_in = poet_cpu_src(call, 4);
    j.dy = poet_cpu_src(call, 5);
    j.dx = poet_cpu_dst(call, 0);
    j.dgain = poet_cpu_dst(call, 1);
    j.dbias = poet_cpu_dst(call, 2);
    poet_cpu_parallel(device, j.frames, 8192 / (j.pixels * j.c) + 1, group_frames_bwd, &j);
    for (int64_t c = 0; c < j.c; c++) {
        double dgain = 0, dbias = 0;
        for (int64_t frame = 0; frame < j.frames; frame++) {
            dbias += (double)j.scratch[frame * 5 * j.c + c];
            dgain += (double)j.scratch[(frame * 5 + 1) * j.c + c];
        }
        j.dgain[c] = (float)dgain;
        j.dbias[c] = (float)dbias;
    }
    return POET_OK;
}

static size_t group_norm_bwd_scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    group_job j = group_of(call);
    return (size_t)(j.frames * 5 * j.c) * sizeof(float);
}

/* ---- RMS norm ---- */

typedef struct rms_job {
    int64_t rows, c;
    const float *x, *gain, *rstd_in, *dy;
    void *y;
    bool half; /* y is bf16 */
    float *rstd;
    float *dx, *dgain, *slices; /* slices (SLICES, C): partial sums of dgain */
} rms_job;

static rms_job rms_of(const poet_call *call)
{
    const poet_shape *x = &call->src[0]->shape;
    rms_job j = {.c = poet_shape_last(x),
                 .x = poet_cpu_src(call, 0),
                 .gain = poet_cpu_src(call, 1),
                 .slices = call->scratch};
    j.rows = poet_shape_count(x) / j.c;
    return j;
}

static VEC void rms_rows(const void *context, int64_t begin, int64_t end)
{
    const rms_job *j = context;
    for (int64_t row = begin; row < end; row++) {
        const float *x = j->x + row * j->c;
        vf square = vf_all(0);
        for (int64_t c = 0; c < j->c; c += LANES) {
            vf v = vf_load_n(x + c, j->c - c);
            square = vf_fma(v, v, square);
        }
        float rstd = 1 / sqrtf(vf_sum(square) / (float)j->c + 1e-6F);
        j->rstd[row] = rstd;
        for (int64_t c = 0; c < j->c; c += LANES) {
            int64_t n = j->c - c;
            vf_store_as(j->half, j->y, row * j->c + c, n,
                        vf_load_n(x + c, n) * vf_all(rstd) * vf_load_n(j->gain + c, n));
        }
    }
}

static poet_status rms_norm_run(poet_device *device, const poet_call *call)
{
    rms_job j = rms_of(call);
    j.y = call->dst[0]->data;
    j.half = poet_cpu_half(call);
    j.rstd = poet_cpu_dst(call, 1);
    poet_cpu_parallel(device, j.rows, 32768 / j.c + 1, rms_rows, &j);
    return POET_OK;
}

/* dx of one row, and its part of dgain added to sum. */
static VEC void rms_row_bwd(const rms_job *j, int64_t row, float *sum)
{
    const float *x = j->x + row * j->c, *dy = j->dy + row * j->c;
    vf rstd = vf_all(j->rstd_in[row]), mean = vf_all(0);
    for (int64_t c = 0; c < j->c; c += LANES) {
        int64_t n = j->c - c;
        vf dn = vf_load_n(dy + c, n) * vf_load_n(x + c, n) * rstd;
        vf_store_n(sum + c, n, vf_load_n(sum + c, n) + dn);
        mean = vf_fma(dn, vf_load_n(j->gain + c, n), mean);
    }
    vf pull = vf_all(vf_sum(mean) / (float)j->c) * rstd;
    for (int64_t c = 0; c < j->c; c += LANES) {
        int64_t n = j->c - c;
        vf d = vf_load_n(dy + c, n) * vf_load_n(j->gain + c, n) - vf_load_n(x + c, n) * pull;
        vf_store_n(j->dx + row * j->c + c, n, rstd * d);
    }
}

static VEC void rms_slices_bwd(const void *context, int64_t begin, int64_t end)
{
    const rms_job *j = context;
    for (int64_t slice = begin; slice < end; slice++) {
        float *sum = j->slices + slice * j->c;
        memset(sum, 0, (size_t)j->c * sizeof *sum);
        int64_t last = j->rows * (slice + 1) / SLICES;
        for (int64_t row = j->rows * slice / SLICES; row < last; row++)
            rms_row_bwd(j, row, sum);
    }
}

static poet_status rms_norm_bwd_run(poet_device *device, const poet_call *call)
{
    rms_job j = rms_of(call);
    j.rstd_in = poet_cpu_src(call, 2);
    j.dy = poet_cpu_src(call, 3);
    j.dx = poet_cpu_dst(call, 0);
    j.dgain = poet_cpu_dst(call, 1);
    poet_cpu_parallel(device, SLICES, j.rows * j.c < 32768 ? SLICES : 1, rms_slices_bwd, &j);
    for (int64_t c = 0; c < j.c; c++) {
        double sum = 0;
        for (int64_t slice = 0; slice < SLICES; slice++)
            sum += (double)j.slices[slice * j.c + c];
        j.dgain[c] = (float)sum;
    }
    return POET_OK;
}

static size_t rms_norm_bwd_scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    return (size_t)(SLICES * rms_of(call).c) * sizeof(float);
}

/* In a row of one or two numbers the gradient is the small difference of large terms, which the
 * reference takes in double. */
static bool is_wide(const poet_call *call)
{
    return poet_shape_last(&call->src[0]->shape) >= LANES;
}

void poet_cpu_norm(poet_cpu_op *ops)
{
    ops[POET_OP_GROUP_NORM] = (poet_cpu_op){.run = group_norm_run, .scratch = group_norm_scratch};
    ops[POET_OP_GROUP_NORM_BWD] =
        (poet_cpu_op){.run = group_norm_bwd_run, .scratch = group_norm_bwd_scratch};
    ops[POET_OP_RMS_NORM] = (poet_cpu_op){.run = rms_norm_run, .narrow = true, .fits = is_wide};
    ops[POET_OP_RMS_NORM_BWD] =
        (poet_cpu_op){.run = rms_norm_bwd_run, .scratch = rms_norm_bwd_scratch, .fits = is_wide};
}
