/* Products with constant weights in f16: conversion and rounding, every number of rows, on cards with tensor cores and without,
 * and weights that f16 does not hold. */
#include "base/rng.h"
#include "cuda/backend/backend_internal.h"
#include "cuda/kernels/f16.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/device_under_test.h"
#include "tests/support/rig.h"

#include <stdlib.h>
#include <string.h>

enum { N = 37, K = 131, MOST = 33 };

/* ---- conversion ---- */

enum { FINITE = 0x7C00 }; /* patterns from 0 to 65504 */

/* By IEEE 754: 10 bits behind the point, exponents from -14 to 15. */
static double value_of(int bits)
{
    int exponent = bits >> 10, fraction = bits & 1023;
    return exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
}

/* Packs and reads back. */
static void pack(const float *x, int n, uint16_t *out, poet_fault *found)
{
    void *device_x = on_device(x, (size_t)n * sizeof *x);
    void *device_word = on_device(NULL, poet_cuda_f16_bytes(1, n));
    void *device_fault = on_device(NULL, sizeof *found);
    poet_f16_matrix to = poet_cuda_f16_in(device_word, 1, n);
    CHECK_INT(poet_cuda_clear_fault(device_stream(), device_fault), 0);
    CHECK_INT(poet_cuda_to_f16(device_stream(), device_x, n, &to, device_fault), 0);
    to_host(out, device_word, (size_t)n * sizeof *out);
    to_host(found, device_fault, sizeof *found);
    free_all(3, (void *[]){device_x, device_word, device_fault});
}

/* Every number of f16; what lies in the middle of two, which goes to the even one; and the neighbours of the middle in f32. */
static void test_conversion(void)
{
    static float x[4 * FINITE];
    static uint16_t bits[4 * FINITE];
    poet_fault fault;
    int wrong = 0;
    for (int i = 0; i < FINITE; i++) {
        float here = (float)value_of(i), middle = (float)((value_of(i) + value_of(i + 1)) / 2);
        x[4 * i] = i % 2 ? -here : here;
        x[4 * i + 1] = nextafterf(middle, 0);
        x[4 * i + 2] = i + 1 < FINITE ? middle : here;
        x[4 * i + 3] = i + 1 < FINITE ? nextafterf(middle, INFINITY) : here;
    }
    pack(x, 4 * FINITE, bits, &fault);
    CHECK(fault == POET_FAULT_NONE);
    for (int i = 0; i < FINITE; i++) {
        int above = i + 1 < FINITE ? i + 1 : i;
        wrong += bits[4 * i] != (i % 2 ? i | 0x8000 : i);
        wrong += bits[4 * i + 1] != i;
        wrong += bits[4 * i + 2] != (i % 2 ? above : i);
        wrong += bits[4 * i + 3] != above;
    }
    CHECK_INT(wrong, 0);
}

/* The first fault is told, wherever threads begin. */
static void test_range(void)
{
    float x[5] = {1, 2, 65520, NAN, -INFINITY};
    uint16_t bits[5];
    poet_fault fault;
    pack(x, 5, bits, &fault);
    CHECK(fault == (2 << 8 | POET_FAULT_RANGE));
    CHECK_INT(bits[2], 0x7C00);
}

/* ---- products ---- */

typedef struct product {
    int m, k;
    bool turned; /* b is (K,N) */
    float a[MOST * K], b[N * K], bias[N], y[MOST * N];
    char how[32]; /* which kernel did it, */
    double peak;  /* and what its units can do at best, where f32 is 1, int8 2, tensor cores 3 */
} product;

static poet_graph *graph_of(const rig *r, const product *p)
{
    poet_graph *g = r->g;
    poet_val a = poet_input(g, "a", POET_F32, POET_SHAPE(p->m, p->k));
    poet_shape shape = p->turned ? POET_SHAPE(p->k, N) : POET_SHAPE(N, p->k);
    poet_val b = poet_param(g, "b", shape, POET_ZEROS);
    poet_val bias = poet_param(g, "bias", POET_SHAPE(N), POET_ZEROS);
    poet_result(g, "y", poet_matmul(g, a, false, b, !p->turned, bias));
    return g;
}

static void write_weights(const rig *r, const product *p)
{
    size_t bytes = (size_t)(N * p->k) * sizeof *p->b;
    CHECK_OK(poet_params_write(r->params, poet_params_find(r->params, "b"), p->b, bytes));
    RIG_WRITE(r, "bias", p->bias);
}

