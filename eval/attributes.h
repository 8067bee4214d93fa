/* What does a clip show? An analytic reader of the attributes of the built-in sets: it finds the
 * object in each frame, names its colour and shape, measures its size and fits its motion. No
 * network, nothing trained: it knows how the sets are drawn, and compares.
 *
 * Its own accuracy is measured on real held-out clips first (poet_attributes_accuracy), clean or
 * after any change the caller makes to them, for instance a tokenizer's reconstruction: a
 * generator cannot be judged better than its judge. */
#ifndef POET_EVAL_ATTRIBUTES_H
#define POET_EVAL_ATTRIBUTES_H

#include "base/task.h"
#include "datasets/synth.h"

typedef struct poet_reader poet_reader;

/* A reader of one set for clips of this size and length. The caller destroys it; NULL is fine
 * there. A reader is not changed by reading. */
poet_status poet_reader_create(poet_synth_set set, const poet_synth_options *options,
                               poet_reader **out);
void poet_reader_destroy(poet_reader *reader);

/* What was read: a value for each field of the set, -1 where it could not be told (then nothing
 * matches), and, for shapes, where the object is: centre and radius in units, radius 0 in frames
 * without it. */
typedef struct poet_reading {
    int value[POET_SYNTH_FIELDS];
    poet_synth_spot track[1025];
} poet_reading;

/* MISMATCH when the clip has another size or length than the reader. */
poet_status poet_reader_read(const poet_reader *reader, const poet_clip *clip, poet_reading *out);

/* Bit f is set when field f of the scene is stated in its caption and was read otherwise. Two digits
 * may come in either order. 0: every attribute of the caption is right. */
unsigned poet_reading_wrong(const poet_reading *reading, const poet_synth_scene *wanted);

/* How often something was right. */
typedef struct poet_share {
    uint64_t right, total;
} poet_share;

/* Wilson's score interval for a share, at z standard deviations (1.96: 95%). Both in 0..1; 0 and 1
 * when total is 0. */
void poet_share_interval(poet_share share, double z, double *low, double *high);

typedef struct poet_attribute_score {
    poet_share all;                      /* every stated attribute right */
    poet_share field[POET_SYNTH_FIELDS]; /* of the clips whose caption states it */
} poet_attribute_score;

/* Counts one reading. */
void poet_attribute_score_add(poet_attribute_score *score, const poet_reading *reading,
                              const poet_synth_scene *wanted);

/* Replaces a clip by what is to be judged instead of it, in place. */
typedef poet_status (*poet_clip_change)(void *user, poet_clip *clip);

/* Reads n drawn clips of a split, each changed before by `change` (NULL: not at all), and counts
 * what was right. task may be NULL. */
poet_status poet_attributes_accuracy(const poet_reader *reader, uint64_t seed, poet_split split,
                                     uint64_t n, poet_clip_change change, void *user,
                                     const poet_task *task, poet_attribute_score *out);

#endif
