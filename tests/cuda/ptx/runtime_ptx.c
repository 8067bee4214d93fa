/* The runtime of the backend over the machine for PTX: memory of the machine, launches through launch.c. */
#include "cuda/backend/runtime_internal.h"
#include "tests/cuda/ptx/machine.h"

#include <stdio.h>

const char *poet_runtime_name(void)
{
    return "ptx";
}

const char *poet_runtime_description(void)
{
    return "nvcc's PTX of the CUDA kernels, interpreted";
}

poet_status poet_runtime_open(int index, poet_cuda_device *device)
{
    if (index != 0)
        return POET_FAIL(POET_ERR_ARG, "ptx: there is no device number %d", index);
    device->capability = ptx_target();
    snprintf(device->name, sizeof device->name, "machine for PTX of sm_%d", device->capability);
    return POET_OK;
}

void poet_runtime_close(poet_cuda_device *device)
{
    (void)device;
}

/* The machine has left a sentence. */
poet_status poet_runtime_check(int code, const char *what)
{
    return code ? poet_context(POET_ERR_DEVICE, "%s", what) : POET_OK;
}

poet_status poet_runtime_alloc(poet_cuda_device *device, size_t bytes, void **out)
{
    (void)device;
    return ptx_alloc(bytes, out);
}

poet_status poet_runtime_free(poet_cuda_device *device, void *memory)
{
    (void)device;
    ptx_free(memory);
    return POET_OK;
}

/* The machine takes its memory from the host: what is left is not known, and no bound. */
poet_status poet_runtime_memory(poet_cuda_device *device, size_t *left, size_t *most)
{
    (void)device;
    *left = *most = SIZE_MAX;
    return POET_OK;
}

/* Nothing counts it. */
bool poet_runtime_energy(poet_cuda_device *device, double *joules)
{
    (void)device;
    (void)joules;
    return false;
}

poet_status poet_runtime_copy(poet_cuda_device *device, void *dst, const void *src, size_t bytes,
                              poet_copy direction)
{
    (void)device;
    (void)direction;
    ptx_copy(dst, src, bytes);
    return POET_OK;
}

/* Operations are compared one by one: what is recorded is a matter of the simulated device. */
poet_status poet_runtime_record(poet_cuda_device *device, poet_launch launch, void *opaque,
                                poet_recording **out)
{
    (void)device;
    (void)launch;
    (void)opaque;
    *out = NULL;
    return POET_FAIL(POET_ERR_UNSUPPORTED, "ptx: launches cannot be recorded");
}

poet_status poet_runtime_replay(poet_cuda_device *device, const poet_recording *recording)
{
    (void)device;
    (void)recording;
    return POET_FAIL(POET_ERR_UNSUPPORTED, "ptx: launches cannot be recorded");
}

void poet_runtime_forget(poet_recording *recording)
{
    (void)recording;
}

poet_status poet_runtime_sync(poet_cuda_device *device)
{
    (void)device;
    return POET_OK;
}

/* Is the memory of this destination also a source's? */
static bool is_source(const poet_call *call, const poet_tensor *dst)
{
    for (int i = 0; i < call->n_src; i++)
        if (call->src[i] && call->src[i]->data == dst->data)
            return true;
    return false;
}

poet_status poet_runtime_begin(const poet_cuda_device *device, const poet_call *call)
{
    (void)device;
    if (call->scratch_bytes)
        ptx_forget(call->scratch, call->scratch_bytes);
    for (int i = 0; i < call->n_dst; i++)
        if (!is_source(call, call->dst[i]))
            ptx_forget(call->dst[i]->data, poet_tensor_bytes(call->dst[i]));
    return POET_OK;
}
