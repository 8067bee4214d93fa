/* Where to look: a crop of a clip, more often where something moves.
 *
 * Most of a clip stands still and is soon learned; what is left to learn is where it moves. A crop
 * there is worth more to a convolutional network than the whole frame, for the same work. */
#ifndef POET_DATASETS_CROP_H
#define POET_DATASETS_CROP_H

#include "base/rng.h"
#include "codec/frames.h"

typedef struct poet_crop {
    int y, x, h, w; /* pixels */
} poet_crop;

/* Draws a place for a crop of h x w pixels, no larger than the clip. y and x are multiples of
 * `align` as far as the clip's edge allows; a cell of align x align pixels is drawn with a
 * probability that grows with the square differences between its frames (a sixth of the draws does
 * not look at them), and lies anywhere in the crop. */
poet_crop poet_crop_moving(const poet_clip *clip, int h, int w, int align, poet_rng *rng);

/* Copies the crop of all frames: out (T,h,w,3). */
void poet_crop_copy(const poet_clip *clip, poet_crop crop, uint8_t *out);

#endif
