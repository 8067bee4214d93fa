#include "datasets/sampler.h"

#include "base/rng.h"

enum { ROUNDS = 4 };

/* A permutation of 0 .. 4^half - 1, by the epoch's key. */
static uint64_t feistel(uint64_t seed, uint64_t epoch, int half, uint64_t value)
{
    uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t left = value >> half, right = value & mask;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t words[4];
        poet_philox(seed, epoch, right << 3 | (uint64_t)round, words);
        uint64_t mixed = left ^ (((uint64_t)words[0] << 32 | words[1]) & mask);
        left = right;
        right = mixed;
    }
    return left << half | right;
}

uint64_t poet_sampler_at(const poet_sampler *sampler, uint64_t position)
{
    uint64_t epoch = position / sampler->count, value = position % sampler->count;
    int half = 1;
    while (((uint64_t)1 << (2 * half)) < sampler->count)
        half++;
    /* Cycle walking: values outside the range are sent on until they fall inside; the range holds
     * more than a quarter of the domain. */
    do
        value = feistel(sampler->seed, epoch, half, value);
    while (value >= sampler->count);
    return value;
}

void poet_sampler_indices(const poet_sampler *sampler, uint64_t step, int batch, uint64_t *index)
{
    for (int i = 0; i < batch; i++)
        index[i] = poet_sampler_at(sampler, step * (uint64_t)batch + (uint64_t)i);
}
