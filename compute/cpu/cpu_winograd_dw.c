/* The gradient of a causal convolution with a 3x3 kernel to its weights, by Winograd's transforms
 * (see cpu_winograd.c): with V the transformed input and D = A dy A' the transformed gradient of the
 * output, dU[xi] is the sum of D[xi]' V[xi] over all patches of all frames, and dg = G' dU G.
 *
 * Both are first written in panels of 16 channels, all patches behind one another; then each tile of
 * dU is one long sum. Tiles are independent: nothing depends on the number of threads. */
#include "compute/cpu/cpu_winograd_internal.h"

typedef struct dw_job {
    int64_t clips, frames, h, w, kt, k, n; /* k channels in, n out */
    int64_t patches, total;                /* of a frame; of all frames */
    const float *x, *dy;
    float *dw;
    float *v, *d; /* (POINTS, channels/PANEL, total, PANEL) */
    float *du;    /* (kt, POINTS, N, K) */
    float *zeros; /* max(K, N) */
} dw_job;

static dw_job job_of(const poet_call *call)
{
    const int64_t *x = call->src[0]->shape.dim, *w = call->dst[0]->shape.dim;
    dw_job j = {.clips = x[0],
                .frames = x[1],
                .h = x[2],
                .w = x[3],
                .kt = w[1],
                .k = w[4],
                .n = w[0],
                .x = poet_cpu_src(call, 0),
                .dy = poet_cpu_src(call, 1),
                .dw = poet_cpu_dst(call, 0)};
    j.patches = ((j.w + 1) / 2) * ((j.h + 1) / 2);
    j.total = j.clips * j.frames * j.patches;
    return j;
}

/* Frames of x and of dy. */
static void transform_frames(const void *context, int64_t begin, int64_t end)
{
    const dw_job *j = context;
    for (int64_t frame = begin; frame < end; frame++) {
        winograd_patches p = {.h = j->h,
                              .w = j->w,
                              .channels = j->k,
                              .count = j->patches,
                              .frame = j->x + frame * j->h * j->w * j->k,
                              .zeros = j->zeros,
                              .out = j->v + frame * j->patches * PANEL,
                              .patch = PANEL,
                              .panel = j->total * PANEL,
                              .point = j->total * j->k};
        poet_winograd_input(&p);
        p.channels = j->n;
        p.frame = j->dy + frame * j->h * j->w * j->n;
        p.out = j->d + frame * j->patches * PANEL;
        p.point = j->total * j->n;
        poet_winograd_output_gradient(&p);
    }
}

/* One tile of dU for all taps in time: `rows` channels out from n on, a panel of channels in. */
static VEC void sum_tile(const dw_job *j, int64_t point, int64_t n, int rows, int64_t k)
{
    const float *d = j->d + (point * j->n + n / PANEL * PANEL) * j->total + n % PANEL;
    const float *v = j->v + (point * j->k + k) * j->total;
    for (int64_t dt = 0; dt < j->kt; dt++) {
        int64_t shift = j->kt - 1 - dt; /* frame t of dy meets frame t - shift of x */
        float *du = j->du + ((dt * WINOGRAD_POINTS + point) * j->n + n) * j->k + k;
        for (int64_t clip = 0; clip < j->clips; clip++) {
            int64_t first = clip * j->frames * j->patches, count = (j->frames - shift) * j->patches;
            tile(rows, poet_max(count, 0),
                 (tile_a){d + (first + shift * j->patches) * PANEL, 1, PANEL},
                 (tile_b){v + first * PANEL, PANEL}, (tile_c){du, j->k, clip > 0});
        }
    }
}

/* Items are pairs of a point and a panel of channels out. */
static void sum_items(const void *context, int64_t begin, int64_t end)
{
    const dw_job *j = context;
    int64_t panels = j->n / PANEL;
    for (int64_t item = begin; item < end; item++)
        for (int64_t k = 0; k < j->k; k += PANEL)
            for (int64_t i = 0; i < PANEL; i += TILE_ROWS)
                sum_tile(j, item / panels, item % panels * PANEL + i,
                         (int)poet_min(TILE_ROWS, PANEL - i), k);
}

