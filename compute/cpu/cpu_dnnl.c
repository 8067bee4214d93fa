#include "compute/cpu/cpu_dnnl_internal.h"

#include "base/memory.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>

static dnnl_engine_t engine; /* lives as long as the process */
static dnnl_status_t engine_status;

static void create_engine(void)
{
    engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0);
}

static poet_status need_engine(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, create_engine);
    POET_DNNL(engine_status);
    return POET_OK;
}

poet_status poet_dnnl_check(dnnl_status_t status, const char *what)
{
    switch (status) {
    case dnnl_success: return POET_OK;
    case dnnl_out_of_memory: return POET_FAIL(POET_ERR_NOMEM, "oneDNN ran out of memory");
    case dnnl_unimplemented:
        return POET_FAIL(POET_ERR_UNSUPPORTED, "oneDNN does not implement this: %s", what);
    default: return POET_FAIL(POET_ERR_DEVICE, "oneDNN status %d: %s", (int)status, what);
    }
}

dnnl_data_type_t poet_dnnl_type(const poet_tensor *t)
{
    return t->dtype == POET_BF16 ? dnnl_bf16 : dnnl_f32;
}

poet_status poet_dnnl_describe(const poet_device *device, const_dnnl_op_desc_t desc,
                               dnnl_primitive_desc_t *out)
{
    *out = NULL;
    POET_TRY(need_engine());
    omp_set_num_threads(device->threads); /* oneDNN asks OpenMP, here and when it runs */
    dnnl_primitive_attr_t attr = NULL;
    POET_DNNL(dnnl_primitive_attr_create(&attr));
    dnnl_status_t status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(out, desc, attr, engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    return poet_dnnl_check(status, "a primitive descriptor");
}

size_t poet_dnnl_scratchpad(const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    return (size_t)poet_round_up((int64_t)dnnl_memory_desc_get_size(md), 64);
}

poet_status poet_dnnl_create(const_dnnl_primitive_desc_t pd, void *scratchpad, poet_dnnl **out)
{
    poet_dnnl *p = *out = poet_calloc(1, sizeof *p);
    if (!p)
        return POET_ERR_NOMEM;
    const char *info = "";
    POET_DNNL(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&info));
    snprintf(p->implementation, sizeof p->implementation, "dnnl:%s", info);
    POET_DNNL(dnnl_primitive_create(&p->primitive, pd));
    POET_DNNL(dnnl_stream_create(&p->stream, engine, dnnl_stream_default_flags));
    if (poet_dnnl_scratchpad(pd) == 0)
        return POET_OK;
    return poet_dnnl_arg(p, DNNL_ARG_SCRATCHPAD,
                         dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0), scratchpad);
}

void poet_dnnl_destroy(poet_dnnl *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_args; i++)
        dnnl_memory_destroy(p->args[i].memory);
    dnnl_memory_destroy(p->reorder_args[0].memory); /* its other argument is one of args */
    dnnl_primitive_destroy(p->primitive);
    dnnl_primitive_destroy(p->reorder);
    dnnl_stream_destroy(p->stream);
    poet_free(p);
}

poet_status poet_dnnl_arg(poet_dnnl *p, int arg, const dnnl_memory_desc_t *md, void *data)
{
    dnnl_memory_t memory = NULL;
    POET_DNNL(dnnl_memory_create(&memory, md, engine, data));
    p->args[p->n_args++] = (dnnl_exec_arg_t){.arg = arg, .memory = memory};
    return POET_OK;
}

static poet_status reorder(poet_dnnl *p)
{
    POET_DNNL(dnnl_primitive_execute(p->reorder, p->stream, 2, p->reorder_args));
    return POET_OK;
}

/* A reorder between the newest argument and plain memory at data, from whichever is the source. */
static poet_status add_reorder(poet_dnnl *p, const dnnl_memory_desc_t *plain, void *data,
                               const dnnl_memory_desc_t *layout, bool to_plain)
{
    dnnl_memory_t memory = NULL;
    POET_DNNL(dnnl_memory_create(&memory, plain, engine, data));
    int arg = to_plain ? DNNL_ARG_TO : DNNL_ARG_FROM,
        other = to_plain ? DNNL_ARG_FROM : DNNL_ARG_TO;
    p->reorder_args[0] = (dnnl_exec_arg_t){.arg = arg, .memory = memory};
    p->reorder_args[1] = (dnnl_exec_arg_t){.arg = other, .memory = p->args[p->n_args - 1].memory};
    const dnnl_memory_desc_t *from = to_plain ? layout : plain, *to = to_plain ? plain : layout;
    dnnl_primitive_desc_t pd = NULL;
    POET_DNNL(dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL));
    dnnl_status_t status = dnnl_primitive_create(&p->reorder, pd);
    dnnl_primitive_desc_destroy(pd);
    return poet_dnnl_check(status, "a reorder");
}

poet_status poet_dnnl_packed_source(poet_dnnl *p, int arg, const dnnl_memory_desc_t *plain,
                                    void *data, const dnnl_memory_desc_t *layout, void *packed,
                                    bool once)
{
    POET_TRY(poet_dnnl_arg(p, arg, layout, packed));
    POET_TRY(add_reorder(p, plain, data, layout, false));
    p->reorder_when = once ? REORDER_DONE : REORDER_BEFORE;
    return once ? reorder(p) : POET_OK;
}

poet_status poet_dnnl_packed_result(poet_dnnl *p, int arg, const dnnl_memory_desc_t *plain,
                                    void *data, const dnnl_memory_desc_t *layout, void *packed)
{
    POET_TRY(poet_dnnl_arg(p, arg, layout, packed));
    p->reorder_when = REORDER_AFTER;
    return add_reorder(p, plain, data, layout, true);
}

poet_status poet_dnnl_run(const poet_device *device, poet_dnnl *p)
{
    omp_set_num_threads(device->threads);
    if (p->reorder_when == REORDER_BEFORE)
        POET_TRY(reorder(p));
    POET_DNNL(dnnl_primitive_execute(p->primitive, p->stream, p->n_args, p->args));
    if (p->reorder_when == REORDER_AFTER)
        POET_TRY(reorder(p));
    return poet_dnnl_check(dnnl_stream_wait(p->stream), "waiting");
}

void poet_dnnl_release(poet_device *device, poet_call *call)
{
    (void)device;
    poet_dnnl_destroy(call->prepared);
    call->prepared = NULL;
}

poet_status poet_dnnl_kernel(poet_device *device, const poet_call *call)
{
    return poet_dnnl_run(device, call->prepared);
}

const char *poet_dnnl_implementation(const poet_call *call)
{
    const poet_dnnl *p = call->prepared;
    return p ? p->implementation : "dnnl";
}
