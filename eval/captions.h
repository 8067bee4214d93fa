/* Do generated clips show what their sentences say? For the built-in sets, where a reader can tell. */
#ifndef POET_EVAL_CAPTIONS_H
#define POET_EVAL_CAPTIONS_H

#include "eval/attributes.h"
#include "generator/generator.h"

typedef struct poet_caption_run {
    poet_tokenizer *tokenizer;
    poet_generator *generator;
    poet_synth_set set;
    poet_split split; /* whose combinations the prompts ask for */
    uint64_t seed;    /* of prompts and clips */
    int n, batch;     /* clips, and how many are written together */
    poet_sampling sampling;
    const poet_task *task;
} poet_caption_run;

/* Generates a clip for each of n prompts and counts which of the stated attributes the reader finds in it. */
poet_status poet_measure_captions(const poet_caption_run *run, poet_attribute_score *out);

/* The reader's own accuracy on clips drawn for such prompts, as they are and after the tokenizer: what a perfect generator
 * could reach. */
poet_status poet_measure_reader(const poet_caption_run *run, poet_attribute_score *drawn,
                                poet_attribute_score *reconstructed);

#endif
