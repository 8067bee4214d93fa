/* What Winograd's convolution and its gradient to the weights share: patches of frames, turned into
 * WINOGRAD_POINTS numbers a channel. */
#ifndef POET_COMPUTE_CPU_WINOGRAD_INTERNAL_H
#define POET_COMPUTE_CPU_WINOGRAD_INTERNAL_H

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_tile.h"

enum { WINOGRAD_POINTS = 16 };

/* Patches [first, first + count) of a frame (H,W,channels), two pixels apart, ceil(W/2) a line. Point
 * p of channel c of the i-th goes to
 *     out[p * point + c / PANEL * panel + i * patch + c % PANEL]. */
typedef struct winograd_patches {
    int64_t h, w, channels, first, count;
    const float *frame, *zeros; /* zeros: as many as channels */
    float *out;
    int64_t patch, panel, point;
} winograd_patches;

/* B' d B for the 4x4 pixels d from (-1, -1) on; zeros outside the frame. channels: whole vectors. */
void poet_winograd_input(const winograd_patches *v);

/* A d A' for the 2x2 pixels d. */
void poet_winograd_output_gradient(const winograd_patches *v);

#endif
