/* Causal convolutions with 3x3 kernels, and their gradients to x, by Winograd's F(2x2,3x3) (Lavin and
 * Gray, "Fast algorithms for convolutional neural networks", 2016): 16 products instead of 36 for each
 * 2x2 results, channels and frames summed by matrix products.
 *
 *     V[xi] = B' d B   for each 4x4 patch d of the input, patches two pixels apart
 *     U[xi] = G g G'   for each 3x3 kernel g
 *     M[xi] = the sum over frames of the kernel and channels of V[xi] U[xi]
 *     y     = A' M A   2x2 results, plus bias
 *
 * xi = 0..15. Errors are about twice those of a direct sum. The gradient to x is the same
 * computation on dy, with the kernel turned around and channels exchanged. A thread takes blocks of
 * patches of one clip, so that all of M and one frame of V stay in its cache; nothing depends on the
 * number of threads or on the batch. */
#include "base/memory.h"
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_winograd_internal.h"

enum { BLOCK = 36 }; /* BLOCK: most patches at once, whole tiles of rows */

typedef struct winograd_job {
    int64_t clips, frames, h, w, kt, k, n; /* k channels in, n out */
    int64_t across, patches;               /* patches in a line, and in a frame */
    int64_t blocks, block;                 /* blocks of a frame, and patches in one */
    bool backward;
    const float *x, *weights, *bias;
    float *y;
    float *u; /* (kt, WINOGRAD_POINTS, N/PANEL, K, PANEL) */
    float *
        scratch; /* of each part: V (frames, WINOGRAD_POINTS, block, K), M (WINOGRAD_POINTS, block, N), zeros (K) */
    int64_t part_floats, parts;
} winograd_job;

static winograd_job job_of(const poet_call *call)
{
    bool backward = call->op == POET_OP_CONV3D_DX;
    const int64_t *x = call->src[0]->shape.dim, *w = call->src[1]->shape.dim;
    winograd_job j = {.clips = x[0],
                      .frames = x[1],
                      .h = x[2],
                      .w = x[3],
                      .kt = w[1],
                      .k = backward ? w[0] : w[4],
                      .n = backward ? w[4] : w[0],
                      .backward = backward,
                      .x = poet_cpu_src(call, 0),
                      .weights = poet_cpu_src(call, 1),
                      .bias = call->n_src > 2 ? poet_cpu_src(call, 2) : NULL,
                      .y = poet_cpu_dst(call, 0)};
    j.across = (j.w + 1) / 2;
    j.patches = j.across * ((j.h + 1) / 2);
    j.blocks = (j.patches + BLOCK - 1) / BLOCK;
    j.block = (j.patches + j.blocks - 1) / j.blocks;
    j.part_floats = poet_round_up(WINOGRAD_POINTS * j.block * (j.frames * j.k + j.n) + j.k, PANEL);
    return j;
}

static int64_t u_floats(const winograd_job *j)
{
    return j->kt * WINOGRAD_POINTS * j->k * j->n;
}

/* ---- the kernel: U = G g G' ---- */

/* Three vectors to four: rows of G are (1,0,0), (1,1,1)/2, (1,-1,1)/2, (0,0,1). */
VEC_INLINE void expand(vf a, vf b, vf c, vf *out, int step)
{
    vf sum = vf_all(0.5F) * (a + c), half = vf_all(0.5F) * b;
    out[0] = a;
    out[step] = sum + half;
    out[2 * step] = sum - half;
    out[3 * step] = c;
}

/* Eight kernels' 3x3 numbers to their 16 points. */
VEC_INLINE void transform_kernels(const vf *g, vf *u)
{
    vf half[12]; /* (4,3) */
#pragma GCC unroll 3
    for (int c = 0; c < 3; c++)
        expand(g[c], g[3 + c], g[6 + c], half + c, 3);
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++)
        expand(half[r * 3], half[r * 3 + 1], half[r * 3 + 2], u + r * 4, 1);
}

/* The kernels from channel k to channels [n, n + 8), turned around for the gradient. In the weights
 * (Cout,kT,3,3,Cin) these eight are neighbours backward, and far apart forward. */
