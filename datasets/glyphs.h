/* Handwritten digits from the IDX files of MNIST, for `digits` clips. */
#ifndef POET_DATASETS_GLYPHS_H
#define POET_DATASETS_GLYPHS_H

#include "base/status.h"

#include <stdint.h>

typedef struct poet_glyphs {
    int count, h, w;
    const uint8_t *pixels; /* (count,h,w), 0 is ground, 255 is ink */
    int *index;            /* glyph numbers sorted by digit */
    int first[11];         /* glyphs of digit d: index[first[d]] .. index[first[d + 1] - 1] */
    uint8_t *bytes;        /* owned by the struct */
} poet_glyphs;

/* Reads an image file and a label file, plain or gzip. FORMAT when they are not IDX files of bytes,
 * do not belong together, hold no example of some digit, or are larger than 1 GiB. */
poet_status poet_glyphs_open(const char *images, const char *labels, poet_glyphs *out);
void poet_glyphs_close(poet_glyphs *glyphs);

#endif
