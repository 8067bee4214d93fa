/* Do generated clips show what their sentences say? For the built-in sets by a reader that knows them, for a dataset by one that
 * was trained on it. */
#ifndef POET_EVAL_CAPTIONS_H
#define POET_EVAL_CAPTIONS_H

#include "eval/classifier.h"
#include "eval/clip_writer.h"

/* ---- built-in sets ---- */

typedef struct poet_caption_run {
    poet_clip_writer writer; /* its seed is that of the prompts, too */
    poet_synth_set set;
    poet_synth_options options; /* size and length of the clips */
    poet_split split;           /* whose combinations the prompts ask for */
    int n;                      /* clips */
} poet_caption_run;

/* Generates a clip for each of n prompts and counts which of the stated attributes the reader finds in it. */
poet_status poet_measure_captions(const poet_caption_run *run, poet_attribute_score *out);

/* The reader's own accuracy on clips drawn for such prompts, as they are and after the tokenizer: what a perfect generator
 * could reach. The writer needs no generator. */
poet_status poet_measure_reader(const poet_caption_run *run, poet_attribute_score *drawn,
                                poet_attribute_score *reconstructed);

/* ---- datasets: eval/dataset_captions.c ---- */

typedef struct poet_dataset_caption_run {
    poet_clip_writer writer;
    poet_classifier *reader;
    const poet_dataset *dataset;
    uint32_t selected; /* bits of the attributes that count for all together */
    int n;             /* clips to write */
} poet_dataset_caption_run;

/* What the reader finds of the attributes of held-out clips: in the clips, in their reconstructions, and in what the generator
 * writes for their captions. */
typedef struct poet_dataset_caption_score {
    poet_classifier_score real, reconstructed; /* the first n held-out clips, or all */
    poet_classifier_score generated;           /* n clips */
    int captions; /* of different clips; where there are fewer than n, they are written again in turn, with other seeds */
} poet_dataset_caption_score;

/* FORMAT when the dataset has no held-out clips; MISMATCH when the clips of the dataset, of the reader and of the generator have
 * not one size and length. */
poet_status poet_measure_dataset_captions(const poet_dataset_caption_run *run,
                                          poet_dataset_caption_score *out);

#endif
