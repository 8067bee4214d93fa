/* Coverage: statistics against enumeration and values worked out by hand, samples, files, and a clip's distances. */
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "codec/png.h"
#include "compute/backend.h"
#include "eval/coded_clip.h"
#include "eval/coverage.h"
#include "tests/support/check.h"
#include "tests/support/clips.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/poet-coverage-XXXXXX";

/* ---- statistics ---- */

/* The mean number of different codes over all subsets of n of the tokens. */
static double mean_of_subsets(const int *code, int tokens, int n)
{
    double sum = 0, subsets = 0;
    for (unsigned set = 0; set < 1U << tokens; set++) {
        unsigned seen = 0;
        if (__builtin_popcount(set) != n)
            continue;
        for (int i = 0; i < tokens; i++)
            seen |= set >> i & 1 ? 1U << code[i] : 0;
        sum += __builtin_popcount(seen);
        subsets++;
    }
    return sum / subsets;
}

static void test_rarefaction(void)
{
    const int code[] = {0, 0, 0, 0, 1, 2, 2, 4, 4, 4, 5};
    const int64_t counts[] = {4, 1, 2, 0, 3, 1};
    for (int n = 0; n <= 11; n++)
        CHECK_CLOSE(poet_rarefaction(counts, 6, n), mean_of_subsets(code, 11, n), 1e-10);

    /* Large sets: with replacement the expectation is K (1 - (1 - 1/K)^n), which n of very many come close to. */
    int64_t even[64];
    for (int i = 0; i < 64; i++)
        even[i] = 10000000;
    CHECK_CLOSE(poet_rarefaction(even, 64, 100), 64 * (1 - pow(1 - 1.0 / 64, 100)), 1e-4);
}

static void test_shift(void)
{
    const int64_t a[] = {10, 0}, b[] = {3, 3}, c[] = {0, 7}, d[] = {20, 20}, none[] = {0, 0};
    CHECK_CLOSE(poet_shannon_shift(b, d, 2), 0, 1e-15);
    CHECK_CLOSE(poet_shannon_shift(a, c, 2), 1, 1e-15);
    /* (1, 0) and (1/2, 1/2), mean (3/4, 1/4): half of log2(4/3), and half of (log2(2/3) + log2(2)) / 2. */
    double by_hand = 0.5 * log2(4.0 / 3) + 0.25 * (log2(2.0 / 3) + 1);
    CHECK_CLOSE(poet_shannon_shift(a, b, 2), by_hand, 1e-15);
    CHECK_CLOSE(poet_shannon_shift(b, a, 2), by_hand, 1e-15);
    CHECK_CLOSE(poet_shannon_shift(a, none, 2), 0, 0);
}

static void test_shares(void)
{
    const int64_t counts[] = {5, 3, 2, 0}, seen[] = {1000, 99, 0, 0}, none[] = {0, 0, 0, 0};
    CHECK_CLOSE(poet_rare_share(counts, seen, 4, 1), 0.2, 1e-15);
    CHECK_CLOSE(poet_rare_share(counts, seen, 4, 100), 0.5, 1e-15);
    CHECK_CLOSE(poet_rare_share(none, seen, 4, 100), 0, 0);

    float values[] = {8, 1, 4, 2};
    poet_sort_floats(values, 4);
    CHECK_CLOSE(poet_quantile(values, 4, 0), 1, 0);
    CHECK_CLOSE(poet_quantile(values, 4, 0.5), 3, 1e-12);
    CHECK_CLOSE(poet_quantile(values, 4, 0.9), 4 + 0.7 * 4, 1e-12);
    CHECK_CLOSE(poet_quantile(values, 4, 1), 8, 0);
    CHECK_CLOSE(poet_quantile(values, 1, 0.3), 1, 0);
    CHECK_CLOSE(poet_share_above(values, 4, 0.5), 1, 0);
    CHECK_CLOSE(poet_share_above(values, 4, 2), 0.5, 0); /* equal is not above */
    CHECK_CLOSE(poet_share_above(values, 4, 8), 0, 0);
}

/* ---- samples ---- */

enum { LEVELS = 2, CODES = 7, TOKENS = 10000 };

