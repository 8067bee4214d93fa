/* A short training on small drawn clips, for the tests of this folder. */
#ifndef POET_TESTS_UNIT_TOKENIZER_SMALL_TRAINING_H
#define POET_TESTS_UNIT_TOKENIZER_SMALL_TRAINING_H

#include "tests/support/clips.h"
#include "tokenizer/tokenizer.h"

enum { T = 5, H = 16, W = 16, PIXELS = H * W * 3 };

/* A poet_clips_fn of a hundred clips; opaque: NULL, or an int that counts how often it is asked. */
static inline poet_status next_clips(void *opaque, int64_t step, int b, uint8_t *frames)
{
    int *asked = opaque;
    if (asked)
        ++*asked;
    for (int i = 0; i < b; i++)
        support_draw_clip((uint64_t)(step * b + i) % 100, T, H, W, frames + (size_t)i * T * PIXELS);
    return POET_OK;
}

static inline poet_tokenizer_training training_of(int64_t steps, poet_task *task,
                                                  const char *checkpoint)
{
    poet_tokenizer_training r = poet_tokenizer_training_defaults();
    r.t = T;
    r.h = H;
    r.w = W;
    r.start_clips = 40;
    r.clips = next_clips;
    r.train.optim.steps = steps;
    r.train.optim.warmup = 10;
    r.train.optim.rate = 2e-3F;
    r.train.optim.average = 0.9F;
    r.train.save_seconds = 1e9;
    r.train.checkpoint = checkpoint;
    r.train.task = task;
    return r;
}

#endif