static void make(product *p)
{
    rig r = rig_open(poet_cuda_table());
    graph_of(&r, p);
    write_weights(&r, p);
    rig_ready(&r);
    size_t y_bytes = (size_t)(p->m * N) * sizeof *p->y,
           a_bytes = (size_t)(p->m * p->k) * sizeof *p->a;
    CHECK_OK(poet_program_set_by_name(r.program, "a", p->a, a_bytes));
    RIG_RUN(&r);
    CHECK_OK(poet_program_get_by_name(r.program, "y", p->y, y_bytes));
    const poet_call *call = poet_program_call(r.program, 0);
    snprintf(p->how, sizeof p->how, "%s", r.device->backend->implementation(r.device, call));
    ((poet_cuda_device *)(void *)r.device)->peaks = (poet_peaks){.f32 = 1, .int8 = 2, .tensor = 3};
    p->peak = r.device->backend->peak(r.device, call);
    rig_close(&r);
}

/* The largest error; `relative`: in units of the sum of |a b|. */
static double error_of(const product *p, bool relative)
{
    double worst = 0;
    for (int row = 0; row < p->m; row++)
        for (int column = 0; column < N; column++) {
            double sum = (double)p->bias[column], size = 0;
            for (int k = 0; k < p->k; k++) {
                const float *b = p->turned ? &p->b[k * N + column] : &p->b[column * p->k + k];
                double term = (double)p->a[row * p->k + k] * (double)*b;
                sum += term;
                size += fabs(term);
            }
            double error = fabs((double)p->y[row * N + column] - sum);
            worst = check_larger(worst, relative ? error / size : error);
        }
    return worst;
}

static void fill_whole(product *p)
{
    poet_rng rng;
    poet_rng_init(&rng, 7, 1);
    for (int i = 0; i < MOST * K; i++)
        p->a[i] = ((float)poet_rng_below(&rng, 33) - 16) / 8;
    for (int i = 0; i < N * K; i++)
        p->b[i] = ((float)poet_rng_below(&rng, 2049) - 1024) / 16;
    for (int i = 0; i < N; i++)
        p->bias[i] = (float)i;
}

static void fill_real(product *p, float size)
{
    poet_rng rng;
    poet_rng_init(&rng, 7, 2);
    for (int i = 0; i < MOST * K; i++)
        p->a[i] = size * poet_rng_normal(&rng);
    for (int i = 0; i < N * K; i++)
        p->b[i] = size * poet_rng_normal(&rng);
    memset(p->bias, 0, sizeof p->bias);
}

/* Numbers that f16 holds, with sums that f32 holds: exact in any order. Others: rounded to 11 bits once, or twice where a is
 * too, and not less, so that it was f16 indeed. */
static void test_rows(int m, int k, const char *how)
{
    static product p;
    p.m = m;
    p.k = k;
    fill_whole(&p);
    make(&p);
    CHECK_STR(p.how, how);
    CHECK_CLOSE(error_of(&p, false), 0, 0);
    static const float sizes[] = {1e-2F, 1, 1000}; /* normal numbers are below 6 of these */
    for (int i = 0; i < 3; i++) {
        fill_real(&p, sizes[i]);
        make(&p);
        double error = error_of(&p, true), rounding = strncmp(how, "rows", 4) == 0 ? 1 : 2;
        CHECK(error < rounding * 0x1p-11 + K * 0x1p-24);
        CHECK(error > 0x1p-16);
    }
}

static int capability(void)
{
    rig r = rig_open(poet_cuda_table());
    const char *sm = strstr(r.device->name, "sm_");
    int number = sm ? (int)strtol(sm + 3, NULL, 10) : 0;
    CHECK(number > 0);
    rig_close(&r);
    return number;
}

static bool has_tensor_cores(void)
{
    return capability() >= POET_F16_CAPABILITY;
}

static void test_all_rows(void)
{
    static const int few[] = {1, 2, 3, 8}, many[] = {9, 16, MOST};
    for (int i = 0; i < 4; i++)
        test_rows(few[i], K, "rows f16");
    test_rows(5, K - 1, "rows f16");
    test_rows(3, 1, "rows f16");
    if (!has_tensor_cores())
        return;
    for (int i = 0; i < 3; i++)
        test_rows(many[i], K, "tensor f16");
    test_rows(17, K - 1, "tensor f16");
    test_rows(17, 1, "tensor f16");
}

/* Rounding is what tells f16 from f32: it is there where it was asked for, and nowhere else. A card is of one capability, the
 * simulated device of any. */
