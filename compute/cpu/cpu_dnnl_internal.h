/* One oneDNN primitive with its memories, ready to run: the little of oneDNN that convolution and
 * matrix product share. */
#ifndef POET_COMPUTE_CPU_DNNL_INTERNAL_H
#define POET_COMPUTE_CPU_DNNL_INTERNAL_H

#include "compute/cpu/cpu_internal.h"

#include <oneapi/dnnl/dnnl.h>

enum { POET_DNNL_ARGS = 6 };

typedef struct poet_dnnl {
    dnnl_primitive_t primitive, reorder;
    dnnl_stream_t stream;
    dnnl_exec_arg_t args[POET_DNNL_ARGS], reorder_args[2];
    int n_args;

    enum { REORDER_DONE, REORDER_BEFORE, REORDER_AFTER } reorder_when;

    char implementation[64];
} poet_dnnl;

/* A sentence for a oneDNN status; POET_OK for success. */
poet_status poet_dnnl_check(dnnl_status_t status, const char *what);

#define POET_DNNL(call) POET_TRY(poet_dnnl_check((call), #call))

/* A primitive descriptor for an operation descriptor, scratchpad supplied by us. */
poet_status poet_dnnl_describe(const poet_device *device, const_dnnl_op_desc_t desc,
                               dnnl_primitive_desc_t *out);

/* Bytes of a primitive's scratchpad, rounded up so that something aligned can follow it. */
size_t poet_dnnl_scratchpad(const_dnnl_primitive_desc_t pd);

/* Creates the primitive, without arguments but for its scratchpad. Call poet_dnnl_destroy after a
 * failure too. */
poet_status poet_dnnl_create(const_dnnl_primitive_desc_t pd, void *scratchpad, poet_dnnl **out);
void poet_dnnl_destroy(poet_dnnl *p);

/* Adds an argument whose bytes are at data. */
poet_status poet_dnnl_arg(poet_dnnl *p, int arg, const dnnl_memory_desc_t *md, void *data);

/* Adds a source that is plain at data and `layout` where the primitive reads it: converted into
 * packed before each run, or now and once. */
poet_status poet_dnnl_packed_source(poet_dnnl *p, int arg, const dnnl_memory_desc_t *plain,
                                    void *data, const dnnl_memory_desc_t *layout, void *packed,
                                    bool once);

/* Adds a result that the primitive writes as `layout` into packed, and that is converted to plain
 * at data after each run. */
poet_status poet_dnnl_packed_result(poet_dnnl *p, int arg, const dnnl_memory_desc_t *plain,
                                    void *data, const dnnl_memory_desc_t *layout, void *packed);

poet_status poet_dnnl_run(const poet_device *device, poet_dnnl *p);

dnnl_data_type_t poet_dnnl_type(const poet_tensor *t);

/* As in poet_cpu_op. */
void poet_dnnl_release(poet_device *device, poet_call *call);
poet_status poet_dnnl_kernel(poet_device *device, const poet_call *call);
const char *poet_dnnl_implementation(const poet_call *call);

#endif
