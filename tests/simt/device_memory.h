/* Device memory for tests that call launch functions themselves, past the backend's table: over the runtime that is linked,
 * the simulated one or NVIDIA's. */
#ifndef POET_TESTS_SIMT_DEVICE_MEMORY_H
#define POET_TESTS_SIMT_DEVICE_MEMORY_H

#include "cuda/kernels/launch.h"

/* The first call and the last. Without a device the test ends here as skipped, and says why. */
void device_begin(void);
void device_end(void);

poet_stream device_stream(void);

/* New memory, with these bytes in it; host NULL: undefined. */
void *on_device(const void *host, size_t bytes);
void to_host(void *host, const void *memory, size_t bytes);
void free_all(int n, void *const *memory);

#endif
