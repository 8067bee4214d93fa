/* The runtime of the plug-in: NVIDIA's, linked statically, so that a machine needs nothing but the driver. */
#include "cuda/backend/card_internal.h"
#include "cuda/backend/runtime_internal.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

const char *poet_runtime_name(void)
{
    return "cuda";
}

const char *poet_runtime_description(void)
{
    return "CUDA kernels on an NVIDIA GPU";
}

static cudaStream_t stream_of(const poet_cuda_device *device)
{
    return device->stream;
}

/* An error is answered here, and must not be found by the next launch. */
static bool succeeds(cudaError_t code)
{
    if (code != cudaSuccess)
        (void)cudaGetLastError();
    return code == cudaSuccess;
}

static poet_status check(cudaError_t code, poet_status status, const char *what)
{
    if (succeeds(code))
        return POET_OK;
    return POET_FAIL(status, "%s: %s", what, cudaGetErrorString(code));
}

poet_status poet_runtime_check(int code, const char *what)
{
    if (code == cudaErrorNoKernelImageForDevice)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "%s: this build has no code for the card; make one with "
                         "-DPOET_CUDA_ARCHS=NN for sm_NN, before sm_75 with a CUDA toolkit of "
                         "12.9 or older",
                         what);
    return check((cudaError_t)code, POET_ERR_DEVICE, what);
}

/* ---- the card ---- */

static poet_status find_card(int index)
{
    int count = 0, driver = 0;
    if (succeeds(cudaDriverGetVersion(&driver)) && driver == 0)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "cuda: NVIDIA's driver is not installed");
    POET_TRY(check(cudaGetDeviceCount(&count), POET_ERR_UNSUPPORTED, "cuda"));
    if (count == 0)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "cuda: this machine has no card");
    if (index < 0 || index >= count)
        return POET_FAIL(POET_ERR_ARG, "cuda: there is no card %d; this machine has %d", index,
                         count);
    return check(cudaSetDevice(index), POET_ERR_DEVICE, "cuda");
}

/* 0 where the driver does not say. */
static int attribute(enum cudaDeviceAttr what, int index)
{
    int value = 0;
    return succeeds(cudaDeviceGetAttribute(&value, what, index)) ? value : 0;
}

static void set_peaks(poet_cuda_device *device, int index)
{
    poet_card card = {.capability = device->capability,
                      .multiprocessors = attribute(cudaDevAttrMultiProcessorCount, index),
                      .clock_khz = attribute(cudaDevAttrClockRate, index),
                      .memory_clock_khz = attribute(cudaDevAttrMemoryClockRate, index),
                      .bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth, index)};
    device->peaks = poet_card_peaks(&card);
}

/* Kernels are chosen by what their code can do: a card newer than the build runs its newest PTX, which has no tensor cores where that is of
 * an older card. Where there is no code at all, the first launch says so. */
static void look_at_code(poet_cuda_device *device)
{
    struct cudaFuncAttributes code;
    size_t length = strlen(device->name);
    if (!succeeds(cudaFuncGetAttributes(&code, poet_cuda_probe())) ||
        code.ptxVersion >= device->capability)
        return;
    device->capability = code.ptxVersion;
    snprintf(device->name + length, sizeof device->name - length, ", with code for sm_%d",
             code.ptxVersion);
}

poet_status poet_runtime_open(int index, poet_cuda_device *device)
{
    struct cudaDeviceProp card;
    cudaStream_t stream;
    POET_TRY(find_card(index));
    POET_TRY(check(cudaGetDeviceProperties(&card, index), POET_ERR_DEVICE, "cuda"));
    POET_TRY(check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), POET_ERR_DEVICE,
                   card.name));
    snprintf(device->name, sizeof device->name, "%.80s, sm_%d%d, %.1f GB", card.name, card.major,
             card.minor, (double)card.totalGlobalMem / 1e9);
    device->stream = stream;
    device->capability = 10 * card.major + card.minor;
    set_peaks(device, index);
    look_at_code(device);
    return POET_OK;
}

void poet_runtime_close(poet_cuda_device *device)
{
    poet_nvml_close(device->energy);
    cudaStreamDestroy(stream_of(device));
}

