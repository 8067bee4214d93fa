/* How many codes are enough for clips? The rule, and what the literature says of the size of the model.
 *
 * The rule: the smallest K that loses no more PSNR than allowed on held-out clips when the codes of a trained codebook are merged
 * (tokenizer/shrink.h), and no more codes than the training clips give enough tokens each. Where both cannot be had, the tokens
 * decide; where not even the smallest K has enough, the clips are too few to say, and the loss decides alone.
 *
 * How many tokens a code wants is a convention. 1,300 is what a class of ImageNet has (Russakovsky et al. 2015, "ImageNet Large
 * Scale Visual Recognition Challenge"), on which a softmax over 1,000 classes is known to train well; above 100 a class counts as
 * richly sampled in work on long tails (Liu et al. 2019, arXiv 1904.05160). Both count independent pictures; tokens that are
 * neighbours in a clip are not. A mean says nothing of rare codes: codebook inspect does. */
#ifndef POET_EVAL_RECOMMEND_H
#define POET_EVAL_RECOMMEND_H

#include "generator/generator.h"

#define POET_ENOUGH_SAMPLES 1300

/* A size of the codebook, and what it means for the clips. */
typedef struct poet_codebook_size {
    int codes;      /* K */
    double loss;    /* dB of PSNR below the whole codebook, mean over held-out clips */
    double samples; /* training tokens a code: the mean */
} poet_codebook_size;

typedef enum poet_size_reason {
    POET_SIZE_LOSS,    /* the smallest within the loss, and it has enough samples */
    POET_SIZE_SAMPLES, /* the largest with enough samples; it loses more than allowed */
    POET_SIZE_FEW      /* no size has enough samples: the smallest within the loss */
} poet_size_reason;

/* curve[n]: n > 0 sizes, K falling, curve[0] the whole codebook. The index of the size that the rule takes. */
int poet_size_choose(const poet_codebook_size *curve, int n, double loss, double samples,
                     poet_size_reason *reason);

/* The vocabulary that Tao et al. (2024, "Scaling Laws with Vocabulary", arXiv 2407.13623) find best for a text model with so many
 * parameters besides its vocabulary and rows of `width` numbers:
 *
 *     V = V0 w0 / width (parameters / N0)^0.83,   V0 = 6,144 words, w0 = 512, N0 = 33 million: their smallest model.
 *
 * They fit 33 million to 3 billion; below that it is extrapolated, and nobody has fitted video. */
double poet_vocabulary_law(double parameters, double width);

/* Parameters of the generator that are no rows of a code. */
double poet_parameters_beside_codes(poet_generator *generator);

#endif
