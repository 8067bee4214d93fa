/* How far pixels are covered by a shape of a colour, and where it is. */
#include "eval/reader_shapes_internal.h"

#include <math.h>

poet_shapes_way poet_shapes_nearest_way(poet_colour pixel, poet_colour ground, poet_colour colour)
{
    static const float shade[3] = {1, 0.86F, 0.72F};
    poet_colour r = poet_colour_minus(pixel, ground);
    poet_shapes_way best = {.off2 = INFINITY};
    for (int k = 0; k < 3; k++) {
        poet_colour shaded = {shade[k] * colour.r, shade[k] * colour.g, shade[k] * colour.b};
        poet_colour d = poet_colour_minus(shaded, ground);
        float length2 = poet_colour_dot(d, d) + 1, along = poet_colour_dot(r, d) / length2;
        along = along < 1.05F ? along : 1.05F;
        poet_colour off = {r.r - along * d.r, r.g - along * d.g, r.b - along * d.b};
        float off2 = poet_colour_dot(off, off);
        if (off2 < best.off2 - 25) /* a darker shade only where it explains more */
            best = (poet_shapes_way){along, off2, length2};
    }
    return best;
}

static float cover_of(poet_colour pixel, poet_colour ground, poet_colour colour)
{
    poet_shapes_way w = poet_shapes_nearest_way(pixel, ground, colour);
    if (w.along < 0.08F || w.off2 > 0.09F * w.length2 + 400)
        return 0;
    return w.along < 1 ? w.along : 1;
}

void poet_shapes_cover(const poet_shapes_model *m, const uint8_t *frame, const uint8_t *ground,
                       poet_colour colour, float *cover)
{
    for (int i = 0; i < m->pixels; i++)
        cover[i] = cover_of(poet_colour_at(frame, i), poet_colour_at(ground, i), colour);
}

poet_shapes_blob poet_shapes_gather(const poet_shapes_model *m, const float *cover, float x,
                                    float y, float reach)
{
    int w = m->options.w;
    float mass = 0, sx = 0, sy = 0, inside = reach * reach;
    for (int i = 0; i < m->pixels; i++) {
        if (cover[i] == 0)
            continue;
        float px = ((float)(i % w) + 0.5F) / m->unit, py = ((float)(i / w) + 0.5F) / m->unit;
        if ((px - x) * (px - x) + (py - y) * (py - y) > inside)
            continue;
        mass += cover[i];
        sx += cover[i] * px;
        sy += cover[i] * py;
    }
    if (mass * m->unit <= 0)
        return (poet_shapes_blob){0};
    return (poet_shapes_blob){mass / (m->unit * m->unit), sx / mass, sy / mass};
}

poet_shapes_blob poet_shapes_find(const poet_shapes_model *m, const float *cover)
{
    int w = m->options.w, h = m->options.h, half = (int)(4 * m->unit), step = (int)(m->unit * 2);
    float best = 0, x = 0, y = 0;
    step = step < 1 ? 1 : step;
    for (int cy = 0; cy < h; cy += step)
        for (int cx = 0; cx < w; cx += step) {
            float sum = 0;
            for (int py = cy < half ? 0 : cy - half; py <= cy + half && py < h; py++)
                for (int px = cx < half ? 0 : cx - half; px <= cx + half && px < w; px++)
                    sum += cover[py * w + px];
            if (sum > best) {
                best = sum;
                x = ((float)cx + 0.5F) / m->unit;
                y = ((float)cy + 0.5F) / m->unit;
            }
        }
    poet_shapes_blob found = poet_shapes_gather(m, cover, x, y, 16);
    for (int i = 0; i < 3 && found.mass > 0; i++) {
        float reach = 1.25F * sqrtf(found.mass) + 4; /* holds every shape of this mass */
        found = poet_shapes_gather(m, cover, found.x, found.y, reach);
    }
    return found.mass > 2.5F ? found : (poet_shapes_blob){0};
}

static float sample(const poet_shapes_model *m, const float *cover, float x, float y)
{
    float px = x * m->unit - 0.5F, py = y * m->unit - 0.5F, sum = 0;
    int x0 = (int)floorf(px), y0 = (int)floorf(py);
    for (int k = 0; k < 4; k++) {
        int cx = x0 + (k & 1), cy = y0 + (k >> 1);
        if (cx < 0 || cy < 0 || cx >= m->options.w || cy >= m->options.h)
            continue;
        float fx = fabsf(px - (float)cx), fy = fabsf(py - (float)cy);
        sum += (1 - fx) * (1 - fy) * cover[cy * m->options.w + cx];
    }
    return sum;
}

void poet_shapes_add_patch(const poet_shapes_model *m, const float *cover, poet_shapes_blob at,
                           float weight, float *out)
{
    float scale = sqrtf(at.mass) * 2.0F / SIDE;
    for (int i = 0; i < PATCH; i++) {
        float u = (float)(i % SIDE) - (SIDE - 1) / 2.0F, v = (float)(i / SIDE) - (SIDE - 1) / 2.0F;
        out[i] += weight * sample(m, cover, at.x + scale * u, at.y + scale * v);
    }
}
