/* Generators under smaller codebooks: exact sums against all members in turn, tables of equal codes, the fitted head. */
#include "compute/backend.h"
#include "generator/shrink_internal.h"
#include "tests/support/generators.h"

enum { K = 12, DIM = 4, MOST = 256 };

static const char *const captions[] = {"a red ball", "a blue box", "two rings", "nothing"};

static poet_generator_config tiny(int levels, int t, int side, int group, bool keep)
{
    poet_generator_config c = poet_generator_defaults();
    c.codes = K;
    c.code_dim = DIM;
    c.grid = (poet_grid){t, side, side, levels};
    c.fps = 8;
    c.group_h = c.group_w = group;
    c.text = 16;
    c.width = 16;
    c.heads = 2;
    c.layers = 1;
    c.slot_width = 16;
    c.slot_heads = 2;
    c.slot_layers = 1;
    c.keep = keep;
    return c;
}

static poet_generator *make(poet_device *device, poet_generator_config c, float scale)
{
    poet_generator *m = support_make_generator(device, c, captions, 4);
    support_shake_generator(m, scale);
    return m;
}

/* A map by hand; its vectors are those of the lowest member. */
static poet_shrink_map map_of(const poet_generator *m, const int32_t *to, int kept)
{
    int levels = m->config.grid.levels;
    poet_shrink_map map = {.levels = levels, .codes = K, .kept = kept, .dim = DIM};
    float *table = poet_alloc((size_t)levels * (K + 1) * DIM * sizeof *table);
    map.map = poet_alloc((size_t)levels * K * sizeof *map.map);
    map.vectors = poet_alloc((size_t)levels * (size_t)kept * DIM * sizeof *map.vectors);
    CHECK_OK(poet_params_read(m->params, poet_params_find(m->params, "vectors"), table,
                              (size_t)levels * (K + 1) * DIM * sizeof *table));
    for (int level = 0; level < levels; level++)
        for (int k = K - 1; k >= 0; k--) {
            map.map[level * K + k] = to[k];
            memcpy(map.vectors + (level * kept + to[k]) * DIM, table + (level * (K + 1) + k) * DIM,
                   DIM * sizeof *table);
        }
    poet_free(table);
    return map;
}

static void random_clips(int32_t *codes, int n, int below, uint64_t seed)
{
    poet_rng rng;
    poet_rng_init(&rng, seed, 1);
    for (int i = 0; i < n; i++)
        codes[i] = (int32_t)poet_rng_below(&rng, (uint32_t)below);
}

static double score(poet_generator *m, const int32_t *codes)
{
    double bits = 0;
    CHECK_OK(poet_generator_score(m, 1, codes, captions, &bits));
    return bits;
}

static double score_merged(poet_generator *m, const poet_shrink_map *map, const int32_t *codes)
{
    double bits = 0;
    CHECK_OK(poet_generator_score_merged(m, map, 1, codes, captions, &bits));
    return bits;
}

/* One code each: nothing changes, in any model. */
static void test_identity(poet_device *device, poet_generator_config c)
{
    poet_generator *m = make(device, c, 0.3F), *same;
    int32_t to[K], codes[MOST];
    double weights[4 * K];
    for (int k = 0; k < 4 * K; k++)
        weights[k] = 1 + k;
    for (int k = 0; k < K; k++)
        to[k] = k;
    poet_shrink_map map = map_of(m, to, K);
    random_clips(codes, MOST, K, 3);
    CHECK_OK(poet_generator_shrink(m, &map, weights, 77, &same));
    CHECK(poet_generator_fingerprint(same) == 77);
    double bits = score(m, codes);
    CHECK_CLOSE(score(same, codes), bits, 1e-4 * bits);
    CHECK_CLOSE(score_merged(m, &map, codes), bits, 1e-4 * bits);
    poet_generator_destroy(same);
    poet_generator_destroy(m);
    poet_shrink_map_free(&map);
}

/* The last code is one of a merged class, all others stand alone: the chance of the clip in new codes is the sum over
 * the class of those of the clips in old codes. Codes 6..11 are the class; 0..5 stay. */
