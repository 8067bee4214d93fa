/* How alike two sets of clips are, by features: real ones, and others that are to be like them (reconstructed, generated).
 *
 * Fréchet distance (Dowson and Landau 1982; of features: Heusel et al. 2017). Gaussians are fitted to both sets, with means m, w
 * and covariances C, D; their distance is
 *
 *     |m - w|^2 + tr C + tr D - 2 tr (C D)^(1/2).
 *
 * With C = L L' (Cholesky), C D has the eigenvalues of L' D L, which is symmetric, so the last trace is the sum of their roots.
 * The features are ours: a distance says nothing beside those of other programs, nor beside one of other features. It is
 * biased upwards by about dim / n: compare only what has the same n.
 *
 * Precision and recall (Kynkäänniemi et al. 2019): a set covers the balls around its points that reach to their third nearest
 * neighbour in the set. Precision is the share of the others that real clips cover, recall of the real ones that the others cover.
 * Density and coverage (Naeem et al. 2020), with balls around real points to the fifth: density is by how many balls a point of the
 * others is covered, over five, and may be above 1; coverage is the share of the balls that have one of the others in them. */
#ifndef POET_EVAL_DISTRIBUTION_H
#define POET_EVAL_DISTRIBUTION_H

#include "base/status.h"

enum { POET_PRECISION_NEIGHBOURS = 3, POET_DENSITY_NEIGHBOURS = 5 };

typedef struct poet_distribution {
    double frechet;           /* 0 and up; the square of a distance, as everybody has it */
    double precision, recall; /* 0..1 */
    double density, coverage; /* 0 and up; 0..1 */
} poet_distribution;

/* real (n,dim) and other (m,dim); n and m above POET_DENSITY_NEIGHBOURS, else POET_ERR_ARG. */
poet_status poet_distribution_compare(const float *real, int n, const float *other, int m, int dim,
                                      poet_distribution *out);

#endif
