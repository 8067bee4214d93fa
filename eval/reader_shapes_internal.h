/* What the files of the reader of `shapes` share: drawn examples, and how far a clip's pixels are covered. */
#ifndef POET_EVAL_READER_SHAPES_INTERNAL_H
#define POET_EVAL_READER_SHAPES_INTERNAL_H

#include "eval/reader_internal.h"

enum {
    COLOURS = 8,
    SHAPES = 8,
    MOTIONS = 14,
    SPEEDS = 3,
    GROUNDS = 8,
    LAYOUTS = 2,
    SIZES = 3,
    BLACK_GROUND = 0,
    WHITE = 7,
    SQUARE = 1,
    CIRCLING = 9,
    SWAYING = 10,
    RADII = 14,
    BLURS = 2,
    SIDE = 20, /* samples of a patch */
    PATCH = SIDE * SIDE
};

typedef struct poet_shapes_patch {
    float mass;   /* covered area in square units */
    float dx, dy; /* from the shape's centre to its centroid, in radii */
    float cover[PATCH];
} poet_shapes_patch;

/* A drawn path: where it goes and how it grows (log of the radius). */
typedef struct poet_shapes_route {
    int motion, speed;
    float *x, *y, *grow;
} poet_shapes_route;

enum { PHASES = 12, MAX_ROUTES = MOTIONS * SPEEDS * PHASES };

typedef struct poet_shapes_model {
    poet_synth_options options;
    int pixels;
    float unit;
    uint8_t *ground[GROUNDS][LAYOUTS];
    poet_colour palette[COLOURS];
    float radius[RADII];
    float size[SIZES]; /* radius at the beginning */
    poet_shapes_patch shape[SHAPES][RADII][BLURS];
    poet_shapes_route route[MAX_ROUTES];
    int routes;
    float *routes_block;
} poet_shapes_model;

/* ---- reader_shapes_learn.c: the model, from drawn clips ---- */

poet_status poet_shapes_create(const poet_synth_options *options, void **out);
void poet_shapes_destroy(void *opaque);

/* ---- reader_shapes_cover.c ---- */

typedef struct poet_shapes_blob {
    float mass, x, y; /* in units; mass 0: nothing there */
} poet_shapes_blob;

/* How a pixel lies to the ways from its ground to a colour and to the darker shades of its rim:
 * share of the nearest way, and square distance from it. */
typedef struct poet_shapes_way {
    float along, off2, length2;
} poet_shapes_way;

poet_shapes_way poet_shapes_nearest_way(poet_colour pixel, poet_colour ground, poet_colour colour);

/* cover (H,W): the share of the way from the ground to the colour, 0 for pixels that are not on it. */
void poet_shapes_cover(const poet_shapes_model *m, const uint8_t *frame, const uint8_t *ground,
                       poet_colour colour, float *cover);

/* Mass and centroid of what lies within reach of (x,y). */
poet_shapes_blob poet_shapes_gather(const poet_shapes_model *m, const float *cover, float x,
                                    float y, float reach);

/* The densest place (by a box of 7x7 units), then what is around it, twice: stray pixels do not count. */
poet_shapes_blob poet_shapes_find(const poet_shapes_model *m, const float *cover);

/* Adds weight times the coverage around a blob, at the blob's own scale, to out (SIDE,SIDE). */
void poet_shapes_add_patch(const poet_shapes_model *m, const float *cover, poet_shapes_blob at,
                           float weight, float *out);

#endif
