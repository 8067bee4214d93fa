/* A clip in memory: frames of 8-bit RGB, and the questions everybody asks of it. */
#ifndef POET_CODEC_FRAMES_H
#define POET_CODEC_FRAMES_H

#include "base/status.h"

#include <stdint.h>

/* pixels (T,H,W,3), row-major, sRGB 0..255. */
typedef struct poet_clip {
    int t, h, w;
    double fps;
    uint8_t *pixels; /* owned; poet_clip_free */
} poet_clip;

/* Zeroed pixels. Sides 1..16384, t 1..1,000,000, at most 4 GiB in all. */
poet_status poet_clip_create(int t, int h, int w, double fps, poet_clip *out);
void poet_clip_free(poet_clip *clip); /* leaves a zeroed struct; NULL is fine */

#endif
