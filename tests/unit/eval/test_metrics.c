/* Metrics against values worked out by hand. */
#include "eval/metrics.h"
#include "tests/support/check.h"
#include "tests/support/clips.h"

enum { T = 2, H = 24, W = 20, BYTES = T * H * W * 3 };

static void test_psnr(void)
{
    uint8_t a[300], b[300];
    for (int i = 0; i < 300; i++) {
        a[i] = (uint8_t)(i % 200);
        b[i] = (uint8_t)(a[i] + 5);
    }
    CHECK_CLOSE(poet_psnr(a, b, 300), 10 * log10(255.0 * 255.0 / 25), 1e-12);
    CHECK_CLOSE(poet_psnr(a, a, 300), POET_PSNR_EQUAL, 0);
    memcpy(b, a, sizeof a);
    b[7] = (uint8_t)(a[7] + 30);
    CHECK_CLOSE(poet_psnr(a, b, 300), 10 * log10(255.0 * 255.0 / 3), 1e-12);
}

static void test_ssim(void)
{
    static uint8_t a[BYTES], b[BYTES];
    double same, noisy, noisier, flat;
    support_draw_clip(1, T, H, W, a);
    CHECK_OK(poet_ssim(a, a, T, H, W, &same));
    CHECK_CLOSE(same, 1, 1e-12);
    for (int i = 0; i < BYTES; i++)
        b[i] = (uint8_t)(a[i] > 128 ? a[i] - i % 7 : a[i] + i % 7);
    CHECK_OK(poet_ssim(a, b, T, H, W, &noisy));
    for (int i = 0; i < BYTES; i++)
        b[i] = (uint8_t)(a[i] > 128 ? a[i] - i % 41 : a[i] + i % 41);
    CHECK_OK(poet_ssim(a, b, T, H, W, &noisier));
    CHECK(noisy < 1 && noisier < noisy && noisier > 0);

    /* Two flat frames have no structure: only the term of means is left, (2 x y + c1) / (x^2 + y^2 + c1). */
    memset(a, 100, sizeof a);
    memset(b, 150, sizeof b);
    CHECK_OK(poet_ssim(a, b, T, H, W, &flat));
    double c1 = 0.01 * 255 * 0.01 * 255;
    CHECK_CLOSE(flat, (2 * 100 * 150 + c1) / (100 * 100 + 150 * 150 + c1), 1e-9);
    /* Frames smaller than the window. */
    CHECK_OK(poet_ssim(a, b, T, 3, 5, &flat));
    CHECK_CLOSE(flat, (2 * 100 * 150 + c1) / (100 * 100 + 150 * 150 + c1), 1e-9);
}

static void test_usage(void)
{
    int64_t even[8] = {5, 5, 5, 5, 0, 0, 0, 0}, none[3] = {0};
    poet_usage usage = poet_code_usage(even, 8);
    CHECK(usage.used == 4 && usage.tokens == 20);
    CHECK_CLOSE(usage.perplexity, 4, 1e-12);
    usage = poet_code_usage(none, 3);
    CHECK(usage.used == 0 && usage.perplexity == 0);
}

static void test_mean(void)
{
    poet_mean mean = {0};
    for (int i = 1; i <= 5; i++)
        poet_mean_add(&mean, i);
    CHECK_CLOSE(mean.mean, 3, 1e-12);
    CHECK_CLOSE(mean.interval, 1.96 * sqrt(2.5 / 5), 1e-12);
}

static void test_samples(void)
{
    poet_code_samples s;
    /* Sorted 0 50 100 1300 2550, sum 4000: Gini (-4 0 - 2 50 + 0 + 2 1300 + 4 2550) / (5 4000); the tenth percentile at
     * place 0.4. */
    const int64_t counts[] = {1300, 0, 2550, 50, 100}, none[] = {0, 0}, even[] = {7, 7, 7};
    CHECK_OK(poet_code_samples_measure(counts, 5, &s));
    CHECK_INT(s.least, 0);
    CHECK_CLOSE(s.p10, 20, 1e-9);
    CHECK_CLOSE(s.median, 100, 1e-9);
    CHECK_CLOSE(s.gini, 12700.0 / 20000, 1e-12);
    CHECK_CLOSE(s.under_100, 0.4, 1e-12);
    CHECK_CLOSE(s.under_1300, 0.6, 1e-12);
    CHECK_OK(poet_code_samples_measure(none, 2, &s));
    CHECK(s.gini == 0 && s.under_100 == 1);
    CHECK_OK(poet_code_samples_measure(even, 3, &s));
    CHECK(s.gini == 0 && s.median == 7);
}

int main(void)
{
    test_psnr();
    test_ssim();
    test_usage();
    test_mean();
    test_samples();
    return CHECK_RESULT();
}
