/* The programs that write clips: the prompts' prefix, a step of the large transformer, the slots of its group. */
#include "base/memory.h"
#include "generator/generator_internal.h"

/* One batch: b clips, of which each has two rows when it is guided: with its caption, and without. */
typedef struct batch {
    const poet_generator_config *c;
    int64_t b, rows, slots, groups;
} batch;

static batch batch_of(const poet_generator *m, int b, bool guided)
{
    return (batch){.c = &m->config,
                   .b = b,
                   .rows = guided ? 2 * b : b,
                   .slots = poet_generator_slots(&m->config),
                   .groups = poet_generator_groups(&m->config)};
}

/* Fills the caches of the prefix. Of its states only the caption's share is needed: the first group
 * brings a start code of its own. */
static poet_status build_prefill(poet_generator *m, int64_t rows)
{
    const poet_generator_config *c = &m->config;
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val ids = poet_input(g, "ids", POET_I32, POET_SHAPE(rows, c->text));
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(rows));
    poet_val position = poet_input(g, "position", POET_I32, POET_SHAPE(rows));
    poet_val text =
        poet_model_blocks_cached(g, c, poet_model_text(g, c, ids), position, lengths, POET_NONE);
    if (c->caption)
        poet_result(g, "caption", poet_model_caption(g, c, text));
    return poet_program_create(g, &m->prefill);
}

/* ---- what has been written ---- */

static poet_val last_group(poet_graph *g)
{
    return poet_state(g, "group", POET_CACHE, POET_I32, POET_SHAPE(1, 1), POET_ZEROS);
}

static poet_val written_codes(poet_graph *g, const batch *of)
{
    poet_shape shape = POET_SHAPE(of->rows, of->groups * of->slots + 1);
    return poet_state(g, "written", POET_CACHE, POET_I32, shape, POET_ZEROS);
}

/* A table by group, (N,count). */
static poet_val table(poet_graph *g, const batch *of, const char *name, int64_t count)
{
    return poet_input(g, name, POET_I32, POET_SHAPE(of->groups, count));
}

/* The group's row of a table, in this shape. */
static poet_val look_up(poet_graph *g, const batch *of, const char *name, poet_dtype dtype,
                        poet_val group, poet_shape shape)
{
    int64_t count = poet_shape_count(&shape);
    poet_val rows = poet_input(g, name, dtype, POET_SHAPE(of->groups, count));
    return poet_reshape(g, poet_embed(g, rows, group), shape);
}

/* The same from clips to rows: (b,n) -> (rows,n). */
static poet_val for_all_rows(poet_graph *g, const batch *of, poet_val codes)
{
    poet_val twice[] = {codes, codes};
    return of->rows > of->b ? poet_concat(g, 2, twice, 0) : codes;
}

/* ---- the large transformer ---- */

/* Goes on to the next group. */
static poet_val next_group(poet_graph *g, const batch *of)
{
    poet_val group = last_group(g), zero = poet_input(g, "zero", POET_I32, POET_SHAPE(1, 1));
    poet_val next = look_up(g, of, "next", POET_I32, group, POET_SHAPE(1, 1));
    return poet_scatter(g, group, zero, zero, next);
}

static poet_group_inputs inputs_of(poet_graph *g, const batch *of, poet_val group, poet_val written)
{
    const poet_generator_config *c = of->c;
    int64_t wide = POET_NEIGHBOURS * of->slots, d = poet_generator_head_width(c);
    poet_val before = poet_gather(g, written, table(g, of, "before", of->slots), group, POET_NONE);
    poet_group_inputs in = {
        .before = poet_reshape(g, before, POET_SHAPE(of->rows, 1, of->slots)),
        .neighbours = POET_NONE,
        .around = POET_NONE,
        .time = look_up(g, of, "time", POET_I32, group, POET_SHAPE(1)),
        .row = look_up(g, of, "row", POET_I32, group, POET_SHAPE(1)),
        .column = look_up(g, of, "column", POET_I32, group, POET_SHAPE(1)),
        .turns = POET_NONE,
    };
    if (c->rotary)
        in.turns = look_up(g, of, "turns", POET_F32, group, POET_SHAPE(1, d));
    if (!c->neighbours)
        return in;
    poet_val level = poet_input(g, "neighbour_table", POET_I32, POET_SHAPE(wide));
    in.neighbours = poet_gather(g, written, table(g, of, "neighbours", wide), group, level);
    in.neighbours = poet_reshape(g, in.neighbours, POET_SHAPE(of->rows, 1, wide));
    return in;
}

/* Draws whether the group is kept, (rows,1), which there is no way to be in the first time; and writes it as if it were:
 * what is not kept is written over. */
static void keep_group(poet_graph *g, const batch *of, poet_val group, poet_val written,
                       poet_val states)
{
    poet_val settings = poet_input(g, "settings", POET_F32, POET_SHAPE(of->b, 5));
    poet_val keys = look_up(g, of, "keep_keys", POET_I32, group, POET_SHAPE(of->b, 4));
    poet_val logits = poet_reshape(g, poet_model_keep(g, states), POET_SHAPE(of->rows, 2));
    poet_val drawn = poet_reshape(g, poet_sample(g, logits, settings, keys), POET_SHAPE(of->b, 1));
    poet_val choices[] = {poet_input(g, "never", POET_I32, POET_SHAPE(of->rows, 1)),
                          for_all_rows(g, of, drawn)};
    poet_val may = table(g, of, "may_keep", 1);
    poet_result(g, "keep", poet_gather(g, poet_concat(g, 2, choices, 1), may, group, POET_NONE));
    poet_val earlier =
        poet_gather(g, written, table(g, of, "earlier", of->slots), group, POET_NONE);
    poet_scatter(g, written, table(g, of, "own", of->slots), group, earlier);
}

