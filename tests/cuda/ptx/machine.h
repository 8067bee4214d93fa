/* A machine for PTX, the assembly that nvcc makes of a kernel, on one processor thread: what nvcc has made can be run and
 * checked where there is no GPU, and without the headers that turn the kernels into host code (cuda/simt).
 *
 * Source: NVIDIA, "Parallel Thread Execution ISA". It knows the instructions that are in the tables of integer.c and real.c,
 * and in instructions.c; another one is an error when its kernel is launched. A launch runs one block after the other and each
 * thread of a block until it waits: at a barrier or for the lanes of its warp. These are errors, each with kernel, line of
 * the PTX, block and thread:
 *
 * - an access outside of what was allocated or declared, or not aligned to its size;
 * - a read of shared, local or global memory that nobody has written;
 * - two threads that touch one byte of shared memory, one of them to write, with no barrier between (of the block, or of
 *   their warp): found in whatever order threads run;
 * - a barrier that only some threads of the block reach, lanes of a mask that do not come, a thread without end.
 *
 * Approximate instructions (ex2.approx, rcp.approx) are off, by half of what the ISA allows.
 * It does not see races in global memory. One machine in a process, for one host thread at a time. */
#ifndef POET_TESTS_CUDA_PTX_MACHINE_H
#define POET_TESTS_CUDA_PTX_MACHINE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ptx_size {
    unsigned x, y, z;
} ptx_size;

/* Every *.ptx of a folder, in place of what was loaded. Kernels are decoded when they are first launched. */
poet_status ptx_load(const char *folder);

/* One module; the text is copied. For tests. */
poet_status ptx_load_text(const char *text);

/* The card that the module loaded last is for: 80 for sm_80; 0: there is none. */
int ptx_target(void);

/* Forgets modules and frees device memory. */
void ptx_unload(void);

/* Runs a kernel, by its mangled name. argument[i] points to the i-th one; how many and how big they are, the PTX says.
 * shared_bytes: of dynamic shared memory. */
poet_status ptx_launch(const char *kernel, ptx_size grid, ptx_size block, size_t shared_bytes,
                       void *const *argument);

/* Blocks and threads run from the last to the first. */
void ptx_set_reverse(bool reverse);

/* Device memory: host addresses that only kernels and ptx_copy should touch. */
poet_status ptx_alloc(size_t bytes, void **out);
void ptx_free(void *memory);

/* Between host and device memory, either way. What lies in device memory counts as written from then on. */
void ptx_copy(void *to, const void *from, size_t bytes);

/* Makes device memory unwritten again. */
void ptx_forget(void *memory, size_t bytes);

#endif
