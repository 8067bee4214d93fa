/* RGB to YUV 4:2:0 as MP4 and WebM want it. */
#ifndef POET_CODEC_YUV_INTERNAL_H
#define POET_CODEC_YUV_INTERNAL_H

#include <stdint.h>

/* pixels (h,w,3) to BT.709, limited range, chroma centred between its four pixels. The planes are
 * for the next even size: an odd last row or column is there twice. */
void poet_rgb_to_yuv420(const uint8_t *pixels, int h, int w, uint8_t *const planes[3],
                        const int strides[3]);

#endif