/* The large transformer at the next group of every row: its states, and whether the group is kept. */
static poet_status build_step(poet_generator *m, const batch *of)
{
    const poet_generator_config *c = &m->config;
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val group = next_group(g, of), written = written_codes(g, of);
    poet_group_inputs in = inputs_of(g, of, group, written);
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(of->rows));
    poet_val position = look_up(g, of, "position", POET_I32, group, POET_SHAPE(of->rows));
    poet_val states =
        poet_model_blocks_cached(g, c, poet_model_groups(g, c, &in), position, lengths, in.turns);
    if (c->caption)
        states = poet_add(g, states,
                          poet_input(g, "caption", POET_F32, POET_SHAPE(of->rows, 1, c->width)));
    poet_result(g, "states", states);
    if (c->keep)
        keep_group(g, of, group, written, states);
    return poet_program_create(g, &m->step);
}

/* ---- the small transformer ---- */

static poet_val around_of(poet_graph *g, const batch *of, poet_val group, poet_val written)
{
    const poet_generator_config *c = of->c;
    int64_t cells = (int64_t)c->group_h * c->group_w, wide = cells * poet_around_count(c);
    if (!c->around)
        return POET_NONE;
    poet_val level = poet_input(g, "around_table", POET_I32, POET_SHAPE(wide));
    poet_val rows = poet_gather(g, written, table(g, of, "around", wide), group, level);
    rows = poet_reshape(g, rows, POET_SHAPE(of->rows, cells, poet_around_count(c)));
    return poet_model_around(g, c, rows);
}

/* Slot after slot, with what was drawn before it: (b,S). */
static poet_val draw_slots(poet_graph *g, const batch *of, poet_val group, poet_val around,
                           poet_val *drawn)
{
    const poet_generator_config *c = of->c;
    int64_t rows = of->rows, b = of->b, slots = of->slots;
    poet_val states = poet_input(g, "states", POET_F32, POET_SHAPE(rows, 1, c->width));
    poet_val slot_position = poet_input(g, "slot_position", POET_I32, POET_SHAPE(slots, rows));
    poet_val settings = poet_input(g, "settings", POET_F32, POET_SHAPE(b, 5));
    poet_val keys = look_up(g, of, "keys", POET_I32, group, POET_SHAPE(slots * b, 4));
    poet_val before = poet_input(g, "start", POET_I32, POET_SHAPE(rows, 1));
    for (int s = 0; s < slots; s++) {
        poet_val at = poet_reshape(g, poet_slice(g, slot_position, 0, s, 1), POET_SHAPE(rows));
        poet_val logits = poet_model_slot_cached(g, c, states, around, before, at, s);
        poet_val key = poet_slice(g, keys, 0, (int64_t)s * b, b);
        drawn[s] = poet_reshape(g, poet_sample(g, logits, settings, key), POET_SHAPE(b, 1));
        before = for_all_rows(g, of, drawn[s]);
    }
    return slots == 1 ? drawn[0] : poet_concat(g, (int)slots, drawn, 1);
}

/* What was drawn, or for rows whose group is kept what stands there already. */
static poet_val choose(poet_graph *g, const batch *of, poet_val drawn, poet_val there)
{
    poet_val keep = poet_input(g, "keep", POET_I32, POET_SHAPE(of->rows, 1));
    poet_val choice = poet_input(g, "choice", POET_I32, POET_SHAPE(2, of->slots));
    poet_val both[] = {drawn, there};
    return poet_gather(g, poet_concat(g, 2, both, 1), choice, keep, POET_NONE);
}

static poet_status build_slots(poet_generator *m, const batch *of)
{
    poet_graph *g = poet_graph_create(m->params);
    poet_val *drawn = g ? poet_calloc((size_t)of->slots, sizeof *drawn) : NULL;
    if (!drawn) {
        poet_graph_destroy(g);
        return POET_ERR_NOMEM;
    }
    poet_val group = last_group(g), written = written_codes(g, of);
    poet_val around = around_of(g, of, group, written);
    poet_val codes = for_all_rows(g, of, draw_slots(g, of, group, around, drawn));
    poet_val own = table(g, of, "own", of->slots);
    if (m->config.keep)
        codes = choose(g, of, codes, poet_gather(g, written, own, group, POET_NONE));
    poet_scatter(g, written, own, group, codes);
    poet_free(drawn);
    return poet_program_create(g, &m->slots);
}

poet_status poet_write_prepare(poet_generator *m, int b, bool guided)
{
    batch of = batch_of(m, b, guided);
    if (m->slots && m->step_rows == of.rows && m->step_guided == guided)
        return POET_OK;
    poet_generator_forget_programs(m);
    POET_TRY(build_prefill(m, of.rows));
    POET_TRY(build_step(m, &of));
    POET_TRY(build_slots(m, &of));
    m->step_rows = (int)of.rows;
    m->step_guided = guided;
    return POET_OK;
}
