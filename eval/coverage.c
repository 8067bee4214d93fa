#include "eval/coverage.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RARE = 100 };

/* ---- statistics ---- */

static double log_factorial(double n)
{
    return lgamma(n + 1);
}

double poet_rarefaction(const int64_t *counts, int k, int64_t n)
{
    double all = 0, expected = 0, drawn = (double)n;
    for (int i = 0; i < k; i++)
        all += (double)counts[i];
    /* C(N - c, n) / C(N, n) = (N - c)! (N - n)! / ((N - c - n)! N!); the part without c: */
    double common = log_factorial(all - drawn) - log_factorial(all);
    for (int i = 0; i < k; i++) {
        double others = all - (double)counts[i];
        if (counts[i] == 0)
            continue;
        expected += 1;
        if (others >= drawn)
            expected -= exp(log_factorial(others) - log_factorial(others - drawn) + common);
    }
    return expected;
}

static double total(const int64_t *counts, int k)
{
    double sum = 0;
    for (int i = 0; i < k; i++)
        sum += (double)counts[i];
    return sum;
}

double poet_shannon_shift(const int64_t *a, const int64_t *b, int k)
{
    double all_a = total(a, k), all_b = total(b, k), bits = 0;
    if (all_a <= 0 || all_b <= 0)
        return 0;
    for (int i = 0; i < k; i++) {
        double p = (double)a[i] / all_a, q = (double)b[i] / all_b, mean = 0.5 * (p + q);
        if (p > 0)
            bits += 0.5 * p * log2(p / mean);
        if (q > 0)
            bits += 0.5 * q * log2(q / mean);
    }
    return bits;
}

double poet_rare_share(const int64_t *counts, const int64_t *seen, int k, int64_t least)
{
    double all = total(counts, k), rare = 0;
    for (int i = 0; i < k; i++)
        rare += seen[i] < least ? (double)counts[i] : 0;
    return all > 0 ? rare / all : 0;
}

double poet_quantile(const float *sorted, int64_t n, double share)
{
    double at = share * (double)(n - 1);
    int64_t low = (int64_t)at, high = low + 1 < n ? low + 1 : low;
    return (double)sorted[low] + (at - (double)low) * ((double)sorted[high] - (double)sorted[low]);
}

double poet_share_above(const float *sorted, int64_t n, double limit)
{
    int64_t low = 0, high = n; /* the first value above the limit is in low..high */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if ((double)sorted[middle] > limit)
            high = middle;
        else
            low = middle + 1;
    }
    return (double)(n - low) / (double)n;
}

