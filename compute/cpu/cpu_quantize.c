/* Vector quantization: nearest codes, and the running averages of the codebook. */
#include "base/rng.h"
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_tile.h"

#include <assert.h>

/* ---- nearest ---- */

typedef struct nearest_job {
    int64_t rows, codes, c, panels;
    const float *z, *codebook;
    float *packed; /* (panels, C, PANEL), infinities behind the last code */
    int32_t *index;
    float *distance;
} nearest_job;

/* So many groups of ROWS rows go through so many numbers of the codebook (256 kB) while these are in the cache: a large codebook does
 * not come from memory for every group. */
enum { ROWS = 4, GROUPS = 32, CACHED = 1 << 16 };

/* Eight rows' best so far in each lane: panels come in ascending order, so that a strict comparison
 * keeps the lowest index. */
typedef struct best_codes {
    vf distance[2];
    vi code[2];
} best_codes;

/* Distances of ROWS rows to one panel, as sums of squared differences: unlike |c|^2 - 2 zc, they do
 * not cancel where it matters. */
VEC_INLINE void nearest_panel(const nearest_job *j, const float *z, int64_t panel, best_codes *best)
{
    const float *p = j->packed + panel * j->c * PANEL;
    vf sum[ROWS][2];
    for (int i = 0; i < ROWS; i++)
        sum[i][0] = sum[i][1] = vf_all(0);
    for (int64_t c = 0; c < j->c; c++, p += PANEL) {
        vf low = vf_load(p), high = vf_load(p + LANES);
#pragma GCC unroll 4
        for (int i = 0; i < ROWS; i++) {
            vf zi = vf_all(z[i * j->c + c]);
            vf a = low - zi, b = high - zi;
            sum[i][0] = vf_fma(a, a, sum[i][0]);
            sum[i][1] = vf_fma(b, b, sum[i][1]);
        }
    }
    vi first = (vi){0, 1, 2, 3, 4, 5, 6, 7} + (int32_t)(panel * PANEL);
    for (int i = 0; i < ROWS; i++)
        for (int half = 0; half < 2; half++) {
            vi closer = sum[i][half] < best[i].distance[half];
            vi code = first + half * LANES;
            best[i].distance[half] = vf_choose(closer, sum[i][half], best[i].distance[half]);
            best[i].code[half] = (code & closer) | (best[i].code[half] & ~closer);
        }
}

static void pick_lane(const best_codes *best, int32_t *index, float *distance)
{
    float d[PANEL];
    int32_t code[PANEL];
    memcpy(d, best->distance, sizeof d);
    memcpy(code, best->code, sizeof code);
    int pick = 0;
    for (int i = 1; i < PANEL; i++)
        if (d[i] < d[pick] || (d[i] == d[pick] && code[i] < code[pick]))
            pick = i;
    *index = code[pick];
    *distance = d[pick];
}

/* The first row of a group; a last one that would not be full begins earlier. */
static int64_t group_row(const nearest_job *j, int64_t group)
{
    return poet_min(group * ROWS, j->rows - ROWS);
}

/* At most GROUPS groups. A group that begins earlier writes only its own rows. */
static VEC void nearest_some(const nearest_job *j, int64_t begin, int64_t end)
{
    best_codes best[GROUPS][ROWS];
    int64_t step = CACHED / (PANEL * j->c) + 1;
    for (int64_t i = 0; i < (end - begin) * ROWS; i++)
        best[i / ROWS][i % ROWS] = (best_codes){{vf_all(INFINITY), vf_all(INFINITY)}, {{0}, {0}}};
    for (int64_t first = 0; first < j->panels; first += step)
        for (int64_t group = begin; group < end; group++)
            for (int64_t panel = first; panel < poet_min(first + step, j->panels); panel++)
                nearest_panel(j, j->z + group_row(j, group) * j->c, panel, best[group - begin]);
    for (int64_t group = begin; group < end; group++) {
        int64_t row = group_row(j, group);
        for (int64_t i = group * ROWS - row; i < ROWS; i++)
            pick_lane(&best[group - begin][i], &j->index[row + i], &j->distance[row + i]);
    }
}

static void nearest_groups(const void *context, int64_t begin, int64_t end)
{
    for (int64_t group = begin; group < end; group += GROUPS)
        nearest_some(context, group, poet_min(group + GROUPS, end));
}

/* Fewer than ROWS rows in all: one by one. */
static void nearest_few(const nearest_job *j)
{
    for (int64_t row = 0; row < j->rows; row++) {
        j->index[row] = 0;
        j->distance[row] = INFINITY;
        for (int64_t k = 0; k < j->codes; k++) {
            float sum = 0;
            for (int64_t c = 0; c < j->c; c++) {
                float d = j->codebook[k * j->c + c] - j->z[row * j->c + c];
                sum = fmaf(d, d, sum);
            }
            if (sum < j->distance[row]) {
                j->distance[row] = sum;
                j->index[row] = (int32_t)k;
            }
        }
    }
}

static void pack_codebook(const nearest_job *j)
{
    for (int64_t k = 0; k < j->panels * PANEL; k++)
        for (int64_t c = 0; c < j->c; c++)
            j->packed[(k / PANEL * j->c + c) * PANEL + k % PANEL] =
                k < j->codes ? j->codebook[k * j->c + c] : INFINITY;
}