static void test_sums(poet_device *device, int levels, bool keep)
{
    poet_generator_config c = tiny(levels, 2, 2, 1, keep);
    poet_generator *m = make(device, c, 0.5F);
    const int32_t to[K] = {0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6};
    poet_shrink_map map = map_of(m, to, 7);
    int32_t codes[2 * 2 * 2 * 2];
    int last = (int)poet_grid_codes(&c.grid) - 1;
    random_clips(codes, last, 6, 5);
    double sum = 0;
    for (int k = 6; k < K; k++) {
        codes[last] = k;
        sum += exp2(-score(m, codes));
    }
    for (int k = 6; k < K; k++) {
        codes[last] = k;
        CHECK_CLOSE(score_merged(m, &map, codes), -log2(sum), 1e-4 * -log2(sum));
    }
    poet_generator_destroy(m);
    poet_shrink_map_free(&map);
}

/* The last group has another old code than the time before and the same new one: kept, or written as any of the class. By
 * hand from scores in old codes: P(keep) + sum over the class of P(written as k), where the code that was there before is
 * known from what is left to one. */
static void test_kept(poet_device *device)
{
    poet_generator_config c = tiny(1, 2, 1, 1, true);
    poet_generator *m = make(device, c, 0.5F);
    const int32_t to[K] = {0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    poet_shrink_map map = map_of(m, to, 10);
    int32_t codes[2] = {1, 0};
    double first = 0, keep, written[K] = {0}, all = 0;
    /* Chances are known up to that of the first code: kept (written as 1) gives keep; the others, together with the
     * unknown chance w of writing 1 again, make one. */
    double chance[K];
    for (int k = 0; k < K; k++) {
        codes[1] = k;
        chance[k] = exp2(-score(m, codes));
    }
    poet_generator *flat = m;
    flat->config.keep = false; /* the same weights without keeping: chances of codes alone */
    poet_generator_forget_programs(flat);
    for (int k = 0; k < K; k++) {
        codes[1] = k;
        written[k] = exp2(-score(flat, codes));
        all += written[k];
    }
    flat->config.keep = true;
    poet_generator_forget_programs(flat);
    /* P(first) P(write) written[k] / all = chance[k] for k != 1. */
    double write = chance[5] / (written[5] / all);
    keep = chance[1];
    first = keep + write;
    CHECK(first <= 1 && keep > 0);
    codes[1] = 0;
    double expected = keep + write * (written[0] + written[1] + written[2]) / all;
    /* In new codes the first code's chance is that of its class. */
    double bits = score_merged(m, &map, codes);
    int32_t alone[2] = {1, 1};
    const int32_t identity[K] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    poet_shrink_map one = map_of(m, identity, K);
    double before = exp2(-score_merged(m, &one, alone));
    /* The share of the first code in its class does not depend on the second: taken from a pair of scores of a code
     * outside the class. */
    codes[1] = 7;
    double ratio = exp2(-score_merged(m, &map, codes)) / chance[7];
    CHECK(ratio > 1);
    CHECK_CLOSE(exp2(-bits), expected * ratio, 1e-4 * expected * ratio);
    CHECK_CLOSE(before, keep + write * written[1] / all, 1e-4 * before);
    poet_shrink_map_free(&one);
    poet_generator_destroy(m);
    poet_shrink_map_free(&map);
}

/* Classes of four, three, two and one codes that are made the same in every table: merged, the smaller model says
 * exactly the sum. */
static void test_equal_codes(poet_device *device, int levels)
{
    static const char *const names[] = {"vectors", "code.table", "slots.before.table",
                                        "slots.head.weight", "slots.head.bias"};
    static const int32_t to[K] = {0, 1, 2, 3, 4, 5, 0, 0, 0, 1, 1, 2};
    poet_generator_config c = tiny(levels, 2, 4, 2, true);
    poet_generator *m = make(device, c, 0.3F), *smaller;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int index = poet_params_find(m->params, names[i]);
        const poet_tensor *tensor = poet_params_tensor(m->params, index);
        size_t bytes = poet_tensor_bytes(tensor);
        float *values = poet_alloc(bytes);
        int64_t row = i == 4 ? 1 : poet_shape_last(&tensor->shape);
        int64_t tables = poet_tensor_count(tensor) / row / (i < 3 ? K + 1 : K);
        CHECK_OK(poet_params_read(m->params, index, values, bytes));
        for (int64_t t = 0; t < tables; t++) {
            float *table = values + t * (i < 3 ? K + 1 : K) * row;
            for (int k = 6; k < K; k++)
                memcpy(table + k * row, table + to[k] * row, (size_t)row * sizeof *table);
        }
        CHECK_OK(poet_params_write(m->params, index, values, bytes));
        poet_free(values);
    }
    double weights[2 * K];
    for (int k = 0; k < 2 * K; k++)
        weights[k] = 3;
    poet_shrink_map map = map_of(m, to, 6);
    int32_t codes[MOST], merged[MOST];
    random_clips(codes, MOST, K, 9);
    poet_shrink_map_codes(&map, codes, MOST / levels, merged);
    CHECK_OK(poet_generator_shrink(m, &map, weights, 1, &smaller));
    /* Nothing is the same as before by accident: then keeping has no second way. */
    double bits = score_merged(m, &map, codes);
    CHECK_CLOSE(score(smaller, merged), bits, 1e-4 * bits);
    CHECK(fabs(bits - score(m, codes)) > 1);
    poet_generator_destroy(smaller);
    poet_generator_destroy(m);
    poet_shrink_map_free(&map);
}

