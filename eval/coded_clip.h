/* A clip as a tokenizer sees it: its codes, how far from them it is, what comes back, and a picture of where it fails. */
#ifndef POET_EVAL_CODED_CLIP_H
#define POET_EVAL_CODED_CLIP_H

#include "codec/frames.h"
#include "codec/video.h"
#include "tokenizer/tokenizer.h"

/* A tokenizer with the vectors of its codes and the metric of patches. */
typedef struct poet_clip_coder {
    poet_tokenizer *tokenizer;
    float *vectors; /* (levels,K,dim) */
    double *metric; /* poet_tokenizer_patch_metric */
} poet_clip_coder;

/* The tokenizer must outlive the coder. POET_ERR_UNSUPPORTED for FSQ and LFQ: their codes are cells of a grid that covers all
 * latents, and no latent is far from it. Free also after a failure. */
poet_status poet_clip_coder_create(poet_tokenizer *tokenizer, poet_clip_coder *out);
void poet_clip_coder_free(poet_clip_coder *coder);

typedef struct poet_coded_clip {
    poet_grid grid;
    int32_t *codes; /* (t,h,w,levels) */
    float *
        distances; /* (t,h,w,levels): of the latent to the sum of its codes' vectors up to this level, in the metric of
                         patches: the difference that the decoder's linear path would show */
    poet_clip back; /* decoded from the codes */
    double psnr, ssim;
} poet_coded_clip;

/* A clip of 1+4n frames whose sides are multiples of the patch; else POET_ERR_ARG. Free also after a failure. */
poet_status poet_coded_clip_make(const poet_clip_coder *coder, const poet_clip *clip,
                                 poet_coded_clip *out);
void poet_coded_clip_free(poet_coded_clip *coded);

/* A PNG of three rows: frames of the clip, one for each time of the grid (at most 8, evenly spread), what comes back of them,
 * and where the codebook fails: grey where the last level's distance is up to the limit; red, and towards yellow at twice
 * the limit, where it is beyond. Tags go into the file. */
poet_status poet_coded_clip_picture(const poet_coded_clip *coded, const poet_clip *clip,
                                    double limit, const char *path, const poet_video_tag *tags,
                                    int tag_count);

#endif
