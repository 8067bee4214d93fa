/* Operations whose definition is easy to get wrong, against answers from elsewhere: by hand, by brute
 * force, or by a property that must hold. On the reference and on the CPU. */
#include "base/memory.h"
#include "base/rng.h"
#include "tests/support/rig.h"

static void fill(float *x, int n, uint64_t stream)
{
    poet_rng rng;
    poet_rng_init(&rng, 11, stream);
    for (int i = 0; i < n; i++)
        x[i] = poet_rng_normal(&rng);
}

static void fill_bytes(unsigned char *x, int n)
{
    poet_rng rng;
    poet_rng_init(&rng, 12, 0);
    for (int i = 0; i < n; i++)
        x[i] = (unsigned char)poet_rng_below(&rng, 256);
}

/* ---- attention ---- */

enum { B = 2, T = 7, HEADS = 2, D = 3, C = HEADS * D, PREFIX = 3 };

static const int32_t lengths[B] = {2, 3};

/* The mask, written out: does position i see position j? */
static bool visible(int b, int i, int j)
{
    bool real_prefix = j < lengths[b];
    bool among_prefix = j < PREFIX;
    if (i < PREFIX)
        return real_prefix;
    return among_prefix ? real_prefix : j <= i;
}

static double score(const float *qkv, int b, int h, int i, int j)
{
    double sum = 0;
    for (int d = 0; d < D; d++)
        sum += (double)qkv[(b * T + i) * 3 * C + h * D + d] *
               (double)qkv[(b * T + j) * 3 * C + C + h * D + d];
    return sum / sqrt(D);
}

static double attend(const float *qkv, int b, int h, int i, int d)
{
    double weights = 0, sum = 0;
    for (int j = 0; j < T; j++) {
        if (!visible(b, i, j))
            continue;
        double w = exp(score(qkv, b, h, i, j));
        weights += w;
        sum += w * (double)qkv[(b * T + j) * 3 * C + 2 * C + h * D + d];
    }
    return sum / weights;
}

static bool is_real(int b, int i)
{
    return i >= PREFIX || i < lengths[b];
}

static void test_attention(const poet_backend *backend)
{
    float qkv[B * T * 3 * C], y[B * T * C];
    rig r = rig_open(backend);
    poet_val in = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(B, T, 3 * C));
    poet_val n = poet_input(r.g, "lengths", POET_I32, POET_SHAPE(B));
    poet_result(r.g, "y", poet_attention(r.g, in, n, HEADS, PREFIX));
    rig_ready(&r);
    fill(qkv, B * T * 3 * C, 1);
    RIG_SET(&r, "qkv", qkv);
    RIG_SET(&r, "lengths", lengths);
    RIG_RUN(&r);
    RIG_GET(&r, "y", y);
    for (int k = 0; k < B * T * C; k++) {
        int b = k / C / T, i = k / C % T;
        if (is_real(b, i))
            CHECK_CLOSE(y[k], attend(qkv, b, k % C / D, i, k % D), 1e-5);
        CHECK(isfinite(y[k]));
    }
    int32_t bad[B] = {0, 1};
    RIG_SET(&r, "lengths", bad);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "length 0");
    rig_close(&r);
}

/* The rows [from, from + t) of qkv through the cache; y gets their results. */
static void step(rig *cache, const float *qkv, int from, int t, float *y)
{
    float rows[B * T * 3 * C], out[B * T * C];
    int32_t position[B] = {from, from};
    poet_program *p;
    poet_graph *g = poet_graph_create(cache->params);
    poet_val in = poet_input(g, "qkv", POET_F32, POET_SHAPE(B, t, 3 * C));
    poet_val keys =
        poet_state(g, "keys", POET_CACHE, POET_F32, POET_SHAPE(B, T + 2, C), POET_ZEROS);
    poet_val values =
        poet_state(g, "values", POET_CACHE, POET_F32, POET_SHAPE(B, T + 2, C), POET_ZEROS);
    poet_val at = poet_input(g, "position", POET_I32, POET_SHAPE(B));
    poet_val n = poet_input(g, "lengths", POET_I32, POET_SHAPE(B));
    poet_result(g, "y", poet_attention_cached(g, in, keys, values, at, n, HEADS, PREFIX));
    CHECK_OK(poet_program_create(g, &p));
    for (int b = 0; b < B; b++)
        memcpy(rows + b * t * 3 * C, qkv + (b * T + from) * 3 * C, sizeof(float) * 3 * C * t);
    CHECK_OK(poet_program_set_by_name(p, "qkv", rows, sizeof(float) * B * 3 * C * t));
    CHECK_OK(poet_program_set_by_name(p, "position", position, sizeof position));
    CHECK_OK(poet_program_set_by_name(p, "lengths", lengths, sizeof lengths));
    CHECK_OK(poet_program_run(p));
    CHECK_OK(poet_program_get_by_name(p, "y", out, sizeof(float) * B * C * t));
    for (int b = 0; b < B; b++)
        memcpy(y + (b * T + from) * C, out + b * t * C, sizeof(float) * C * t);
    poet_program_destroy(p);
}