static poet_status nearest_kernel(poet_device *device, const poet_call *call)
{
    const poet_shape *codebook = &call->src[1]->shape;
    nearest_job j = {.rows = poet_tensor_count(call->dst[0]),
                     .codes = codebook->dim[0],
                     .c = codebook->dim[1],
                     .panels = (codebook->dim[0] + PANEL - 1) / PANEL,
                     .z = poet_cpu_src(call, 0),
                     .codebook = poet_cpu_src(call, 1),
                     .packed = call->scratch,
                     .index = call->dst[0]->data,
                     .distance = poet_cpu_dst(call, 1)};
    assert(j.z && j.codebook); /* sources that are not optional */
    if (j.rows < ROWS) {
        nearest_few(&j);
        return POET_OK;
    }
    pack_codebook(&j);
    poet_cpu_parallel(device, (j.rows + ROWS - 1) / ROWS,
                      65536 / (ROWS * j.panels * PANEL * j.c) + 1, nearest_groups, &j);
    return POET_OK;
}

static size_t nearest_scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_shape *codebook = &call->src[1]->shape;
    return (size_t)(poet_round_up(codebook->dim[0], PANEL) * codebook->dim[1]) * sizeof(float);
}

/* ---- codebook by running averages ---- */

typedef struct ema_job {
    int64_t rows, codes, c;
    float *codebook, *total, *count;
    const float *z;
    const int32_t *index;
    double decay, restart, share; /* share: vectors per code if all were used alike */
    uint64_t seed, step;
    double *number, *sum; /* (codes) and (codes, C): of this batch */
} ema_job;

static poet_status check_index(const int32_t *index, int64_t n, int64_t codes, const char *of)
{
    for (int64_t i = 0; i < n; i++)
        if (index[i] < 0 || index[i] >= codes)
            return POET_FAIL(POET_ERR_ARG, "index %d at %lld is outside a %s of %lld", index[i],
                             (long long)i, of, (long long)codes);
    return POET_OK;
}

/* In order of rows by one thread, small beside what made the rows; in double, since a code of what stands still has a million
 * equal rows. */
static VEC void gather(const ema_job *j)
{
    memset(j->number, 0, (size_t)(j->codes * (j->c + 1)) * sizeof *j->sum); /* sum lies behind */
    for (int64_t row = 0; row < j->rows; row++) {
        double *sum = j->sum + j->index[row] * j->c;
        const float *z = j->z + row * j->c;
        j->number[j->index[row]]++;
        for (int64_t c = 0; c < j->c; c++)
            sum[c] += (double)z[c];
    }
}

/* A code below the threshold starts again at row (word 0 * N) >> 32 of z. */
static void update_codes(const void *context, int64_t begin, int64_t end)
{
    const ema_job *j = context;
    for (int64_t k = begin; k < end; k++) {
        double n = j->decay * (double)j->count[k] + (1 - j->decay) * j->number[k];
        bool restart = n < j->restart * j->share;
        uint32_t words[4];
        poet_philox(j->seed, j->step, (uint64_t)k, words);
        const float *z = j->z + (int64_t)(((uint64_t)words[0] * (uint64_t)j->rows) >> 32) * j->c;
        if (restart)
            n = j->share;
        j->count[k] = (float)n;
        for (int64_t c = 0; c < j->c; c++) {
            int64_t at = k * j->c + c;
            double kept = j->decay * (double)j->total[at] + (1 - j->decay) * j->sum[at];
            double total = restart ? j->share * (double)z[c] : kept;
            j->total[at] = (float)total;
            if (n > 1e-6)
                j->codebook[at] = (float)(total / n);
        }
    }
}

static poet_status ema_kernel(poet_device *device, const poet_call *call)
{
    const poet_shape *codebook = &call->src[0]->shape;
    ema_job j = {.rows = poet_tensor_count(call->src[4]),
                 .codes = codebook->dim[0],
                 .c = codebook->dim[1],
                 .codebook = poet_cpu_dst(call, 0),
                 .total = poet_cpu_dst(call, 1),
                 .count = poet_cpu_dst(call, 2),
                 .z = poet_cpu_src(call, 3),
                 .index = call->src[4]->data,
                 .decay = (double)call->attr->ema.decay,
                 .restart = (double)call->attr->ema.restart,
                 .seed = call->attr->ema.seed,
                 .step = (uint64_t)(int64_t) * (const int32_t *)call->src[5]->data,
                 .number = call->scratch};
    j.share = (double)j.rows / (double)j.codes;
    j.sum = j.number + j.codes;
    assert(j.z);
    POET_TRY(check_index(j.index, j.rows, j.codes, "codebook"));
    gather(&j);
    poet_cpu_parallel(device, j.codes, 4096 / j.c + 1, update_codes, &j);
    return POET_OK;
}

static size_t ema_scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_shape *codebook = &call->src[0]->shape;
    return (size_t)(codebook->dim[0] * (codebook->dim[1] + 1)) * sizeof(double);
}

/* ---- how often each code occurs ---- */

static poet_status count_kernel(poet_device *device, const poet_call *call)
{
    (void)device;
    const int32_t *index = call->src[1]->data;
    float *histogram = poet_cpu_dst(call, 0);
    int64_t n = poet_tensor_count(call->src[1]);
    POET_TRY(check_index(index, n, call->dst[0]->shape.dim[0], "histogram"));
    for (int64_t i = 0; i < n; i++)
        histogram[index[i]]++;
    return POET_OK;
}

void poet_cpu_quantize(poet_cpu_op *ops)
{
    ops[POET_OP_NEAREST] = (poet_cpu_op){.run = nearest_kernel, .scratch = nearest_scratch};
    ops[POET_OP_CODEBOOK_EMA] = (poet_cpu_op){.run = ema_kernel, .scratch = ema_scratch};
    ops[POET_OP_COUNT_CODES] = (poet_cpu_op){.run = count_kernel};
}
