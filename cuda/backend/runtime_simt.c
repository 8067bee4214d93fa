/* The runtime of the host build: cuda/simt's memory and launches. */
#include "cuda/backend/runtime_internal.h"
#include "cuda/simt/simt.h"

#include <stdio.h>
#include <stdlib.h>

enum { NEWEST = 120 };

const char *poet_runtime_name(void)
{
    return "simt";
}

const char *poet_runtime_description(void)
{
    return "CUDA kernels as host code, one thread";
}

poet_status poet_runtime_open(int index, poet_cuda_device *device)
{
    if (index != 0)
        return POET_FAIL(POET_ERR_ARG, "simt: there is no device number %d", index);
    const char *capability = getenv("POET_SIMT_CAPABILITY");
    device->capability = capability ? (int)strtol(capability, NULL, 10) : NEWEST;
    snprintf(device->name, sizeof device->name, "simulated device, sm_%d", device->capability);
    return POET_OK;
}

void poet_runtime_close(poet_cuda_device *device)
{
    (void)device;
}

poet_status poet_runtime_check(int code, const char *what)
{
    if (code == POET_SIMT_OK)
        return POET_OK;
    return POET_FAIL(POET_ERR_DEVICE, "%s: %s", what, poet_simt_error_text(code));
}

poet_status poet_runtime_alloc(poet_cuda_device *device, size_t bytes, void **out)
{
    size_t left, most;
    if (poet_simt_alloc(bytes, out) == POET_SIMT_OK)
        return POET_OK;
    poet_simt_memory(&left, &most);
    return POET_FAIL(POET_ERR_NOMEM, "%s: %.1f MB are needed, %.1f of %.1f MB are free",
                     device->name, (double)bytes / 1e6, (double)left / 1e6, (double)most / 1e6);
}

poet_status poet_runtime_memory(poet_cuda_device *device, size_t *left, size_t *most)
{
    (void)device;
    poet_simt_memory(left, most);
    return POET_OK;
}

/* A kernel that wrote outside its memory is a fault of ours, and is not survived. */
poet_status poet_runtime_free(poet_cuda_device *device, void *memory)
{
    if (poet_simt_free(memory))
        return POET_OK;
    fprintf(stderr, "%s: a kernel wrote outside its memory\n", device->name);
    __builtin_trap();
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
    (void)direction;
    return poet_runtime_check(poet_simt_copy(dst, src, bytes), device->name);
}

poet_status poet_runtime_record(poet_cuda_device *device, poet_launch launch, void *opaque,
                                poet_recording **out)
{
    poet_simt_recording *recording;
    POET_TRY(poet_runtime_check(poet_simt_record(), device->name));
    poet_status status = launch(opaque);
    int code = poet_simt_record_end(&recording);
    *out = (poet_recording *)(void *)recording;
    if (status) {
        poet_simt_recording_free(recording);
        *out = NULL;
        return status;
    }
    return poet_runtime_check(code, device->name);
}

poet_status poet_runtime_replay(poet_cuda_device *device, const poet_recording *recording)
{
    return poet_runtime_check(poet_simt_replay((const void *)recording), device->name);
}

void poet_runtime_forget(poet_recording *recording)
{
    poet_simt_recording_free((void *)recording);
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

static poet_status poison(const poet_cuda_device *device, void *memory, size_t bytes)
{
    return poet_runtime_check(poet_simt_poison(memory, bytes), device->name);
}

poet_status poet_runtime_begin(const poet_cuda_device *device, const poet_call *call)
{
    if (call->scratch_bytes)
        POET_TRY(poison(device, call->scratch, call->scratch_bytes));
    for (int i = 0; i < call->n_dst; i++)
        if (!is_source(call, call->dst[i]))
            POET_TRY(poison(device, call->dst[i]->data, poet_tensor_bytes(call->dst[i])));
    return POET_OK;
}
