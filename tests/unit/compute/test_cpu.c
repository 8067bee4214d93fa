/* What the CPU backend promises beyond agreeing with the reference: bits of a row that depend neither
 * on the batch nor on the number of threads, and the implementations that calls get. */
#include "base/memory.h"
#include "base/rng.h"
#include "compute/program.h"
#include "tests/support/check.h"

#include <stdlib.h>

/* One device, its parameters, and one program. */
typedef struct session {
    poet_device *device;
    poet_params *params;
    poet_graph *graph;
    poet_program *program;
} session;

static session session_open(int threads)
{
    session s = {0};
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, threads, &s.device));
    CHECK_OK(poet_params_create(s.device, 3, &s.params));
    s.graph = poet_graph_create(s.params);
    return s;
}

static void session_build(session *s)
{
    CHECK_OK(poet_program_create(s->graph, &s->program));
}

static void session_close(session *s)
{
    poet_program_destroy(s->program);
    poet_params_destroy(s->params);
    poet_device_close(s->device);
}

static float *random_floats(int64_t n, uint64_t seed)
{
    float *x = poet_alloc((size_t)n * sizeof *x);
    poet_rng rng;
    poet_rng_init(&rng, seed, 0);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = poet_rng_normal(&rng);
    return x;
}

static const char *implementation(const session *s, poet_op op)
{
    for (int i = 0; i < poet_program_calls(s->program); i++) {
        const poet_call *call = poet_program_call(s->program, i);
        if (call->op == op)
            return s->device->backend->implementation(s->device, call);
    }
    return "";
}

/* ---- matrix products of inference ---- */

enum { K = 70, ROWS = 13 };

/* y = x w' + bias for the first m rows of x. */
static void linear_rows(int threads, int64_t m, int64_t n, const float *x, float *y)
{
    session s = session_open(threads);
    poet_graph *g = s.graph;
    poet_val w = poet_param(g, "w", POET_SHAPE(n, K), POET_NORMAL(1));
    poet_val bias = poet_param(g, "bias", POET_SHAPE(n), POET_NORMAL(1));
    poet_val in = poet_input(g, "x", POET_F32, POET_SHAPE(m, K));
    poet_result(g, "y", poet_matmul(g, in, false, w, true, bias));
    session_build(&s);
    CHECK_OK(poet_program_set_by_name(s.program, "x", x, (size_t)(m * K) * sizeof *x));
    CHECK_OK(poet_program_run(s.program));
    CHECK_OK(poet_program_get_by_name(s.program, "y", y, (size_t)(m * n) * sizeof *y));
    session_close(&s);
}

static void test_rows_of_products(void)
{
    static const int64_t widths[] = {3, 16, 100, 2000};
    float *x = random_floats((int64_t)ROWS * K, 1);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        int64_t n = widths[w];
        float *all = poet_alloc((size_t)(ROWS * n) * sizeof *all);
        float *some = poet_alloc((size_t)(ROWS * n) * sizeof *some);
        linear_rows(1, ROWS, n, x, all);
        for (int64_t m = 1; m <= ROWS; m++)
            for (int threads = 1; threads <= 3; threads++) {
                linear_rows(threads, m, n, x, some);
                CHECK(memcmp(all, some, (size_t)(m * n) * sizeof *all) == 0);
            }
        poet_free(all);
        poet_free(some);
    }
    poet_free(x);
}

/* Weights that are bf16 numbers are packed as such; one more bit anywhere and they are not. The other
 * results must not notice. */
static void test_half_weights(void)
{
    enum { N = 37, M = 3 };

    float w[N * K], y[2][M * N], *x = random_floats((int64_t)M * K, 4);
    poet_rng rng;
    poet_rng_init(&rng, 5, 0);
    for (int i = 0; i < N * K; i++)
        w[i] = poet_bf16_to_f32(poet_bf16_from_f32(poet_rng_normal(&rng)));
    for (int more = 0; more < 2; more++) {
        session s = session_open(2);
        poet_val weight = poet_param(s.graph, "w", POET_SHAPE(N, K), POET_ZEROS);
        poet_val in = poet_input(s.graph, "x", POET_F32, POET_SHAPE(M, K));
        poet_result(s.graph, "y", poet_matmul(s.graph, in, false, weight, true, POET_NONE));
        w[N * K - 1] += more ? 0x1p-20F : 0;
        CHECK_OK(poet_params_write(s.params, poet_params_find(s.params, "w"), w, sizeof w));
        session_build(&s);
        const char *name = implementation(&s, POET_OP_MATMUL);
        CHECK(strncmp(name, "packed", 6) != 0 || (strstr(name, "bf16") == NULL) == more);
        CHECK_OK(poet_program_set_by_name(s.program, "x", x, M * K * sizeof *x));
        CHECK_OK(poet_program_run(s.program));
        CHECK_OK(poet_program_get_by_name(s.program, "y", y[more], sizeof y[more]));
        session_close(&s);
    }
    for (int i = 0; i < M * N; i++)
        CHECK(i % N == N - 1 || y[0][i] == y[1][i]);
    poet_free(x);
}

