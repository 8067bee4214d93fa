/* Teacher-forced batches: what the model sees and what it must say, as arrays of codes. */
#include "base/memory.h"
#include "base/rng.h"
#include "generator/generator_internal.h"

#include <string.h>

static int32_t *ints(int64_t count)
{
    return poet_calloc((size_t)count, sizeof(int32_t));
}

static int64_t neighbours_count(const poet_generator_config *config, int64_t b)
{
    return config->neighbours ? b * poet_grid_codes(&config->grid) * POET_NEIGHBOURS : 0;
}

static int64_t around_count(const poet_generator_config *config, int64_t b)
{
    return config->around ? b * poet_grid_codes(&config->grid) * POET_AROUND : 0;
}

size_t poet_sequence_batch_bytes(const poet_generator_config *config, int b)
{
    int64_t n = poet_generator_groups(config), s = poet_generator_slots(config),
            each = sizeof(int32_t);
    int64_t rows = b * n * (2 + 3 * s) + neighbours_count(config, b) + around_count(config, b);
    int64_t text = b * (2 * (int64_t)config->text + 1);
    int64_t places = n * (3 + s) + (config->text + n) * poet_generator_head_width(config);
    return (size_t)((rows + text + places) * each);
}

poet_status poet_sequence_batch_create(const poet_generator_config *config, int b, int r,
                                       poet_sequence_batch *out)
{
    int64_t n = poet_generator_groups(config), s = poet_generator_slots(config);
    *out = (poet_sequence_batch){
        .b = b,
        .r = r,
        .share = 1,
        .keep = ints(b * n),
        .rows = ints(b * n),
        .ids = ints((int64_t)b * config->text),
        .lengths = ints(b),
        .text_share = poet_calloc((size_t)b * (size_t)config->text, sizeof(float)),
        .before = ints(b * n * s),
        .neighbours = ints(neighbours_count(config, b)),
        .around = ints(around_count(config, b)),
        .slots = ints(b * n * s),
        .targets = ints(b * n * s),
        .shown = ints(n * s),
        .time = ints(n),
        .row = ints(n),
        .column = ints(n),
        .turns = poet_calloc((size_t)(config->text + n) * (size_t)poet_generator_head_width(config),
                             sizeof(float))};
    if (!out->ids || !out->lengths || !out->text_share || !out->before || !out->neighbours ||
        !out->around || !out->slots || !out->targets || !out->shown || !out->keep || !out->rows ||
        !out->time || !out->row || !out->column || !out->turns) {
        poet_sequence_batch_free(out);
        return POET_ERR_NOMEM;
    }
    for (int i = 0; i < n; i++) {
        poet_place3 at = poet_sequence_place(config, i);
        out->time[i] = at.time;
        out->row[i] = at.row;
        out->column[i] = at.column;
    }
    poet_sequence_turns(config, -config->text, config->text + (int)n, out->turns);
    return POET_OK;
}

void poet_sequence_batch_free(poet_sequence_batch *batch)
{
    poet_free(batch->ids);
    poet_free(batch->lengths);
    poet_free(batch->text_share);
    poet_free(batch->before);
    poet_free(batch->neighbours);
    poet_free(batch->keep);
    poet_free(batch->rows);
    poet_free(batch->around);
    poet_free(batch->slots);
    poet_free(batch->targets);
    poet_free(batch->shown);
    poet_free(batch->time);
    poet_free(batch->row);
    poet_free(batch->column);
    poet_free(batch->turns);
    *batch = (poet_sequence_batch){0};
}

poet_status poet_sequence_batch_fill(const poet_generator *generator, poet_sequence_batch *batch,
                                     int i, const int32_t *codes, const char *caption, float noise,
                                     poet_rng *rng)
{
    const poet_generator_config *c = &generator->config;
    int64_t n = poet_generator_groups(c), s = poet_generator_slots(c), row = i * n * s;
    poet_bpe_encoded encoded;
    const char *text = caption ? caption : "";
    POET_TRY(poet_bpe_encode(generator->bpe, text, strlen(text), POET_BPE_TRUNCATE,
                             batch->ids + (int64_t)i * c->text, c->text, &encoded));
    batch->lengths[i] = encoded.count;
    poet_sequence_text_share(c, encoded.count, batch->text_share + (int64_t)i * c->text);
    int32_t *targets = batch->targets + row, *shown = batch->shown;
    for (int64_t k = 0; k < n * s; k++)
        if (codes[k] < 0 || codes[k] >= c->codes)
            return POET_FAIL(POET_ERR_ARG, "code %d is outside the codebook of %d", codes[k],
                             c->codes);
    poet_sequence_group(c, codes, targets);
    poet_sequence_noise(c, targets, noise, rng, shown);
    for (int64_t g = 0; g < n; g++) {
        batch->keep[i * n + g] = c->keep && poet_sequence_keeps(c, targets, (int)g);
        for (int64_t k = 0; k < s; k++) {
            batch->before[row + g * s + k] = g ? shown[(g - 1) * s + k] : c->codes;
            batch->slots[row + g * s + k] = k ? shown[g * s + k - 1] : c->codes;
        }
        if (c->neighbours)
            poet_sequence_neighbours(c, shown, (int)g,
                                     batch->neighbours + (row + g * s) * POET_NEIGHBOURS);
        if (c->around)
            poet_sequence_around(c, shown, (int)g, batch->around + (row + g * s) * POET_AROUND);
    }
    return POET_OK;
}

