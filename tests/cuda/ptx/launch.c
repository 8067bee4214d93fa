/* What the host code that nvcc makes of `kernel<<<grid, block>>>(...)` calls, answered by the machine instead of NVIDIA's
 * runtime. nvcc registers each kernel's stub with its mangled name before main; a launch finds the name by the stub.
 * Source: crt/host_runtime.h and cuda_runtime.h of CUDA 11.8 and 13.0, which declare these functions. */
#include "tests/cuda/ptx/machine.h"

#include <stdio.h>
#include <stdlib.h>

enum { LAUNCH_FAILURE = 719, INVALID_FUNCTION = 98 }; /* cudaError_t */

typedef struct kernel {
    const void *stub;
    const char *name; /* nvcc's */
} kernel;

typedef struct configuration {
    ptx_size grid, block;
    size_t shared;
    void *stream;
} configuration;

enum { MAX_KERNELS = 1024 };

static kernel kernels[MAX_KERNELS];
static int n_kernels, last_error;
static configuration pushed; /* <<<...>>> are not nested */

static const kernel *find(const void *stub)
{
    for (int i = 0; i < n_kernels; i++)
        if (kernels[i].stub == stub)
            return &kernels[i];
    return NULL;
}

static int launch(const kernel *k, ptx_size grid, ptx_size block, void **argument, size_t shared)
{
    if (!k) {
        poet_fail(POET_ERR_DEVICE, "a kernel that was not registered is launched");
        return last_error = INVALID_FUNCTION;
    }
    if (ptx_launch(k->name, grid, block, shared, argument))
        last_error = LAUNCH_FAILURE;
    return last_error;
}

/* ---- declared here as nvcc's code knows them; all but the first two are of both toolkits ---- */

int __cudaGetKernel(const kernel **out, const void *stub);
int __cudaLaunchKernel(const kernel *k, ptx_size grid, ptx_size block, void **argument,
                       size_t shared, void *stream);
int cudaLaunchKernel(const void *stub, ptx_size grid, ptx_size block, void **argument,
                     size_t shared, void *stream);
int cudaGetLastError(void);
void **__cudaRegisterFatBinary(void *binary);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const char *stub, char *device_function,
                            const char *name, int limit, void *tid, void *bid, void *block,
                            void *grid, int *warp);
unsigned __cudaPushCallConfiguration(ptx_size grid, ptx_size block, size_t shared, void *stream);
int __cudaPopCallConfiguration(ptx_size *grid, ptx_size *block, size_t *shared, void *stream);

int __cudaGetKernel(const kernel **out, const void *stub)
{
    *out = find(stub);
    return *out ? 0 : INVALID_FUNCTION;
}

int __cudaLaunchKernel(const kernel *k, ptx_size grid, ptx_size block, void **argument,
                       size_t shared, void *stream)
{
    (void)stream;
    return launch(k, grid, block, argument, shared);
}

int cudaLaunchKernel(const void *stub, ptx_size grid, ptx_size block, void **argument,
                     size_t shared, void *stream)
{
    (void)stream;
    return launch(find(stub), grid, block, argument, shared);
}

int cudaGetLastError(void)
{
    int code = last_error;
    last_error = 0;
    return code;
}

void **__cudaRegisterFatBinary(void *binary)
{
    (void)binary;
    return NULL;
}

void __cudaRegisterFatBinaryEnd(void **handle)
{
    (void)handle;
}

void __cudaUnregisterFatBinary(void **handle)
{
    (void)handle;
}

void __cudaRegisterFunction(void **handle, const char *stub, char *device_function,
                            const char *name, int limit, void *tid, void *bid, void *block,
                            void *grid, int *warp)
{
    (void)handle, (void)device_function, (void)limit, (void)tid, (void)bid;
    (void)block, (void)grid, (void)warp;
    if (n_kernels == MAX_KERNELS) {
        fprintf(stderr, "more than %d kernels\n", MAX_KERNELS);
        abort();
    }
    kernels[n_kernels++] = (kernel){stub, name};
}

unsigned __cudaPushCallConfiguration(ptx_size grid, ptx_size block, size_t shared, void *stream)
{
    pushed = (configuration){grid, block, shared, stream};
    return 0;
}

int __cudaPopCallConfiguration(ptx_size *grid, ptx_size *block, size_t *shared, void *stream)
{
    *grid = pushed.grid;
    *block = pushed.block;
    *shared = pushed.shared;
    *(void **)stream = pushed.stream;
    return 0;
}
