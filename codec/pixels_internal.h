/* Small pixel work shared by the readers. */
#ifndef POET_CODEC_PIXELS_INTERNAL_H
#define POET_CODEC_PIXELS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* Straight-alpha RGBA over a background, rounded: n pixels. */
static inline void poet_compose(const uint8_t *rgba, size_t n, const uint8_t background[3],
                                uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++, rgba += 4, rgb += 3) {
        unsigned alpha = rgba[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((rgba[c] * alpha + background[c] * (255 - alpha) + 127) / 255);
    }
}

#endif
