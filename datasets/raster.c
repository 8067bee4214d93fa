#include "datasets/raster_internal.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* Not fminf and fmaxf: those are calls, because they must treat NaN. */
static inline float least(float a, float b)
{
    return a < b ? a : b;
}

static inline float most(float a, float b)
{
    return a > b ? a : b;
}

typedef struct box {
    float x0, y0, x1, y1;
} box;

/* Distance in units from (x,y) to a shape's edge, negative inside. */
typedef float (*distance_fn)(const void *shape, float x, float y);

poet_status poet_raster_create(int h, int w, float unit, poet_raster *out)
{
    *out = (poet_raster){.h = h, .w = w, .unit = unit};
    out->pixel = poet_calloc((size_t)h * (size_t)w, sizeof *out->pixel);
    return out->pixel ? POET_OK : POET_ERR_NOMEM;
}

void poet_raster_free(poet_raster *raster)
{
    poet_free(raster->pixel);
    *raster = (poet_raster){0};
}

void poet_raster_copy(poet_raster *to, const poet_raster *from)
{
    memcpy(to->pixel, from->pixel, (size_t)to->h * (size_t)to->w * sizeof *to->pixel);
}

static uint8_t to_byte(float value)
{
    return (uint8_t)(least(most(value, 0), 255) + 0.5F);
}

void poet_raster_store(const poet_raster *raster, uint8_t *rgb)
{
    size_t count = (size_t)raster->h * (size_t)raster->w;
    for (size_t i = 0; i < count; i++) {
        rgb[3 * i] = to_byte(raster->pixel[i].r);
        rgb[3 * i + 1] = to_byte(raster->pixel[i].g);
        rgb[3 * i + 2] = to_byte(raster->pixel[i].b);
    }
}

poet_rgb poet_rgb_mix(poet_rgb a, poet_rgb b, float share)
{
    return (poet_rgb){a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share,
                      a.b + (b.b - a.b) * share};
}

poet_paint poet_paint_solid(poet_rgb colour)
{
    return (poet_paint){.colour = colour, .opacity = 1};
}

/* Pixel ranges that hold a range of units. */
static int first_pixel(float at, float unit)
{
    return (int)most(floorf(at * unit), 0);
}

static int end_pixel(float at, float unit, int limit)
{
    return (int)least(ceilf(at * unit) + 1, (float)limit);
}

void poet_raster_blend(poet_raster *raster, int x, int y, poet_rgb colour, float opacity)
{
    if (x < 0 || y < 0 || x >= raster->w || y >= raster->h)
        return;
    poet_rgb *pixel = &raster->pixel[(size_t)y * (size_t)raster->w + (size_t)x];
    *pixel = poet_rgb_mix(*pixel, colour, opacity);
}

/* Every shape is drawn here: the edge is a ramp of one pixel (or `soft` units) around distance 0.
 */
static void draw(poet_raster *raster, box bounds, distance_fn distance, const void *shape,
                 poet_paint paint)
{
    float unit = raster->unit, pixel = 1 / unit;
    float ramp = most(pixel, paint.soft), margin = ramp;
    int x0 = first_pixel(bounds.x0 - margin, unit);
    int x1 = end_pixel(bounds.x1 + margin, unit, raster->w);
    int y0 = first_pixel(bounds.y0 - margin, unit);
    int y1 = end_pixel(bounds.y1 + margin, unit, raster->h);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            float d = distance(shape, ((float)x + 0.5F) * pixel, ((float)y + 0.5F) * pixel);
            float cover = least(0.5F - d / ramp, 1);
            if (cover <= 0)
                continue;
            float dark = paint.rim * least(most(1.5F + d, 0), 1);
            poet_rgb colour = poet_rgb_mix(paint.colour, (poet_rgb){0}, dark);
            poet_raster_blend(raster, x, y, colour, cover * paint.opacity);
        }
    }
}

void poet_raster_gradient(poet_raster *raster, float y0, float y1, poet_rgb top, poet_rgb bottom)
{
    int first = first_pixel(y0, raster->unit),
        end = (int)least(y1 * raster->unit + 0.5F, (float)raster->h);
    for (int y = first; y < end; y++) {
        float share = ((float)y + 0.5F - y0 * raster->unit) / ((y1 - y0) * raster->unit);
        poet_rgb colour = poet_rgb_mix(top, bottom, least(most(share, 0), 1));
        for (int x = 0; x < raster->w; x++)
            raster->pixel[(size_t)y * (size_t)raster->w + (size_t)x] = colour;
    }
}

