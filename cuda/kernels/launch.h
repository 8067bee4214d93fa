/* What the launch functions of all families share.
 *
 * Each family of operations is a pair: NAME.h declares its launch functions in C, NAME.cu has the kernels. A launch
 * function puts its kernels on the stream, does not wait for them, and returns 0 or the runtime's error number. Pointers
 * are to device memory unless the comment says otherwise; tensors are dense and row-major; counts are of elements and
 * below 2^31, which the backend has checked. Kernels know neither graphs nor devices. */
#ifndef POET_CUDA_KERNELS_LAUNCH_H
#define POET_CUDA_KERNELS_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

/* The runtime's cudaStream_t; the host build of the kernels has none. */
typedef struct CUstream_st *poet_stream;

/* Elements are f32 (false) or bf16 (true, as uint16_t) where a launch function takes this. */
typedef struct poet_operand {
    const void *data;
    int bf16;
} poet_operand;

#endif