bool poet_runtime_energy(poet_cuda_device *device, double *joules)
{
    char bus_id[32];
    if (!device->energy && succeeds(cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, device->index)))
        device->energy = poet_nvml_open(POET_NVML_LIBRARY, bus_id);
    return device->energy && poet_nvml_joules(device->energy, joules);
}

/* ---- memory ---- */

poet_status poet_runtime_alloc(poet_cuda_device *device, size_t bytes, void **out)
{
    size_t left = 0, most = 0;
    *out = NULL;
    cudaError_t code = cudaMalloc(out, bytes ? bytes : 1);
    if (code != cudaErrorMemoryAllocation)
        return check(code, POET_ERR_DEVICE, device->name);
    (void)succeeds(code);
    POET_TRY(check(cudaMemGetInfo(&left, &most), POET_ERR_DEVICE, device->name));
    return POET_FAIL(POET_ERR_NOMEM, "%s: %.1f MB are needed, %.1f of %.1f MB are free",
                     device->name, (double)bytes / 1e6, (double)left / 1e6, (double)most / 1e6);
}

poet_status poet_runtime_memory(poet_cuda_device *device, size_t *left, size_t *most)
{
    return check(cudaMemGetInfo(left, most), POET_ERR_DEVICE, device->name);
}

poet_status poet_runtime_free(poet_cuda_device *device, void *memory)
{
    return check(cudaFree(memory), POET_ERR_DEVICE, device->name);
}

poet_status poet_runtime_copy(poet_cuda_device *device, void *dst, const void *src, size_t bytes,
                              poet_copy direction)
{
    enum cudaMemcpyKind kind = direction == POET_TO_DEVICE ? cudaMemcpyHostToDevice
                               : direction == POET_TO_HOST ? cudaMemcpyDeviceToHost
                                                           : cudaMemcpyDeviceToDevice;
    cudaError_t code = cudaMemcpyAsync(dst, src, bytes, kind, stream_of(device));
    POET_TRY(check(code, POET_ERR_DEVICE, device->name));
    return direction == POET_ON_DEVICE ? POET_OK : poet_runtime_sync(device);
}

poet_status poet_runtime_sync(poet_cuda_device *device)
{
    return check(cudaStreamSynchronize(stream_of(device)), POET_ERR_DEVICE, device->name);
}

/* ---- recordings: graphs by stream capture ---- */

static poet_status capture(poet_cuda_device *device, poet_launch launch, void *opaque,
                           cudaGraph_t *out)
{
    cudaStream_t stream = stream_of(device);
    *out = NULL;
    /* Relaxed: the runtime may have to load a kernel that is launched for the first time. */
    POET_TRY(check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), POET_ERR_DEVICE,
                   device->name));
    poet_status status = launch(opaque);
    cudaError_t code = cudaStreamEndCapture(stream, out);
    return status ? status : check(code, POET_ERR_DEVICE, device->name);
}

poet_status poet_runtime_record(poet_cuda_device *device, poet_launch launch, void *opaque,
                                poet_recording **out)
{
    cudaGraph_t graph;
    cudaGraphExec_t ready = NULL;
    poet_status status = capture(device, launch, opaque, &graph);
    if (!status)
        status =
            check(cudaGraphInstantiateWithFlags(&ready, graph, 0), POET_ERR_DEVICE, device->name);
    if (graph)
        (void)cudaGraphDestroy(graph);
    *out = (poet_recording *)ready;
    return status;
}

poet_status poet_runtime_replay(poet_cuda_device *device, const poet_recording *recording)
{
    cudaGraphExec_t ready = (cudaGraphExec_t)(uintptr_t)recording;
    return check(cudaGraphLaunch(ready, stream_of(device)), POET_ERR_DEVICE, device->name);
}

void poet_runtime_forget(poet_recording *recording)
{
    (void)cudaGraphExecDestroy((cudaGraphExec_t)recording);
}

poet_status poet_runtime_begin(const poet_cuda_device *device, const poet_call *call)
{
    (void)device;
    (void)call;
    return POET_OK;
}
