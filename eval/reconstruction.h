/* What a tokenizer keeps of held-out clips, and how it uses its codebook. */
#ifndef POET_EVAL_RECONSTRUCTION_H
#define POET_EVAL_RECONSTRUCTION_H

#include "base/task.h"
#include "datasets/dataset.h"
#include "eval/metrics.h"
#include "tokenizer/shrink.h"

typedef struct poet_reconstruction {
    poet_mean psnr, ssim; /* over clips */
    int codes;            /* K times levels */
    poet_usage usage;     /* of them, over all tokens of all clips */
} poet_reconstruction;

/* Encodes and decodes the first n > 0 clips of a split (all when there are fewer). task may be NULL. POET_ERR_ARG where the
 * split has none: what the clips are called is the caller's to say, by poet_context. */
poet_status poet_measure_reconstruction(poet_tokenizer *tokenizer, const poet_dataset *dataset,
                                        poet_split split, uint64_t n, const poet_task *task,
                                        poet_reconstruction *out);

/* What the host keeps for that besides what coding takes: a clip of this shape, what becomes of it, and one frame's moments. */
size_t poet_reconstruction_bytes(const poet_clip *shape);

/* The same for clips that the old tokenizer encoded and whose codes a map has turned into those of the smaller one: what
 * is left of token files that are remapped. usage is of the new codes. */
poet_status poet_measure_remapped(poet_tokenizer *tokenizer, const poet_shrink_map *map,
                                  poet_tokenizer *smaller, const poet_dataset *dataset,
                                  poet_split split, uint64_t n, const poet_task *task,
                                  poet_reconstruction *out);

#endif