/* Prefix at once, one position, then the rest: the same as all at once. */
static void test_cached_attention(const poet_backend *backend)
{
    float qkv[B * T * 3 * C], y[B * T * C];
    rig r = rig_open(backend);
    fill(qkv, B * T * 3 * C, 1);
    step(&r, qkv, 0, PREFIX, y);
    step(&r, qkv, PREFIX, 1, y);
    step(&r, qkv, PREFIX + 1, T - PREFIX - 1, y);
    for (int k = 0; k < B * T * C; k++)
        if (is_real(k / C / T, k / C % T))
            CHECK_CLOSE(y[k], attend(qkv, k / C / T, k % C / D, k / C % T, k % D), 1e-5);
    rig_close(&r);
}

/* ---- causality ---- */

enum { FRAMES = 5, SIDE = 4, WIDTH = 6, FRAME = SIDE * SIDE * WIDTH };

/* Changing frame t changes nothing before it, to the bit, and does change something from it on. */
static void check_causal(rig *r)
{
    float x[FRAMES * FRAME], before[FRAMES * FRAME], after[FRAMES * FRAME];
    rig_ready(r);
    fill(x, FRAMES * FRAME, 2);
    RIG_SET(r, "x", x);
    RIG_RUN(r);
    RIG_GET(r, "y", before);
    for (int t = 0; t < FRAMES; t++) {
        float saved = x[t * FRAME + 7];
        x[t * FRAME + 7] = 100;
        RIG_SET(r, "x", x);
        RIG_RUN(r);
        RIG_GET(r, "y", after);
        CHECK(memcmp(before, after, sizeof(float) * FRAME * (size_t)t) == 0);
        CHECK(memcmp(before + t * FRAME, after + t * FRAME, sizeof(float) * FRAME) != 0);
        x[t * FRAME + 7] = saved;
    }
    rig_close(r);
}

static void test_causality(const poet_backend *backend)
{
    poet_shape shape = POET_SHAPE(1, FRAMES, SIDE, SIDE, WIDTH);
    rig r = rig_open(backend);
    poet_val w = poet_param(r.g, "w", POET_SHAPE(WIDTH, 3, 3, 3, WIDTH), POET_NORMAL(0.1F));
    poet_result(r.g, "y", poet_conv3d(r.g, poet_input(r.g, "x", POET_F32, shape), w, POET_NONE));
    check_causal(&r);
    r = rig_open(backend);
    poet_val gain = poet_param(r.g, "gain", POET_SHAPE(WIDTH), POET_ONES);
    poet_val bias = poet_param(r.g, "bias", POET_SHAPE(WIDTH), POET_ZEROS);
    poet_result(
        r.g, "y",
        poet_group_norm(r.g, poet_input(r.g, "x", POET_F32, shape), gain, bias, 2, POET_ACT_SILU));
    check_causal(&r);
}

/* A kernel with a single 1 at the oldest frame, left column: y(t,i,j) = x(t-2,i,j-1). */
static void test_conv3d_taps(const poet_backend *backend)
{
    float x[FRAMES * SIDE * SIDE], y[FRAMES * SIDE * SIDE], w[27] = {0};
    rig r = rig_open(backend);
    poet_val in = poet_input(r.g, "x", POET_F32, POET_SHAPE(1, FRAMES, SIDE, SIDE, 1));
    poet_val kernel = poet_param(r.g, "w", POET_SHAPE(1, 3, 3, 3, 1), POET_ZEROS);
    poet_result(r.g, "y", poet_conv3d(r.g, in, kernel, POET_NONE));
    fill(x, FRAMES * SIDE * SIDE, 3);
    w[0 * 9 + 1 * 3 + 0] = 1;
    RIG_WRITE(&r, "w", w); /* before the program is made, which may pack weights */
    rig_ready(&r);
    RIG_SET(&r, "x", x);
    RIG_RUN(&r);
    RIG_GET(&r, "y", y);
    for (int k = 0; k < FRAMES * SIDE * SIDE; k++) {
        int t = k / SIDE / SIDE, j = k % SIDE;
        CHECK_CLOSE(y[k], t >= 2 && j >= 1 ? x[k - 2 * SIDE * SIDE - 1] : 0, 0);
    }
    rig_close(&r);
}