static VEC void load_kernels(const winograd_job *j, int64_t dt, int64_t k, int64_t n, vf *g)
{
    int64_t row = j->kt * 9 * (j->backward ? j->n : j->k);
    for (int tap = 0; tap < 9; tap++) {
        float lanes[LANES];
        const float *w = j->weights;
        if (j->backward) {
            g[tap] = vf_load(w + k * row + (dt * 9 + 8 - tap) * j->n + n);
            continue;
        }
        for (int i = 0; i < LANES; i++)
            lanes[i] = w[(n + i) * row + (dt * 9 + tap) * j->k + k];
        g[tap] = vf_load(lanes);
    }
}

/* Groups [begin, end) of eight channels out. */
static VEC void transform_weights(const void *context, int64_t begin, int64_t end)
{
    const winograd_job *j = context;
    for (int64_t n = begin * LANES; n < end * LANES; n += LANES)
        for (int64_t dt = 0; dt < j->kt; dt++)
            for (int64_t k = 0; k < j->k; k++) {
                vf g[9], u[WINOGRAD_POINTS];
                load_kernels(j, dt, k, n, g);
                transform_kernels(g, u);
                float *out = j->u + dt * WINOGRAD_POINTS * j->n * j->k +
                             (n / PANEL * j->k + k) * PANEL + n % PANEL;
                for (int p = 0; p < WINOGRAD_POINTS; p++)
                    vf_store(out + p * j->n * j->k, u[p]);
            }
}

static void make_u(const poet_device *device, const winograd_job *j)
{
    poet_cpu_parallel(device, j->n / LANES, 512 / (j->kt * j->k) + 1, transform_weights, j);
}

/* ---- the products, and the output: y = A' M A ---- */

/* The frame that tap dt of the kernel reads for frame t; it may lie outside. */
static int64_t frame_of_tap(const winograd_job *j, int64_t t, int64_t dt)
{
    return j->backward ? t + j->kt - 1 - dt : t + dt - (j->kt - 1);
}

static VEC void multiply_frame(const winograd_job *j, int64_t t, int64_t count, const float *v,
                               float *m)
{
    int64_t last_tap = j->kt - 1; /* reads frame t in both directions */
    for (int64_t p = 0; p < WINOGRAD_POINTS; p++)
        for (int64_t n = 0; n < j->n; n += PANEL)
            for (int64_t dt = last_tap; dt >= 0; dt--) {
                int64_t frame = frame_of_tap(j, t, dt);
                if (frame < 0 || frame >= j->frames)
                    break;
                const float *a = v + (frame * WINOGRAD_POINTS + p) * j->block * j->k;
                const float *b = j->u + ((dt * WINOGRAD_POINTS + p) * j->n + n) * j->k;
                float *c = m + p * j->block * j->n + n;
                for (int64_t i = 0; i < count; i += TILE_ROWS)
                    tile((int)poet_min(TILE_ROWS, count - i), j->k, (tile_a){a + i * j->k, j->k, 1},
                         (tile_b){b, PANEL}, (tile_c){c + i * j->n, j->n, dt != last_tap});
            }
}

/* The 2x2 results of one patch, channels [n, n + 8): rows of A' are (1,1,1,0), (0,1,-1,-1). */
VEC_INLINE void finish_patch(const float *m, int64_t step, vf bias, vf y[4])
{
    vf r[2][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        vf a = vf_load(m + i * step), b = vf_load(m + (4 + i) * step);
        vf c = vf_load(m + (8 + i) * step), d = vf_load(m + (12 + i) * step);
        r[0][i] = a + b + c;
        r[1][i] = b - c - d;
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        y[2 * i] = r[i][0] + r[i][1] + r[i][2] + bias;
        y[2 * i + 1] = r[i][1] - r[i][2] - r[i][3] + bias;
    }
}

static VEC void finish_frame(const winograd_job *j, int64_t first, int64_t count, const float *m,
                             float *frame)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t top = (first + i) / j->across * 2, left = (first + i) % j->across * 2;
        for (int64_t n = 0; n < j->n; n += LANES) {
            vf y[4], bias = j->bias ? vf_load(j->bias + n) : vf_all(0);
            finish_patch(m + i * j->n + n, j->block * j->n, bias, y);
            for (int p = 0; p < 4; p++)
                if (top + p / 2 < j->h && left + p % 2 < j->w)
                    vf_store(frame + ((top + p / 2) * j->w + left + p % 2) * j->n + n, y[p]);
        }
    }
}

