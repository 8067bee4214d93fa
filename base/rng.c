#include "base/rng.h"

#include <math.h>

void poet_philox(uint64_t seed, uint64_t counter_high, uint64_t counter_low, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)counter_low, c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high, c3 = (uint32_t)(counter_high >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53U * c0, p1 = (uint64_t)0xCD9E8D57U * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void poet_rng_init(poet_rng *rng, uint64_t seed, uint64_t stream)
{
    *rng = (poet_rng){.seed = seed, .stream = stream};
}

uint32_t poet_rng_u32(poet_rng *rng)
{
    if (rng->left == 0) {
        poet_philox(rng->seed, rng->stream, rng->next++, rng->words);
        rng->left = 4;
    }
    return rng->words[--rng->left];
}

float poet_rng_uniform(poet_rng *rng)
{
    return (float)(poet_rng_u32(rng) >> 8) * 0x1p-24F;
}

float poet_rng_between(poet_rng *rng, float low, float high)
{
    return low + (high - low) * poet_rng_uniform(rng);
}

uint32_t poet_rng_below(poet_rng *rng, uint32_t n)
{
    /* Lemire's method: the high half of a product, rejecting the short last interval. */
    uint64_t product = (uint64_t)poet_rng_u32(rng) * n;
    uint32_t threshold = (uint32_t)(0U - n) % n;
    while ((uint32_t)product < threshold)
        product = (uint64_t)poet_rng_u32(rng) * n;
    return (uint32_t)(product >> 32);
}

float poet_rng_normal(poet_rng *rng)
{
    double u = ((double)poet_rng_u32(rng) + 0.5) * 0x1p-32;
    double v = (double)poet_rng_u32(rng) * 0x1p-32;
    return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

void poet_rng_permutation(poet_rng *rng, uint32_t n, uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = poet_rng_below(rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

uint64_t poet_hash64(uint64_t previous, const void *bytes, uint64_t count)
{
    uint64_t hash = previous ^ 0xCBF29CE484222325ULL;
    const unsigned char *p = bytes;
    for (uint64_t i = 0; i < count; i++)
        hash = (hash ^ p[i]) * 0x100000001B3ULL;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93ULL;
    return hash ^ hash >> 32;
}
