/* Is a codebook enough for clips? Statistics of codes and of distances to them, beside what training saw.
 *
 * A latent is what the encoder gives for a place of a clip. Its distance at a level of the quantizer is the length of what is
 * left of it when the vectors of its codes up to this level are taken away, as far as the decoder shows it
 * (eval/coded_clip.h). A latent is out of the codebook when at the last level it is farther from its codes than 99 of 100
 * training latents are: the tokenizer has no word for what is there. */
#ifndef POET_EVAL_COVERAGE_H
#define POET_EVAL_COVERAGE_H

#include "eval/coded_clip.h"
#include "eval/coverage_reference.h"
#include "eval/metrics.h"

/* ---- statistics; counts[k] tokens have code k ---- */

/* How many different codes are expected among n tokens that are drawn without replacement (Hurlbert 1971, "The nonconcept of
 * species diversity", eq. 14; rarefaction): with N tokens in all,
 *
 *     E = sum over codes of 1 - C(N - counts[k], n) / C(N, n).
 *
 * Sets of clips of different sizes can be compared at the same n. 0 <= n <= N. */
double poet_rarefaction(const int64_t *counts, int k, int64_t n);

/* Jensen-Shannon divergence (Lin 1991, "Divergence measures based on the Shannon entropy") of the two histograms, in bits:
 * 0 for equal shares, 1 where no code is in both. Few tokens make it larger. 0 when one of them is empty. */
double poet_shannon_shift(const int64_t *a, const int64_t *b, int k);

/* The share of tokens whose code was seen fewer than `least` times; 0 without tokens. */
double poet_rare_share(const int64_t *counts, const int64_t *seen, int k, int64_t least);

/* The value below which this share of the n > 0 sorted values lies, linear between neighbours (Hyndman and Fan 1996, type 7). */
double poet_quantile(const float *sorted, int64_t n, double share);

/* The share of n > 0 sorted values above the limit. */
double poet_share_above(const float *sorted, int64_t n, double limit);

/* Ascending, in place. */
void poet_sort_floats(float *values, int64_t n);

/* ---- a set of clips beside training ---- */

/* The tokens of clips: what is compared. Free also after a failure. */
typedef struct poet_token_sample {
    int levels, codes;
    int64_t clips, tokens, room; /* tokens of one level; room: those there is memory for */
    int64_t *counts;             /* (levels,K) */
    float *distances;            /* (levels,room), of which the first tokens are there */
    poet_mean psnr, ssim;        /* over clips */
} poet_token_sample;

poet_status poet_token_sample_create(int levels, int codes, poet_token_sample *out);
void poet_token_sample_free(poet_token_sample *sample);

/* n more tokens: codes (n,levels), each below K, and distances (n,levels), not negative. */
poet_status poet_token_sample_add(poet_token_sample *sample, const int32_t *codes,
                                  const float *distances, int64_t n);

/* A clip and its tokens. */
poet_status poet_token_sample_add_clip(poet_token_sample *sample, const poet_coded_clip *coded);

/* Empty again; its memory is kept. */
void poet_token_sample_clear(poet_token_sample *sample);

typedef struct poet_coverage_level {
    poet_usage usage;
    double unseen,
        rare;     /* shares of tokens whose code training never saw, and saw fewer than 100 times */
    double shift; /* poet_shannon_shift from training's histogram */
    double p50, p90, p99; /* of distances, divided by training's median; 0 where that is 0 */
    double
        out_of_codebook; /* share of latents farther away than training's 99th percentile at this level */
} poet_coverage_level;

/* Of a sample with tokens, level by level: out[levels]. Sorts the sample's distances. POET_ERR_MISMATCH when the reference is
 * of a codebook of another shape. */
poet_status poet_coverage_measure(poet_token_sample *sample,
                                  const poet_coverage_reference *reference,
                                  poet_coverage_level *out);

/* What a sample of training clips is, for poet_coverage_reference_save. Sorts the sample's distances; data names the clips.
 * POET_ERR_ARG without tokens. Free also after a failure. */
poet_status poet_coverage_reference_make(poet_token_sample *sample, uint64_t tokenizer,
                                         const char *data, poet_coverage_reference *out);

#endif