/* A weight that the program itself computes is packed in each run. */
static void test_computed_weights(void)
{
    session s = session_open(2);
    poet_graph *g = s.graph;
    poet_val x = poet_input(g, "x", POET_F32, POET_SHAPE(2, 2));
    poet_val w = poet_input(g, "w", POET_F32, POET_SHAPE(2, 2));
    poet_result(g, "y", poet_matmul(g, x, false, poet_scale(g, w, 2), false, POET_NONE));
    session_build(&s);
    const float one[] = {1, 0, 0, 1};
    CHECK_OK(poet_program_set_by_name(s.program, "x", one, sizeof one));
    for (int run = 1; run <= 3; run++) {
        float weights[] = {1, 2, 3, (float)run}, y[4];
        CHECK_OK(poet_program_set_by_name(s.program, "w", weights, sizeof weights));
        CHECK_OK(poet_program_run(s.program));
        CHECK_OK(poet_program_get_by_name(s.program, "y", y, sizeof y));
        CHECK_CLOSE(y[0], 2, 0);
        CHECK_CLOSE(y[1], 4, 0);
        CHECK_CLOSE(y[3], 2 * run, 0);
    }
    session_close(&s);
}

/* ---- attention with a cache ---- */

enum { C = 48, HEADS = 2, ROOM = 40, PREFIX = 5 };

/* The results of `steps` single positions after a prefix, for the batch rows [first, first + b) of
 * qkv (batch, PREFIX + steps, 3C), into y (b, steps, C). */
static void cached_steps(int threads, int64_t first, int64_t b, int64_t steps, const float *qkv,
                         const int32_t *lengths, float *y)
{
    session s = session_open(threads);
    poet_program *programs[2];
    for (int p = 0; p < 2; p++) {
        poet_graph *g = p ? poet_graph_create(s.params) : s.graph;
        poet_shape cache = POET_SHAPE(b, ROOM, C);
        poet_val keys = poet_state(g, "keys", POET_CACHE, POET_F32, cache, POET_ZEROS);
        poet_val values = poet_state(g, "values", POET_CACHE, POET_F32, cache, POET_ZEROS);
        poet_val in = poet_input(g, "qkv", POET_F32, POET_SHAPE(b, p ? 1 : PREFIX, 3 * C));
        poet_val position = poet_input(g, "position", POET_I32, POET_SHAPE(b));
        poet_val real = poet_input(g, "lengths", POET_I32, POET_SHAPE(b));
        poet_result(g, "y",
                    poet_attention_cached(g, in, keys, values, position, real, HEADS, PREFIX));
        CHECK_OK(poet_program_create(g, &programs[p]));
    }
    int64_t total = PREFIX + steps;
    float *in = poet_alloc((size_t)(b * PREFIX * 3 * C) * sizeof *in);
    float *out = poet_alloc((size_t)(b * PREFIX * C) * sizeof *out);
    for (int64_t step = -1; step < steps; step++) {
        int64_t t = step < 0 ? PREFIX : 1, at = step < 0 ? 0 : PREFIX + step;
        int32_t position[8];
        for (int64_t r = 0; r < b; r++) {
            position[r] = (int32_t)at;
            memcpy(in + r * t * 3 * C, qkv + ((first + r) * total + at) * 3 * C,
                   (size_t)(t * 3 * C) * sizeof *in);
        }
        poet_program *program = programs[step >= 0];
        CHECK_OK(
            poet_program_set_by_name(program, "qkv", in, (size_t)(b * t * 3 * C) * sizeof *in));
        CHECK_OK(
            poet_program_set_by_name(program, "position", position, (size_t)b * sizeof *position));
        CHECK_OK(poet_program_set_by_name(program, "lengths", lengths + first,
                                          (size_t)b * sizeof *lengths));
        CHECK_OK(poet_program_run(program));
        CHECK_OK(poet_program_get_by_name(program, "y", out, (size_t)(b * t * C) * sizeof *out));
        for (int64_t r = 0; r < b && step >= 0; r++)
            memcpy(y + (r * steps + step) * C, out + r * C, C * sizeof *y);
    }
    poet_free(in);
    poet_free(out);
    poet_program_destroy(programs[1]);
    s.program = programs[0];
    session_close(&s);
}

