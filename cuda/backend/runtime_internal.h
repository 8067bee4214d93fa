/* What the backend needs of a device besides kernels: memory, copies, a stream. Two implementations, chosen by the linker:
 * runtime_cuda.c over NVIDIA's runtime, runtime_simt.c over cuda/simt. */
#ifndef POET_CUDA_BACKEND_RUNTIME_INTERNAL_H
#define POET_CUDA_BACKEND_RUNTIME_INTERNAL_H

#include "cuda/backend/backend_internal.h"

const char *poet_runtime_name(void); /* of the backend: "cuda", "simt" */
const char *poet_runtime_description(void);

/* Finds card `index` and fills name, stream, capability and peaks. A sentence says what is missing: driver, card, memory. */
poet_status poet_runtime_open(int index, poet_cuda_device *device);
void poet_runtime_close(poet_cuda_device *device);

/* POET_ERR_NOMEM says how much was wanted and how much there is. */
poet_status poet_runtime_alloc(poet_cuda_device *device, size_t bytes, void **out);
poet_status poet_runtime_free(poet_cuda_device *device, void *memory);

/* Free bytes, and all. */
poet_status poet_runtime_memory(poet_cuda_device *device, size_t *left, size_t *most);

/* Behind all that was launched; done when it returns, but for a copy on the device, which what is launched later waits for. */
poet_status poet_runtime_copy(poet_cuda_device *device, void *dst, const void *src, size_t bytes,
                              poet_copy direction);

/* Joules of the card since it was first asked; false: nothing counts them. */
bool poet_runtime_energy(poet_cuda_device *device, double *joules);

/* What launch(opaque) launches is kept, not run; then run, whenever it is replayed. */
poet_status poet_runtime_record(poet_cuda_device *device, poet_launch launch, void *opaque,
                                poet_recording **out);
poet_status poet_runtime_replay(poet_cuda_device *device, const poet_recording *recording);
void poet_runtime_forget(poet_recording *recording);

/* Waits for all that was launched. */
poet_status poet_runtime_sync(poet_cuda_device *device);

/* POET_OK for 0, else POET_ERR_DEVICE and the runtime's sentence. */
poet_status poet_runtime_check(int code, const char *what);

/* Before a call's kernels: makes what they may not read undefined, where that costs nothing that counts. */
poet_status poet_runtime_begin(const poet_cuda_device *device, const poet_call *call);

#endif