/* Level 0 has the distances 1..TOKENS in some order, level 1 a tenth of them; codes 0..4 on level 0, 1..5 on level 1. */
static void fill(poet_token_sample *sample, int tokens)
{
    for (int i = 0; i < tokens; i++) {
        int number = i * 7919 % TOKENS + 1;
        int32_t codes[LEVELS] = {i % 5, i % 5 + 1};
        float distances[LEVELS] = {(float)number, 0.1F * (float)number};
        CHECK_OK(poet_token_sample_add(sample, codes, distances, 1));
    }
    sample->clips++;
    poet_mean_add(&sample->psnr, 30);
    poet_mean_add(&sample->ssim, 0.9);
}

static poet_coverage_reference training(void)
{
    poet_token_sample sample;
    poet_coverage_reference reference;
    CHECK_OK(poet_token_sample_create(LEVELS, CODES, &sample));
    CHECK_FAILS(poet_coverage_reference_make(&sample, 1, "nothing", &reference), POET_ERR_ARG,
                "nothing: has no clips");
    poet_coverage_reference_free(&reference);
    fill(&sample, TOKENS);
    CHECK_OK(
        poet_coverage_reference_make(&sample, 0x0123456789abcdef, "some \"clips\"", &reference));
    poet_token_sample_free(&sample);
    return reference;
}

static void test_sample(void)
{
    poet_coverage_reference reference = training();
    CHECK_CLOSE(reference.quantiles[0], 1, 0);
    CHECK_CLOSE(reference.quantiles[50], (TOKENS + 1) / 2.0, 1e-9);
    CHECK_CLOSE(reference.quantiles[POET_COVERAGE_QUANTILES + 100], TOKENS / 10.0, 1e-3);
    CHECK_INT(reference.counts[4], TOKENS / 5);
    CHECK_INT(reference.counts[CODES], 0);
    CHECK_INT(reference.counts[CODES + 5], TOKENS / 5);

    /* Training beside itself: nothing is new, and one in a hundred is beyond the 99th percentile. */
    poet_token_sample sample;
    poet_coverage_level level[LEVELS];
    CHECK_OK(poet_token_sample_create(LEVELS, CODES, &sample));
    fill(&sample, TOKENS);
    CHECK_OK(poet_coverage_measure(&sample, &reference, level));
    for (int i = 0; i < LEVELS; i++) {
        CHECK(level[i].usage.used == 5 && level[i].unseen == 0 && level[i].rare == 0);
        CHECK_CLOSE(level[i].shift, 0, 1e-12);
        CHECK_CLOSE(level[i].p50, 1, 1e-6);
        CHECK_CLOSE(level[i].p99, 0.99 * 2, 1e-3);
        CHECK_CLOSE(level[i].out_of_codebook, 0.01, 1e-4);
    }

    /* Four tokens: an unseen code on level 0, one far away on level 1. */
    const int32_t codes[] = {6, 1, 0, 1, 0, 1, 0, 1};
    const float distances[] = {5000.5F, 99999, 1, 1, 1, 1, 1, 1};
    poet_token_sample_clear(&sample);
    CHECK_OK(poet_token_sample_add(&sample, codes, distances, 4));
    CHECK_OK(poet_coverage_measure(&sample, &reference, level));
    CHECK_CLOSE(level[0].unseen, 0.25, 1e-12);
    CHECK_CLOSE(level[1].unseen, 0, 0);
    CHECK_CLOSE(level[0].out_of_codebook, 0, 0);
    CHECK_CLOSE(level[1].out_of_codebook, 0.25, 1e-12);
    CHECK(level[0].usage.tokens == 4 && level[0].usage.used == 2);

    reference.codes++;
    CHECK_FAILS(poet_coverage_measure(&sample, &reference, level), POET_ERR_MISMATCH, "8 codes");
    poet_token_sample_free(&sample);
    poet_coverage_reference_free(&reference);
}

