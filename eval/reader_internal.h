/* The readers of the three sets, and what they share. */
#ifndef POET_EVAL_READER_INTERNAL_H
#define POET_EVAL_READER_INTERNAL_H

#include "eval/attributes.h"

/* A set's reader: model is what create has prepared. */
typedef struct poet_reader_kind {
    poet_status (*create)(const poet_synth_options *options, void **model);
    void (*destroy)(void *model);
    poet_status (*read)(const void *model, const poet_clip *clip, poet_reading *out);
} poet_reader_kind;

extern const poet_reader_kind poet_reader_shapes, poet_reader_digits, poet_reader_street;

typedef struct poet_colour {
    float r, g, b;
} poet_colour;

/* Pixel i of a frame. */
static inline poet_colour poet_colour_at(const uint8_t *frame, int i)
{
    return (poet_colour){frame[3 * i], frame[3 * i + 1], frame[3 * i + 2]};
}

static inline poet_colour poet_colour_minus(poet_colour a, poet_colour b)
{
    return (poet_colour){a.r - b.r, a.g - b.g, a.b - b.b};
}

static inline float poet_colour_dot(poet_colour a, poet_colour b)
{
    return a.r * b.r + a.g * b.g + a.b * b.b;
}

/* How far a frame is from another, each pixel's distance (sum over channels) cut at limit, so that
 * what is in front of a ground does not decide which ground it is. */
double poet_frame_distance(const uint8_t *a, const uint8_t *b, int pixels, int limit);

#endif
