/* Scaling of single pictures of one size to another; the weights are computed once. */
#ifndef POET_CODEC_SCALE_INTERNAL_H
#define POET_CODEC_SCALE_INTERNAL_H

#include "codec/frames.h"

typedef struct poet_scaler poet_scaler;

poet_status poet_scaler_create(int in_h, int in_w, int out_h, int out_w, poet_fit fit,
                               poet_filter filter, const uint8_t background[3], poet_scaler **out);
void poet_scaler_destroy(poet_scaler *scaler);

/* in (in_h,in_w,3) -> out (out_h,out_w,3). */
void poet_scaler_run(poet_scaler *scaler, const uint8_t *in, uint8_t *out);

#endif
