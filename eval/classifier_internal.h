/* The inside of the trained reader, for eval/ alone. */
#ifndef POET_EVAL_CLASSIFIER_INTERNAL_H
#define POET_EVAL_CLASSIFIER_INTERNAL_H

#include "compute/graph.h"
#include "compute/program.h"
#include "eval/classifier.h"

#include <jansson.h>

struct poet_classifier {
    poet_classifier_config config;
    poet_device *device;
    poet_params *params;
    poet_program *program; /* reads one clip; NULL at the start and after the weights changed */
};

/* frames (B,T,H,W,3), U8 -> logits[attributes.count], each (B, count of values), and what they are linear maps of,
 * features (B, poet_classifier_feature_count). step: I32 (1) for the draws of training, POET_NONE for reading. */
poet_val poet_classifier_build(poet_graph *g, const poet_classifier_config *config, poet_val frames,
                               poet_val step, poet_val logits[POET_MAX_ATTRIBUTES]);

/* A clip (T,H,W,3) as training shows it: moved by up to 1/16 of a side, and every other one blurred by up to four passes of
 * (1,2,1)/4 each way, which is a Gaussian of variance 2: what a codebook leaves of a clip is blurred too, and a reader that
 * goes by its sharpest details misreads that. A function of seed and number. */
void poet_classifier_augment(const poet_classifier_config *config, uint64_t seed, uint64_t number,
                             const uint8_t *pixels, uint8_t *out);

/* The value of "reader.config"; poet_free. NULL when memory ran out. */
char *poet_classifier_config_text(const poet_classifier_config *config);

/* ---- attribute_list.c ---- */

/* As [{"name": .., "values": [..]}, ..]. A new reference; NULL when memory ran out. */
json_t *poet_attribute_list_json(const poet_attribute_list *list);

/* FORMAT when it is not what poet_attribute_list_json writes. */
poet_status poet_attribute_list_parse(json_t *array, poet_attribute_list *out);

#endif
