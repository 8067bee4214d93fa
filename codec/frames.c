#include "codec/frames.h"

#include "base/memory.h"

enum { MAX_SIDE = 16384, MAX_FRAMES = 1000000 };

static const uint64_t max_clip_bytes = (uint64_t)4 << 30;

poet_status poet_clip_create(int t, int h, int w, double fps, poet_clip *out)
{
    *out = (poet_clip){0};
    if (h < 1 || w < 1 || h > MAX_SIDE || w > MAX_SIDE)
        return POET_FAIL(POET_ERR_ARG, "a frame of %d x %d pixels; each side must be 1 to %d", w, h,
                         MAX_SIDE);
    if (t < 1 || t > MAX_FRAMES)
        return POET_FAIL(POET_ERR_ARG, "a clip of %d frames; 1 to %d are possible", t, MAX_FRAMES);
    if (!(fps > 0 && fps <= 1000))
        return POET_FAIL(POET_ERR_ARG, "%g frames per second; above 0 and at most 1000 is possible",
                         fps);
    uint64_t bytes = (uint64_t)t * (uint64_t)h * (uint64_t)w * 3;
    if (bytes > max_clip_bytes)
        return POET_FAIL(POET_ERR_ARG, "a clip of %d frames of %d x %d pixels is larger than 4 GiB",
                         t, w, h);
    uint8_t *pixels = poet_calloc((size_t)bytes, 1);
    if (!pixels)
        return POET_ERR_NOMEM;
    *out = (poet_clip){.t = t, .h = h, .w = w, .fps = fps, .pixels = pixels};
    return POET_OK;
}

void poet_clip_free(poet_clip *clip)
{
    if (!clip)
        return;
    poet_free(clip->pixels);
    *clip = (poet_clip){0};
}

size_t poet_clip_frame_bytes(const poet_clip *clip)
{
    return (size_t)clip->h * (size_t)clip->w * 3;
}

uint8_t *poet_clip_frame(const poet_clip *clip, int t)
{
    return clip->pixels + (size_t)t * poet_clip_frame_bytes(clip);
}
