/* A clip in memory: frames of 8-bit RGB, other frame rates and sizes of it. */
#ifndef POET_CODEC_FRAMES_H
#define POET_CODEC_FRAMES_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* pixels (T,H,W,3), row-major, sRGB 0..255. */
typedef struct poet_clip {
    int t, h, w;
    double fps;
    uint8_t *pixels; /* owned; poet_clip_free */
} poet_clip;

/* Zeroed pixels. Sides 1..16384, t 1..1,000,000, fps above 0 and at most 1,000, at most 4 GiB in
 * all; POET_ERR_ARG otherwise. */
poet_status poet_clip_create(int t, int h, int w, double fps, poet_clip *out);
void poet_clip_free(poet_clip *clip); /* leaves a zeroed struct; NULL is fine */

/* Bytes of one frame, and where frame t begins. */
size_t poet_clip_frame_bytes(const poet_clip *clip);
uint8_t *poet_clip_frame(const poet_clip *clip, int t);

/* Another frame rate: frame k of out is the frame of in that is on screen at the time k/fps. frames
 * limits the length (0: as long as in lasts; a larger number repeats the last frame). out is a new
 * clip of the caller's. */
poet_status poet_clip_resample(const poet_clip *in, double fps, int frames, poet_clip *out);

/* How a picture meets a frame of another shape. */
typedef enum poet_fit {
    POET_FIT_CROP,   /* fills the frame; what is too much on two sides is cut, centred */
    POET_FIT_PAD,    /* all of the picture, centred, with the background around it */
    POET_FIT_STRETCH /* the shape is not kept */
} poet_fit;

typedef enum poet_filter {
    POET_FILTER_SMOOTH, /* shrinking: mean of the area; enlarging: Catmull-Rom cubic */
    POET_FILTER_NEAREST /* for pixel art: no new colours appear */
} poet_filter;

/* Another size. background (RGB) is what POET_FIT_PAD shows around the picture. Equal sizes give
 * equal pixels. */
poet_status poet_clip_scale(const poet_clip *in, int h, int w, poet_fit fit, poet_filter filter,
                            const uint8_t background[3], poet_clip *out);

#endif
