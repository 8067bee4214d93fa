#include "cuda/backend/cuda_table.h"
#include "cuda/plugin/entry_internal.h"

__attribute__((visibility("default"))) extern const poet_cuda_plugin_entry poet_cuda_plugin;

const poet_cuda_plugin_entry poet_cuda_plugin = POET_CUDA_PLUGIN_ENTRY(poet_cuda_table);
