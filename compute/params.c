#include "compute/params.h"

#include "base/memory.h"
#include "base/rng.h"
#include "compute/plan_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char *name;
    poet_kind kind;
    poet_tensor tensor;
} entry;

struct poet_params {
    poet_device *device;
    uint64_t seed;
    entry *entries;
    int count, capacity;
    bool sealed;
};

poet_status poet_params_create(poet_device *device, uint64_t seed, poet_params **out)
{
    poet_params *p = poet_calloc(1, sizeof *p);
    *out = p;
    if (!p)
        return POET_ERR_NOMEM;
    p->device = device;
    p->seed = seed;
    return POET_OK;
}

static void free_entry(poet_params *p, entry *e)
{
    p->device->backend->free(p->device, e->tensor.data);
    poet_free(e->name);
}

void poet_params_destroy(poet_params *params)
{
    if (!params)
        return;
    for (int i = 0; i < params->count; i++)
        free_entry(params, &params->entries[i]);
    poet_free(params->entries);
    poet_free(params);
}

poet_device *poet_params_device(poet_params *params)
{
    return params->device;
}

int poet_params_find(const poet_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (strcmp(params->entries[i].name, name) == 0)
            return i;
    return -1;
}

/* A value depends on (seed, name, element) alone. */
static double initial(const poet_init *init, poet_rng *rng)
{
    double scale = (double)init->scale;
    switch (init->law) {
    case POET_INIT_NORMAL: return scale * (double)poet_rng_normal(rng);
    case POET_INIT_UNIFORM: return scale * (double)poet_rng_between(rng, -1, 1);
    case POET_INIT_CONSTANT: break;
    }
    return scale;
}

static poet_status fill(poet_params *p, entry *e, poet_init init)
{
    size_t bytes = poet_tensor_bytes(&e->tensor);
    poet_tensor host = e->tensor;
    poet_rng rng;
    if (poet_device_is_plan(p->device))
        return POET_OK;
    host.data = poet_alloc(bytes);
    if (!host.data)
        return POET_ERR_NOMEM;
    poet_rng_init(&rng, p->seed, poet_hash64(0, e->name, strlen(e->name)));
    int64_t count = poet_tensor_count(&host);
    for (int64_t i = 0; i < count; i++)
        poet_put(&host, i, initial(&init, &rng));
    poet_status status =
        p->device->backend->copy(p->device, e->tensor.data, host.data, bytes, POET_TO_DEVICE);
    poet_free(host.data);
    return status;
}

static poet_status check_same(const poet_params *p, const entry *e, poet_dtype dtype,
                              const poet_shape *shape)
{
    char have[96], want[96];
    if (poet_shape_equal(&e->tensor.shape, shape) &&
        e->tensor.dtype == poet_backend_stored(p->device->backend, dtype))
        return POET_OK;
    return POET_FAIL(POET_ERR_MISMATCH, "%s: is %s %s, but %s %s is wanted", e->name,
                     poet_dtype_name(e->tensor.dtype), poet_shape_text(&e->tensor.shape, have),
                     poet_dtype_name(poet_backend_stored(p->device->backend, dtype)),
                     poet_shape_text(shape, want));
}

poet_status poet_params_get(poet_params *params, const char *name, poet_kind kind, poet_dtype dtype,
                            const poet_shape *shape, poet_init init, int *index)
{
    *index = poet_params_find(params, name);
    if (*index >= 0)
        return check_same(params, &params->entries[*index], dtype, shape);
    if (params->sealed && kind <= POET_BUFFER)
        return POET_FAIL(POET_ERR_MISMATCH, "lacks the tensor %s", name);
    if (params->count == params->capacity) {
        int capacity = params->capacity ? 2 * params->capacity : 64;
        entry *bigger = poet_realloc(params->entries, (size_t)capacity * sizeof *bigger);
        if (!bigger)
            return POET_ERR_NOMEM;
        params->entries = bigger;
        params->capacity = capacity;
    }
    entry e = {
        .name = poet_strdup(name),
        .kind = kind,
        .tensor = {.dtype = poet_backend_stored(params->device->backend, dtype), .shape = *shape}};
    if (!e.name)
        return POET_ERR_NOMEM;
    const poet_backend *backend = params->device->backend;
    poet_status status =
        backend->alloc(params->device, poet_tensor_bytes(&e.tensor), &e.tensor.data);
    if (!status)
        status = fill(params, &e, init);
    if (status) {
        free_entry(params, &e);
        return poet_context(status, "%s", name);
    }
    *index = params->count;
    params->entries[params->count++] = e;
    return POET_OK;
}