/* ---- patches and bytes ---- */

static void test_patches(const poet_backend *backend)
{
    enum { N = 5 * 4 * 6 * 3, GROUP = 2 * 3 * 48 };

    unsigned char video[N], back[N];
    float patches[2 * GROUP];
    rig r = rig_open(backend);
    poet_val in = poet_input(r.g, "video", POET_U8, POET_SHAPE(1, 5, 4, 6, 3));
    poet_val p = poet_patchify(r.g, in, 2);
    CHECK_INT(poet_dim(r.g, p, 1), 2);
    CHECK_INT(poet_dim(r.g, p, -1), 48);
    poet_result(r.g, "patches", p);
    poet_result(r.g, "back", poet_to_bytes(r.g, poet_unpatchify(r.g, p, 2)));
    rig_ready(&r);
    fill_bytes(video, N);
    RIG_SET(&r, "video", video);
    RIG_RUN(&r);
    RIG_GET(&r, "patches", patches);
    RIG_GET(&r, "back", back);
    CHECK(memcmp(video, back, N) == 0);
    for (int i = 0; i < GROUP; i++) /* the first frame, four times */
        CHECK_CLOSE(patches[i], patches[i / 48 * 48 + i % 12], 0);
    /* Row 1, column 2 of the second group: frame 1 + t, pixel (2 + y, 4 + x). */
    const float *patch = patches + GROUP + (1 * 3 + 2) * 48;
    for (int i = 0; i < 48; i++) {
        int t = i / 12, y = i / 6 % 2, x = i / 3 % 2, pixel = ((1 + t) * 4 + 2 + y) * 6 + 4 + x;
        CHECK_CLOSE(patch[i], (double)video[pixel * 3 + i % 3] / 127.5 - 1, 1e-6);
    }
    rig_close(&r);
}

/* ---- quantizers ---- */

static void test_fsq(const poet_backend *backend, const int *levels, int channels, bool binary)
{
    enum { N = 200, MOST = 4 };

    float z[N * MOST], value[N * MOST], decoded[N * MOST];
    int32_t index[N];
    rig r = rig_open(backend);
    poet_val codes, in = poet_input(r.g, "z", POET_F32, POET_SHAPE(N, channels));
    poet_result(r.g, "value", poet_fsq(r.g, in, levels, binary, &codes));
    poet_result(r.g, "index", codes);
    poet_result(r.g, "decoded", poet_fsq_codes(r.g, codes, channels, levels, binary));
    rig_ready(&r);
    size_t bytes = sizeof(float) * N * (size_t)channels;
    fill(z, N * channels, 4);
    for (int i = 0; i < channels; i++) { /* the extremes, first and last */
        z[i] = -50;
        z[channels + i] = 50;
    }
    CHECK_OK(poet_program_set_by_name(r.program, "z", z, bytes));
    RIG_RUN(&r);
    CHECK_OK(poet_program_get_by_name(r.program, "value", value, bytes));
    CHECK_OK(poet_program_get_by_name(r.program, "decoded", decoded, bytes));
    RIG_GET(&r, "index", index);
    int all = 1;
    for (int i = 0; i < channels; i++)
        all *= levels[i];
    CHECK_INT(index[0], 0);
    CHECK_INT(index[1], all - 1);
    CHECK(memcmp(value, decoded, bytes) == 0);
    for (int i = 0; i < N * channels; i++)
        CHECK(value[i] >= -1 && value[i] <= 1);
    rig_close(&r);
}

