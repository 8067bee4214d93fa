#include "generator/generator_internal.h"

#include <string.h>

enum { REACH = 2 };

/* Whether what is wrong in group n changes what the model is asked for: a group that the next time keeps would have to be
 * written there, to be repaired, and what stands still is copied and seldom wrong. */
static bool moves(const poet_generator_config *c, const int32_t *grouped, int n)
{
    int groups = poet_generator_groups(c), next = n + groups / c->grid.t;
    return !c->keep || !poet_sequence_keeps(c, grouped, next < groups ? next : n);
}

static int clamp(int x, int n)
{
    return x < 0 ? 0 : x >= n ? n - 1 : x;
}

static int near(poet_rng *rng, int x, int n)
{
    return clamp(x + (int)poet_rng_below(rng, 2 * REACH + 1) - REACH, n);
}

/* The code of a cell of the same time that is at most REACH rows and columns away. */
static int32_t code_nearby(const poet_generator_config *c, const int32_t *grouped, int n, int s,
                           poet_rng *rng)
{
    const poet_grid *grid = &c->grid;
    poet_place3 at = poet_sequence_place(c, n);
    int cell = s / grid->levels, columns = grid->w / c->group_w;
    int h = near(rng, at.row * c->group_h + cell / c->group_w, grid->h);
    int w = near(rng, at.column * c->group_w + cell % c->group_w, grid->w);
    int group = n - at.row * columns - at.column + h / c->group_h * columns + w / c->group_w;
    int inside = h % c->group_h * c->group_w + w % c->group_w;
    return grouped[(int64_t)group * poet_generator_slots(c) + inside * grid->levels +
                   s % grid->levels];
}

void poet_sequence_noise(const poet_generator_config *config, const int32_t *grouped, float noise,
                         poet_rng *rng, int32_t *shown)
{
    int groups = poet_generator_groups(config), slots = poet_generator_slots(config);
    memcpy(shown, grouped, (size_t)groups * (size_t)slots * sizeof *shown);
    if (noise <= 0)
        return;
    float share = 2 * noise * poet_rng_uniform(rng);
    for (int n = 0; n < groups; n++)
        for (int s = 0; s < slots && moves(config, grouped, n); s++)
            if (poet_rng_uniform(rng) < share)
                shown[(int64_t)n * slots + s] = code_nearby(config, grouped, n, s, rng);
}
