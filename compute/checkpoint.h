/* Models and checkpoints as safetensors files: an 8-byte little-endian header length, a JSON
 * header, then the tensors' bytes; other tools open them. The header's __metadata__ holds string
 * pairs of the caller (configuration, step, ...) and "poet.format" (the version), "poet.crc32" (of
 * everything else in the file, so a flipped byte anywhere is found). */
#ifndef POET_COMPUTE_CHECKPOINT_H
#define POET_COMPUTE_CHECKPOINT_H

#include "compute/params.h"

typedef struct poet_pair {
    const char *key, *value;
} poet_pair;

typedef struct poet_save_options {
    bool moments; /* MOMENT tensors too: a checkpoint, not only a model */
    bool bf16;    /* PARAM tensors rounded to bf16: half the bytes */
    const poet_pair *pairs;
    int n_pairs;
} poet_save_options;

/* Writes PARAM and BUFFER tensors, and more as asked, by rename. */
poet_status poet_checkpoint_save(const char *path, poet_params *params,
                                 const poet_save_options *options);

/* A validated, mapped file. */
typedef struct poet_checkpoint poet_checkpoint;

poet_status poet_checkpoint_open(const char *path, poet_checkpoint **out);
void poet_checkpoint_close(poet_checkpoint *checkpoint);

/* NULL when absent. */
const char *poet_checkpoint_value(const poet_checkpoint *checkpoint, const char *key);

/* Calls each for every pair that the file's writer added. A value that is not a string is NULL. */
typedef void (*poet_pair_fn)(void *opaque, poet_pair pair);
void poet_checkpoint_each_value(const poet_checkpoint *checkpoint, poet_pair_fn each, void *opaque);

int poet_checkpoint_count(const poet_checkpoint *checkpoint);
const char *poet_checkpoint_name(const poet_checkpoint *checkpoint, int index);
const poet_tensor *poet_checkpoint_tensor(const poet_checkpoint *checkpoint, int index);

/* Creates every tensor of the file in params, with its values: afterwards the graph constructors
 * find them. Kinds are stored in the file. A tensor that exists with another shape is an error.
 * bf16 tensors become f32. */
poet_status poet_checkpoint_load(const poet_checkpoint *checkpoint, poet_params *params);

/* The same of a model that is whole: without moments, and sealed, so that a graph which names a tensor that the file lacks
 * is not made. */
poet_status poet_checkpoint_load_model(const poet_checkpoint *checkpoint, poet_params *params);

#endif
