/* Products with constant weights in 8 bits: exact where the numbers fit 8 bits, within the bound of int8.cu where they do
 * not, and made only where they are asked for. */
#include "base/rng.h"
#include "compute/backend.h"
#include "compute/program.h"
#include "cuda/backend/cuda_table.h"
#include "cuda/kernels/int8.h"
#include "tests/simt/device_under_test.h"
#include "tests/support/rig.h"

#include <stdlib.h>

enum { N = 37, K = 131, MOST = 9 };

typedef struct product {
    int m;
    float a[MOST * K], b[N * K], bias[N], y[MOST * N];
} product;

/* Integers up to 127, which every row has; divided by `by`. */
static void fill(float *x, int rows, uint64_t stream, float by)
{
    poet_rng rng;
    poet_rng_init(&rng, 7, stream);
    for (int i = 0; i < rows * K; i++)
        x[i] = (i % K == 5 ? 127 : (float)poet_rng_below(&rng, 255) - 127) / by;
}

static double exact(const product *p, int row, int column)
{
    double sum = (double)p->bias[column];
    for (int k = 0; k < K; k++)
        sum += (double)p->a[row * K + k] * (double)p->b[column * K + k];
    return sum;
}

static double size_of(const float *row, bool sum)
{
    double result = 0;
    for (int k = 0; k < K; k++) {
        double size = fabs((double)row[k]);
        result = sum ? result + size : fmax(result, size);
    }
    return result;
}

/* The bound at the top of int8.cu. */
static double bound(const product *p, int row, int column)
{
    const float *a = p->a + row * K, *b = p->b + column * K;
    double s = size_of(a, false) / 127, t = size_of(b, false) / 127;
    return size_of(a, true) * t / 2 + size_of(b, true) * s / 2 + K * s * t / 4 + 1e-4;
}

static poet_status run(poet_params *params, product *p)
{
    poet_graph *g = poet_graph_create(params);
    poet_program *program;
    poet_val a = poet_input(g, "a", POET_F32, POET_SHAPE(p->m, K));
    poet_val b = poet_param(g, "b", POET_SHAPE(N, K), POET_ZEROS);
    poet_val bias = poet_param(g, "bias", POET_SHAPE(N), POET_ZEROS);
    poet_result(g, "y", poet_matmul(g, a, false, b, true, bias));
    size_t y_bytes = (size_t)p->m * N * sizeof *p->y, a_bytes = (size_t)p->m * K * sizeof *p->a;
    POET_TRY(poet_params_write(params, poet_params_find(params, "b"), p->b, sizeof p->b));
    POET_TRY(poet_params_write(params, poet_params_find(params, "bias"), p->bias, sizeof p->bias));
    POET_TRY(poet_program_create(g, &program));
    poet_status status = poet_program_set_by_name(program, "a", p->a, a_bytes);
    if (!status)
        status = poet_program_run(program);
    if (!status)
        status = poet_program_get_by_name(program, "y", p->y, y_bytes);
    poet_program_destroy(program);
    return status;
}

static void make(product *p)
{
    poet_device *device;
    poet_params *params;
    CHECK_OK(poet_device_open(poet_cuda_table(), 0, 1, &device));
    CHECK_OK(poet_params_create(device, 1, &params));
    CHECK_OK(run(params, p));
    poet_params_destroy(params);
    poet_device_close(device);
}

/* The largest error, in units of `bound` or of 1. */
static double error_of(const product *p, bool in_bounds)
{
    double worst = 0;
    for (int row = 0; row < p->m; row++)
        for (int column = 0; column < N; column++) {
            double error = fabs((double)p->y[row * N + column] - exact(p, row, column));
            worst = check_larger(worst, in_bounds ? error / bound(p, row, column) : error);
        }
    return worst;
}

static void test_rows(int m)
{
    static product p;
    p.m = m;
    fill(p.a, m, 1, 1);
    fill(p.b, N, 2, 1);
    for (int column = 0; column < N; column++)
        p.bias[column] = (float)column;
    make(&p);
    CHECK_CLOSE(error_of(&p, false), 0, 0);
    fill(p.a, m, 1, 3);
    for (int i = 0; i < N * K; i++)
        p.b[i] = sinf((float)i);
    for (int k = 0; k < K; k++) /* nothing has no largest number to divide by */
        p.a[k] = p.b[k] = 0;
    make(&p);
    CHECK(error_of(&p, true) <= 1);
}

/* Rounding is what tells 8 bits from f32: it is there where it was asked for, and nowhere else. */
static void test_choice(int m, bool asked, bool rounds)
{
    static product p;
    p.m = m;
    fill(p.a, m, 1, 3);
    for (int i = 0; i < N * K; i++)
        p.b[i] = sinf((float)i);
    setenv("POET_CUDA_WEIGHTS", asked ? "int8" : "f32", 1);
    make(&p);
    CHECK((error_of(&p, false) > 0.01) == rounds);
}

/* Which kernel a row of k numbers gets: sums of more terms than 32 bits hold are left to f32. */
static void test_terms(int k, const char *how)
{
    rig r = rig_open(poet_cuda_table());
    poet_val a = poet_input(r.g, "a", POET_F32, POET_SHAPE(1, k));
    poet_val b = poet_param(r.g, "b", POET_SHAPE(2, k), POET_ONES);
    poet_result(r.g, "y", poet_matmul(r.g, a, false, b, true, POET_NONE));
    rig_ready(&r);
    const poet_call *call = poet_program_call(r.program, 0);
    CHECK_STR(r.device->backend->implementation(r.device, call), how);
    rig_close(&r);
}

/* What is not a number stays visible. */
static void test_not_a_number(void)
{
    static product p;
    p.m = 2;
    fill(p.a, 2, 1, 1);
    fill(p.b, N, 2, 1);
    p.a[3] = NAN;
    make(&p);
    CHECK(isnan(p.y[0]) && isnan(p.y[N - 1]));
    CHECK(isfinite(p.y[N]));
}

int main(void)
{
    setenv("POET_CUDA_WEIGHTS", "int8", 1);
    for (int order = 0; order < device_orders(); order++) {
        device_set_order(order);
        test_rows(1);
        test_rows(8);
    }
    test_not_a_number();
    test_choice(2, true, true);
    test_choice(2, false, false);
    test_choice(MOST, true, false);
    setenv("POET_CUDA_WEIGHTS", "int8", 1);
    test_terms(POET_INT8_MOST_TERMS, "rows int8");
    test_terms(POET_INT8_MOST_TERMS + 1, "rows");
    return CHECK_RESULT();
}
