#include "base/rng.h"
#include "eval/classifier_internal.h"

#include <string.h>

enum { SHIFT_SHARE = 16, MOST_BLURS = 4, COLOURS = 3 };

/* A frame moved by (dx, dy); its border is repeated where nothing comes in. */
static void shift_frame(const uint8_t *from, int h, int w, int dx, int dy, uint8_t *to)
{
    for (int y = 0; y < h; y++) {
        int row = y - dy < 0 ? 0 : y - dy >= h ? h - 1 : y - dy;
        for (int x = 0; x < w; x++) {
            int column = x - dx < 0 ? 0 : x - dx >= w ? w - 1 : x - dx;
            memcpy(to + ((size_t)y * (size_t)w + (size_t)x) * COLOURS,
                   from + ((size_t)row * (size_t)w + (size_t)column) * COLOURS, COLOURS);
        }
    }
}

/* n values, step apart, become (before + 2 itself + after) / 4 in place; the ends repeat. */
static void blur_line(uint8_t *x, int n, size_t step)
{
    int before = x[0];
    for (int i = 0; i < n; i++) {
        uint8_t *here = x + (size_t)i * step;
        int itself = *here, after = i + 1 < n ? here[step] : itself;
        *here = (uint8_t)((before + 2 * itself + after + 2) / 4);
        before = itself;
    }
}

static void blur_frame(uint8_t *frame, int h, int w)
{
    size_t row = (size_t)w * COLOURS;
    for (int y = 0; y < h; y++)
        for (size_t c = 0; c < COLOURS; c++)
            blur_line(frame + (size_t)y * row + c, w, COLOURS);
    for (size_t x = 0; x < row; x++)
        blur_line(frame + x, h, row);
}

void poet_classifier_augment(const poet_classifier_config *config, uint64_t seed, uint64_t number,
                             const uint8_t *pixels, uint8_t *out)
{
    int h = config->h, w = config->w, most = (h < w ? h : w) / SHIFT_SHARE;
    size_t frame = (size_t)h * (size_t)w * COLOURS;
    poet_rng rng;
    poet_rng_init(&rng, seed, number);
    int dx = (int)poet_rng_below(&rng, (uint32_t)(2 * most + 1)) - most;
    int dy = (int)poet_rng_below(&rng, (uint32_t)(2 * most + 1)) - most;
    int blurs = (int)poet_rng_below(&rng, 2) * (int)poet_rng_below(&rng, MOST_BLURS + 1);
    for (int t = 0; t < config->t; t++) {
        uint8_t *moved = out + (size_t)t * frame;
        shift_frame(pixels + (size_t)t * frame, h, w, dx, dy, moved);
        for (int i = 0; i < blurs; i++)
            blur_frame(moved, h, w);
    }
}