/* One block of patches of one clip: all its frames. */
static void convolve_block(const winograd_job *j, int64_t clip, int64_t first, float *memory)
{
    int64_t count = poet_min(j->block, j->patches - first), size = j->h * j->w;
    float *m = memory + j->frames * WINOGRAD_POINTS * j->block * j->k,
          *zeros = m + WINOGRAD_POINTS * j->block * j->n;
    memset(zeros, 0, (size_t)j->k * sizeof *zeros);
    for (int64_t t = 0; t < j->frames; t++) {
        winograd_patches v = {.h = j->h,
                              .w = j->w,
                              .channels = j->k,
                              .first = first,
                              .count = count,
                              .frame = j->x + (clip * j->frames + t) * size * j->k,
                              .zeros = zeros,
                              .out = memory + t * WINOGRAD_POINTS * j->block * j->k,
                              .patch = j->k,
                              .panel = PANEL,
                              .point = j->block * j->k};
        poet_winograd_input(&v);
    }
    for (int64_t t = 0; t < j->frames; t++) {
        multiply_frame(j, t, count, memory, m);
        finish_frame(j, first, count, m, j->y + (clip * j->frames + t) * size * j->n);
    }
}

static void convolve_parts(const void *context, int64_t begin, int64_t end)
{
    const winograd_job *j = context;
    int64_t items = j->clips * j->blocks;
    for (int64_t part = begin; part < end; part++)
        for (int64_t i = items * part / j->parts; i < items * (part + 1) / j->parts; i++)
            convolve_block(j, i / j->blocks, i % j->blocks * j->block,
                           j->scratch + part * j->part_floats);
}

/* ---- the op ---- */

static poet_cpu_op dnnl; /* for the calls that are not 3x3 */

static bool is_winograd(const poet_call *call)
{
    const int64_t *w = call->src[1]->shape.dim, *x = call->src[0]->shape.dim;
    winograd_job j = job_of(call);
    return call->src[0]->dtype == POET_F32 && w[2] == 3 && w[3] == 3 && x[2] > 1 && x[3] > 1 &&
           j.k % LANES == 0 && j.n % PANEL == 0;
}

static int64_t count_parts(const poet_device *device, const winograd_job *j)
{
    return poet_cpu_parts(device, j->clips * j->blocks, 1);
}

/* The weights are transformed once where they are constant, else in each run. */
static size_t winograd_scratch(poet_device *device, const poet_call *call)
{
    if (!is_winograd(call))
        return dnnl.scratch(device, call);
    winograd_job j = job_of(call);
    int64_t u = poet_call_is_constant(call, 1) ? 0 : u_floats(&j);
    return (size_t)(count_parts(device, &j) * j.part_floats + u) * sizeof(float);
}

static size_t winograd_packed(poet_device *device, const poet_call *call)
{
    if (!is_winograd(call))
        return dnnl.packed(device, call);
    winograd_job j = job_of(call);
    return poet_call_is_constant(call, 1) ? (size_t)u_floats(&j) * sizeof(float) : 0;
}

static poet_status winograd_prepare(poet_device *device, poet_call *call)
{
    if (!is_winograd(call))
        return dnnl.prepare(device, call);
    winograd_job j = job_of(call);
    j.u = call->packed;
    if (j.u)
        make_u(device, &j);
    return POET_OK;
}

static poet_status winograd_run(poet_device *device, const poet_call *call)
{
    if (!is_winograd(call))
        return dnnl.run(device, call);
    winograd_job j = job_of(call);
    j.parts = count_parts(device, &j);
    j.scratch = call->scratch;
    j.u = call->packed ? call->packed : j.scratch + j.parts * j.part_floats;
    if (!call->packed)
        make_u(device, &j);
    poet_cpu_parallel(device, j.parts, 1, convolve_parts, &j);
    return POET_OK;
}

static void winograd_release(poet_device *device, poet_call *call)
{
    if (!is_winograd(call))
        dnnl.release(device, call);
}

static const char *winograd_implementation(const poet_call *call)
{
    return is_winograd(call) ? "winograd" : dnnl.implementation(call);
}

void poet_cpu_winograd(poet_cpu_op *ops)
{
    dnnl = ops[POET_OP_CONV3D];
    ops[POET_OP_CONV3D] = ops[POET_OP_CONV3D_DX] =
        (poet_cpu_op){.run = winograd_run,
                      .scratch = winograd_scratch,
                      .packed = winograd_packed,
                      .prepare = winograd_prepare,
                      .release = winograd_release,
                      .implementation = winograd_implementation,
                      .mixed = true};
}
