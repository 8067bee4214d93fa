/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC11).
 *
 * A draw is a pure function of (seed, counter): nothing has to be saved to resume, results do not
 * depend on the number of threads, and every backend can compute the same stream. */
#ifndef POET_BASE_RNG_H
#define POET_BASE_RNG_H

#include <stdint.h>

/* The four 32-bit words of one counter block. Counter words 0 and 1 are the low and high half of
 * counter_low, 2 and 3 those of counter_high; key words are the low and high half of seed. */
void poet_philox(uint64_t seed, uint64_t counter_high, uint64_t counter_low, uint32_t out[4]);

/* A sequential reader over one stream of a seed. Streams of different numbers are independent. */
typedef struct poet_rng {
    uint64_t seed, stream, next;
    uint32_t words[4];
    int left;
} poet_rng;

void poet_rng_init(poet_rng *rng, uint64_t seed, uint64_t stream);
uint32_t poet_rng_u32(poet_rng *rng);

/* Uniform in [0, 1) with 24 bits. */
float poet_rng_uniform(poet_rng *rng);

/* Uniform in [low, high). */
float poet_rng_between(poet_rng *rng, float low, float high);

/* Uniform integer in [0, n) without modulo bias; n >= 1. */
uint32_t poet_rng_below(poet_rng *rng, uint32_t n);

/* Standard normal (Box-Muller). */
float poet_rng_normal(poet_rng *rng);

/* Fisher-Yates: a random permutation of 0..n-1 in order[]. */
void poet_rng_permutation(poet_rng *rng, uint32_t n, uint32_t *order);

/* 64-bit FNV-1a with a final mix; chain by passing the previous value, 0 to begin. For names and
 * fingerprints. */
uint64_t poet_hash64(uint64_t previous, const void *bytes, uint64_t count);

#endif
