/* A device whose memory is not there: what is made on it shows what it would take. */
#include "base/memory.h"
#include "compute/plan_internal.h"

typedef struct plan_device {
    poet_device base;
    poet_backend table;
    poet_device *like;
} plan_device;

static plan_device *of(poet_device *device)
{
    return (plan_device *)(void *)device;
}

static void plan_close(poet_device *device)
{
    poet_free(of(device));
}

/* What stands for a block: that it is there. */
static poet_status plan_alloc(poet_device *device, size_t bytes, void **out)
{
    (void)device;
    (void)bytes;
    *out = poet_alloc(1);
    return *out ? POET_OK : POET_ERR_NOMEM;
}

static void plan_free(poet_device *device, void *memory)
{
    (void)device;
    poet_free(memory);
}

static poet_status plan_copy(poet_device *device, void *dst, const void *src, size_t bytes,
                             poet_copy direction)
{
    (void)device;
    (void)dst;
    (void)src;
    (void)bytes;
    return direction == POET_TO_HOST
               ? POET_FAIL(POET_ERR_UNSUPPORTED, "a plan has no contents to be read")
               : POET_OK;
}

static poet_status plan_sync(poet_device *device)
{
    (void)device;
    return POET_OK;
}

/* The device that it is like knows. */
static size_t plan_scratch(poet_device *device, const poet_call *call)
{
    poet_device *like = of(device)->like;
    return like->backend->scratch ? like->backend->scratch(like, call) : 0;
}

static size_t plan_packed(poet_device *device, const poet_call *call)
{
    poet_device *like = of(device)->like;
    return like->backend->packed ? like->backend->packed(like, call) : 0;
}

static double plan_peak(poet_device *device, const poet_call *call)
{
    poet_device *like = of(device)->like;
    return like->backend->peak(like, call);
}

static poet_status plan_run(poet_device *device, const poet_call *call)
{
    (void)device;
    (void)call;
    return POET_FAIL(POET_ERR_UNSUPPORTED, "a plan cannot be run");
}

bool poet_device_is_plan(const poet_device *device)
{
    return device->backend->close == plan_close;
}

poet_status poet_device_plan(poet_device *like, poet_device **out)
{
    *out = NULL;
    plan_device *d = poet_calloc(1, sizeof *d);
    if (!d)
        return POET_ERR_NOMEM;
    d->table = *like->backend;
    d->table.host_memory = false;
    d->table.close = plan_close;
    d->table.alloc = plan_alloc;
    d->table.free = plan_free;
    d->table.copy = plan_copy;
    d->table.sync = plan_sync;
    d->table.memory = NULL;
    d->table.replay = NULL;
    d->table.scratch = plan_scratch;
    d->table.packed = plan_packed;
    d->table.prepare = NULL;
    d->table.release = NULL;
    d->table.implementation = NULL;
    d->table.peak = like->backend->peak ? plan_peak : NULL;
    for (int op = 0; op < POET_OP_COUNT; op++)
        if (d->table.kernel[op])
            d->table.kernel[op] = plan_run;
    d->like = like;
    d->base = *like;
    d->base.backend = &d->table;
    *out = &d->base;
    return POET_OK;
}
