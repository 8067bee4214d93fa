/* Clips that are to be judged: what a generator writes for sentences, and what a tokenizer makes of clips. */
#ifndef POET_EVAL_CLIP_WRITER_H
#define POET_EVAL_CLIP_WRITER_H

#include "codec/frames.h"
#include "generator/generator.h"

typedef struct poet_clip_writer {
    poet_tokenizer *tokenizer;
    poet_generator *generator;
    poet_sampling sampling;
    uint64_t seed; /* clip i is written with seed + i */
    int batch;     /* how many are written together */
    const poet_task *task;
} poet_clip_writer;

/* Frames, sides and rate of what it writes; no pixels. */
poet_clip poet_clip_writer_geometry(const poet_clip_writer *writer);

/* Looks at clip i; the clip is overwritten afterwards. */
typedef poet_status (*poet_judge_fn)(void *judge, int i, const poet_clip *clip);

/* Writes a clip for each of n prompts and shows them to the judge in order. INTERRUPTED when the task was stopped. */
poet_status poet_clip_writer_run(const poet_clip_writer *writer, int n, const char *const *prompts,
                                 poet_judge_fn judge, void *opaque);

/* Replaces a clip of the writer's geometry by what comes back from the tokenizer. A poet_clip_change (eval/attributes.h): user
 * is a poet_clip_writer. */
poet_status poet_clip_writer_reconstruct(void *user, poet_clip *clip);

#endif
