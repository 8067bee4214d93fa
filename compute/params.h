/* Named tensors that outlive programs: parameters, codebooks, optimizer moments, caches. Shared by
 * all graphs of a model.
 *
 * They live in the memory of one device and are created by the graph constructors that first name
 * them. Their starting values depend on (seed, name) alone, never on the order of creation. */
#ifndef POET_COMPUTE_PARAMS_H
#define POET_COMPUTE_PARAMS_H

#include "base/status.h"
#include "compute/tensor.h"

typedef struct poet_device poet_device;
typedef struct poet_params poet_params;

typedef enum poet_kind {
    POET_PARAM,  /* learned by gradient; in every file */
    POET_BUFFER, /* part of the model, not learned by gradient (codebook); in every file */
    POET_MOMENT, /* needed to go on training; in checkpoints only */
    POET_CACHE   /* never saved: KV caches */
} poet_kind;

/* Starting values. */
typedef struct poet_init {
    enum {
        POET_INIT_CONSTANT, /* scale everywhere */
        POET_INIT_NORMAL,   /* scale * N(0,1) */
        POET_INIT_UNIFORM   /* scale * U(-1,1) */
    } law;

    float scale;
} poet_init;

#define POET_ZEROS ((poet_init){POET_INIT_CONSTANT, 0.0F})
#define POET_ONES ((poet_init){POET_INIT_CONSTANT, 1.0F})
#define POET_NORMAL(s) ((poet_init){POET_INIT_NORMAL, (s)})
#define POET_UNIFORM(s) ((poet_init){POET_INIT_UNIFORM, (s)})

/* The device must outlive the params. */
poet_status poet_params_create(poet_device *device, uint64_t seed, poet_params **out);
void poet_params_destroy(poet_params *params);
poet_device *poet_params_device(poet_params *params);

/* The tensor of that name, created when it is not there. Its index is stable until
 * poet_params_drop. POET_ERR_MISMATCH
 * when it exists with another shape or type. */
poet_status poet_params_get(poet_params *params, const char *name, poet_kind kind, poet_dtype dtype,
                            const poet_shape *shape, poet_init init, int *index);

int poet_params_count(const poet_params *params);
int poet_params_find(const poet_params *params, const char *name); /* -1 when absent */
const char *poet_params_name(const poet_params *params, int index);
poet_kind poet_params_kind(const poet_params *params, int index);

/* data points into device memory. */
const poet_tensor *poet_params_tensor(const poet_params *params, int index);

/* From now on a PARAM or BUFFER that is not there is not created: poet_params_get gives POET_ERR_MISMATCH for it. */
void poet_params_seal(poet_params *params);

/* Whole tensors to and from host memory, in the tensor's own type. */
poet_status poet_params_read(poet_params *params, int index, void *host, size_t bytes);
poet_status poet_params_write(poet_params *params, int index, const void *host, size_t bytes);

/* Bytes of all tensors of one kind, and elements of all POET_PARAM tensors. */
size_t poet_params_bytes(const poet_params *params, poet_kind kind);
int64_t poet_params_elements(const poet_params *params);

/* Drops every tensor of a kind (caches between batches of another size). No program that uses one
 * may be run afterwards. */
void poet_params_drop(poet_params *params, poet_kind kind);

/* A fingerprint over names, shapes and bytes of the PARAM and BUFFER tensors, in order of name. */
poet_status poet_params_fingerprint(poet_params *params, uint64_t *out);

#endif
