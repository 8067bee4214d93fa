/* What program and plug-in agree on. */
#ifndef POET_CUDA_PLUGIN_ENTRY_INTERNAL_H
#define POET_CUDA_PLUGIN_ENTRY_INTERNAL_H

#include "compute/backend.h"

#define POET_CUDA_PLUGIN_FILE "pocketpoet-cuda.so"
#define POET_CUDA_PLUGIN_SYMBOL "poet_cuda_plugin"

/* The plug-in's one exported symbol. Tables have another layout when the operations or the structures are others: then the
 * two are of different builds. */
typedef struct poet_cuda_plugin_entry {
    const char *version;
    size_t ops, backend_bytes, call_bytes, device_bytes, attr_bytes, tensor_bytes;
    const poet_backend *(*table)(void);
} poet_cuda_plugin_entry;

#define POET_CUDA_PLUGIN_ENTRY(table_)                                                             \
    {                                                                                              \
        .version = POET_CUDA_PLUGIN_VERSION, .ops = POET_OP_COUNT,                                 \
        .backend_bytes = sizeof(poet_backend), .call_bytes = sizeof(poet_call),                    \
        .device_bytes = sizeof(poet_device), .attr_bytes = sizeof(poet_attr),                      \
        .tensor_bytes = sizeof(poet_tensor), .table = (table_)                                     \
    }

#endif
