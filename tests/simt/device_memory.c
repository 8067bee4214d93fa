#include "tests/simt/device_memory.h"

#include "cuda/backend/runtime_internal.h"
#include "tests/support/check.h"

#include <stdlib.h>

enum { SKIPPED = 77 };

static poet_cuda_device device;

void device_begin(void)
{
    if (poet_runtime_open(0, &device) == POET_OK)
        return;
    printf("skipped: %s\n", poet_error_message());
    exit(SKIPPED);
}

void device_end(void)
{
    poet_runtime_close(&device);
}

poet_stream device_stream(void)
{
    return device.stream;
}

void *on_device(const void *host, size_t bytes)
{
    void *memory;
    CHECK_OK(poet_runtime_alloc(&device, bytes, &memory));
    if (memory && host)
        CHECK_OK(poet_runtime_copy(&device, memory, host, bytes, POET_TO_DEVICE));
    return memory;
}

void to_host(void *host, const void *memory, size_t bytes)
{
    CHECK_OK(poet_runtime_copy(&device, host, memory, bytes, POET_TO_HOST));
}

void free_all(int n, void *const *memory)
{
    for (int i = 0; i < n; i++)
        CHECK_OK(poet_runtime_free(&device, memory[i]));
}
