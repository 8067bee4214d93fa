/* checkptx: every operation of the CUDA backend against the reference, by the PTX that nvcc has made of its kernels.
 *
 *     checkptx FOLDER [NAME...]   the named cases of tests/support/op_families.c, or products of this file ("int8", "f16",
 *                                 "f16_tile"); all of them without a name
 *
 * FOLDER is what kernels.sh fills: the PTX, and kernels.so with nvcc's host code. POET_SEED changes what the cases are
 * filled with, and whether threads run from the first to the last or the other way. */
#include "tests/parity/run_internal.h"

#include "base/rng.h"
#include "cuda/backend/cuda_table.h"
#include "tests/cuda/ptx/machine.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const poet_backend *backend;
static int failures, comparisons;

static const char *const mode_names[OP_MODES] = {"normal", "zeros", "large", "ties"};

/* ---- the backend: host code of the kernels first, as the rest refers to it ---- */

static poet_status open_library(const char *path, void **out)
{
    *out = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    return *out ? POET_OK : POET_FAIL(POET_ERR_IO, "%s", dlerror());
}

static poet_status open_backend(const char *folder)
{
    char path[4096];
    void *library;
    const poet_backend *(*table)(void);
    POET_TRY(ptx_load(folder));
    snprintf(path, sizeof path, "%s/kernels.so", folder);
    POET_TRY(open_library(path, &library));
    POET_TRY(open_library(PTX_BACKEND, &library));
    *(void **)&table = dlsym(library, "poet_cuda_table");
    if (!table)
        return POET_FAIL(POET_ERR_IO, "%s", dlerror());
    backend = table();
    return POET_OK;
}

/* ---- comparison ---- */

static void report(const char *name, const variant *v, const char *what)
{
    failures++;
    printf("FAILED %s, %s, %s: %s: %s\n", name, mode_names[v->mode], poet_dtype_name(v->precision),
           what, poet_error_message());
}

static void compare(const char *name, op_mode mode, poet_dtype precision)
{
    variant reference = {
        .backend = poet_backend_ref(), .threads = 1, .mode = mode, .precision = precision};
    variant v = reference;
    outcome want, got;
    v.backend = backend;
    v.separate = true;
    poet_status status = outcome_make(name, &reference, &want);
    if (status)
        report(name, &reference, "reference");
    poet_status other = outcome_make(name, &v, &got);
    if (other)
        report(name, &v, "run");
    comparisons++;
    if (!status && !other && outcome_close(&got, &want, &v))
        report(name, &v, "result");
    outcome_free(&want);
    outcome_free(&got);
}

static poet_status compare_case(const char *name)
{
    op_case c;
    POET_TRY(op_case_parse(name, &c));
    for (int mode = 0; mode < OP_MODES; mode++) {
        compare(name, (op_mode)mode, POET_F32);
        if (c.family->precise)
            compare(name, (op_mode)mode, POET_BF16);
    }
    return POET_OK;
}

/* ---- constant weights in fewer bits ---- */

enum { MOST_ROWS = 17, COLUMNS = 37, INNER = 131 };

typedef struct product {
    int rows;
    float a[MOST_ROWS * INNER], b[COLUMNS * INNER], y[MOST_ROWS * COLUMNS];
} product;

/* Whole numbers of -127 to 127, both of which every row has, so that 8 bits and f16 hold them and sums are exact. */
static void fill(float *x, int rows, uint64_t stream)
{
    const char *seed = getenv("POET_SEED");
    poet_rng rng;
    poet_rng_init(&rng, seed ? (uint64_t)atoi(seed) : 0, stream);
    for (int i = 0; i < rows * INNER; i++)
        x[i] = i % INNER == 5 ? 127 : (float)poet_rng_below(&rng, 255) - 127;
}

