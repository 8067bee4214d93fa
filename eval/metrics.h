/* How close a clip is to another, and how a codebook is used. */
#ifndef POET_EVAL_METRICS_H
#define POET_EVAL_METRICS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Peak signal-to-noise ratio of 8-bit values, dB: 10 log10(255^2 / mean squared error). Equal values give POET_PSNR_EQUAL. */
#define POET_PSNR_EQUAL 100.0
double poet_psnr(const uint8_t *a, const uint8_t *b, size_t count);

/* Structural similarity (Wang et al. 2004) of frames (T,H,W,3): 11 x 11 Gaussian window of sigma 1.5, k1 0.01, k2 0.03, on luma
 * (BT.601), the mean over all windows that lie inside the frame, and over frames. Sides smaller than 11 use the whole side. */
poet_status poet_ssim(const uint8_t *a, const uint8_t *b, int t, int h, int w, double *out);
size_t poet_ssim_bytes(int h, int w); /* what it takes */

/* Use of codes 0..k-1 by counts[k]. */
typedef struct poet_usage {
    int64_t tokens;
    int used;          /* codes with a count above 0 */
    double perplexity; /* exp of the entropy of the counts: 1..k; 0 without tokens */
} poet_usage;

poet_usage poet_code_usage(const int64_t *counts, int k);

/* How many tokens there are of each code 0..k-1, by counts[k]; codes without any count too. Percentiles are linear
 * between the sorted counts. */
typedef struct poet_code_samples {
    int64_t least;
    double p10, median;
    double gini; /* 0: all codes alike, towards 1: one code has all; 0 without tokens */
    double under_100, under_1300; /* shares of the codes with fewer tokens than that */
} poet_code_samples;

poet_status poet_code_samples_measure(const int64_t *counts, int k, poet_code_samples *out);

/* Mean and half the width of the normal 95% interval of the mean. */
typedef struct poet_mean {
    int64_t n;
    double mean, interval;
    double sum, squares;
} poet_mean;

void poet_mean_add(poet_mean *mean, double value); /* begin with a zeroed struct */

#endif