/* Three vectors, two codes: the first wins two of them, the second none and starts again. */
static void test_codebook_ema(const poet_backend *backend)
{
    const float z[3] = {1, 3, 5};
    const int32_t index[3] = {0, 0, 0}, at[1] = {42};
    const float count[2] = {1, 0.1F}, total[2] = {2, 0.1F};
    float codebook[2] = {2, 1}, new_count[2];
    rig r = rig_open(backend);
    poet_val states[3];
    states[0] = poet_state(r.g, "codebook", POET_BUFFER, POET_F32, POET_SHAPE(2, 1), POET_ZEROS);
    states[1] = poet_state(r.g, "total", POET_BUFFER, POET_F32, POET_SHAPE(2, 1), POET_ZEROS);
    states[2] = poet_state(r.g, "count", POET_BUFFER, POET_F32, POET_SHAPE(2), POET_ZEROS);
    poet_val vectors = poet_input(r.g, "z", POET_F32, POET_SHAPE(3, 1));
    poet_val codes = poet_input(r.g, "index", POET_I32, POET_SHAPE(3));
    poet_val time = poet_input(r.g, "step", POET_I32, POET_SHAPE(1));
    poet_codebook_ema(r.g, states[0], states[1], states[2], vectors, codes, time, 0.5F, 0.5F, 9);
    rig_ready(&r);
    RIG_WRITE(&r, "codebook", codebook);
    RIG_WRITE(&r, "total", total);
    RIG_WRITE(&r, "count", count);
    RIG_SET(&r, "z", z);
    RIG_SET(&r, "index", index);
    RIG_SET(&r, "step", at);
    RIG_RUN(&r);
    RIG_READ(&r, "codebook", codebook);
    RIG_READ(&r, "count", new_count);
    uint32_t words[4];
    poet_philox(9, 42, 1, words);
    CHECK_CLOSE(new_count[0], 0.5 * 1 + 0.5 * 3, 1e-6);
    CHECK_CLOSE(codebook[0], (0.5 * 2 + 0.5 * 9) / 2, 1e-6);
    CHECK_CLOSE(new_count[1], 1.5, 1e-6);
    CHECK_CLOSE(codebook[1], z[((uint64_t)words[0] * 3) >> 32], 1e-6);
    rig_close(&r);
}

/* ---- losses ---- */

static void test_cross_entropy(const poet_backend *backend)
{
    const float logits[12] = {0, 0, 0, 0, 1, 2, 3, 4, 1000, 0, 0, 0};
    int32_t target[3] = {2, 3, -1};
    float loss, rows[3];
    rig r = rig_open(backend);
    poet_val in = poet_input(r.g, "logits", POET_F32, POET_SHAPE(3, 4));
    poet_val t = poet_input(r.g, "target", POET_I32, POET_SHAPE(3)), each;
    poet_result(r.g, "loss", poet_cross_entropy(r.g, in, t, &each));
    poet_result(r.g, "rows", each);
    rig_ready(&r);
    RIG_SET(&r, "logits", logits);
    RIG_SET(&r, "target", target);
    RIG_RUN(&r);
    RIG_GET(&r, "rows", rows);
    CHECK_OK(poet_program_get_by_name(r.program, "loss", &loss, sizeof loss));
    double second = log(exp(-3) + exp(-2) + exp(-1) + 1);
    CHECK_CLOSE(rows[0], log(4), 1e-6);
    CHECK_CLOSE(rows[1], second, 1e-6);
    CHECK_CLOSE(rows[2], 0, 0);
    CHECK_CLOSE(loss, (log(4) + second) / 2, 1e-6);
    memset(target, 0xFF, sizeof target);
    RIG_SET(&r, "target", target);
    RIG_RUN(&r);
    CHECK_OK(poet_program_get_by_name(r.program, "loss", &loss, sizeof loss));
    CHECK_CLOSE(loss, 0, 0);
    target[1] = 4;
    RIG_SET(&r, "target", target);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "target 4");
    rig_close(&r);
}

/* ---- updates ---- */

/* Step 1 from zero moments: m/(1-beta1) = g and sqrt(v/(1-beta2)) = |g|, so the update is the sign;
 * step 2 by hand. */
