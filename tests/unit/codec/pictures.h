/* Clips for tests, and how far two pictures are apart. */
#ifndef POET_TESTS_CODEC_PICTURES_H
#define POET_TESTS_CODEC_PICTURES_H

#include "codec/frames.h"

#include <math.h>
#include <stdlib.h>

/* A red disc that moves to the right over a soft ground. */
static inline poet_clip disc_clip(int t, int h, int w, double fps)
{
    poet_clip clip;
    if (poet_clip_create(t, h, w, fps, &clip))
        exit(1);
    for (int k = 0; k < t; k++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                uint8_t *p = poet_clip_frame(&clip, k) + ((size_t)y * (size_t)w + (size_t)x) * 3;
                double dx = x - w * (k + 1.0) / (t + 1.0), dy = y - h / 2.0;
                int inside = dx * dx + dy * dy < h * h / 25.0;
                p[0] = (uint8_t)(inside ? 220 : 60 + 80 * x / w);
                p[1] = (uint8_t)(inside ? 30 : 90 + 60 * y / h);
                p[2] = (uint8_t)(inside ? 40 : 110);
            }
    return clip;
}

/* Frame k is all of the grey level grey[k % 256]. */
static inline poet_clip grey_clip(int t, int h, int w, double fps)
{
    poet_clip clip;
    if (poet_clip_create(t, h, w, fps, &clip))
        exit(1);
    for (int k = 0; k < t; k++)
        for (size_t i = 0; i < poet_clip_frame_bytes(&clip); i++)
            poet_clip_frame(&clip, k)[i] = (uint8_t)(k * 7 % 256);
    return clip;
}

/* Peak signal to noise, dB, over all frames of a, which b must have too; 99 when equal. */
static inline double psnr(const poet_clip *a, const poet_clip *b)
{
    double sum = 0;
    size_t n = (size_t)a->t * poet_clip_frame_bytes(a);
    if (a->t != b->t || a->h != b->h || a->w != b->w)
        return 0;
    for (size_t i = 0; i < n; i++) {
        double d = a->pixels[i] - b->pixels[i];
        sum += d * d;
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * (double)n / sum) : 99;
}

#endif
