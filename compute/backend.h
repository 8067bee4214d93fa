/* What a device must offer: memory, and one kernel for each operation.
 *
 * A backend is a constant table, filled at start-up in layers: poet_ref_fill sets every entry to
 * the reference kernels, poet_cpu_fill overrides those it does faster. A NULL kernel is refused at
 * plan time by the op's name; there is no silent fall-back from one device to another. */
#ifndef POET_COMPUTE_BACKEND_H
#define POET_COMPUTE_BACKEND_H

#include "base/status.h"
#include "compute/graph.h"
#include "compute/op.h"

typedef struct poet_device poet_device;

/* One operation, ready to run: what a kernel gets. */
typedef struct poet_call {
    poet_op op;
    const char *name; /* scope path, for error sentences */
    const poet_attr *attr;
    int n_src, n_dst;
    poet_tensor *const *src; /* an absent optional source is NULL */
    poet_tensor *dst[POET_MAX_DST];
    bool constant_weights; /* parameters do not change between runs of this program: kernels may
                              pack them in prepare */
    uint32_t weights;      /* bit i: src[i] is a parameter or a buffer */
    void *scratch;         /* scratch_bytes of device memory, contents undefined */
    size_t scratch_bytes;
    void *packed; /* packed_bytes of device memory, for what prepare makes of constant weights */
    size_t packed_bytes;
    void *prepared; /* the backend's own, made in prepare, freed in release */
} poet_call;

/* Whether source i is a weight that no run of the program changes, so that prepare may pack it. */
static inline bool poet_call_is_constant(const poet_call *call, int i)
{
    return call->constant_weights && (call->weights >> i & 1U);
}

typedef poet_status (*poet_kernel)(poet_device *device, const poet_call *call);

/* Starts work on a device. */
typedef poet_status (*poet_launch)(void *opaque);

/* Work that a device has kept, to do it again without the host. */
typedef struct poet_recording poet_recording;

typedef enum poet_copy { POET_TO_DEVICE, POET_TO_HOST, POET_ON_DEVICE } poet_copy;

typedef struct poet_backend {
    const char *name; /* "ref", "cpu", "simt", "cuda" */
    const char *description;
    poet_dtype
        real;  /* how POET_F32 is stored: F32, or F64 in the reference of the gradient tests */
    bool bf16; /* BF16 operands are supported; else the planner refuses them */
    /* Whether the kernel of an op, whose first source has this type, writes its first result as BF16 where that is its type,
     * rounded as a cast rounds. NULL: none does. */
    bool (*narrows)(poet_op op, poet_dtype source);
    bool host_memory; /* tensors can be read and written by the CPU */
    size_t alignment; /* of tensors inside a block, bytes */

    poet_status (*open)(const struct poet_backend *backend, int index, poet_device **out);
    void (*close)(poet_device *device);
    poet_status (*alloc)(poet_device *device, size_t bytes, void **out);
    void (*free)(poet_device *device, void *memory);
    /* Joules that it has used since it was first asked; false, or NULL: nothing counts them. */
    bool (*energy)(poet_device *device, double *joules);
    /* How much there is, and how much of it is free, bytes; NULL: the host's, of which there is always more. */
    poet_status (*memory)(poet_device *device, size_t *left, size_t *most);
    poet_status (*copy)(poet_device *device, void *dst, const void *src, size_t bytes,
                        poet_copy direction);
    poet_status (*sync)(poet_device *device);

    /* NULL: the host starts every call anew. Else what launch(opaque) starts, calls of kernels and copies on the device, is
     * done without waiting for it. The first time, when *recording is NULL, it is kept there; from then on launch is not
     * called any more. forget is the reverse, before any memory in use by it is freed. */
    poet_status (*replay)(poet_device *device, poet_launch launch, void *opaque,
                          poet_recording **recording);
    void (*forget)(poet_device *device, poet_recording *recording);

    /* Asked once per call at plan time, before memory exists (shapes, types and attributes are
     * set; only what lives in params has data already, which tells constant weights from computed
     * ones): scratch bytes wanted. May be NULL: none. */
    size_t (*scratch)(poet_device *device, const poet_call *call);

    /* Asked right after that, and without looking at what weights contain: bytes for them in a form of the backend's own. May
     * be NULL: none. */
    size_t (*packed)(poet_device *device, const poet_call *call);

    /* Once, after memory exists and before the first run; and its reverse. May be NULL. */
    poet_status (*prepare)(poet_device *device, poet_call *call);
    void (*release)(poet_device *device, poet_call *call);

    /* Which implementation a call got, e.g. "dnnl", "avx2", "ref"; may be NULL. */
    const char *(*implementation)(poet_device *device, const poet_call *call);

    /* FLOP/s at best of the units that compute a call, known from scratch and packed on; 0: not known. NULL: peak_flops of
     * the device, whatever the call. */
    double (*peak)(poet_device *device, const poet_call *call);

    poet_kernel kernel[POET_OP_COUNT];
} poet_backend;

/* Every backend's device begins with this. */
struct poet_device {
    const poet_backend *backend;
    int threads; /* what a parallel kernel uses; a checkpoint records it */
    const char *
        name; /* the card, e.g. "NVIDIA GeForce GTX 1080, sm_61, 8.6 GB"; NULL: the backend says it all */
    double peak_flops, peak_bandwidth; /* FLOP/s in f32 and bytes/s, at best; 0: not known */
};

/* Sets memory functions and all kernels to the reference: host memory, one thread, sums in double,
 * slow and plain. real: POET_F32 or POET_F64. */
void poet_ref_fill(poet_backend *backend, poet_dtype real);

/* The CPU backend: reference, overridden by oneDNN and vector kernels. */
void poet_cpu_fill(poet_backend *backend);

/* Ready tables. */
const poet_backend *poet_backend_ref(void);   /* "ref" */
const poet_backend *poet_backend_ref64(void); /* "ref64" */
const poet_backend *poet_backend_cpu(void);   /* "cpu" */

/* The type in which a backend stores a declared one: reals are F64 where the backend keeps all reals so. */
poet_dtype poet_backend_stored(const poet_backend *backend, poet_dtype dtype);

/* threads <= 0: as many as the machine has (OMP_NUM_THREADS is honoured). */
poet_status poet_device_open(const poet_backend *backend, int index, int threads,
                             poet_device **out);
void poet_device_close(poet_device *device);

/* A device like this one, to be closed before it, that has no memory: programs can be made on it, to see what they take, and
 * not run. Which kernels they would get is not known. */
poet_status poet_device_plan(poet_device *like, poet_device **out);

/* Whether poet_device_replay keeps what it is given: then launch must not wait for the device, nor read what it computes. */
bool poet_device_records(const poet_device *device);

/* launch(opaque), or, on a device that records, what it started the first time. *recording: NULL at the start;
 * poet_device_forget sets it to NULL again (one that is NULL already is fine). */
poet_status poet_device_replay(poet_device *device, poet_launch launch, void *opaque,
                               poet_recording **recording);
void poet_device_forget(poet_device *device, poet_recording **recording);

/* Joules that the device has used since it was first asked for; false: nothing counts them. */
bool poet_device_energy(poet_device *device, double *joules);

/* Waits for all that was started; the first error of it. */
poet_status poet_device_wait(poet_device *device);

#endif