static void test_rows_of_cached_attention(void)
{
    enum { BATCH = 5, STEPS = 30 };

    const int32_t lengths[BATCH] = {5, 1, 3, 5, 2};
    float *qkv = random_floats((int64_t)BATCH * (PREFIX + STEPS) * 3 * C, 2);
    float *all = random_floats((int64_t)BATCH * STEPS * C, 0);
    float *one = random_floats((int64_t)STEPS * C, 0);
    cached_steps(2, 0, BATCH, STEPS, qkv, lengths, all);
    for (int64_t row = 0; row < BATCH; row++)
        for (int threads = 1; threads <= 2; threads++) {
            cached_steps(threads, row, 1, STEPS, qkv, lengths, one);
            CHECK(memcmp(one, all + row * STEPS * C, (size_t)(STEPS * C) * sizeof *one) == 0);
        }
    poet_free(qkv);
    poet_free(all);
    poet_free(one);
}

/* ---- gradients that do not depend on the number of threads ---- */

enum { B = 3, T = 40, V = 11 };

enum { TABLE = V * 3 * C, KERNEL = C * 2 * 9 * C };

/* d loss / d table, then d loss / d w. */
static void gradients(int threads, const int32_t *codes, float *out)
{
    session s = session_open(threads);
    poet_graph *g = s.graph;
    poet_val index = poet_input(g, "codes", POET_I32, POET_SHAPE(B, T));
    poet_val table = poet_param(g, "table", POET_SHAPE(V, 3 * C), POET_NORMAL(1));
    poet_val gain = poet_param(g, "gain", POET_SHAPE(C), POET_ONES);
    poet_val x = poet_attention(g, poet_embed(g, table, index), POET_NONE, HEADS, 0);
    x = poet_act(g, poet_rms_norm(g, x, gain), POET_ACT_GELU);
    poet_val plane = poet_reshape(g, x, POET_SHAPE(B, 1, 5, 8, C));
    poet_val bias = poet_param(g, "bias", POET_SHAPE(C), POET_ONES);
    poet_val w = poet_param(g, "w", POET_SHAPE(C, 2, 3, 3, C), POET_NORMAL(0.05F));
    plane = poet_conv3d(g, plane, w, bias);
    plane = poet_group_norm(g, plane, gain, bias, 4, POET_ACT_SILU);
    poet_val logits = poet_reshape(g, poet_add(g, plane, bias), POET_SHAPE(B, T, C));
    poet_graph_backward(g, poet_cross_entropy(g, logits, index, NULL));
    poet_result(g, "d_table", poet_grad(g, table));
    poet_result(g, "d_w", poet_grad(g, w));
    session_build(&s);
    CHECK_OK(poet_program_set_by_name(s.program, "codes", codes, B * T * sizeof *codes));
    CHECK_OK(poet_program_run(s.program));
    CHECK_OK(poet_program_get_by_name(s.program, "d_table", out, TABLE * sizeof *out));
    CHECK_OK(poet_program_get_by_name(s.program, "d_w", out + TABLE, KERNEL * sizeof *out));
    session_close(&s);
}

static void test_threads(void)
{
    int32_t codes[B * T];
    static float one[TABLE + KERNEL], more[TABLE + KERNEL];
    for (int i = 0; i < B * T; i++)
        codes[i] = i * i % V;
    gradients(1, codes, one);
    for (int threads = 2; threads <= 5; threads++) {
        gradients(threads, codes, more);
        CHECK(memcmp(one, more, sizeof one) == 0);
    }
}

/* ---- convolutions ---- */

static void test_implementations(void)
{
    session s = session_open(2);
    poet_graph *g = s.graph;
    poet_val x = poet_input(g, "x", POET_F32, POET_SHAPE(1, 2, 4, 4, 16));
    poet_val w = poet_param(g, "w", POET_SHAPE(16, 3, 3, 3, 16), POET_NORMAL(1));
    poet_val point = poet_param(g, "point", POET_SHAPE(16, 1, 1, 1, 16), POET_NORMAL(1));
    poet_val y = poet_conv3d(g, poet_conv3d(g, x, point, POET_NONE), w, POET_NONE);
    poet_graph_backward(g, poet_mse(g, y, poet_scale(g, poet_stop_grad(g, y), 2)));
    poet_result(g, "dw", poet_grad(g, w));
    poet_result(g, "dpoint", poet_grad(g, point));
    session_build(&s);
    CHECK(strncmp(implementation(&s, POET_OP_CONV3D), "dnnl:", 5) == 0); /* the first: 1x1 */
    CHECK(strlen(implementation(&s, POET_OP_CONV3D_DX)) > 0);
    CHECK(strlen(implementation(&s, POET_OP_CONV3D_DW)) > 0);
    session_close(&s);
}

int main(void)
{
    test_rows_of_products();
    test_half_weights();
    test_computed_weights();
    test_rows_of_cached_attention();
    test_threads();
    test_implementations();
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
