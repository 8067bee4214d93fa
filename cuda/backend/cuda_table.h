/* The ready table of the CUDA backend: "cuda" in the plug-in, "simt" where the host build of the kernels is linked. */
#ifndef POET_CUDA_BACKEND_CUDA_TABLE_H
#define POET_CUDA_BACKEND_CUDA_TABLE_H

#include "compute/backend.h"

const poet_backend *poet_cuda_table(void);

#endif
