/* checkptx: every operation of the CUDA backend against the reference, by the PTX that nvcc has made of its kernels.
 *
 *     checkptx FOLDER [NAME...]   the named cases of tests/support/op_families.c; all of them without a name
 *
 * FOLDER is what kernels.sh fills: the PTX, and kernels.so with nvcc's host code. POET_SEED changes what the cases are
 * filled with, and whether threads run from the first to the last or the other way. */
#include "tests/parity/run_internal.h"

#include "cuda/backend/cuda_table.h"
#include "tests/cuda/ptx/machine.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Zeros and large numbers go the same ways through a kernel as normal ones. */
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

static poet_status compare_all(void)
{
    int count;
    const op_family *families = op_families(&count);
    for (int i = 0; i < count; i++)
        for (const char *const *name = families[i].names; *name; name++)
            POET_TRY(compare_case(*name));
    return POET_OK;
}

int main(int argc, char **argv)
{
    const char *seed = getenv("POET_SEED");
    if (argc < 2) {
        fprintf(stderr, "checkptx FOLDER [NAME...]\n");
        return 2;
    }
    poet_status status = open_backend(argv[1]);
    ptx_set_reverse(seed && atoi(seed) % 2);
    if (!status && argc < 3)
        status = compare_all();
    for (int i = 2; i < argc && !status; i++)
        status = compare_case(argv[i]);
    if (status)
        printf("%s\n", poet_error_message());
    printf("%d comparisons, %d failed\n", comparisons, failures);
    ptx_unload();
    return status || failures || !comparisons;
}
