/* Generators with random contents for tests. */
#ifndef POET_TESTS_SUPPORT_GENERATORS_H
#define POET_TESTS_SUPPORT_GENERATORS_H

#include "base/memory.h"
#include "base/rng.h"
#include "generator/generator_internal.h"
#include "tests/support/check.h"

/* A fresh one with random vectors of codes and the vocabulary of n captions. */
static inline poet_generator *support_make_generator(poet_device *device, poet_generator_config c,
                                                     const char *const *captions, int n)
{
    poet_bpe *bpe;
    poet_bpe_options options = {.size = 300, .fold_case = true};
    poet_generator *m;
    size_t count = (size_t)c.grid.levels * (size_t)c.codes * (size_t)c.code_dim;
    float *vectors = poet_alloc(count * sizeof *vectors);
    poet_rng rng;
    poet_rng_init(&rng, 8, 8);
    for (size_t i = 0; i < count; i++)
        vectors[i] = poet_rng_normal(&rng);
    CHECK_OK(poet_bpe_train(captions, (size_t)n, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    CHECK_OK(poet_generator_create(device, &c, bpe, vectors, 0x1234, 5, &m));
    poet_free(vectors);
    return m;
}

/* Every weight random, of size scale, so that nothing is silent. */
static inline void support_shake_generator(poet_generator *m, float scale)
{
    poet_params *params = poet_generator_params(m);
    for (int i = 0; i < poet_params_count(params); i++) {
        size_t bytes = poet_tensor_bytes(poet_params_tensor(params, i));
        float *values = poet_alloc(bytes);
        poet_rng rng;
        poet_rng_init(&rng, 4, (uint64_t)i);
        for (size_t k = 0; k < bytes / sizeof *values; k++)
            values[k] = scale * poet_rng_normal(&rng);
        if (poet_params_kind(params, i) == POET_PARAM)
            CHECK_OK(poet_params_write(params, i, values, bytes));
        poet_free(values);
    }
}

#endif