/* ---- files ---- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(text, 1, strlen(text), file) == strlen(text));
    if (file)
        fclose(file);
}

/* The text with the first `from` replaced by `to`. */
static void write_changed(const char *path, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *changed = poet_alloc(strlen(text) + strlen(to) + 1);
    CHECK(at != NULL);
    if (at && changed) {
        sprintf(changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        write_text(path, changed);
    }
    poet_free(changed);
}

static void test_file(void)
{
    char path[64];
    poet_coverage_reference written = training(), read;
    snprintf(path, sizeof path, "%s/r.coverage.json", folder);
    CHECK_OK(poet_coverage_reference_save(path, &written));
    CHECK_OK(poet_coverage_reference_load(path, &read));
    CHECK(read.tokenizer == written.tokenizer && read.clips == 1 && read.psnr == 30);
    CHECK(read.levels == LEVELS && read.codes == CODES);
    CHECK_STR(read.data, "some \"clips\"");
    CHECK(memcmp(read.counts, written.counts, sizeof(int64_t) * LEVELS * CODES) == 0);
    for (int i = 0; i < LEVELS * POET_COVERAGE_QUANTILES; i++)
        CHECK(read.quantiles[i] == written.quantiles[i]);
    poet_coverage_reference_free(&read);
    poet_coverage_reference_free(&written);

    static const struct {
        const char *from, *to, *said;
    } broken[] = {{"{", "[", "is not JSON"},
                  {"pocketpoet-coverage", "pocketpoet-dataset", "is not a reference"},
                  {"\"version\":1", "\"version\":2", "is of version 2"},
                  {"0123456789abcdef", "0123456789abcdeg", "fingerprint"},
                  {"0123456789abcdef", "012345", "fingerprint"},
                  {"\"clips\":1", "\"clips\":0", "lacks a key"},
                  {"\"psnr\":30.0", "\"psnr\":\"high\"", "lacks a key"},
                  {"\"levels\":[", "\"levels\":[[],", "no histogram"},
                  {"2000,2000", "2000,-2000", "counts of level 0"},
                  {"2000,2000", "2000,2000,1", "are not 8 numbers"},
                  {"2000,2000", "9223372036854775807,2000", "counts of level 0"},
                  {"\"distances\":[", "\"distances\":[0,", "not 101 numbers"},
                  {"\"distances\":[1.0", "\"distances\":[-1.0", "rising order"},
                  {"\"distances\":[1.0", "\"distances\":[99999.0", "rising order"}};

    unsigned char *text;
    size_t size;
    CHECK_OK(poet_file_read(path, 1 << 20, &text, &size));
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        write_changed(path, (const char *)text, broken[i].from, broken[i].to);
        CHECK_FAILS(poet_coverage_reference_load(path, &read), POET_ERR_FORMAT, broken[i].said);
        CHECK(strstr(poet_error_message(), "r.coverage.json") != NULL);
        poet_coverage_reference_free(&read);
    }
    poet_free(text);
    unlink(path);
    CHECK_FAILS(poet_coverage_reference_load(path, &read), POET_ERR_IO, "r.coverage.json");
    poet_coverage_reference_free(&read);
}

/* ---- clips ---- */

enum { T = 5, H = 16, W = 24 };

static poet_tokenizer *small(poet_device *device, poet_quantizer quantizer)
{
    poet_tokenizer_config c = poet_tokenizer_defaults();
    poet_tokenizer *t;
    c.quantizer = quantizer;
    c.patch = 8;
    c.codes = 16;
    c.levels = quantizer == POET_QUANTIZER_VQ ? LEVELS : 1;
    c.dim = 4;
    c.width = 8;
    c.encoder_blocks = c.decoder_blocks = 1;
    CHECK_OK(poet_tokenizer_create(device, &c, 4, &t));
    return t;
}

/* The length of W rest, W (patch values, dim). */
static double shown(const float *w, const double *rest)
{
    double sum = 0;
    for (int p = 0; p < 4 * 8 * 8 * 3; p++) {
        double value = 0;
        for (int d = 0; d < 4; d++)
            value += (double)w[p * 4 + d] * rest[d];
        sum += value * value;
    }
    return sqrt(sum);
}

