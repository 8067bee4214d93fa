#include "eval/metrics.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double poet_psnr(const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * (double)count / sum) : POET_PSNR_EQUAL;
}

/* ---- structural similarity ---- */

enum { WINDOW = 11, MOMENTS = 5 };

static void luma(const uint8_t *rgb, size_t pixels, double *out)
{
    for (size_t i = 0; i < pixels; i++)
        out[i] = 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2];
}

/* Gaussian weights of a window of n taps, summing to one. */
static void gaussian(int n, double *taps)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double x = i - 0.5 * (n - 1);
        sum += taps[i] = exp(-x * x / (2 * 1.5 * 1.5));
    }
    for (int i = 0; i < n; i++)
        taps[i] /= sum;
}

static double similarity(const double m[MOMENTS])
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double va = m[2] - m[0] * m[0], vb = m[3] - m[1] * m[1], cov = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * cov + c2) /
           ((m[0] * m[0] + m[1] * m[1] + c1) * (va + vb + c2));
}

/* Horizontal pass: the five moments of each window of a row, into columns (h, w-nw+1, MOMENTS). */
static void blur_rows(const double *a, const double *b, int h, int w, int nw, const double *taps,
                      double *out)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x + nw <= w; x++) {
            double m[MOMENTS] = {0};
            for (int i = 0; i < nw; i++) {
                double p = a[y * w + x + i], q = b[y * w + x + i];
                m[0] += taps[i] * p;
                m[1] += taps[i] * q;
                m[2] += taps[i] * p * p;
                m[3] += taps[i] * q * q;
                m[4] += taps[i] * p * q;
            }
            for (int k = 0; k < MOMENTS; k++)
                *out++ = m[k];
        }
}

static double frame_ssim(const double *a, const double *b, int h, int w, double *rows)
{
    double across[WINDOW], down[WINDOW], sum = 0;
    int nw = w < WINDOW ? w : WINDOW, nh = h < WINDOW ? h : WINDOW, columns = w - nw + 1;
    gaussian(nw, across);
    gaussian(nh, down);
    blur_rows(a, b, h, w, nw, across, rows);
    for (int y = 0; y + nh <= h; y++)
        for (int x = 0; x < columns; x++) {
            double m[MOMENTS] = {0};
            for (int i = 0; i < nh; i++)
                for (int k = 0; k < MOMENTS; k++)
                    m[k] += down[i] * rows[((y + i) * columns + x) * MOMENTS + k];
            sum += similarity(m);
        }
    return sum / ((double)(h - nh + 1) * columns);
}

size_t poet_ssim_bytes(int h, int w)
{
    return (size_t)h * (size_t)w * (2 + MOMENTS) * sizeof(double);
}

poet_status poet_ssim(const uint8_t *a, const uint8_t *b, int t, int h, int w, double *out)
{
    size_t pixels = (size_t)h * (size_t)w;
    double *x = poet_alloc(pixels * sizeof *x), *y = poet_alloc(pixels * sizeof *y);
    double *rows = poet_alloc(pixels * MOMENTS * sizeof *rows);
    poet_status status = x && y && rows ? POET_OK : POET_ERR_NOMEM;
    *out = 0;
    for (int i = 0; i < t && !status; i++) {
        luma(a + (size_t)i * pixels * 3, pixels, x);
        luma(b + (size_t)i * pixels * 3, pixels, y);
        *out += frame_ssim(x, y, h, w, rows) / t;
    }
    poet_free(rows);
    poet_free(y);
    poet_free(x);
    return status;
}

poet_usage poet_code_usage(const int64_t *counts, int k)
{
    poet_usage usage = {0};
    double entropy = 0;
    for (int i = 0; i < k; i++)
        usage.tokens += counts[i];
    for (int i = 0; i < k; i++) {
        if (counts[i] == 0)
            continue;
        double p = (double)counts[i] / (double)usage.tokens;
        usage.used++;
        entropy -= p * log(p);
    }
    usage.perplexity = usage.tokens ? exp(entropy) : 0;
    return usage;
}

static int by_count(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double percentile(const int64_t *sorted, int k, double share)
{
    double at = share * (k - 1);
    int low = (int)at, high = low + 1 < k ? low + 1 : low;
    return (double)sorted[low] + (at - low) * (double)(sorted[high] - sorted[low]);
}

poet_status poet_code_samples_measure(const int64_t *counts, int k, poet_code_samples *out)
{
    int64_t *sorted = poet_alloc((size_t)k * sizeof *sorted);
    double total = 0, ranked = 0;
    *out = (poet_code_samples){0};
    if (!sorted)
        return POET_ERR_NOMEM;
    memcpy(sorted, counts, (size_t)k * sizeof *sorted);
    qsort(sorted, (size_t)k, sizeof *sorted, by_count);
    for (int i = 0; i < k; i++) {
        total += (double)sorted[i];
        ranked += (2.0 * i + 1 - k) * (double)sorted[i];
        out->under_100 += sorted[i] < 100 ? 1.0 / k : 0;
        out->under_1300 += sorted[i] < 1300 ? 1.0 / k : 0;
    }
    out->least = sorted[0];
    out->p10 = percentile(sorted, k, 0.1);
    out->median = percentile(sorted, k, 0.5);
    out->gini = total > 0 ? ranked / (k * total) : 0;
    poet_free(sorted);
    return POET_OK;
}

void poet_mean_add(poet_mean *mean, double value)
{
    mean->n++;
    mean->sum += value;
    mean->squares += value * value;
    double n = (double)mean->n;
    mean->mean = mean->sum / n;
    double variance = n > 1 ? (mean->squares - mean->sum * mean->mean) / (n - 1) : 0;
    mean->interval = 1.96 * sqrt(fmax(variance, 0) / n);
}
