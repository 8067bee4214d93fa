#include "generator/generator_internal.h"

#include <math.h>
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

/* Where neighbour i lies from its group: time, row, column. */
static poet_place3 neighbour_offset(int i)
{
    if (i < POET_ABOVE)
        return (poet_place3){0, i / 5 - 4, i % 5 - 2};
    i -= POET_ABOVE;
    if (i < 2)
        return (poet_place3){0, 0, i - 2};
    i -= 2;
    return (poet_place3){-1, i / 3 - 1, i % 3 - 1};
}

/* Where nothing is written: behind the last group. */
static int32_t nowhere(const poet_generator_config *c)
{
    return poet_generator_groups(c) * poet_generator_slots(c);
}

void poet_sequence_group_places(const poet_generator_config *config, int n, int32_t *out)
{
    int slots = poet_generator_slots(config);
    for (int s = 0; s < slots; s++)
        out[s] = n < 0 ? nowhere(config) : n * slots + s;
}

void poet_sequence_neighbour_places(const poet_generator_config *config, int n, int32_t *out)
{
    int slots = poet_generator_slots(config);
    int rows = config->grid.h / config->group_h, columns = config->grid.w / config->group_w;
    poet_place3 at = poet_sequence_place(config, n);
    for (int i = 0; i < POET_NEIGHBOURS; i++, out += slots) {
        poet_place3 offset = neighbour_offset(i);
        int t = at.time + offset.time, r = at.row + offset.row, c = at.column + offset.column;
        bool inside = t >= 0 && r >= 0 && r < rows && c >= 0 && c < columns;
        poet_sequence_group_places(config, inside ? (t * rows + r) * columns + c : -1, out);
    }
}

/* Places, in place, to rows of the vector table. */
static void find_rows(const poet_generator_config *c, const int32_t *grouped, int64_t count,
                      int32_t *places)
{
    for (int64_t m = 0; m < count; m++) {
        int32_t code = places[m] == nowhere(c) ? c->codes : grouped[places[m]];
        places[m] = poet_sequence_table(c, m) + code;
    }
}

int32_t poet_sequence_table(const poet_generator_config *config, int64_t m)
{
    return (int32_t)(m % config->grid.levels) * (config->codes + 1);
}

void poet_sequence_neighbours(const poet_generator_config *config, const int32_t *grouped, int n,
                              int32_t *out)
{
    poet_sequence_neighbour_places(config, n, out);
    find_rows(config, grouped, (int64_t)POET_NEIGHBOURS * poet_generator_slots(config), out);
}

/* Where around[i] lies from its cell: time, row, column. */
static poet_place3 around_offset(int i)
{
    if (i >= POET_BESIDE) {
        i -= POET_BESIDE;
        return (poet_place3){-1, i / 5 - 2, i % 5 - 2};
    }
    i += i >= 12; /* the cell itself is left out */
    return (poet_place3){0, i / 5 - 2, i % 5 - 2};
}

/* The group and the cell in it; a group of -1 where the cell is outside or in group n or later. */
static void written_cell(const poet_generator_config *c, int n, poet_place3 cell, int *group,
                         int *inside)
{
    const poet_grid *grid = &c->grid;
    int rows = grid->h / c->group_h, columns = grid->w / c->group_w;
    bool exists = cell.time >= 0 && cell.row >= 0 && cell.row < grid->h && cell.column >= 0 &&
                  cell.column < grid->w;
    *inside = cell.row % c->group_h * c->group_w + cell.column % c->group_w;
    *group = (cell.time * rows + cell.row / c->group_h) * columns + cell.column / c->group_w;
    if (!exists || *group >= n)
        *group = -1;
}

void poet_sequence_around_places(const poet_generator_config *config, int n, int32_t *out)
{
    const poet_generator_config *c = config;
    poet_place3 at = poet_sequence_place(c, n);
    for (int s = 0; s < c->group_h * c->group_w; s++)
        for (int i = 0; i < POET_AROUND; i++) {
            int group, inside;
            poet_place3 offset = around_offset(i);
            poet_place3 cell = {at.time + offset.time,
                                at.row * c->group_h + s / c->group_w + offset.row,
                                at.column * c->group_w + s % c->group_w + offset.column};
            written_cell(c, n, cell, &group, &inside);
            for (int level = 0; level < c->grid.levels; level++)
                *out++ = group < 0
                             ? nowhere(c)
                             : (group * c->group_h * c->group_w + inside) * c->grid.levels + level;
        }
}

void poet_sequence_around(const poet_generator_config *config, const int32_t *grouped, int n,
                          int32_t *out)
{
    poet_sequence_around_places(config, n, out);
    find_rows(config, grouped, (int64_t)POET_AROUND * poet_generator_slots(config), out);
}

static void turn(float *row, int half, int pair, double angle)
{
    row[pair] = (float)cos(angle);
    row[half + pair] = (float)sin(angle);
}

void poet_sequence_turns(const poet_generator_config *config, int first, int count, float *out)
{
    int half = poet_generator_head_width(config) / 2, n = half / 3;
    for (int i = 0; i < count; i++) {
        float *row = out + (int64_t)i * 2 * half;
        poet_place3 at = {0};
        if (first + i >= 0)
            at = poet_sequence_place(config, first + i);
        int32_t place[3] = {at.time, at.row, at.column};
        for (int pair = 0; pair < half; pair++)
            turn(row, half, pair,
                 pair < 3 * n ? place[pair / n] * pow(100, -(double)(pair % n) / n) : 0);
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