/* ---- fitting ---- */

/* Labels that a softmax of rows gives are found again, up to what all rows share. */
static void test_regression(poet_device *device)
{
    enum { ROWS = 600, N = 7, CLASSES = 5 };

    static float x[ROWS * N], labels[ROWS * CLASSES];
    float truth[CLASSES * (N + 1)], weight[CLASSES * N] = {0}, bias[CLASSES] = {0};
    poet_rng rng;
    poet_rng_init(&rng, 2, 2);
    for (int i = 0; i < CLASSES * (N + 1); i++)
        truth[i] = poet_rng_normal(&rng);
    for (int i = 0; i < ROWS; i++) {
        double p[CLASSES], sum = 0;
        for (int d = 0; d < N; d++) /* far from round: a shift, and sizes from 1 to 1/64 */
            x[i * N + d] = ldexpf(poet_rng_normal(&rng), -d) + 1;
        for (int c = 0; c < CLASSES; c++) {
            double logit = (double)truth[c * (N + 1) + N];
            for (int d = 0; d < N; d++)
                logit += (double)truth[c * (N + 1) + d] * (double)x[i * N + d];
            sum += p[c] = exp(logit);
        }
        for (int c = 0; c < CLASSES; c++)
            labels[i * CLASSES + c] = (float)(p[c] / sum);
    }
    poet_regression r = {ROWS, N, CLASSES, x, labels, weight, bias, 0.01, 60};
    poet_fit_result out;
    CHECK_OK(poet_regression_fit(device, &r, NULL, &out));
    CHECK_CLOSE(out.before, log(CLASSES), 1e-5);
    CHECK(out.least < out.before - 0.1);
    CHECK(out.after >= out.least - 1e-6);
    CHECK_CLOSE(out.after, out.least, 2e-3);
    for (int d = 0; d < 2; d++)
        CHECK_CLOSE(weight[N + d] - weight[d], truth[N + 1 + d] - truth[d], 0.1);
}