static int by_value(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void poet_sort_floats(float *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
}

/* ---- samples ---- */

poet_status poet_token_sample_create(int levels, int codes, poet_token_sample *out)
{
    *out = (poet_token_sample){.levels = levels, .codes = codes};
    out->counts = poet_calloc((size_t)levels * (size_t)codes, sizeof *out->counts);
    return out->counts ? POET_OK : POET_ERR_NOMEM;
}

void poet_token_sample_free(poet_token_sample *sample)
{
    poet_free(sample->distances);
    poet_free(sample->counts);
    *sample = (poet_token_sample){0};
}

poet_status poet_token_sample_add_clip(poet_token_sample *sample, const poet_coded_clip *coded)
{
    int64_t places = poet_grid_codes(&coded->grid) / coded->grid.levels;
    POET_TRY(poet_token_sample_add(sample, coded->codes, coded->distances, places));
    sample->clips++;
    poet_mean_add(&sample->psnr, coded->psnr);
    poet_mean_add(&sample->ssim, coded->ssim);
    return POET_OK;
}

void poet_token_sample_clear(poet_token_sample *sample)
{
    size_t bytes = (size_t)sample->levels * (size_t)sample->codes * sizeof *sample->counts;
    memset(sample->counts, 0, bytes);
    sample->clips = sample->tokens = 0;
    sample->psnr = sample->ssim = (poet_mean){0};
}

static poet_status make_room(poet_token_sample *s, int64_t tokens)
{
    int64_t room = s->room ? s->room : 4096;
    while (room < tokens)
        room *= 2;
    if (room == s->room)
        return POET_OK;
    float *grown = poet_alloc((size_t)s->levels * (size_t)room * sizeof *grown);
    if (!grown)
        return POET_ERR_NOMEM;
    for (int level = 0; level < s->levels && s->tokens; level++)
        memcpy(grown + level * room, s->distances + level * s->room,
               (size_t)s->tokens * sizeof *grown);
    poet_free(s->distances);
    s->distances = grown;
    s->room = room;
    return POET_OK;
}

poet_status poet_token_sample_add(poet_token_sample *sample, const int32_t *codes,
                                  const float *distances, int64_t n)
{
    POET_TRY(make_room(sample, sample->tokens + n));
    for (int64_t i = 0; i < n; i++)
        for (int level = 0; level < sample->levels; level++) {
            int64_t at = i * sample->levels + level;
            sample->counts[level * sample->codes + codes[at]]++;
            sample->distances[level * sample->room + sample->tokens + i] = distances[at];
        }
    sample->tokens += n;
    return POET_OK;
}

static void sort_distances(poet_token_sample *s)
{
    for (int level = 0; level < s->levels; level++)
        poet_sort_floats(s->distances + level * s->room, s->tokens);
}

/* ---- beside training ---- */

static void measure_level(const poet_token_sample *s, const poet_coverage_reference *reference,
                          int level, poet_coverage_level *out)
{
    const int64_t *counts = s->counts + (int64_t)level * s->codes;
    const int64_t *seen = reference->counts + (int64_t)level * s->codes;
    const double *training = reference->quantiles + (int64_t)level * POET_COVERAGE_QUANTILES;
    const float *sorted = s->distances + level * s->room;
    double median = training[POET_COVERAGE_QUANTILES / 2];
    double unit = median > 0 ? 1 / median : 0;
    *out = (poet_coverage_level){
        .usage = poet_code_usage(counts, s->codes),
        .unseen = poet_rare_share(counts, seen, s->codes, 1),
        .rare = poet_rare_share(counts, seen, s->codes, RARE),
        .shift = poet_shannon_shift(counts, seen, s->codes),
        .p50 = poet_quantile(sorted, s->tokens, 0.5) * unit,
        .p90 = poet_quantile(sorted, s->tokens, 0.9) * unit,
        .p99 = poet_quantile(sorted, s->tokens, 0.99) * unit,
        .out_of_codebook = poet_share_above(sorted, s->tokens, training[POET_COVERAGE_LIMIT])};
}

poet_status poet_coverage_measure(poet_token_sample *sample,
                                  const poet_coverage_reference *reference,
                                  poet_coverage_level *out)
{
    if (reference->levels != sample->levels || reference->codes != sample->codes)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "the reference is of %d codes on %d levels, the tokens are of %d on %d",
                         reference->codes, reference->levels, sample->codes, sample->levels);
    sort_distances(sample);
    for (int level = 0; level < sample->levels; level++)
        measure_level(sample, reference, level, &out[level]);
    return POET_OK;
}

poet_status poet_coverage_reference_make(poet_token_sample *sample, uint64_t tokenizer,
                                         const char *data, poet_coverage_reference *out)
{
    size_t levels = (size_t)sample->levels, codes = levels * (size_t)sample->codes;
    *out = (poet_coverage_reference){.tokenizer = tokenizer,
                                     .levels = sample->levels,
                                     .codes = sample->codes,
                                     .clips = sample->clips,
                                     .psnr = sample->psnr.mean,
                                     .ssim = sample->ssim.mean};
    if (!sample->tokens)
        return POET_FAIL(POET_ERR_ARG, "%s: has no clips in it", data);
    out->data = poet_strdup(data);
    out->counts = poet_alloc(codes * sizeof *out->counts);
    out->quantiles = poet_alloc(levels * POET_COVERAGE_QUANTILES * sizeof *out->quantiles);
    if (!out->data || !out->counts || !out->quantiles)
        return POET_ERR_NOMEM;
    memcpy(out->counts, sample->counts, codes * sizeof *out->counts);
    sort_distances(sample);
    for (int level = 0; level < sample->levels; level++)
        for (int i = 0; i < POET_COVERAGE_QUANTILES; i++)
            out->quantiles[level * POET_COVERAGE_QUANTILES + i] =
                poet_quantile(sample->distances + level * sample->room, sample->tokens,
                              i / (POET_COVERAGE_QUANTILES - 1.0));
    return POET_OK;
}
