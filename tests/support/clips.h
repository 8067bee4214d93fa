/* Small clips with structure for tests of models: a bright square that moves over a slanted ground. */
#ifndef POET_TESTS_SUPPORT_CLIPS_H
#define POET_TESTS_SUPPORT_CLIPS_H

#include "base/rng.h"
#include "base/status.h"

#include <stdint.h>

/* frames (t,h,w,3). */
static inline void support_draw_clip(uint64_t seed, int t, int h, int w, uint8_t *frames)
{
    poet_rng rng;
    poet_rng_init(&rng, seed, 99);
    int side = h / 3 + 1, red = (int)poet_rng_below(&rng, 256),
        green = (int)poet_rng_below(&rng, 256);
    int x0 = (int)poet_rng_below(&rng, (uint32_t)w),
        y = (int)poet_rng_below(&rng, (uint32_t)(h - side + 1));
    int slope = (int)poet_rng_below(&rng, 5);
    for (int f = 0; f < t; f++)
        for (int r = 0; r < h; r++)
            for (int c = 0; c < w; c++) {
                int x = (x0 + f) % w, inside = r >= y && r < y + side && (c - x + w) % w < side;
                uint8_t *p = frames + (((int64_t)f * h + r) * w + c) * 3;
                p[0] = (uint8_t)(inside ? red : 20 + slope * r);
                p[1] = (uint8_t)(inside ? green : 40 + slope * c);
                p[2] = (uint8_t)(inside ? 200 : 60);
            }
}

#endif
