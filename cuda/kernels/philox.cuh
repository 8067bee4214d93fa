/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11), word for word the stream of
 * base/rng.h. */
#pragma once

#include "cuda/kernels/launch.cuh"

struct poet_words {
    unsigned word[4];
};

static inline __device__ poet_words poet_philox_words(uint64_t seed, uint64_t high, uint64_t low)
{
    unsigned c0 = static_cast<unsigned>(low), c1 = static_cast<unsigned>(low >> 32);
    unsigned c2 = static_cast<unsigned>(high), c3 = static_cast<unsigned>(high >> 32);
    unsigned k0 = static_cast<unsigned>(seed), k1 = static_cast<unsigned>(seed >> 32);
    for (int round = 0; round < 10; round++) {
        unsigned n0 = __umulhi(0xCD9E8D57U, c2) ^ c1 ^ k0, n1 = 0xCD9E8D57U * c2;
        unsigned n2 = __umulhi(0xD2511F53U, c0) ^ c3 ^ k1, n3 = 0xD2511F53U * c0;
        c0 = n0;
        c1 = n1;
        c2 = n2;
        c3 = n3;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return {{c0, c1, c2, c3}};
}