static void test_adamw(const poet_backend *backend)
{
    const float grad[2] = {0.5F, -4};
    float param[2] = {1, -2}, hyper[2] = {0.1F, 1}, factor[1] = {0.5F};
    rig r = rig_open(backend);
    poet_val p = poet_param(r.g, "p", POET_SHAPE(2), POET_ZEROS);
    poet_val m = poet_state(r.g, "m", POET_MOMENT, POET_F32, POET_SHAPE(2), POET_ZEROS);
    poet_val v = poet_state(r.g, "v", POET_MOMENT, POET_F32, POET_SHAPE(2), POET_ZEROS);
    poet_adamw(r.g, p, poet_input(r.g, "grad", POET_F32, POET_SHAPE(2)), m, v,
               poet_input(r.g, "factor", POET_F32, POET_SCALAR),
               poet_input(r.g, "hyper", POET_F32, POET_SHAPE(2)), 0.9F, 0.99F, 1e-8F, 0.2F, 1);
    rig_ready(&r);
    RIG_WRITE(&r, "p", param);
    RIG_SET(&r, "grad", grad);
    RIG_SET(&r, "factor", factor);
    RIG_SET(&r, "hyper", hyper);
    RIG_RUN(&r);
    RIG_READ(&r, "p", param);
    CHECK_CLOSE(param[0], 1 - 0.1 * (1 + 0.2 * 1), 1e-6);
    CHECK_CLOSE(param[1], -2 - 0.1 * (-1 + 0.2 * -2), 1e-6);
    hyper[1] = 2;
    RIG_SET(&r, "hyper", hyper);
    RIG_RUN(&r);
    RIG_READ(&r, "p", param);
    /* m = 0.19 g, v = 0.0199 g^2: again the sign. */
    CHECK_CLOSE(param[0], 0.88 - 0.1 * (1 + 0.2 * 0.88), 1e-6);
    RIG_READ(&r, "m", param);
    CHECK_CLOSE(param[0], 0.19 * 0.25, 1e-6);
    CHECK_CLOSE(param[1], 0.19 * -2, 1e-6);
    rig_close(&r);
}

/* ---- dropout ---- */

static void test_dropout(const poet_backend *backend)
{
    enum { N = 10000 };

    static float x[N], first[N], second[N];
    int32_t at[1] = {7};
    int dropped = 0;
    rig r = rig_open(backend);
    poet_val in = poet_input(r.g, "x", POET_F32, POET_SHAPE(N));
    poet_val step_in = poet_input(r.g, "step", POET_I32, POET_SHAPE(1));
    poet_result(r.g, "y", poet_dropout(r.g, in, step_in, 0.25F, 3));
    rig_ready(&r);
    for (int i = 0; i < N; i++)
        x[i] = 3;
    RIG_SET(&r, "x", x);
    RIG_SET(&r, "step", at);
    RIG_RUN(&r);
    RIG_GET(&r, "y", first);
    for (int i = 0; i < N; i++) {
        CHECK(first[i] == 0 || fabsf(first[i] - 4) < 1e-6F);
        dropped += first[i] == 0;
    }
    CHECK_CLOSE(dropped, N * 0.25, 4 * sqrt(N * 0.25 * 0.75));
    at[0] = 8;
    RIG_SET(&r, "step", at);
    RIG_RUN(&r);
    RIG_GET(&r, "y", second);
    CHECK(memcmp(first, second, sizeof first) != 0);
    rig_close(&r);
}

/* ---- indices outside their table ---- */

static void test_bad_index(const poet_backend *backend)
{
    const int32_t index[2] = {1, 9};
    rig r = rig_open(backend);
    poet_val table = poet_param(r.g, "table", POET_SHAPE(5, 3), POET_ONES);
    poet_val in = poet_input(r.g, "index", POET_I32, POET_SHAPE(2));
    poet_result(r.g, "y", poet_embed(r.g, table, in));
    rig_ready(&r);
    RIG_SET(&r, "index", index);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "index 9");
    rig_close(&r);
}

static void test_backend(const poet_backend *backend)
{
    static const int mixed[] = {8, 5, 2, 3}, bits[] = {2, 2, 2, 2};
    test_attention(backend);
    test_cached_attention(backend);
    test_causality(backend);
    test_conv3d_taps(backend);
    test_patches(backend);
    test_fsq(backend, mixed, 4, false);
    test_fsq(backend, bits, 4, true);
    test_codebook_ema(backend);
    test_cross_entropy(backend);
    test_adamw(backend);
    test_dropout(backend);
    test_bad_index(backend);
}

int main(void)
{
    test_backend(poet_backend_ref());
    test_backend(poet_backend_cpu());
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
