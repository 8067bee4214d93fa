#include "generator/generator_internal.h"

#include <string.h>

int poet_generator_slots(const poet_generator_config *config)
{
    return config->group_h * config->group_w * config->grid.levels;
}

int poet_generator_groups(const poet_generator_config *config)
{
    const poet_grid *grid = &config->grid;
    return grid->t * (grid->h / config->group_h) * (grid->w / config->group_w);
}

poet_place3 poet_sequence_place(const poet_generator_config *config, int n)
{
    int rows = config->grid.h / config->group_h, columns = config->grid.w / config->group_w;
    return (poet_place3){n / (rows * columns), n / columns % rows, n % columns};
}

/* Where slot s of group n stands in the order of the grid. */
static int64_t grid_index(const poet_generator_config *c, int n, int s)
{
    poet_place3 at = poet_sequence_place(c, n);
    int level = s % c->grid.levels, cell = s / c->grid.levels;
    int64_t h = (int64_t)at.row * c->group_h + cell / c->group_w;
    int64_t w = (int64_t)at.column * c->group_w + cell % c->group_w;
    return ((at.time * (int64_t)c->grid.h + h) * c->grid.w + w) * c->grid.levels + level;
}

void poet_sequence_group(const poet_generator_config *config, const int32_t *codes,
                         int32_t *grouped)
{
    int slots = poet_generator_slots(config), groups = poet_generator_groups(config);
    for (int n = 0; n < groups; n++)
        for (int s = 0; s < slots; s++)
            grouped[(int64_t)n * slots + s] = codes[grid_index(config, n, s)];
}

void poet_sequence_ungroup(const poet_generator_config *config, const int32_t *grouped,
                           int32_t *codes)
{
    int slots = poet_generator_slots(config), groups = poet_generator_groups(config);
    for (int n = 0; n < groups; n++)
        for (int s = 0; s < slots; s++)
            codes[grid_index(config, n, s)] = grouped[(int64_t)n * slots + s];
}

void poet_sequence_neighbours(const poet_generator_config *config, const int32_t *grouped, int n,
                              int32_t *out)
{
    /* Time, row, column relative to the group: what is written already and closest to it. */
    static const int offsets[POET_NEIGHBOURS][3] = {{0, 0, -1}, {0, -1, -1}, {0, -1, 0},
                                                    {0, -1, 1}, {-1, 0, 0},  {-1, 0, 1},
                                                    {-1, 1, 0}, {-1, 1, 1}};
    int slots = poet_generator_slots(config), levels = config->grid.levels;
    int rows = config->grid.h / config->group_h, columns = config->grid.w / config->group_w;
    poet_place3 at = poet_sequence_place(config, n);
    for (int i = 0; i < POET_NEIGHBOURS; i++) {
        int t = at.time + offsets[i][0], r = at.row + offsets[i][1], c = at.column + offsets[i][2];
        bool inside = t >= 0 && r >= 0 && r < rows && c >= 0 && c < columns;
        int64_t other = ((int64_t)t * rows + r) * columns + c;
        for (int s = 0; s < slots; s++) {
            int32_t code = inside ? grouped[other * slots + s] : config->codes;
            *out++ = s % levels * (config->codes + 1) + code;
        }
    }
}

/* Where around[i] lies from its cell: time, row, column. */
static poet_place3 around_offset(int i)
{
    if (i >= 8)
        return (poet_place3){-1, (i - 8) / 5 - 2, (i - 8) % 5 - 2};
    i += i >= 4; /* the cell itself is left out */
    return (poet_place3){0, i / 3 - 1, i % 3 - 1};
}

/* The codes of a cell, or NULL where it is outside or in group n or later. */
static const int32_t *written_cell(const poet_generator_config *c, const int32_t *grouped, int n,
                                   poet_place3 cell)
{
    const poet_grid *grid = &c->grid;
    if (cell.time < 0 || cell.row < 0 || cell.row >= grid->h || cell.column < 0 ||
        cell.column >= grid->w)
        return NULL;
    int rows = grid->h / c->group_h, columns = grid->w / c->group_w;
    int group = (cell.time * rows + cell.row / c->group_h) * columns + cell.column / c->group_w;
    int inside = cell.row % c->group_h * c->group_w + cell.column % c->group_w;
    return group < n ? grouped + ((int64_t)group * c->group_h * c->group_w + inside) * grid->levels
                     : NULL;
}

void poet_sequence_around(const poet_generator_config *config, const int32_t *grouped, int n,
                          int32_t *out)
{
    const poet_generator_config *c = config;
    poet_place3 at = poet_sequence_place(c, n);
    for (int s = 0; s < c->group_h * c->group_w; s++)
        for (int i = 0; i < POET_AROUND; i++) {
            poet_place3 offset = around_offset(i);
            poet_place3 cell = {at.time + offset.time,
                                at.row * c->group_h + s / c->group_w + offset.row,
                                at.column * c->group_w + s % c->group_w + offset.column};
            const int32_t *codes = written_cell(c, grouped, n, cell);
            for (int level = 0; level < c->grid.levels; level++)
                *out++ = level * (c->codes + 1) + (codes ? codes[level] : c->codes);
        }
}

void poet_sequence_text_share(const poet_generator_config *config, int length, float *out)
{
    for (int p = 0; p < config->text; p++)
        out[p] = p < length ? 1.0F / (float)length : 0;
}

bool poet_sequence_keeps(const poet_generator_config *config, const int32_t *grouped, int n)
{
    int slots = poet_generator_slots(config);
    int per_time = poet_generator_groups(config) / config->grid.t;
    const int32_t *group = grouped + (int64_t)n * slots;
    return n >= per_time &&
           memcmp(group, group - (int64_t)per_time * slots, (size_t)slots * sizeof *group) == 0;
}
