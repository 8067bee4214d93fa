/* Batches drawn or decoded by other threads while the caller computes. What a step gets depends on
 * (dataset, split, seed, step) alone, never on timing or on the number of threads. */
#ifndef POET_DATASETS_PREFETCH_H
#define POET_DATASETS_PREFETCH_H

#include "datasets/dataset.h"

typedef struct poet_prefetch poet_prefetch;

enum { POET_PREFETCH_DEPTH = 3 };

typedef struct poet_prefetch_options {
    poet_split split;
    uint64_t seed;  /* of the sampler */
    uint64_t first; /* step of the first batch */
    int batch;      /* clips in a batch, 1 .. 4,096 */
    int depth;      /* batches in the ring, 0: POET_PREFETCH_DEPTH; at most 64 */
    int threads;    /* 0: 1; at most 16 */
    int crop;  /* side of a square cut from each clip, more often where it moves; 0: whole clips */
    int align; /* what the crop's place is a multiple of; see datasets/crop.h */
} poet_prefetch_options;

/* Belongs to the prefetcher; valid until the next call of poet_prefetch_next or destroy. */
typedef struct poet_batch {
    uint64_t step;
    int count;
    const uint8_t *pixels;         /* (B,T,H,W,3); H and W are the crop's */
    size_t bytes;                  /* of all pixels */
    const char *const *captions;   /* B of them */
    const char *const *attributes; /* B JSON objects */
} poet_batch;

/* What the ring of POET_PREFETCH_DEPTH batches takes, of crops where crop is above 0, and the clip that is being read. */
size_t poet_prefetch_bytes(const poet_dataset *dataset, int batch, int crop);

/* The dataset must outlive the prefetcher. ARG when the split is empty. */
poet_status poet_prefetch_create(const poet_dataset *dataset, const poet_prefetch_options *options,
                                 poet_prefetch **out);

/* The batch of the next step, waiting for it if need be. A clip that cannot be read is this call's
 * failure, with its sentence; the steps after it can still be had. */
poet_status poet_prefetch_next(poet_prefetch *prefetch, poet_batch *out);

/* Stops the threads and waits for them; NULL is fine. */
void poet_prefetch_destroy(poet_prefetch *prefetch);

#endif
