/* A small painter for the built-in clips: signed distances turned into pixel coverage, so every
 * edge is anti-aliased at any size. Distance functions after Inigo Quilez, "2D distance functions".
 *
 * Positions and lengths are in units, not pixels: a scene is laid out once and drawn at any size.
 * The origin is the upper left corner, y grows downwards. Colours are sRGB 0..255, blended in sRGB.
 */
#ifndef POET_DATASETS_RASTER_INTERNAL_H
#define POET_DATASETS_RASTER_INTERNAL_H

#include "base/status.h"

#include <stdint.h>

typedef struct poet_rgb {
    float r, g, b;
} poet_rgb;

typedef struct poet_point {
    float x, y;
} poet_point;

typedef struct poet_raster {
    int h, w;
    float unit;      /* pixels per unit */
    poet_rgb *pixel; /* (h,w), owned */
} poet_raster;

/* Paint: a colour with opacity 0..1. rim darkens the last unit before the edge by that share, and
 * soft blurs the edge over that many units (shadows, glows). */
typedef struct poet_paint {
    poet_rgb colour;
    float opacity, rim, soft;
} poet_paint;

poet_status poet_raster_create(int h, int w, float unit, poet_raster *out);
void poet_raster_free(poet_raster *raster);

/* Copies the pixels of a raster of the same size. */
void poet_raster_copy(poet_raster *to, const poet_raster *from);

/* Rounds to 8 bits into (h,w,3). */
void poet_raster_store(const poet_raster *raster, uint8_t *rgb);

poet_rgb poet_rgb_mix(poet_rgb a, poet_rgb b, float share_of_b);
poet_paint poet_paint_solid(poet_rgb colour);

/* Fills rows y0..y1 with a vertical gradient. */
void poet_raster_gradient(poet_raster *raster, float y0, float y1, poet_rgb top, poet_rgb bottom);

/* One pixel, with opacity. Outside the raster: nothing. */
void poet_raster_blend(poet_raster *raster, int x, int y, poet_rgb colour, float opacity);

void poet_raster_disc(poet_raster *raster, poet_point centre, float radius, poet_paint paint);
void poet_raster_ring(poet_raster *raster, poet_point centre, float radius, float width,
                      poet_paint paint);

/* Corners (x0,y0) and (x1,y1); round is the radius of the corners. */
void poet_raster_box(poet_raster *raster, float x0, float y0, float x1, float y1, float round,
                     poet_paint paint);

/* Any simple polygon of 3..64 corners. */
void poet_raster_polygon(poet_raster *raster, const poet_point *corner, int count,
                         poet_paint paint);

/* A line with round ends; a polyline drawn as one shape, so that it covers itself only once. */
void poet_raster_line(poet_raster *raster, poet_point a, poet_point b, float width,
                      poet_paint paint);
void poet_raster_polyline(poet_raster *raster, const poet_point *point, int count, float width,
                          poet_paint paint);

#endif