static poet_status multiply(poet_params *params, product *p)
{
    poet_program *program;
    poet_graph *g = poet_graph_create(params);
    poet_val a = poet_input(g, "a", POET_F32, POET_SHAPE(p->rows, INNER));
    poet_val b = poet_param(g, "b", POET_SHAPE(COLUMNS, INNER), POET_ZEROS);
    poet_result(g, "y", poet_matmul(g, a, false, b, true, POET_NONE));
    size_t a_bytes = (size_t)(p->rows * INNER) * sizeof *p->a;
    size_t y_bytes = (size_t)(p->rows * COLUMNS) * sizeof *p->y;
    POET_TRY(poet_params_write(params, poet_params_find(params, "b"), p->b, sizeof p->b));
    POET_TRY(poet_program_create(g, &program));
    poet_status status = poet_program_set_by_name(program, "a", p->a, a_bytes);
    if (!status)
        status = poet_program_run(program);
    if (!status)
        status = poet_program_get_by_name(program, "y", p->y, y_bytes);
    poet_program_destroy(program);
    return status;
}

static poet_status judge(const product *p)
{
    for (int i = 0; i < p->rows * COLUMNS; i++) {
        float want = 0;
        for (int k = 0; k < INNER; k++)
            want += p->a[i / COLUMNS * INNER + k] * p->b[i % COLUMNS * INNER + k];
        if (!(fabsf(p->y[i] - want) <= 0)) /* or not a number */
            return POET_FAIL(POET_ERR_MISMATCH, "y[%d] is %.9g, not %.9g", i, (double)p->y[i],
                             (double)want);
    }
    return POET_OK;
}

static poet_status make_product(const char *weights, product *p)
{
    poet_device *device = NULL;
    poet_params *params = NULL;
    fill(p->a, p->rows, 1);
    fill(p->b, COLUMNS, 2);
    setenv("POET_CUDA_WEIGHTS", weights, 1);
    poet_status status = poet_device_open(backend, 0, 1, &device);
    if (!status)
        status = poet_params_create(device, 1, &params);
    if (!status)
        status = multiply(params, p);
    unsetenv("POET_CUDA_WEIGHTS");
    poet_params_destroy(params);
    poet_device_close(device);
    return status ? status : judge(p);
}

static const struct {
    const char *name, *weights;
    int rows;
} products[] = {{"int8", "int8", 5}, {"f16", "f16", 5}, {"f16_tile", "f16", MOST_ROWS}};

enum { PRODUCTS = sizeof products / sizeof *products };

/* False: there is no product of this name. */
static bool compare_product(const char *name)
{
    static product p;
    variant v = {.mode = OP_NORMAL};
    int i = 0;
    while (i < PRODUCTS && strcmp(products[i].name, name) != 0)
        i++;
    if (i == PRODUCTS)
        return false;
    p.rows = products[i].rows;
    if (make_product(products[i].weights, &p))
        report(name, &v, "product");
    comparisons++;
    return true;
}

static poet_status compare_all(void)
{
    int count;
    const op_family *families = op_families(&count);
    for (int i = 0; i < count; i++)
        for (const char *const *name = families[i].names; *name; name++)
            POET_TRY(compare_case(*name));
    for (int i = 0; i < PRODUCTS; i++)
        compare_product(products[i].name);
    return POET_OK;
}

int main(int argc, char **argv)
{
    const char *seed = getenv("POET_SEED");
    if (argc < 2) {
        fprintf(stderr, "checkptx FOLDER [NAME...]\n");
        return 2;
    }
    if (access(argv[1], F_OK) != 0) {
        printf("skipped: there is no PTX in %s\n", argv[1]);
        return 77;
    }
    poet_status status = open_backend(argv[1]);
    ptx_set_reverse(seed && atoi(seed) % 2);
    if (!status && argc < 3)
        status = compare_all();
    for (int i = 2; i < argc && !status; i++)
        status = compare_product(argv[i]) ? POET_OK : compare_case(argv[i]);
    if (status)
        printf("%s\n", poet_error_message());
    printf("%d comparisons, %d failed\n", comparisons, failures);
    ptx_unload();
    return status || failures || !comparisons;
}
