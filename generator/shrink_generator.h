/* A generator under a smaller codebook.
 *
 * A new code stands for its members, so its probability is the sum of theirs. The old model gives that exactly
 * (poet_generator_score_merged), at the cost of its old rows. The smaller generator has one row for each new
 * code: a sum of exponentials of linear functions is not one exponential of a linear function, so the row
 * is fitted, first by hand (poet_generator_shrink), then to the exact sums on clips (poet_generator_fit).
 *
 * Everything else of the model stays as it is: it knows codes by their vectors, and the new ones have
 * vectors. */
#ifndef POET_GENERATOR_SHRINK_GENERATOR_H
#define POET_GENERATOR_SHRINK_GENERATOR_H

#include "generator/generator.h"
#include "tokenizer/shrink.h"

/* The generator of the new codes, before any fitting. Rows of tables that are looked up by code become the
 * mean of the members' rows by their share p of the use. The head's rows too, and its bias becomes the mean of
 * theirs plus the entropy of p: for members' logits l,
 *
 *     log sum exp(l_k) = max over p of (sum p_k l_k - sum p_k log p_k)
 *
 * (Gibbs), with equality at p = softmax(l), which is what p is on average. weights (levels,K) are those of the
 * codebook (poet_codebook); fingerprint is the new tokenizer's. Tables that all levels share get the mean over
 * levels. */
poet_status poet_generator_shrink(poet_generator *generator, const poet_shrink_map *map,
                                  const double *weights, uint64_t fingerprint,
                                  poet_generator **out);

/* Whether the tensor of this name has a row for each code. */
bool poet_generator_goes_by_code(const char *name);

/* The reference: bits per clip of the new codes of n clips under the old model, every new code with the summed
 * probability of its members. codes are old ones, (n, t*h*w*levels): they are what the model is shown of what
 * comes before. A group that is the same in new codes as in the time before counts as kept: with the chance
 * that the old model keeps it or writes members of the same codes. */
poet_status poet_generator_score_merged(poet_generator *generator, const poet_shrink_map *map,
                                        int n, const int32_t *codes, const char *const *captions,
                                        double *bits);

/* How close a head is to the exact sums, nats a row: the cross-entropy before and after fitting, and the least
 * possible one, the entropy of the sums. */
typedef struct poet_fit_result {
    int64_t rows;
    double least, before, after;
} poet_fit_result;

/* Of a head's rows on all new codes at most so many at once: they are held four times, in 2 GB. */
#define POET_FIT_PROBABILITIES (INT64_C(1) << 27)

/* Fits the heads of smaller (made by poet_generator_shrink from generator and map) on n clips of old codes with their
 * captions: softmax regression from its states to the exact sums. Convex, without a gradient through the
 * model. For each head at most `rows` rows are used, and no more than have POET_FIT_PROBABILITIES, drawn with seed from
 * all clips: for `head` codes of groups that are
 * written in new codes, for `keep` (rows 0 where the model keeps nothing) all groups, with the chance
 *
 *     p(kept') = p(kept) + p(written) p(every slot writes a member of its code of the time before),
 *
 * since what is the same in new codes is kept. */
poet_status poet_generator_fit(poet_generator *generator, const poet_shrink_map *map,
                               poet_generator *smaller, int n, const int32_t *codes,
                               const char *const *captions, int64_t rows, uint64_t seed,
                               const poet_task *task, poet_fit_result *head, poet_fit_result *keep);

#endif