static void test_choice(int m, const char *card, const char *asked, bool turned, const char *how)
{
    static product p;
    p = (product){.m = m, .k = K, .turned = turned};
    fill_real(&p, 1);
    setenv("POET_CUDA_WEIGHTS", asked, 1);
    setenv("POET_SIMT_CAPABILITY", card, 1);
    if (has_tensor_cores() == (strtol(card, NULL, 10) >= POET_F16_CAPABILITY)) {
        make(&p);
        bool f16 = strstr(how, "f16"), int8 = strstr(how, "int8"), tensor = strstr(how, "tensor");
        CHECK_STR(p.how, how);
        CHECK_CLOSE(p.peak, tensor ? 3 : int8 ? 2 : 1, 0);
        CHECK((error_of(&p, true) > 0x1p-16) == (f16 || int8));
    }
    setenv("POET_CUDA_WEIGHTS", "f16", 1);
    unsetenv("POET_SIMT_CAPABILITY");
}

static void test_choices(void)
{
    test_choice(8, "61", "f16", false, "rows f16");
    test_choice(9, "61", "f16", false, "tile");
    test_choice(8, "61", "int8", false, "rows int8");
    test_choice(9, "120", "int8", false, "tile");
    test_choice(9, "70", "f16", false, "tile");
    test_choice(9, "75", "f16", false, "tensor f16");
    test_choice(9, "120", "f32", false, "tile");
    test_choice(8, "120", "f32", false, "rows");
    test_choice(8, "120", "f16", true, "tile");
    test_choice(9, "120", "f16", true, "tile");
}

/* The line that names the device says what its weights are. */
static void test_name(const char *card, const char *asked, const char *end)
{
    setenv("POET_CUDA_WEIGHTS", asked, 1);
    setenv("POET_SIMT_CAPABILITY", card, 1);
    if (has_tensor_cores() == (strtol(card, NULL, 10) >= POET_F16_CAPABILITY)) {
        rig r = rig_open(poet_cuda_table());
        const char *found = strstr(r.device->name, ", weights");
        CHECK_STR(found ? found : "", end);
        rig_close(&r);
    }
    setenv("POET_CUDA_WEIGHTS", "f16", 1);
    unsetenv("POET_SIMT_CAPABILITY");
}

static void test_names(void)
{
    test_name("120", "f16", ", weights in f16");
    test_name("61", "f16", ", weights in f16 where rows are few");
    test_name("120", "int8", ", weights in int8 where rows are few");
    test_name("120", "f32", "");
}

/* Weights that are computed are not packed: nobody would pack them again. */
static void test_computed(void)
{
    rig r = rig_open(poet_cuda_table());
    poet_val a = poet_input(r.g, "a", POET_F32, POET_SHAPE(2, K));
    poet_val b = poet_input(r.g, "b", POET_F32, POET_SHAPE(N, K));
    poet_result(r.g, "y", poet_matmul(r.g, a, false, b, true, POET_NONE));
    rig_ready(&r);
    const poet_call *call = poet_program_call(r.program, 0);
    CHECK_STR(r.device->backend->implementation(r.device, call), "rows");
    rig_close(&r);
}

/* ---- what f16 does not hold ---- */

static void test_refused(float weight, bool fits)
{
    static product p;
    p = (product){.m = 2, .k = K};
    rig r = rig_open(poet_cuda_table());
    graph_of(&r, &p);
    p.b[K + 3] = weight;
    write_weights(&r, &p);
    if (fits)
        rig_ready(&r);
    else {
        CHECK_FAILS(poet_program_create(r.g, &r.program), POET_ERR_ARG,
                    "the weight at 134 is beyond 65504, the largest in f16");
        r.g = NULL;
    }
    rig_close(&r);
}

/* An input beyond the range makes results of its row that are no numbers, and no others. */
static void test_large_input(void)
{
    static product p;
    p = (product){.m = 9, .k = K};
    if (!has_tensor_cores())
        return;
    fill_whole(&p);
    p.a[3 * K + 5] = 65520;
    make(&p);
    for (int row = 0; row < p.m; row++)
        CHECK((isfinite(p.y[row * N]) != 0) == (row != 3));
}

int main(void)
{
    device_begin();
    setenv("POET_CUDA_WEIGHTS", "f16", 1);
    for (int order = 0; order < device_orders(); order++) {
        device_set_order(order);
        test_range();
        test_all_rows();
    }
    test_conversion();
    test_choices();
    test_names();
    test_computed();
    test_refused(65519, true);
    test_refused(-65520, false);
    test_refused(NAN, false);
    test_large_input();
    device_end();
    return CHECK_RESULT();
}
