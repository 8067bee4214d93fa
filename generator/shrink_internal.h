/* What scoring and fitting of merged codes share, for generator/ alone. */
#ifndef POET_GENERATOR_SHRINK_INTERNAL_H
#define POET_GENERATOR_SHRINK_INTERNAL_H

#include "base/rng.h"
#include "generator/generator_internal.h"
#include "generator/shrink_generator.h"

/* ---- merged.c: whole clips, every group as if it were written ---- */

enum { POET_WHOLE_CLIPS = 4 };

typedef struct poet_whole {
    poet_generator *m;
    poet_program *program;
    poet_sequence_batch batch;
    float *logits; /* (clips,N,S,K) */
    float *hidden; /* (clips,N,S,slot width) */
    float *states; /* (clips,N,width) */
    float *keep;   /* (clips,N,2): written, kept; NULL where the model keeps nothing */
} poet_whole;

/* Free also after a failure. */
poet_status poet_whole_create(poet_generator *m, poet_whole *out);
void poet_whole_free(poet_whole *whole);

/* n clips, 1..POET_WHOLE_CLIPS, in the order of the grid. */
poet_status poet_whole_run(poet_whole *whole, int n, const int32_t *codes,
                           const char *const *captions);

/* The same for a smaller model: codes are old ones. */
poet_status poet_whole_run_merged(poet_whole *whole, const poet_shrink_map *map, int n,
                                  const int32_t *codes, const char *const *captions);

/* logits (K) of a slot on one level -> probabilities of the new codes (K'). */
void poet_merged_probabilities(const poet_shrink_map *map, int level, const float *logits,
                               float *out);

/* Old codes of a clip in the order of the grid -> new ones in the order of writing, (N,S). */
void poet_merged_clip(const poet_generator_config *config, const poet_shrink_map *map,
                      const int32_t *codes, int32_t *grouped);

/* ---- fit_rows.c: what heads are fitted on ---- */

typedef struct poet_fit_rows {
    int64_t left, wanted; /* still to come, and of these still to be taken */
    int64_t n;            /* so far */
    int dim, classes;
    float *x, *labels; /* (n,dim), (n,classes) */
} poet_fit_rows;

typedef struct poet_fit_data {
    const poet_shrink_map *map;
    poet_whole teacher, student;
    int32_t *merged; /* (clips,N,S): new codes in the order of writing */
    float *group;    /* (S,K'): labels of one group */
    /* Slots of groups that are written in new codes, what the head sees there and the members' summed probabilities; and
     * all groups, states and whether the group is written or the same as before (empty where the model keeps nothing). */
    poet_fit_rows codes, keep;
} poet_fit_data;

/* At most `rows` rows for each head, drawn with seed from n clips of old codes. map must outlive it. Free also after a
 * failure. */
poet_status poet_fit_data_gather(poet_generator *generator, const poet_shrink_map *map,
                                 poet_generator *smaller, int n, const int32_t *codes,
                                 const char *const *captions, int64_t rows, uint64_t seed,
                                 const poet_task *task, poet_fit_data *out);
void poet_fit_data_free(poet_fit_data *data);

/* ---- regression.c ---- */

/* Softmax regression on soft labels: the rows of weight (classes,dim) and bias (classes) that make the mean over rows of
 * -sum_c label_c log softmax(weight x + bias)_c least, from where they are. The loss is convex. */
typedef struct poet_regression {
    int64_t rows;
    int dim, classes;
    const float *x;      /* (rows,dim) */
    const float *labels; /* (rows,classes), each row a distribution */
    float *weight, *bias;
    double
        prior; /* 1 / variance of what logits are changed by, over all rows: the larger, the closer to the start */
    int steps; /* at most */
} poet_regression;

poet_status poet_regression_fit(poet_device *device, poet_regression *r, const poet_task *task,
                                poet_fit_result *out);

#endif
