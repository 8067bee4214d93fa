/* A few colours for a whole clip. */
#ifndef POET_CODEC_PALETTE_INTERNAL_H
#define POET_CODEC_PALETTE_INTERNAL_H

#include "codec/frames.h"

typedef struct poet_palette poet_palette;

/* The clip's own colours when there are at most max_colours (<= 256) of them; otherwise a median
 * cut (Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982) that splits
 * the box of the largest squared error at its mean. */
poet_status poet_palette_create(const poet_clip *clip, int max_colours, poet_palette **out);
void poet_palette_destroy(poet_palette *palette);

int poet_palette_count(const poet_palette *palette);
const uint8_t *poet_palette_colour(const poet_palette *palette, int index);

/* The index of the nearest colour. */
int poet_palette_find(poet_palette *palette, const uint8_t rgb[3]);

#endif
