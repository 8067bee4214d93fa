/* A small generator for tests of the module: 3 x 4 x 4 cells of 24 codes, and four captions. */
#ifndef POET_TESTS_UNIT_GENERATOR_SMALL_GENERATOR_H
#define POET_TESTS_UNIT_GENERATOR_SMALL_GENERATOR_H

#include "base/memory.h"
#include "base/rng.h"
#include "compute/backend.h"
#include "generator/generator_internal.h"
#include "tests/support/check.h"

enum { K = 24, DIM = 5 };

static const char *const captions[] = {"a red ball moves left", "a blue ball moves right",
                                       "two green boxes", "nothing at all"};

enum { CAPTIONS = sizeof captions / sizeof *captions };

static inline poet_generator_config small(int group, int levels, bool neighbours)
{
    poet_generator_config c = poet_generator_defaults();
    c.codes = K;
    c.code_dim = DIM;
    c.grid = (poet_grid){3, 4, 4, levels};
    c.fps = 8;
    c.group_h = c.group_w = group;
    c.text = 24;
    c.width = 32;
    c.layers = 2;
    c.slot_width = 24;
    c.neighbours = c.around = neighbours;
    return c;
}

static inline poet_generator *make(poet_device *device, poet_generator_config c)
{
    poet_bpe *bpe;
    poet_bpe_options options = {.size = 300, .fold_case = true};
    poet_generator *m;
    float vectors[4 * K * DIM];
    poet_rng rng;
    poet_rng_init(&rng, 8, 8);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        vectors[i] = poet_rng_normal(&rng);
    CHECK_OK(poet_bpe_train(captions, CAPTIONS, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    CHECK_OK(poet_generator_create(device, &c, bpe, vectors, 0x1234, 5, &m));
    return m;
}

/* Every weight random, so that nothing is silent. */
static inline void shake(poet_generator *m)
{
    poet_params *params = poet_generator_params(m);
    for (int i = 0; i < poet_params_count(params); i++) {
        size_t bytes = poet_tensor_bytes(poet_params_tensor(params, i));
        float *values = poet_alloc(bytes);
        poet_rng rng;
        poet_rng_init(&rng, 4, (uint64_t)i);
        for (size_t k = 0; k < bytes / sizeof *values; k++)
            values[k] = 0.3F * poet_rng_normal(&rng);
        if (poet_params_kind(params, i) == POET_PARAM)
            CHECK_OK(poet_params_write(params, i, values, bytes));
        poet_free(values);
    }
}

#endif