/* Row numbers of the written groups in order. Where they are more than r, each stays with the chance
 * (still wanted) / (still to come), so that r are drawn without replacement. */
static int choose_rows(poet_sequence_batch *batch, int64_t groups, poet_rng *rng)
{
    int left = 0, chosen = 0;
    for (int64_t g = 0; g < groups; g++)
        left += !batch->keep[g];
    batch->share = (float)left / (float)groups;
    for (int64_t g = 0; g < groups; g++) {
        if (batch->keep[g])
            continue;
        if ((int)poet_rng_below(rng, (uint32_t)left--) < batch->r - chosen)
            batch->rows[chosen++] = (int32_t)g;
    }
    return chosen;
}

static void move_row(int32_t *values, int64_t to, int64_t from, int64_t count)
{
    memmove(values + to * count, values + from * count, (size_t)count * sizeof *values);
}

void poet_sequence_batch_pack(const poet_generator_config *config, poet_sequence_batch *batch,
                              uint64_t seed, uint64_t step)
{
    if (!config->keep)
        return;
    int64_t s = poet_generator_slots(config);
    poet_rng rng;
    poet_rng_init(&rng, seed, step);
    int chosen = choose_rows(batch, (int64_t)batch->b * poet_generator_groups(config), &rng);
    for (int i = 0; i < chosen; i++) {
        if (config->around)
            move_row(batch->around, i, batch->rows[i], s * POET_AROUND);
        move_row(batch->slots, i, batch->rows[i], s);
        move_row(batch->targets, i, batch->rows[i], s);
    }
    for (int i = chosen; i < batch->r; i++) {
        batch->rows[i] = 0;
        for (int64_t k = 0; k < s; k++)
            batch->targets[i * s + k] = -1;
    }
}

static poet_status set(poet_program *program, const char *name, const int32_t *values,
                       int64_t count)
{
    return poet_program_set_by_name(program, name, values, (size_t)count * sizeof *values);
}

poet_status poet_sequence_batch_set(const poet_generator_config *config,
                                    const poet_sequence_batch *batch, poet_program *program)
{
    int64_t n = poet_generator_groups(config), s = poet_generator_slots(config), b = batch->b;
    int64_t r = batch->r;
    POET_TRY(set(program, "ids", batch->ids, b * config->text));
    POET_TRY(set(program, "lengths", batch->lengths, b));
    if (config->caption)
        POET_TRY(poet_program_set_by_name(program, "text_share", batch->text_share,
                                          (size_t)(b * config->text) * sizeof(float)));
    POET_TRY(set(program, "before", batch->before, b * n * s));
    if (config->neighbours)
        POET_TRY(set(program, "neighbours", batch->neighbours, b * n * s * POET_NEIGHBOURS));
    if (config->around)
        POET_TRY(set(program, "around", batch->around, r * s * POET_AROUND));
    POET_TRY(set(program, "slots", batch->slots, r * s));
    POET_TRY(set(program, "targets", batch->targets, r * s));
    if (config->keep) {
        POET_TRY(set(program, "keep", batch->keep, b * n));
        POET_TRY(set(program, "rows", batch->rows, r));
        POET_TRY(poet_program_set_by_name(program, "share", &batch->share, sizeof batch->share));
    }
    if (config->rotary)
        POET_TRY(poet_program_set_by_name(program, "turns", batch->turns,
                                          (size_t)(config->text + n) *
                                              (size_t)poet_generator_head_width(config) *
                                              sizeof(float)));
    POET_TRY(set(program, "time", batch->time, n));
    POET_TRY(set(program, "row", batch->row, n));
    return set(program, "column", batch->column, n);
}
