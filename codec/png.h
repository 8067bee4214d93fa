/* Single pictures through libpng. */
#ifndef POET_CODEC_PNG_H
#define POET_CODEC_PNG_H

#include "codec/frames.h"
#include "codec/video.h"

/* Any PNG (palette, grey, 1 to 16 bits, transparent, interlaced) as a clip of one frame with fps 1;
 * transparent pixels are composed on background. At most max_pixels pixels (POET_ERR_NOMEM). */
poet_status poet_png_read(const char *path, const uint8_t background[3], size_t max_pixels,
                          poet_clip *out);

/* True when the file begins as a PNG does and is not animated (APNG is for FFmpeg). */
bool poet_png_is(const char *path);

/* pixels (h,w,3). Each tag is a text chunk: tEXt when it is ASCII, iTXt otherwise. */
poet_status poet_png_write(const char *path, const uint8_t *pixels, int h, int w,
                           const poet_video_tag *tags, int tag_count);

#endif
