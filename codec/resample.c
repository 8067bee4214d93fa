#include "codec/frames.h"
#include "codec/scale_internal.h"

#include <math.h>
#include <string.h>

/* Times that differ only by rounding are the same time. */
static const double same_time = 1e-6;

poet_status poet_clip_resample(const poet_clip *in, double fps, int frames, poet_clip *out)
{
    *out = (poet_clip){0};
    if (!(fps > 0 && fps <= 1000) || frames < 0)
        return POET_FAIL(POET_ERR_ARG, "%d frames at %g frames per second cannot be made", frames,
                         fps);
    double all = ceil(in->t * fps / in->fps - same_time);
    if (all > INT32_MAX)
        return POET_FAIL(POET_ERR_ARG, "%d frames at %g become too many at %g frames per second",
                         in->t, in->fps, fps);
    POET_TRY(poet_clip_create(frames ? frames : (int)fmax(1, all), in->h, in->w, fps, out));
    for (int k = 0; k < out->t; k++) {
        double at = floor(k * in->fps / fps + same_time);
        int t = at < in->t - 1 ? (int)at : in->t - 1;
        memcpy(poet_clip_frame(out, k), poet_clip_frame(in, t), poet_clip_frame_bytes(in));
    }
    return POET_OK;
}

poet_status poet_clip_scale(const poet_clip *in, int h, int w, poet_fit fit, poet_filter filter,
                            const uint8_t background[3], poet_clip *out)
{
    POET_TRY(poet_clip_create(in->t, h, w, in->fps, out));
    poet_scaler *scaler;
    poet_status status = poet_scaler_create(in->h, in->w, h, w, fit, filter, background, &scaler);
    for (int t = 0; !status && t < in->t; t++)
        poet_scaler_run(scaler, poet_clip_frame(in, t), poet_clip_frame(out, t));
    poet_scaler_destroy(scaler);
    if (status)
        poet_clip_free(out);
    return status;
}