void poet_params_seal(poet_params *params)
{
    params->sealed = true;
}

int poet_params_count(const poet_params *params)
{
    return params->count;
}

const char *poet_params_name(const poet_params *params, int index)
{
    return params->entries[index].name;
}

poet_kind poet_params_kind(const poet_params *params, int index)
{
    return params->entries[index].kind;
}

const poet_tensor *poet_params_tensor(const poet_params *params, int index)
{
    return &params->entries[index].tensor;
}

static poet_status check_bytes(const entry *e, size_t bytes)
{
    size_t own = poet_tensor_bytes(&e->tensor);
    if (bytes != own)
        return POET_FAIL(POET_ERR_ARG, "%s: has %zu bytes, not %zu", e->name, own, bytes);
    return POET_OK;
}

poet_status poet_params_read(poet_params *params, int index, void *host, size_t bytes)
{
    entry *e = &params->entries[index];
    POET_TRY(check_bytes(e, bytes));
    return params->device->backend->copy(params->device, host, e->tensor.data, bytes, POET_TO_HOST);
}

poet_status poet_params_write(poet_params *params, int index, const void *host, size_t bytes)
{
    entry *e = &params->entries[index];
    POET_TRY(check_bytes(e, bytes));
    return params->device->backend->copy(params->device, e->tensor.data, host, bytes,
                                         POET_TO_DEVICE);
}

size_t poet_params_bytes(const poet_params *params, poet_kind kind)
{
    size_t bytes = 0;
    for (int i = 0; i < params->count; i++)
        if (params->entries[i].kind == kind)
            bytes += poet_tensor_bytes(&params->entries[i].tensor);
    return bytes;
}

int64_t poet_params_elements(const poet_params *params)
{
    int64_t count = 0;
    for (int i = 0; i < params->count; i++)
        if (params->entries[i].kind == POET_PARAM)
            count += poet_tensor_count(&params->entries[i].tensor);
    return count;
}

void poet_params_drop(poet_params *params, poet_kind kind)
{
    int kept = 0;
    for (int i = 0; i < params->count; i++) {
        if (params->entries[i].kind == kind)
            free_entry(params, &params->entries[i]);
        else
            params->entries[kept++] = params->entries[i];
    }
    params->count = kept;
}

static int by_name(const void *a, const void *b)
{
    const entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

poet_status poet_params_fingerprint(poet_params *params, uint64_t *out)
{
    entry **sorted = poet_calloc((size_t)params->count + 1, sizeof *sorted);
    poet_status status = sorted ? POET_OK : POET_ERR_NOMEM;
    int n = 0;
    *out = 0;
    for (int i = 0; sorted && i < params->count; i++)
        if (params->entries[i].kind <= POET_BUFFER)
            sorted[n++] = &params->entries[i];
    if (n)
        qsort(sorted, (size_t)n, sizeof(entry *), by_name);
    for (int i = 0; i < n && !status; i++) {
        entry *e = sorted[i];
        size_t bytes = poet_tensor_bytes(&e->tensor);
        void *host = poet_alloc(bytes);
        status = host ? params->device->backend->copy(params->device, host, e->tensor.data, bytes,
                                                      POET_TO_HOST)
                      : POET_ERR_NOMEM;
        if (!status) {
            *out = poet_hash64(*out, e->name, strlen(e->name));
            *out = poet_hash64(*out, e->tensor.shape.dim,
                               (size_t)e->tensor.shape.ndim * sizeof(int64_t));
            *out = poet_hash64(*out, host, bytes);
        }
        poet_free(host);
    }
    poet_free(sorted);
    return status;
}
