/* The gradient of a causal convolution to its weights, on AVX2, where oneDNN 2.6 has only an
 * im2col-and-GEMM form at a third of the processor's speed.
 *
 *     dw[o][dt,dh,dw][c] = sum over pixels p of dy[p][o] * x[p shifted by (dt,dh,dw)][c]
 *
 * x is first copied into panels of 16 channels and dy into panels of TILE_ROWS, so that what a tile
 * reads is contiguous; then each tile of dw sums over the pixels of a frame, frame after frame, for
 * all taps while both panels are in the cache. Tiles are independent: the result does not depend on
 * the number of threads. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_tile.h"

#include <stdlib.h>

typedef struct dw_job {
    int64_t frames, t_count, h, w, pixels; /* frames = B*T, pixels = B*T*H*W */
    int64_t kt, kh, kw, taps, c_in, c_out, x_panels, dy_panels;
    const float *x, *dy;
    float *x_packed, *dy_packed, *dw;
} dw_job;

static dw_job job_of(const poet_call *call)
{
    const poet_shape *x = &call->src[0]->shape, *w = &call->dst[0]->shape;
    dw_job j = {.frames = x->dim[0] * x->dim[1],
                .t_count = x->dim[1],
                .h = x->dim[2],
                .w = x->dim[3],
                .kt = w->dim[1],
                .kh = w->dim[2],
                .kw = w->dim[3],
                .c_in = w->dim[4],
                .c_out = w->dim[0],
                .x = poet_cpu_src(call, 0),
                .dy = poet_cpu_src(call, 1),
                .dw = poet_cpu_dst(call, 0)};
    j.pixels = j.frames * j.h * j.w;
    j.taps = j.kt * j.kh * j.kw;
    j.x_panels = j.c_in / PANEL;
    j.dy_panels = (j.c_out + TILE_ROWS - 1) / TILE_ROWS;
    j.x_packed = call->scratch;
    j.dy_packed = j.x_packed + j.pixels * j.c_in;
    return j;
}

static VEC void pack(const void *context, int64_t begin, int64_t end)
{
    const dw_job *j = context;
    for (int64_t p = begin; p < end; p++) {
        for (int64_t c = 0; c < j->x_panels; c++)
            memcpy(j->x_packed + (c * j->pixels + p) * PANEL, j->x + p * j->c_in + c * PANEL,
                   PANEL * sizeof(float));
        for (int64_t o = 0; o < j->c_out; o++)
            j->dy_packed[(o / TILE_ROWS * j->pixels + p) * TILE_ROWS + o % TILE_ROWS] =
                j->dy[p * j->c_out + o];
    }
}

/* Adds one tap's products over one frame to a tile of dw. at: the frame's x and dy, x shifted by
 * the tap; rows and columns where the shifted pixel lies outside are left out by the caller. */
VEC_INLINE void frame_tile(const int rows, int64_t h, int64_t w, int64_t line, const float *x,
                           const float *dy, float *dw, int64_t dw_row)
{
    vf sum[TILE_ROWS][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        sum[i][0] = vf_load(dw + i * dw_row);
        sum[i][1] = vf_load(dw + i * dw_row + LANES);
    }
    for (; h > 0; h--, x += line * PANEL, dy += line * TILE_ROWS)
        for (int64_t p = 0; p < w; p++) {
            vf x0 = vf_load(x + p * PANEL), x1 = vf_load(x + p * PANEL + LANES);
#pragma GCC unroll 6
            for (int i = 0; i < rows; i++) {
                vf d = vf_all(dy[p * TILE_ROWS + i]);
                sum[i][0] = vf_fma(d, x0, sum[i][0]);
                sum[i][1] = vf_fma(d, x1, sum[i][1]);
            }
        }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        vf_store(dw + i * dw_row, sum[i][0]);
        vf_store(dw + i * dw_row + LANES, sum[i][1]);
    }
}

