/* The backend's table: the families' operations between the checks of a plan and the errors of a run. */
#include "cuda/backend/runtime_internal.h"

#include "base/memory.h"
#include "cuda/kernels/f16.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static poet_cuda_op ops[POET_OP_COUNT];

static poet_cuda_device *of(poet_device *device)
{
    return (poet_cuda_device *)(void *)device;
}

/* ---- the device ---- */

static void device_close(poet_device *device)
{
    poet_cuda_device *d = of(device);
    if (d->fault)
        (void)poet_runtime_free(d, d->fault);
    poet_runtime_close(d);
    poet_free(d);
}

static poet_status clear_fault(poet_cuda_device *d)
{
    return poet_runtime_check(poet_cuda_clear_fault(d->stream, d->fault), d->name);
}

static poet_status set_up(poet_cuda_device *d)
{
    void *fault;
    POET_TRY(poet_runtime_alloc(d, sizeof *d->fault, &fault));
    d->fault = fault;
    POET_TRY(clear_fault(d));
    return poet_runtime_sync(d);
}

/* A word that nothing knows must not be taken for "as they are". */
static poet_status check_weights(void)
{
    const char *weights = getenv("POET_CUDA_WEIGHTS");
    bool known = !weights || strcmp(weights, "f32") == 0 || strcmp(weights, "f16") == 0 ||
                 strcmp(weights, "int8") == 0;
    return known ? POET_OK
                 : POET_FAIL(POET_ERR_ARG, "POET_CUDA_WEIGHTS: '%.40s' is not f32, f16 or int8",
                             weights);
}

/* An approximation is not only asked for, but seen. */
static void tell_weights(poet_cuda_device *d)
{
    const char *weights = getenv("POET_CUDA_WEIGHTS");
    size_t length = strlen(d->name);
    if (!weights || strcmp(weights, "f32") == 0)
        return;
    bool always = strcmp(weights, "f16") == 0 && d->capability >= POET_F16_CAPABILITY;
    snprintf(d->name + length, sizeof d->name - length, ", weights in %s%s", weights,
             always ? "" : " where rows are few");
}

static poet_status device_open(const poet_backend *backend, int index, poet_device **out)
{
    *out = NULL;
    POET_TRY(check_weights());
    poet_cuda_device *d = poet_calloc(1, sizeof *d);
    if (!d)
        return POET_ERR_NOMEM;
    d->base = (poet_device){.backend = backend, .threads = 1};
    d->index = index;
    poet_status status = poet_runtime_open(index, d);
    if (status) {
        poet_free(d);
        return status;
    }
    tell_weights(d);
    d->base.name = d->name;
    d->base.peak_flops = d->peaks.f32;
    d->base.peak_bandwidth = d->peaks.bandwidth;
    status = set_up(d);
    if (status) {
        device_close(&d->base);
        return status;
    }
    *out = &d->base;
    return POET_OK;
}

static poet_status device_alloc(poet_device *device, size_t bytes, void **out)
{
    return poet_runtime_alloc(of(device), bytes, out);
}

static void device_free(poet_device *device, void *memory)
{
    (void)poet_runtime_free(of(device), memory);
}

static poet_status device_memory(poet_device *device, size_t *left, size_t *most)
{
    return poet_runtime_memory(of(device), left, most);
}

static bool device_energy(poet_device *device, double *joules)
{
    return poet_runtime_energy(of(device), joules);
}

static poet_status device_copy(poet_device *device, void *dst, const void *src, size_t bytes,
                               poet_copy direction)
{
    return poet_runtime_copy(of(device), dst, src, bytes, direction);
}

static poet_status describe_fault(poet_fault fault)
{
    long long place = (long long)(fault >> 8);
    switch (fault & 0xFF) {
    case POET_FAULT_INDEX:
        return POET_FAIL(POET_ERR_ARG, "the index at %lld is outside its table", place);
    case POET_FAULT_TARGET:
        return POET_FAIL(POET_ERR_ARG, "the target at %lld is outside its classes", place);
    case POET_FAULT_LOGITS:
        return POET_FAIL(POET_ERR_ARG, "row %lld has a logit that is no number, or none finite",
                         place);
    case POET_FAULT_NUMBER: return POET_FAIL(POET_ERR_ARG, "row %lld is not a number", place);
    case POET_FAULT_POSITION:
        return POET_FAIL(POET_ERR_ARG, "row %lld: its positions do not fit the cache", place);
    case POET_FAULT_LENGTH:
        return POET_FAIL(POET_ERR_ARG, "row %lld: its length is not within the prefix", place);
    case POET_FAULT_RANGE:
        return POET_FAIL(POET_ERR_ARG, "the weight at %lld is beyond 65504, the largest in f16",
                         place);
    default: return POET_FAIL(POET_ERR_DEVICE, "a kernel reported fault %llx", fault);
    }
}

