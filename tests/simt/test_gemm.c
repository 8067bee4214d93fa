/* Every way to cut a product over the card gives the product. What the planner would choose wants matrices that are too
 * large for a test: here the tile and the slices of K are given. */
#include "base/rng.h"
#include "cuda/kernels/f16.h"
#include "cuda/kernels/int8.h"
#include "cuda/kernels/matmul.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/device_under_test.h"
#include "tests/support/check.h"

#include <string.h>

enum { M = 130, N = 67, K = 73, SLICES = 3 };

static float a[M * K], b[K * N], bias[N], y[M * N];
static uint16_t a_bf16[M * K], b_bf16[K * N];

/* Numbers that are sums of few powers of two: they are whole in bf16, and products and their sums exact, in any order. */
static void fill(float *x, int n, uint64_t stream)
{
    poet_rng rng;
    poet_rng_init(&rng, 7, stream);
    for (int i = 0; i < n; i++)
        x[i] = ((float)poet_rng_below(&rng, 33) - 16) / 8;
}

static void to_bf16(const float *x, int n, uint16_t *out)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        CHECK((bits & 0xFFFF) == 0);
        out[i] = (uint16_t)(bits >> 16);
    }
}

static float expected(int ta, int tb, int row, int column)
{
    float sum = bias[column];
    for (int k = 0; k < K; k++)
        sum += a[ta ? k * M + row : row * K + k] * b[tb ? column * K + k : k * N + column];
    return sum;
}

static int count_wrong(int ta, int tb)
{
    int wrong = 0;
    for (int row = 0; row < M; row++)
        for (int column = 0; column < N; column++)
            wrong += y[row * N + column] != expected(ta, tb, row, column);
    return wrong;
}

static void check_plan(int ta, int tb, int bf16, poet_gemm_plan plan)
{
    void *device_a = bf16 ? on_device(a_bf16, sizeof a_bf16) : on_device(a, sizeof a);
    void *device_b = bf16 ? on_device(b_bf16, sizeof b_bf16) : on_device(b, sizeof b);
    void *device_bias = on_device(bias, sizeof bias), *device_y = on_device(NULL, sizeof y);
    void *parts = on_device(NULL, (size_t)poet_cuda_gemm_parts(&plan) * sizeof(float));
    poet_matmul_args args = {.a = {.data = device_a, .bf16 = bf16},
                             .b = {.data = device_b, .bf16 = bf16},
                             .transpose_a = ta,
                             .transpose_b = tb,
                             .bias = device_bias,
                             .y = device_y,
                             .parts = parts,
                             .plan = plan};
    CHECK_INT(poet_cuda_matmul(device_stream(), &args), 0);
    to_host(y, device_y, sizeof y);
    CHECK_INT(count_wrong(ta, tb), 0);
    free_all(5, (void *[]){device_a, device_b, device_bias, device_y, parts});
}

/* The numbers are whole in f16 too. */
static void check_f16(poet_gemm_plan plan)
{
    void *device_a = on_device(a, sizeof a), *device_b = on_device(b, sizeof b);
    void *device_bias = on_device(bias, sizeof bias), *device_y = on_device(NULL, sizeof y);
    void *parts = on_device(NULL, (size_t)poet_cuda_gemm_parts(&plan) * sizeof(float));
    void *weights = on_device(NULL, poet_cuda_f16_bytes(N, K));
    poet_f16_args args = {.a = device_a,
                          .b = poet_cuda_f16_in(weights, N, K),
                          .bias = device_bias,
                          .y = device_y,
                          .parts = parts,
                          .plan = plan};
    CHECK_INT(poet_cuda_to_f16(device_stream(), device_b, K, &args.b, NULL), 0);
    CHECK_INT(poet_cuda_f16_matmul(device_stream(), &args), 0);
    to_host(y, device_y, sizeof y);
    CHECK_INT(count_wrong(0, 1), 0);
    free_all(6, (void *[]){device_a, device_b, device_bias, device_y, parts, weights});
}

static void test_f16_plans(void)
{
    static const int tiles[] = {POET_TILE_SMALL, POET_TILE_BIG}, slices[] = {1, SLICES};
    for (int order = 0; order < device_orders(); order++)
        for (int i = 0; i < 4; i++) {
            device_set_order(order);
            check_f16((poet_gemm_plan){
                .m = M, .n = N, .k = K, .tile = tiles[i / 2], .slices = slices[i % 2]});
        }
}

static void test_plans(void)
{
    static const int tiles[] = {POET_TILE_SMALL, POET_TILE_BIG}, slices[] = {1, SLICES};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int layout = 0; layout < 4; layout++)
                for (int unit = 0; unit < 3; unit++) { /* f32; bf16; bf16 on tensor cores */
                    device_set_order(layout);
                    check_plan(layout / 2, layout % 2, unit > 0,
                               (poet_gemm_plan){.m = M,
                                                .n = N,
                                                .k = K,
                                                .tile = tiles[i],
                                                .slices = slices[j],
                                                .tensor_cores = unit == 2});
                }
}

/* The same numbers have the same 8 bits, whatever they are read from. */
static void test_int8_operands(void)
{
    enum { ROWS = 5 };

    size_t bytes = poet_cuda_int8_bytes(ROWS, K);
    void *device_a = on_device(a, sizeof a), *device_bf16 = on_device(a_bf16, sizeof a_bf16);
    void *memory = on_device(NULL, bytes), *memory_bf16 = on_device(NULL, bytes);
    poet_int8 to = poet_cuda_int8_in(memory, ROWS, K);
    poet_int8 to_bf16 = poet_cuda_int8_in(memory_bf16, ROWS, K);
    static char want[ROWS * (K + 8)], got[ROWS * (K + 8)];
    CHECK(bytes <= sizeof want);
    CHECK_INT(poet_cuda_to_int8(device_stream(), (poet_operand){.data = device_a}, K, &to), 0);
    CHECK_INT(poet_cuda_to_int8(device_stream(), (poet_operand){.data = device_bf16, .bf16 = 1}, K,
                                &to_bf16),
              0);
    to_host(want, memory, bytes);
    to_host(got, memory_bf16, bytes);
    CHECK(memcmp(got, want, bytes) == 0);
    free_all(4, (void *[]){device_a, device_bf16, memory, memory_bf16});
}

/* Large results are cut into large tiles, small results of long sums into slices; nothing else has parts. */
static void test_planner(void)
{
    poet_gemm_plan large = poet_cuda_gemm_plan(65536, 256, 1024);
    poet_gemm_plan small = poet_cuda_gemm_plan(64, 64, 65536), thin = poet_cuda_gemm_plan(9, 9, 9);
    CHECK_INT(large.tile, POET_TILE_BIG);
    CHECK_INT(poet_cuda_gemm_parts(&large), 0);
    CHECK_INT(small.tile, POET_TILE_SMALL);
    CHECK(small.slices > 1);
    CHECK_INT(poet_cuda_gemm_parts(&small), small.slices * 64 * 64);
    CHECK_INT(poet_cuda_gemm_parts(&thin), 0);
}

int main(void)
{
    device_begin();
    fill(a, M * K, 1);
    fill(b, K * N, 2);
    fill(bias, N, 3);
    to_bf16(a, M * K, a_bf16);
    to_bf16(b, K * N, b_bf16);
    test_plans();
    test_f16_plans();
    test_int8_operands();
    test_planner();
    device_end();
    return CHECK_RESULT();
}