static VEC void tap_tile(const dw_job *j, int64_t frame, int64_t tap, int64_t o_panel,
                         int64_t c_panel)
{
    int64_t dt = tap / (j->kh * j->kw) - (j->kt - 1);
    int64_t dh = tap / j->kw % j->kh - j->kh / 2, dw = tap % j->kw - j->kw / 2;
    int64_t h0 = poet_max(0, -dh), h = j->h - llabs(dh);
    int64_t w0 = poet_max(0, -dw), w = j->w - llabs(dw);
    if (frame % j->t_count + dt < 0 || h <= 0 || w <= 0)
        return;
    int64_t y_pixel = (frame * j->h + h0) * j->w + w0;
    int64_t x_pixel = ((frame + dt) * j->h + h0 + dh) * j->w + w0 + dw;
    const float *x = j->x_packed + (c_panel * j->pixels + x_pixel) * PANEL;
    const float *dy = j->dy_packed + (o_panel * j->pixels + y_pixel) * TILE_ROWS;
    int64_t row = j->taps * j->c_in, o = o_panel * TILE_ROWS;
    float *out = j->dw + o * row + tap * j->c_in + c_panel * PANEL;
    switch (poet_min(TILE_ROWS, j->c_out - o)) {
    case 1: frame_tile(1, h, w, j->w, x, dy, out, row); break;
    case 2: frame_tile(2, h, w, j->w, x, dy, out, row); break;
    case 3: frame_tile(3, h, w, j->w, x, dy, out, row); break;
    case 4: frame_tile(4, h, w, j->w, x, dy, out, row); break;
    case 5: frame_tile(5, h, w, j->w, x, dy, out, row); break;
    default: frame_tile(6, h, w, j->w, x, dy, out, row); break;
    }
}

static VEC void tiles(const void *context, int64_t begin, int64_t end)
{
    const dw_job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t c_panel = item / j->dy_panels, o_panel = item % j->dy_panels;
        int64_t o_end = poet_min(j->c_out, (o_panel + 1) * TILE_ROWS);
        for (int64_t row = o_panel * TILE_ROWS * j->taps; row < o_end * j->taps; row++)
            memset(j->dw + row * j->c_in + c_panel * PANEL, 0, PANEL * sizeof(float));
        for (int64_t frame = 0; frame < j->frames; frame++)
            for (int64_t tap = 0; tap < j->taps; tap++)
                tap_tile(j, frame, tap, o_panel, c_panel);
    }
}

static poet_cpu_op dnnl; /* for the calls that are not direct */

static bool is_direct(const poet_call *call)
{
    return call->src[0]->dtype == POET_F32 && poet_cpu_vectors() == 2 &&
           poet_shape_last(&call->src[0]->shape) % PANEL == 0;
}

static poet_status dw_run(poet_device *device, const poet_call *call)
{
    if (!is_direct(call))
        return dnnl.run(device, call);
    dw_job j = job_of(call);
    poet_cpu_parallel(device, j.pixels, 256, pack, &j);
    poet_cpu_parallel(device, j.x_panels * j.dy_panels, 1, tiles, &j);
    return POET_OK;
}

static size_t dw_scratch(poet_device *device, const poet_call *call)
{
    if (!is_direct(call))
        return dnnl.scratch(device, call);
    dw_job j = job_of(call);
    return (size_t)(j.pixels * (j.c_in + j.dy_panels * TILE_ROWS)) * sizeof(float);
}

static poet_status dw_prepare(poet_device *device, poet_call *call)
{
    return is_direct(call) ? POET_OK : dnnl.prepare(device, call);
}

static void dw_release(poet_device *device, poet_call *call)
{
    if (!is_direct(call))
        dnnl.release(device, call);
}

static const char *dw_implementation(const poet_call *call)
{
    return is_direct(call) ? "avx2" : dnnl.implementation(call);
}

void poet_cpu_conv_dw(poet_cpu_op *ops)
{
    poet_cpu_op *op = &ops[POET_OP_CONV3D_DW];
    dnnl = *op;
    op->run = dw_run;
    op->scratch = dw_scratch;
    op->prepare = dw_prepare;
    op->release = dw_release;
    op->implementation = dw_implementation;
}