static poet_status device_sync(poet_device *device)
{
    poet_cuda_device *d = of(device);
    poet_fault fault;
    POET_TRY(poet_runtime_sync(d));
    POET_TRY(poet_runtime_copy(d, &fault, d->fault, sizeof fault, POET_TO_HOST));
    if (fault == POET_FAULT_NONE)
        return POET_OK;
    POET_TRY(clear_fault(d));
    return describe_fault(fault);
}

static poet_status device_replay(poet_device *device, poet_launch launch, void *opaque,
                                 poet_recording **recording)
{
    poet_cuda_device *d = of(device);
    if (!*recording)
        POET_TRY(poet_runtime_record(d, launch, opaque, recording));
    return poet_runtime_replay(d, *recording);
}

static void device_forget(poet_device *device, poet_recording *recording)
{
    (void)device;
    poet_runtime_forget(recording);
}

/* ---- calls ---- */

static poet_status check_tensor(const poet_cuda_op *op, const poet_tensor *t)
{
    if (poet_tensor_count(t) > INT32_MAX)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "a tensor of %lld elements; kernels count to 2147483647",
                         (long long)poet_tensor_count(t));
    if (t->dtype == POET_BF16 && !op->bf16)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "has no kernel for bf16; use f32");
    return POET_OK;
}

/* Waits, for what is wrong with the weights. */
static poet_status pack(poet_device *device, const poet_cuda_op *op, const poet_call *call)
{
    if (!call->packed)
        return POET_OK;
    POET_TRY(poet_runtime_check(op->pack(of(device), call), of(device)->name));
    return device_sync(device);
}

/* Refusals come here, before the first run. */
static poet_status prepare(poet_device *device, poet_call *call)
{
    const poet_cuda_op *op = &ops[call->op];
    for (int i = 0; i < call->n_src; i++)
        if (call->src[i])
            POET_TRY(check_tensor(op, call->src[i]));
    for (int i = 0; i < call->n_dst; i++)
        POET_TRY(check_tensor(op, call->dst[i]));
    if (op->check)
        POET_TRY(op->check(call));
    return pack(device, op, call);
}

static size_t scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_cuda_op *op = &ops[call->op];
    return op->scratch ? op->scratch(call) : 0;
}

static size_t packed(poet_device *device, const poet_call *call)
{
    const poet_cuda_op *op = &ops[call->op];
    return op->packed ? op->packed(of(device), call) : 0;
}

static poet_status run(poet_device *device, const poet_call *call)
{
    const poet_cuda_device *d = of(device);
    POET_TRY(poet_runtime_begin(d, call));
    return poet_runtime_check(ops[call->op].run(d, call), d->name);
}

static poet_cuda_way way_of(poet_device *device, const poet_call *call)
{
    const poet_cuda_op *op = &ops[call->op];
    return op->way ? op->way(of(device), call)
                   : (poet_cuda_way){device->backend->name, POET_UNIT_F32};
}

static const char *implementation(poet_device *device, const poet_call *call)
{
    return way_of(device, call).name;
}

static double peak(poet_device *device, const poet_call *call)
{
    const poet_peaks *peaks = &of(device)->peaks;
    switch (way_of(device, call).unit) {
    case POET_UNIT_INT8: return peaks->int8;
    case POET_UNIT_TENSOR: return peaks->tensor;
    default: return peaks->f32;
    }
}

/* ---- the table ---- */

static poet_backend table;

static void fill_table(void)
{
    poet_cuda_eltwise_ops(ops);
    poet_cuda_layout_ops(ops);
    poet_cuda_matmul_ops(ops);
    poet_cuda_conv3d_ops(ops);
    poet_cuda_norm_ops(ops);
    poet_cuda_attention_ops(ops);
    poet_cuda_embed_ops(ops);
    poet_cuda_gather_ops(ops);
    poet_cuda_quantize_ops(ops);
    poet_cuda_fsq_ops(ops);
    poet_cuda_loss_ops(ops);
    poet_cuda_sample_ops(ops);
    poet_cuda_optim_ops(ops);
    table = (poet_backend){.name = poet_runtime_name(),
                           .description = poet_runtime_description(),
                           .real = POET_F32,
                           .bf16 = true,
                           .host_memory = false,
                           .alignment = 256,
                           .open = device_open,
                           .close = device_close,
                           .alloc = device_alloc,
                           .free = device_free,
                           .energy = device_energy,
                           .memory = device_memory,
                           .copy = device_copy,
                           .sync = device_sync,
                           .replay = device_replay,
                           .forget = device_forget,
                           .scratch = scratch,
                           .packed = packed,
                           .prepare = prepare,
                           .implementation = implementation,
                           .peak = peak};
    for (int op = 0; op < POET_OP_COUNT; op++)
        if (ops[op].run)
            table.kernel[op] = run;
}

const poet_backend *poet_cuda_table(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_table);
    return &table;
}
