/* What does a clip show? A reader of attributes that is learned from a dataset's own clips: a small convolutional network with a
 * softmax over the values of each attribute.
 *
 * Like the analytic readers (eval/attributes.h) it is judged before it judges: on real held-out clips first
 * (poet_classifier_accuracy), then on reconstructions and on what a generator wrote. */
#ifndef POET_EVAL_CLASSIFIER_H
#define POET_EVAL_CLASSIFIER_H

#include "compute/train.h"
#include "eval/attribute_list.h"
#include "eval/attributes.h"

typedef struct poet_classifier_config {
    int t, h, w; /* of the clips that it reads; t = 1+4n */
    int width;   /* channels of the first convolutions, a multiple of 8: 8 .. 256 */
    poet_attribute_list
        attributes; /* none: it has features alone, and is neither trained nor loaded */
} poet_classifier_config;

typedef struct poet_classifier poet_classifier;

/* Fresh weights from seed. The attributes are taken over, also on failure: *config is left without any. The device must outlive
 * the classifier. */
poet_status poet_classifier_create(poet_device *device, poet_classifier_config *config,
                                   uint64_t seed, poet_classifier **out);

/* The file's metadata has "reader.config". FORMAT for any other model. */
poet_status poet_classifier_load(poet_device *device, const char *path, poet_classifier **out);
poet_status poet_classifier_save(poet_classifier *classifier, const char *path, bool bf16);
void poet_classifier_destroy(poet_classifier *classifier); /* NULL is fine */

const poet_classifier_config *poet_classifier_get_config(const poet_classifier *classifier);
poet_params *poet_classifier_params(poet_classifier *classifier);

/* Reading keeps a program with packed weights: call this after weights were changed (training does at its end). */
void poet_classifier_forget_program(poet_classifier *classifier);

/* MISMATCH unless it is for clips of this size and length. */
poet_status poet_classifier_fits(const poet_classifier *classifier, const poet_clip *shape);

/* The likeliest value of each attribute: value[attributes.count]. MISMATCH as for poet_classifier_fits. */
poet_status poet_classifier_read(poet_classifier *classifier, const poet_clip *clip,
                                 int32_t *value);

/* What its last layers read: one vector of a clip, of poet_classifier_feature_count numbers. Clips that show alike things have alike
 * vectors, after training more than with fresh weights; but with those, too, they tell how sets of clips differ (Naeem et al. 2020,
 * section 4, who prefer them where a trained network knows other pictures). MISMATCH as for poet_classifier_fits. */
int poet_classifier_feature_count(const poet_classifier *classifier);
poet_status poet_classifier_features(poet_classifier *classifier, const poet_clip *clip,
                                     float *out);

/* ---- judging ---- */

typedef struct poet_classifier_score {
    poet_share all; /* every stated attribute of the selected ones right */
    poet_share attribute[POET_MAX_ATTRIBUTES]; /* of the clips that state it */
} poet_classifier_score;

/* Counts one clip that was asked to show what label says. selected: bits of the attributes that count for all together; a clip
 * that states none of them does not count there. */
void poet_classifier_score_add(const poet_classifier *classifier, uint32_t selected,
                               const int32_t *value, const int32_t *label,
                               poet_classifier_score *score);

/* Reads the first n clips of a split (all when there are fewer), each changed before by `change` (NULL: not at all), and counts
 * what was right. what names the work for the task, which may be NULL. */
poet_status poet_classifier_accuracy(poet_classifier *classifier, const poet_dataset *dataset,
                                     poet_split split, uint64_t n, uint32_t selected,
                                     poet_clip_change change, void *user, const char *what,
                                     const poet_task *task, poet_classifier_score *out);

/* ---- training: eval/train_classifier.c ---- */

typedef struct poet_classifier_training {
    int b;
    uint64_t seed;
    const poet_dataset *dataset; /* its training clips are shown, moved and blurred at random */
    poet_train_config train;     /* feed, pairs and opaque are set by the trainer */
} poet_classifier_training;

poet_classifier_training poet_classifier_training_defaults(void);

/* Trains from the checkpoint, or from the start when there is none; see poet_tokenizer_train. */
poet_status poet_classifier_train(poet_classifier *classifier,
                                  const poet_classifier_training *training, poet_memory *memory);

#endif