/* The part of what says whether a group is kept: with the old one in its place, the clips cost more bits. */
static void check_keeping(poet_generator *m, poet_generator *smaller, int n, const int32_t *merged,
                          const char *const *texts, const poet_fit_result *fit, double fitted)
{
    float weight[2 * 16], bias[2];
    double bits[16], old = 0;
    poet_params *from = m->params, *to = smaller->params;
    int w = poet_params_find(to, "keep.weight"), b = poet_params_find(to, "keep.bias");
    CHECK(fit->rows == (int64_t)n * poet_generator_groups(&m->config));
    CHECK(fit->after < fit->before && fit->after > fit->least - 1e-6);
    CHECK_OK(poet_params_read(from, poet_params_find(from, "keep.weight"), weight, sizeof weight));
    CHECK_OK(poet_params_read(from, poet_params_find(from, "keep.bias"), bias, sizeof bias));
    CHECK_OK(poet_params_write(to, w, weight, sizeof weight));
    CHECK_OK(poet_params_write(to, b, bias, sizeof bias));
    poet_generator_forget_programs(smaller);
    CHECK_OK(poet_generator_score(smaller, n, merged, texts, bits));
    for (int i = 0; i < n; i++)
        old += bits[i];
    CHECK(old > fitted + 1);
}

static void test_fit(poet_device *device, int levels, bool keep)
{
    enum { CLIPS = 10 };

    poet_generator_config c = tiny(levels, 3, 4, 2, keep);
    poet_generator *m = make(device, c, 0.4F), *smaller;
    const int32_t to[K] = {0, 1, 1, 0, 2, 2, 0, 1, 2, 3, 3, 3};
    double weights[2 * K], before = 0, after = 0, exact = 0;
    for (int k = 0; k < 2 * K; k++)
        weights[k] = 1;
    poet_shrink_map map = map_of(m, to, 4);
    int64_t per_clip = poet_grid_codes(&c.grid);
    static int32_t codes[CLIPS * 96], merged[CLIPS * 96];
    const char *texts[CLIPS];
    double bits[CLIPS];
    uint64_t seeds[CLIPS];
    poet_sampling plain = {.guidance = 1, .temperature = 1, .top_p = 1};
    for (int i = 0; i < CLIPS; i++) {
        texts[i] = captions[i % 4];
        seeds[i] = (uint64_t)i;
    }
    CHECK_OK(poet_generator_write(m, CLIPS, texts, seeds, &plain, NULL, codes, NULL));
    poet_shrink_map_codes(&map, codes, CLIPS * per_clip / levels, merged);
    CHECK_OK(poet_generator_shrink(m, &map, weights, 1, &smaller));
    CHECK_OK(poet_generator_score(smaller, CLIPS, merged, texts, bits));
    for (int i = 0; i < CLIPS; i++)
        before += bits[i];
    poet_fit_result out, kept;
    CHECK_OK(
        poet_generator_fit(m, &map, smaller, CLIPS, codes, texts, 100000, 1, NULL, &out, &kept));
    CHECK_OK(poet_generator_score(smaller, CLIPS, merged, texts, bits));
    for (int i = 0; i < CLIPS; i++)
        after += bits[i];
    CHECK_OK(poet_generator_score_merged(m, &map, CLIPS, codes, texts, bits));
    for (int i = 0; i < CLIPS; i++)
        exact += bits[i];
    CHECK(out.rows > 0 && out.rows <= CLIPS * per_clip);
    CHECK(out.after < out.before);
    CHECK(out.after > out.least - 1e-6);
    CHECK(after < before && after > exact);
    if (keep)
        check_keeping(m, smaller, CLIPS, merged, texts, &kept, after);

    /* Fewer rows are drawn, by the seed. */
    CHECK_OK(poet_generator_fit(m, &map, smaller, CLIPS, codes, texts, 64, 1, NULL, &out, &kept));
    CHECK(out.rows == 64 && kept.rows == (keep ? 64 : 0));
    poet_generator_destroy(smaller);
    poet_generator_destroy(m);
    poet_shrink_map_free(&map);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 1, &device));
    test_identity(device, tiny(1, 2, 4, 2, false));
    test_identity(device, tiny(2, 2, 4, 2, false));
    test_identity(device, tiny(2, 2, 4, 1, true));
    test_sums(device, 1, false);
    test_sums(device, 2, false);
    test_sums(device, 1, true);
    test_kept(device);
    test_equal_codes(device, 1);
    test_equal_codes(device, 2);
    test_regression(device);
    test_fit(device, 1, false);
    test_fit(device, 1, true);
    test_fit(device, 2, false);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
