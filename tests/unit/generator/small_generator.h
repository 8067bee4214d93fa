/* A small generator for tests of the module: 3 x 4 x 4 cells of 24 codes, and four captions. */
#ifndef POET_TESTS_UNIT_GENERATOR_SMALL_GENERATOR_H
#define POET_TESTS_UNIT_GENERATOR_SMALL_GENERATOR_H

#include "compute/backend.h"
#include "tests/support/generators.h"

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
    return support_make_generator(device, c, captions, CAPTIONS);
}

static inline void shake(poet_generator *m)
{
    support_shake_generator(m, 0.3F);
}

#endif
