/* The reference backend: host memory, one thread, and the reference kernel of every operation's
 * rule. It is not fast and does not try to be; it says what the right answer is. */
#include "compute/graph_internal.h"

#include <pthread.h>
#include <string.h>

static poet_status ref_open(const poet_backend *backend, int index, poet_device **out)
{
    *out = NULL;
    if (index != 0)
        return POET_FAIL(POET_ERR_ARG, "%s: there is no device number %d", backend->name, index);
    poet_device *device = poet_calloc(1, sizeof *device);
    if (!device)
        return POET_ERR_NOMEM;
    *device = (poet_device){.backend = backend, .threads = 1};
    *out = device;
    return POET_OK;
}

static void ref_close(poet_device *device)
{
    poet_free(device);
}

static poet_status ref_alloc(poet_device *device, size_t bytes, void **out)
{
    (void)device;
    *out = poet_alloc(bytes);
    return *out ? POET_OK : POET_ERR_NOMEM;
}

static void ref_free(poet_device *device, void *memory)
{
    (void)device;
    poet_free(memory);
}

static poet_status ref_copy(poet_device *device, void *dst, const void *src, size_t bytes,
                            poet_copy direction)
{
    (void)device;
    (void)direction;
    if (bytes)
        memcpy(dst, src, bytes);
    return POET_OK;
}

static poet_status ref_sync(poet_device *device)
{
    (void)device;
    return POET_OK;
}

static const char *ref_implementation(poet_device *device, const poet_call *call)
{
    (void)device;
    (void)call;
    return "ref";
}

void poet_ref_fill(poet_backend *backend, poet_dtype real)
{
    *backend = (poet_backend){.name = real == POET_F64 ? "ref64" : "ref",
                              .description = "reference kernels, one thread",
                              .real = real,
                              .bf16 = true,
                              .host_memory = true,
                              .alignment = 64,
                              .open = ref_open,
                              .close = ref_close,
                              .alloc = ref_alloc,
                              .free = ref_free,
                              .copy = ref_copy,
                              .sync = ref_sync,
                              .implementation = ref_implementation};
    for (int op = 0; op < POET_OP_COUNT; op++)
        backend->kernel[op] = poet_op_get_rule((poet_op)op)->ref;
}

static poet_backend ref32, ref64;

static void fill_tables(void)
{
    poet_ref_fill(&ref32, POET_F32);
    poet_ref_fill(&ref64, POET_F64);
}

static void fill_tables_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_tables);
}

const poet_backend *poet_backend_ref(void)
{
    fill_tables_once();
    return &ref32;
}

const poet_backend *poet_backend_ref64(void)
{
    fill_tables_once();
    return &ref64;
}

poet_dtype poet_backend_stored(const poet_backend *backend, poet_dtype dtype)
{
    return poet_dtype_is_real(dtype) && backend->real == POET_F64 ? POET_F64 : dtype;
}

poet_status poet_device_open(const poet_backend *backend, int index, int threads, poet_device **out)
{
    POET_TRY(backend->open(backend, index, out));
    if (threads > 0)
        (*out)->threads = threads;
    return POET_OK;
}

void poet_device_close(poet_device *device)
{
    if (device)
        device->backend->close(device);
}

bool poet_device_records(const poet_device *device)
{
    return device->backend->replay != NULL;
}

poet_status poet_device_replay(poet_device *device, poet_launch launch, void *opaque,
                               poet_recording **recording)
{
    if (!poet_device_records(device))
        return launch(opaque);
    return device->backend->replay(device, launch, opaque, recording);
}

void poet_device_forget(poet_device *device, poet_recording **recording)
{
    if (*recording)
        device->backend->forget(device, *recording);
    *recording = NULL;
}

bool poet_device_energy(poet_device *device, double *joules)
{
    return device->backend->energy && device->backend->energy(device, joules);
}

poet_status poet_device_wait(poet_device *device)
{
    return device->backend->sync(device);
}
