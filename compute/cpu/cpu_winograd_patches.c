#include "compute/cpu/cpu_winograd_internal.h"

/* Where size x size pixels from (top, left) on begin; those outside the frame are zeros. */
static void find_pixels(const winograd_patches *v, int64_t top, int64_t left, int size,
                        const float **pixel)
{
    for (int p = 0; p < size * size; p++) {
        int64_t y = top + p / size, x = left + p % size;
        bool inside = y >= 0 && y < v->h && x >= 0 && x < v->w;
        pixel[p] = inside ? v->frame + (y * v->w + x) * v->channels : v->zeros;
    }
}

VEC_INLINE void store_points(const winograd_patches *v, int64_t i, int64_t c, const vf *points)
{
    float *out = v->out + c / PANEL * v->panel + i * v->patch + c % PANEL;
#pragma GCC unroll 16
    for (int p = 0; p < WINOGRAD_POINTS; p++)
        vf_store(out + p * v->point, points[p]);
}

/* Four vectors to four: rows of B' are (1,0,-1,0), (0,1,1,0), (0,-1,1,0), (0,1,0,-1). */
VEC_INLINE void mix(vf *a, vf *b, vf *c, vf *d)
{
    vf b0 = *b;
    *a = *a - *c;
    *b = b0 + *c;
    *c = *c - b0;
    *d = b0 - *d;
}

static VEC void input_patch(const winograd_patches *v, int64_t i, const float *const *pixel)
{
    for (int64_t c = 0; c < v->channels; c += LANES) {
        vf d[WINOGRAD_POINTS];
#pragma GCC unroll 16
        for (int p = 0; p < WINOGRAD_POINTS; p++)
            d[p] = vf_load(pixel[p] + c);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            mix(&d[k], &d[4 + k], &d[8 + k], &d[12 + k]);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            mix(&d[4 * k], &d[4 * k + 1], &d[4 * k + 2], &d[4 * k + 3]);
        store_points(v, i, c, d);
    }
}

void poet_winograd_input(const winograd_patches *v)
{
    int64_t across = (v->w + 1) / 2;
    const float *pixel[WINOGRAD_POINTS];
    for (int64_t i = 0; i < v->count; i++) {
        int64_t top = (v->first + i) / across * 2 - 1, left = (v->first + i) % across * 2 - 1;
        find_pixels(v, top, left, 4, pixel);
        input_patch(v, i, pixel);
    }
}

/* Two vectors to four: rows of A are (1,0), (1,1), (1,-1), (0,-1). */
VEC_INLINE void spread(vf a, vf b, vf *out, int step)
{
    out[0] = a;
    out[step] = a + b;
    out[2 * step] = a - b;
    out[3 * step] = -b;
}

static VEC void output_patch(const winograd_patches *v, int64_t i, const float *const *pixel)
{
    for (int64_t c = 0; c < v->channels; c += LANES) {
        vf half[8], d[WINOGRAD_POINTS]; /* half: (4,2) */
        spread(vf_load(pixel[0] + c), vf_load(pixel[2] + c), half, 2);
        spread(vf_load(pixel[1] + c), vf_load(pixel[3] + c), half + 1, 2);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
            spread(half[2 * r], half[2 * r + 1], d + 4 * r, 1);
        store_points(v, i, c, d);
    }
}

void poet_winograd_output_gradient(const winograd_patches *v)
{
    int64_t across = (v->w + 1) / 2;
    const float *pixel[4];
    for (int64_t i = 0; i < v->count; i++) {
        find_pixels(v, (v->first + i) / across * 2, (v->first + i) % across * 2, 2, pixel);
        output_patch(v, i, pixel);
    }
}