/* Four vectors to three: rows of G' are (1,1/2,1/2,0), (0,1/2,-1/2,0), (0,1/2,1/2,1). */
VEC_INLINE void fold(vf a, vf b, vf c, vf d, vf *out, int step)
{
    vf sum = vf_all(0.5F) * (b + c);
    out[0] = a + sum;
    out[step] = vf_all(0.5F) * (b - c);
    out[2 * step] = sum + d;
}

/* Channels out [begin, end): dg = G' dU G. */
static VEC void finish_rows(const void *context, int64_t begin, int64_t end)
{
    const dw_job *j = context;
    int64_t point = j->n * j->k;
    for (int64_t row = begin * j->kt; row < end * j->kt; row++) {
        int64_t n = row / j->kt, dt = row % j->kt;
        for (int64_t k = 0; k < j->k; k += LANES) {
            const float *u = j->du + (dt * WINOGRAD_POINTS * j->n + n) * j->k + k;
            vf half[12], g[9]; /* half: (3,4) */
            for (int c = 0; c < 4; c++)
                fold(vf_load(u + c * point), vf_load(u + (4 + c) * point),
                     vf_load(u + (8 + c) * point), vf_load(u + (12 + c) * point), half + c, 4);
            for (int r = 0; r < 3; r++)
                fold(half[4 * r], half[4 * r + 1], half[4 * r + 2], half[4 * r + 3], g + 3 * r, 1);
            for (int tap = 0; tap < 9; tap++)
                vf_store(j->dw + (row * 9 + tap) * j->k + k, g[tap]);
        }
    }
}

/* ---- the op ---- */

static poet_cpu_op dnnl; /* for the calls that are not 3x3 */

static bool is_winograd(const poet_call *call)
{
    const int64_t *w = call->dst[0]->shape.dim, *x = call->src[0]->shape.dim;
    return call->src[0]->dtype == POET_F32 && w[2] == 3 && w[3] == 3 && x[2] > 1 && x[3] > 1 &&
           w[0] % PANEL == 0 && w[4] % PANEL == 0;
}

static int64_t v_floats(const dw_job *j)
{
    return WINOGRAD_POINTS * j->total * j->k;
}

static int64_t d_floats(const dw_job *j)
{
    return WINOGRAD_POINTS * j->total * j->n;
}

static int64_t du_floats(const dw_job *j)
{
    return WINOGRAD_POINTS * j->kt * j->k * j->n;
}

static poet_status winograd_dw_run(poet_device *device, const poet_call *call)
{
    if (!is_winograd(call))
        return dnnl.run(device, call);
    dw_job j = job_of(call);
    j.v = call->scratch;
    j.d = j.v + v_floats(&j);
    j.du = j.d + d_floats(&j);
    j.zeros = j.du + du_floats(&j);
    memset(j.zeros, 0, (size_t)poet_max(j.k, j.n) * sizeof(float));
    poet_cpu_parallel(device, j.clips * j.frames, 1, transform_frames, &j);
    poet_cpu_parallel(device, WINOGRAD_POINTS * j.n / PANEL, 1, sum_items, &j);
    poet_cpu_parallel(device, j.n, 4096 / (j.kt * j.k) + 1, finish_rows, &j);
    return POET_OK;
}

static size_t winograd_dw_scratch(poet_device *device, const poet_call *call)
{
    if (!is_winograd(call))
        return dnnl.scratch(device, call);
    dw_job j = job_of(call);
    return (size_t)(v_floats(&j) + d_floats(&j) + du_floats(&j) + poet_max(j.k, j.n)) *
           sizeof(float);
}

static poet_status winograd_dw_prepare(poet_device *device, poet_call *call)
{
    return is_winograd(call) ? POET_OK : dnnl.prepare(device, call);
}

static void winograd_dw_release(poet_device *device, poet_call *call)
{
    if (!is_winograd(call))
        dnnl.release(device, call);
}

static const char *winograd_dw_implementation(const poet_call *call)
{
    return is_winograd(call) ? "winograd" : dnnl.implementation(call);
}

void poet_cpu_winograd_dw(poet_cpu_op *ops)
{
    dnnl = ops[POET_OP_CONV3D_DW];
    ops[POET_OP_CONV3D_DW] = (poet_cpu_op){.run = winograd_dw_run,
                                           .scratch = winograd_dw_scratch,
                                           .prepare = winograd_dw_prepare,
                                           .release = winograd_dw_release,
                                           .implementation = winograd_dw_implementation,
                                           .mixed = true};
}