typedef struct ring {
    poet_point centre;
    float radius, half;
} ring;

static float disc_distance(const void *shape, float x, float y)
{
    const ring *s = shape;
    float dx = x - s->centre.x, dy = y - s->centre.y;
    return sqrtf(dx * dx + dy * dy) - s->radius;
}

static float ring_distance(const void *shape, float x, float y)
{
    return fabsf(disc_distance(shape, x, y)) - ((const ring *)shape)->half;
}

static box around(poet_point centre, float reach)
{
    return (box){centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach};
}

void poet_raster_disc(poet_raster *raster, poet_point centre, float radius, poet_paint paint)
{
    ring shape = {centre, radius, 0};
    draw(raster, around(centre, radius), disc_distance, &shape, paint);
}

void poet_raster_ring(poet_raster *raster, poet_point centre, float radius, float width,
                      poet_paint paint)
{
    ring shape = {centre, radius - width / 2, width / 2};
    draw(raster, around(centre, radius), ring_distance, &shape, paint);
}

typedef struct rounded_box {
    box edge;
    float round;
} rounded_box;

static float box_distance(const void *shape, float x, float y)
{
    const rounded_box *s = shape;
    float dx = most(s->edge.x0 - x, x - s->edge.x1) + s->round;
    float dy = most(s->edge.y0 - y, y - s->edge.y1) + s->round;
    float ox = most(dx, 0), oy = most(dy, 0);
    return sqrtf(ox * ox + oy * oy) + least(most(dx, dy), 0) - s->round;
}

void poet_raster_box(poet_raster *raster, float x0, float y0, float x1, float y1, float round,
                     poet_paint paint)
{
    rounded_box shape = {{x0, y0, x1, y1}, round};
    draw(raster, shape.edge, box_distance, &shape, paint);
}

typedef struct point_list {
    const poet_point *point;
    int count;
    float half;
} point_list;

static float segment_distance_squared(poet_point a, poet_point b, float x, float y)
{
    float ex = b.x - a.x, ey = b.y - a.y, px = x - a.x, py = y - a.y;
    float along = (px * ex + py * ey) / most(ex * ex + ey * ey, 1e-12F);
    along = least(most(along, 0), 1);
    float dx = px - ex * along, dy = py - ey * along;
    return dx * dx + dy * dy;
}

static float polygon_distance(const void *shape, float x, float y)
{
    const point_list *s = shape;
    float nearest = INFINITY, sign = 1;
    for (int i = 0, j = s->count - 1; i < s->count; j = i++) {
        poet_point a = s->point[i], b = s->point[j];
        nearest = least(nearest, segment_distance_squared(a, b, x, y));
        if ((a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x)
            sign = -sign;
    }
    return sign * sqrtf(nearest);
}

static float polyline_distance(const void *shape, float x, float y)
{
    const point_list *s = shape;
    float nearest = INFINITY;
    for (int i = 1; i < s->count; i++)
        nearest = least(nearest, segment_distance_squared(s->point[i - 1], s->point[i], x, y));
    return sqrtf(nearest) - s->half;
}

static box bounds_of(const poet_point *point, int count, float margin)
{
    box b = around(point[0], margin);
    for (int i = 1; i < count; i++) {
        b.x0 = least(b.x0, point[i].x - margin);
        b.y0 = least(b.y0, point[i].y - margin);
        b.x1 = most(b.x1, point[i].x + margin);
        b.y1 = most(b.y1, point[i].y + margin);
    }
    return b;
}

void poet_raster_polygon(poet_raster *raster, const poet_point *corner, int count, poet_paint paint)
{
    point_list shape = {corner, count, 0};
    draw(raster, bounds_of(corner, count, 0), polygon_distance, &shape, paint);
}

void poet_raster_polyline(poet_raster *raster, const poet_point *point, int count, float width,
                          poet_paint paint)
{
    point_list shape = {point, count, width / 2};
    draw(raster, bounds_of(point, count, width / 2), polyline_distance, &shape, paint);
}

void poet_raster_line(poet_raster *raster, poet_point a, poet_point b, float width,
                      poet_paint paint)
{
    poet_raster_polyline(raster, (poet_point[2]){a, b}, 2, width, paint);
}
