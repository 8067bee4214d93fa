/* Which examples a training step sees: a pure function of (seed, step), so that nothing has to be
 * saved to resume.
 *
 * Every epoch is a permutation of all examples: none twice, none left out. The permutation is
 * computed per element, by a Feistel network with cycle walking (Black and Rogaway, "Ciphers with
 * arbitrary finite domains", 2002), so it takes no memory at any size. */
#ifndef POET_DATASETS_SAMPLER_H
#define POET_DATASETS_SAMPLER_H

#include <stdint.h>

typedef struct poet_sampler {
    uint64_t seed;
    uint64_t count; /* examples, 1 .. 2^62 */
} poet_sampler;

/* The example at a position of the endless sequence; position / count is the epoch. */
uint64_t poet_sampler_at(const poet_sampler *sampler, uint64_t position);

/* Fills index[batch] for a step, counted from 0. A batch may reach into the next epoch. */
void poet_sampler_indices(const poet_sampler *sampler, uint64_t step, int batch, uint64_t *index);

#endif
