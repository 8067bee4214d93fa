/* The inside of the CUDA backend: its device, and the table of operations that the files of this folder fill.
 *
 * ops_NAME.c goes with kernels/NAME.cu: it takes a call apart into pointers and sizes, and calls the launch functions. The
 * same files are linked with runtime_cuda.c into the plug-in, and with runtime_simt.c into the tests' host build. */
#ifndef POET_CUDA_BACKEND_INTERNAL_H
#define POET_CUDA_BACKEND_INTERNAL_H

#include "compute/backend.h"
#include "cuda/backend/card_internal.h"
#include "cuda/backend/cuda_table.h"
#include "cuda/kernels/fault.h"

typedef struct poet_cuda_device {
    poet_device base;
    int index;
    char name[192]; /* "NVIDIA GeForce GTX 1080, sm_61, 8.0 GB" */
    poet_stream stream;
    poet_fault *fault; /* in device memory */
    int capability; /* 61: compute capability 6.1; of the card, or of its code where that is older */
    poet_peaks peaks;
    void *energy; /* the runtime's counter; NULL: not asked for yet, or there is none */
} poet_cuda_device;

typedef enum poet_cuda_unit { POET_UNIT_F32, POET_UNIT_INT8, POET_UNIT_TENSOR } poet_cuda_unit;

/* One of the kernels of an operation, and the units that do its arithmetic. */
typedef struct poet_cuda_way {
    const char *name;
    poet_cuda_unit unit;
} poet_cuda_way;

typedef struct poet_cuda_op {
    /* Launches; the error number of the runtime, 0 when all went well. Host code must not read device memory. */
    int (*run)(const poet_cuda_device *device, const poet_call *call);
    size_t (*scratch)(const poet_call *call); /* bytes; NULL: none */
    /* Refuses at plan time what the kernel cannot do, with a sentence without the op's name; NULL: it can do all that the
     * op's rule lets through. */
    poet_status (*check)(const poet_call *call);
    bool bf16; /* takes bf16 sources; else they are refused */
    /* Constant weights in another form: bytes of device memory for them, 0: none; and what fills call->packed, once, before the
     * first run. Both NULL: never. */
    size_t (*packed)(const poet_cuda_device *device, const poet_call *call);
    int (*pack)(const poet_cuda_device *device, const poet_call *call);
    /* Which of its kernels a call gets, from what is known when the program is planned; NULL: there is one, in f32. */
    poet_cuda_way (*way)(const poet_cuda_device *device, const poet_call *call);
} poet_cuda_op;

/* Each sets the rows of its operations. */
void poet_cuda_eltwise_ops(poet_cuda_op *ops);
void poet_cuda_layout_ops(poet_cuda_op *ops);
void poet_cuda_matmul_ops(poet_cuda_op *ops);
void poet_cuda_conv3d_ops(poet_cuda_op *ops);
void poet_cuda_norm_ops(poet_cuda_op *ops);
void poet_cuda_attention_ops(poet_cuda_op *ops);
void poet_cuda_embed_ops(poet_cuda_op *ops);
void poet_cuda_gather_ops(poet_cuda_op *ops);
void poet_cuda_quantize_ops(poet_cuda_op *ops);
void poet_cuda_fsq_ops(poet_cuda_op *ops);
void poet_cuda_loss_ops(poet_cuda_op *ops);
void poet_cuda_sample_ops(poet_cuda_op *ops);
void poet_cuda_optim_ops(poet_cuda_op *ops);

static inline const void *poet_cuda_src(const poet_call *call, int i)
{
    return call->src[i] ? call->src[i]->data : NULL;
}

static inline void *poet_cuda_dst(const poet_call *call, int i)
{
    return call->dst[i]->data;
}

/* Counts fit: the backend has refused tensors of 2^31 elements and more. */
static inline int poet_cuda_count(const poet_tensor *t)
{
    return (int)poet_tensor_count(t);
}

/* The product of dims [from, to). */
static inline int poet_cuda_span(const poet_tensor *t, int from, int to)
{
    return (int)poet_shape_span(&t->shape, from, to);
}

/* Whether the products of a call whose first operand this is go to tensor cores: those of Turing and older have no bf16. */
static inline bool poet_cuda_tensor_cores(const poet_cuda_device *device, poet_operand first)
{
    return first.bf16 && device->capability >= 80;
}

static inline poet_operand poet_cuda_operand(const poet_call *call, int i)
{
    const poet_tensor *t = call->src[i];
    return (poet_operand){t ? t->data : NULL, t && t->dtype == POET_BF16};
}

#endif
