/* What the files of the simulated device say to each other about recordings. */
#ifndef POET_CUDA_SIMT_SIMT_INTERNAL_H
#define POET_CUDA_SIMT_SIMT_INTERNAL_H

#include "cuda/simt/simt.h"

/* Counts an event. */
void poet_simt_tell(poet_simt_event event);

/* Between poet_simt_record and poet_simt_record_end. */
bool poet_simt_records(void);

/* What cannot be recorded: during a recording, an error that stays with it; else POET_SIMT_OK. */
int poet_simt_refuse(void);

/* Into the recording. */
int poet_simt_record_launch(poet_simt_index grid, poet_simt_index block, size_t shared_bytes,
                            void (*kernel)(const void *arguments), const void *arguments,
                            size_t argument_bytes);
int poet_simt_record_copy(void *dst, const void *src, size_t bytes);
int poet_simt_record_poison(void *memory, size_t bytes);

#endif