/* Distances from latents, vectors and the decoder's linear path, computed here; a picture with red exactly where they are beyond the limit. */
static void test_clip(poet_device *device)
{
    enum { PLACES = 2 * 2 * 3, DIM = 4, LARGE = 5 * W, SHEET = 2 * LARGE + 2 };

    poet_tokenizer *t = small(device, POET_QUANTIZER_VQ);
    poet_clip_coder coder;
    poet_coded_clip coded;
    poet_clip clip, sheet;
    int32_t codes[PLACES * LEVELS];
    float latents[PLACES * DIM];
    static float w[4 * 8 * 8 * 3 * DIM];
    CHECK_OK(poet_clip_create(T, H, W, 8, &clip));
    support_draw_clip(3, T, H, W, clip.pixels);
    poet_params *params = poet_tokenizer_params(t);
    CHECK_OK(
        poet_params_read(params, poet_params_find(params, "decoder.linear.weight"), w, sizeof w));
    CHECK_OK(poet_clip_coder_create(t, &coder));
    CHECK_OK(poet_coded_clip_make(&coder, &clip, &coded));
    CHECK_OK(poet_tokenizer_encode_latents(t, clip.pixels, T, H, W, codes, latents));
    CHECK(memcmp(codes, coded.codes, sizeof codes) == 0);
    float *limits = poet_alloc(PLACES * sizeof *limits);
    for (int i = 0; i < PLACES; i++)
        for (int level = 0; level < LEVELS; level++) {
            double rest[DIM];
            for (int d = 0; d < DIM; d++) {
                rest[d] = (double)latents[i * DIM + d];
                for (int l = 0; l <= level; l++)
                    rest[d] -= (double)coder.vectors[(l * 16 + codes[i * LEVELS + l]) * DIM + d];
            }
            CHECK_CLOSE(coded.distances[i * LEVELS + level], shown(w, rest), 1e-5);
            limits[i] = coded.distances[i * LEVELS + level];
        }
    CHECK_CLOSE(coded.psnr, poet_psnr(clip.pixels, coded.back.pixels, T * H * W * 3), 0);

    char path[64];
    const uint8_t black[3] = {0};
    snprintf(path, sizeof path, "%s/clip.png", folder);
    poet_sort_floats(limits, PLACES);
    double limit = poet_quantile(limits, PLACES, 0.5);
    CHECK(limit > 0);
    CHECK_OK(poet_coded_clip_picture(&coded, &clip, limit, path, NULL, 0));
    CHECK_OK(poet_png_read(path, black, 1 << 20, &sheet));
    CHECK(sheet.w == SHEET && sheet.h == 3 * (5 * H + 2) - 2);
    CHECK(memcmp(sheet.pixels, clip.pixels, 3) == 0); /* the first row is the clip */
    for (int i = 0; i < PLACES; i++) {
        int y = 2 * (5 * H + 2) + (i / 3 % 2 * 8 + 4) * 5,
            x = i / 6 * (LARGE + 2) + (i % 3 * 8 + 4) * 5;
        const uint8_t *pixel = sheet.pixels + (y * SHEET + x) * 3;
        bool red = pixel[0] == 255 && pixel[2] == 0;
        CHECK(red == ((double)coded.distances[i * LEVELS + LEVELS - 1] > limit));
    }
    unlink(path);
    poet_clip_free(&sheet);
    poet_free(limits);
    poet_coded_clip_free(&coded);

    clip.t = 4;
    CHECK_FAILS(poet_coded_clip_make(&coder, &clip, &coded), POET_ERR_ARG, "1+4n");
    poet_coded_clip_free(&coded);
    poet_clip_free(&clip);
    poet_clip_coder_free(&coder);
    poet_tokenizer_destroy(t);

    t = small(device, POET_QUANTIZER_LFQ);
    CHECK_FAILS(poet_clip_coder_create(t, &coder), POET_ERR_UNSUPPORTED, "FSQ or LFQ");
    poet_clip_coder_free(&coder);
    poet_tokenizer_destroy(t);
}

int main(void)
{
    poet_device *device;
    CHECK(mkdtemp(folder) != NULL);
    test_rarefaction();
    test_shift();
    test_shares();
    test_sample();
    test_file();
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_clip(device);
    poet_device_close(device);
    CHECK(rmdir(folder) == 0);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
