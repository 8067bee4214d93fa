/* Done here rather than in swscale: rounded exactly, and equal on every processor. */
#include "codec/yuv_internal.h"

#include <stddef.h>

/* BT.709 to 16..235 / 16..240, times 2^16; the luma row sums to 219/255, the others to 0. */
static const int luma[3] = {11966, 40254, 4064};
static const int blue[3] = {-6596, -22189, 28785};
static const int red[3] = {28784, -26145, -2639};

static int dot(const int weight[3], const int rgb[3])
{
    return weight[0] * rgb[0] + weight[1] * rgb[1] + weight[2] * rgb[2];
}

static uint8_t luma_of(const uint8_t *pixel)
{
    int rgb[3] = {pixel[0], pixel[1], pixel[2]};
    return (uint8_t)((dot(luma, rgb) + (16 << 16) + (1 << 15)) >> 16);
}

/* From the sum of four pixels. */
static uint8_t chroma_of(const int weight[3], const int sum[3])
{
    return (uint8_t)((dot(weight, sum) + (128 << 18) + (1 << 17)) >> 18);
}

void poet_rgb_to_yuv420(const uint8_t *pixels, int h, int w, uint8_t *const planes[3],
                        const int strides[3])
{
    for (int y = 0; y < h; y += 2) {
        int rows[2] = {y, y + 1 < h ? y + 1 : y};
        for (int x = 0; x < w; x += 2) {
            int columns[2] = {x, x + 1 < w ? x + 1 : x};
            int sum[3] = {0};
            for (int k = 0; k < 4; k++) {
                const uint8_t *p =
                    pixels + ((size_t)rows[k / 2] * (size_t)w + (size_t)columns[k % 2]) * 3;
                planes[0][(ptrdiff_t)(y + k / 2) * strides[0] + x + k % 2] = luma_of(p);
                for (int c = 0; c < 3; c++)
                    sum[c] += p[c];
            }
            planes[1][(ptrdiff_t)(y / 2) * strides[1] + x / 2] = chroma_of(blue, sum);
            planes[2][(ptrdiff_t)(y / 2) * strides[2] + x / 2] = chroma_of(red, sum);
        }
    }
}
