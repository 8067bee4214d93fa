#include "datasets/crop.h"

#include <string.h>

static const uint8_t *row_of(const poet_clip *clip, int t, int y)
{
    return clip->pixels + ((size_t)t * (size_t)clip->h + (size_t)y) * (size_t)clip->w * 3;
}

/* Square differences between the frames of a cell. */
static double motion_of(const poet_clip *clip, int y0, int x0, int side)
{
    int64_t sum = 0;
    for (int t = 1; t < clip->t; t++)
        for (int y = y0; y < y0 + side; y++) {
            const uint8_t *now = row_of(clip, t, y), *before = row_of(clip, t - 1, y);
            for (int i = 3 * x0; i < 3 * (x0 + side); i++)
                sum += ((int)now[i] - before[i]) * ((int)now[i] - before[i]);
        }
    return (double)sum;
}

/* A number below count, with the motion of that cell as its weight. */
static int draw_moving_cell(const poet_clip *clip, int columns, int count, int side, poet_rng *rng)
{
    double total = 0, so_far = 0;
    for (int i = 0; i < count; i++)
        total += motion_of(clip, i / columns * side, i % columns * side, side);
    double wanted = (double)poet_rng_uniform(rng) * total;
    for (int i = 0; i < count && total > 0; i++) {
        so_far += motion_of(clip, i / columns * side, i % columns * side, side);
        if (so_far > wanted)
            return i;
    }
    return (int)poet_rng_below(rng, (uint32_t)count);
}

/* A start, a multiple of align, from which `size` pixels hold the cell and stay inside. */
static int start_of(int cell, int size, int extent, int align, poet_rng *rng)
{
    int start = (cell - (int)poet_rng_below(rng, (uint32_t)(size / align))) * align;
    start = start < 0 ? 0 : start;
    return start < extent - size ? start : extent - size;
}

poet_crop poet_crop_moving(const poet_clip *clip, int h, int w, int align, poet_rng *rng)
{
    const uint32_t anywhere = 6;
    int rows = clip->h / align, columns = clip->w / align, count = rows * columns;
    int cell = poet_rng_below(rng, anywhere) == 0
                   ? (int)poet_rng_below(rng, (uint32_t)count)
                   : draw_moving_cell(clip, columns, count, align, rng);
    return (poet_crop){.y = start_of(cell / columns, h, clip->h, align, rng),
                       .x = start_of(cell % columns, w, clip->w, align, rng),
                       .h = h,
                       .w = w};
}

void poet_crop_copy(const poet_clip *clip, poet_crop crop, uint8_t *out)
{
    size_t bytes = (size_t)crop.w * 3;
    for (int t = 0; t < clip->t; t++)
        for (int y = 0; y < crop.h; y++, out += bytes)
            memcpy(out, row_of(clip, t, crop.y + y) + (size_t)crop.x * 3, bytes);
}
