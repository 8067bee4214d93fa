#include "compute/layers.h"
#include "generator/generator_internal.h"

#include <stdio.h>

enum { FEED_FORWARD = 4 };

static const float embedding_scale = 0.02F;
static const poet_linear_options plain = {.init = {POET_INIT_NORMAL, 0}};
static const poet_linear_options silent = {.init = {POET_INIT_CONSTANT, 0}};
static const poet_linear_options silent_with_bias = {.bias = true, .init = {POET_INIT_CONSTANT, 0}};

/* (levels*(K+1), code_dim): the vectors of the codes, with a row of zeros after each level. */
static poet_val vector_table(poet_graph *g, const poet_generator_config *c)
{
    poet_shape shape = POET_SHAPE((int64_t)c->grid.levels * (c->codes + 1), c->code_dim);
    return poet_state(g, "vectors", POET_BUFFER, POET_F32, shape, POET_ZEROS);
}

poet_val poet_model_around_input(poet_graph *g, const poet_generator_config *config, int64_t r)
{
    int64_t cells = (int64_t)config->group_h * config->group_w;
    return config->around
               ? poet_input(g, "around", POET_I32, POET_SHAPE(r, cells, poet_around_count(config)))
               : POET_NONE;
}

poet_group_inputs poet_model_group_inputs(poet_graph *g, const poet_generator_config *config,
                                          int64_t b, int64_t n, int64_t r)
{
    int64_t s = poet_generator_slots(config);
    poet_group_inputs in = {
        .before = poet_input(g, "before", POET_I32, POET_SHAPE(b, n, s)),
        .neighbours = POET_NONE,
        .around = POET_NONE,
        .time = poet_input(g, "time", POET_I32, POET_SHAPE(n)),
        .row = poet_input(g, "row", POET_I32, POET_SHAPE(n)),
        .column = poet_input(g, "column", POET_I32, POET_SHAPE(n)),
        .turns = POET_NONE,
    };
    int64_t positions = r > 0 ? config->text + n : n;
    if (config->rotary)
        in.turns = poet_input(g, "turns", POET_F32,
                              POET_SHAPE(positions, poet_generator_head_width(config)));
    if (config->neighbours)
        in.neighbours =
            poet_input(g, "neighbours", POET_I32, POET_SHAPE(b, n, POET_NEIGHBOURS * s));
    if (r > 0)
        in.around = poet_model_around_input(g, config, r);
    return in;
}

poet_val poet_model_text(poet_graph *g, const poet_generator_config *config, poet_val ids)
{
    poet_init init = POET_NORMAL(embedding_scale);
    poet_val x = poet_embedding(g, "text", ids, 1, config->vocabulary, config->width, init);
    return poet_add(g, x,
                    poet_param(g, "text_position", POET_SHAPE(config->text, config->width), init));
}

static poet_val axis_embedding(poet_graph *g, const poet_generator_config *c, const char *name,
                               poet_val index, int size)
{
    return poet_embedding(g, name, index, 1, size, c->width, POET_NORMAL(embedding_scale));
}

/* Rows of the vector table (A,B,n) -> one linear map of their vectors, side by side: (A,B,width). */
static poet_val vectors_linear(poet_graph *g, const poet_generator_config *c, const char *name,
                               poet_val rows, int width)
{
    poet_shape shape =
        POET_SHAPE(poet_dim(g, rows, 0), poet_dim(g, rows, 1), poet_dim(g, rows, 2) * c->code_dim);
    poet_val v = poet_embed(g, vector_table(g, c), rows);
    return poet_linear(g, name, poet_reshape(g, v, shape), width, plain);
}

poet_val poet_model_groups(poet_graph *g, const poet_generator_config *config,
                           const poet_group_inputs *inputs)
{
    const poet_generator_config *c = config;
    poet_val x = poet_embedding(g, "code", inputs->before, poet_generator_slots(c), c->codes + 1,
                                c->width, POET_NORMAL(embedding_scale));
    if (poet_generator_slots(c) == 1) /* (B,n,1) as an index gives (B,n,1,C) */
        x = poet_reshape(g, x, POET_SHAPE(poet_dim(g, x, 0), poet_dim(g, x, 1), c->width));
    x = poet_add(g, x, axis_embedding(g, c, "time", inputs->time, c->grid.t));
    x = poet_add(g, x, axis_embedding(g, c, "row", inputs->row, c->grid.h / c->group_h));
    x = poet_add(g, x, axis_embedding(g, c, "column", inputs->column, c->grid.w / c->group_w));
    if (inputs->neighbours.id < 0)
        return x;
    return poet_add(g, x, vectors_linear(g, c, "neighbours", inputs->neighbours, c->width));
}

static const char *block_name(int i, char out[16])
{
    snprintf(out, 16, "block%d", i);
    return out;
}

static poet_block_options block_options(const poet_generator_config *c, poet_val turns)
{
    return (poet_block_options){c->heads, c->text, (int64_t)FEED_FORWARD * c->width, turns};
}

static poet_val blocks(poet_graph *g, const poet_generator_config *config, poet_val x,
                       poet_val lengths, poet_val turns)
{
    char name[16];
    poet_block_options options = block_options(config, turns);
    for (int i = 0; i < config->layers; i++)
        x = poet_transformer_block(g, block_name(i, name), x, lengths, options);
    return poet_rms_norm_layer(g, "norm", x);
}

poet_val poet_model_blocks_cached(poet_graph *g, const poet_generator_config *config, poet_val x,
                                  poet_val position, poet_val lengths, poet_val turns)
{
    char name[16];
    poet_block_options options = block_options(config, turns);
    int64_t room = config->text + poet_generator_groups(config);
    for (int i = 0; i < config->layers; i++)
        x = poet_transformer_block_cached(g, block_name(i, name), "cache", x, position, lengths,
                                          room, options);
    return poet_rms_norm_layer(g, "norm", x);
}

poet_val poet_model_caption(poet_graph *g, const poet_generator_config *config, poet_val text)
{
    int64_t b = poet_dim(g, text, 0);
    poet_val share = poet_input(g, "text_share", POET_F32, POET_SHAPE(b, config->text, 1));
    poet_val mean =
        poet_sum_to(g, poet_mul(g, text, share), POET_SHAPE(b, 1, poet_dim(g, text, 2)));
    return poet_linear(g, "caption", mean, config->width, silent);
}

poet_val poet_model_states(poet_graph *g, const poet_generator_config *config, poet_val ids,
                           poet_val lengths, const poet_group_inputs *groups)
{
    poet_val parts[] = {poet_model_text(g, config, ids), poet_model_groups(g, config, groups)};
    poet_val x = blocks(g, config, poet_concat(g, 2, parts, 1), lengths, groups->turns);
    int64_t n = poet_dim(g, x, 1) - config->text;
    poet_val states = poet_slice(g, x, 1, config->text, n);
    if (!config->caption)
        return states;
    return poet_add(g, states, poet_model_caption(g, config, poet_slice(g, x, 1, 0, config->text)));
}

/* ---- inside the group ---- */

static poet_block_options slot_options(const poet_generator_config *c)
{
    return (poet_block_options){c->slot_heads, 0, (int64_t)FEED_FORWARD * c->slot_width, POET_NONE};
}

/* The code before, by its table and, on one level, by its vector: similar codes begin alike. */
static poet_val slot_codes(poet_graph *g, const poet_generator_config *c, poet_val table,
                           poet_val before)
{
    poet_val x = poet_embedding(g, "before", before, 1, c->codes + 1, c->slot_width,
                                POET_NORMAL(embedding_scale));
    if (c->grid.levels > 1)
        return x;
    poet_val v = poet_embed(g, table, before);
    return poet_add(g, x, poet_linear(g, "vector_in", v, c->slot_width, plain));
}

static poet_val slot_positions(poet_graph *g, const poet_generator_config *c)
{
    return poet_param(g, "position", POET_SHAPE(poet_generator_slots(c), c->slot_width),
                      POET_NORMAL(embedding_scale));
}

/* Logits by a table and, on one level, by the codes' vectors. Both start at zero: the first loss is
 * log K. */
static poet_val slot_logits(poet_graph *g, const poet_generator_config *c, poet_val table,
                            poet_val x)
{
    poet_val logits = poet_linear(g, "head", x, c->codes, silent_with_bias);
    if (c->grid.levels > 1)
        return logits;
    poet_val book = poet_slice(g, table, 0, 0, c->codes);
    poet_val v = poet_linear(g, "vector_out", x, c->code_dim, silent);
    return poet_add(g, logits, poet_matmul(g, v, false, book, true, POET_NONE));
}

poet_val poet_model_around(poet_graph *g, const poet_generator_config *config, poet_val around)
{
    const poet_generator_config *c = config;
    if (around.id < 0)
        return POET_NONE;
    int64_t rows = poet_dim(g, around, 0), cells = poet_dim(g, around, 1);
    poet_val x = vectors_linear(g, c, "around", around, c->grid.levels * c->slot_width);
    return poet_reshape(g, x, POET_SHAPE(rows, cells * c->grid.levels, c->slot_width));
}

poet_val poet_model_keep(poet_graph *g, poet_val states)
{
    return poet_linear(g, "keep", states, 2, silent_with_bias);
}

poet_val poet_model_slots(poet_graph *g, const poet_generator_config *config, poet_val states,
                          poet_val around, poet_val before, poet_val *hidden)
{
    char name[16];
    int64_t rows = poet_dim(g, before, 0);
    poet_val table = vector_table(g, config); /* of the whole model: named outside the scope */
    poet_val seen = poet_model_around(g, config, around);
    poet_scope_begin(g, "slots");
    poet_val h = poet_linear(g, "state", states, config->slot_width, plain);
    h = poet_reshape(g, h, POET_SHAPE(rows, 1, config->slot_width));
    poet_val x = poet_add(g, slot_codes(g, config, table, before), h);
    x = poet_add(g, x, slot_positions(g, config));
    if (seen.id >= 0)
        x = poet_add(g, x, seen);
    for (int i = 0; i < config->slot_layers; i++)
        x = poet_transformer_block(g, block_name(i, name), x, POET_NONE, slot_options(config));
    x = poet_rms_norm_layer(g, "norm", x);
    poet_val logits = slot_logits(g, config, table, x);
    poet_scope_end(g);
    if (hidden)
        *hidden = x;
    return logits;
}

poet_val poet_model_slot_cached(poet_graph *g, const poet_generator_config *config, poet_val states,
                                poet_val around, poet_val before, poet_val position, int slot)
{
    char name[16];
    int64_t rows = poet_dim(g, before, 0);
    poet_val table = vector_table(g, config); /* of the whole model: named outside the scope */
    poet_scope_begin(g, "slots");
    poet_val h = poet_linear(g, "state", states, config->slot_width, plain);
    poet_val x = poet_add(g, slot_codes(g, config, table, before), h);
    x = poet_add(g, x, poet_slice(g, slot_positions(g, config), 0, slot, 1));
    if (around.id >= 0)
        x = poet_add(g, x, poet_slice(g, around, 1, slot, 1));
    for (int i = 0; i < config->slot_layers; i++)
        x = poet_transformer_block_cached(g, block_name(i, name), "cache", x, position, POET_NONE,
                                          poet_generator_slots(config), slot_options(config));
    poet_val logits = slot_logits(g, config, table, poet_rms_norm_layer(g, "norm", x));
    poet_scope_end(g);
    return poet_reshape(g, logits, POET_SHAPE(rows, config->codes));
}

/* States (B,N,C) of the groups in rows (R): (R,C). */
static poet_val written_states(poet_graph *g, const poet_generator_config *config, poet_val states,
                               int64_t r)
{
    int64_t groups = poet_dim(g, states, 0) * poet_dim(g, states, 1);
    states = poet_reshape(g, states, POET_SHAPE(groups, config->width));
    return config->keep ? poet_embed(g, states, poet_input(g, "rows", POET_I32, POET_SHAPE(r)))
                        : states;
}

/* Nats a code: the codes of written groups, and what is kept. */
static poet_val with_keeping(poet_graph *g, const poet_generator_config *config, poet_val states,
                             poet_val slots, poet_val *kept)
{
    int64_t b = poet_dim(g, states, 0), n = poet_dim(g, states, 1);
    poet_val keep = poet_input(g, "keep", POET_I32, POET_SHAPE(b, n));
    poet_val share = poet_input(g, "share", POET_F32, POET_SCALAR);
    poet_val loss = poet_cross_entropy(g, poet_model_keep(g, states), keep, kept);
    loss = poet_scale(g, loss, 1.0F / (float)poet_generator_slots(config));
    return poet_add(g, poet_mul(g, slots, share), loss);
}

poet_val poet_model_loss(poet_graph *g, const poet_generator_config *config, int b, int r,
                         poet_val *rows, poet_val *kept)
{
    int64_t n = poet_generator_groups(config), s = poet_generator_slots(config);
    poet_val ids = poet_input(g, "ids", POET_I32, POET_SHAPE(b, config->text));
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(b));
    poet_group_inputs groups = poet_model_group_inputs(g, config, b, n, r);
    poet_val before = poet_input(g, "slots", POET_I32, POET_SHAPE(r, s));
    poet_val targets = poet_input(g, "targets", POET_I32, POET_SHAPE(r, s));
    poet_val states = poet_model_states(g, config, ids, lengths, &groups);
    poet_val written = written_states(g, config, states, r);
    poet_val logits = poet_model_slots(g, config, written, groups.around, before, NULL);
    poet_val loss = poet_cross_entropy(g, logits, targets, rows);
    if (kept)
        *kept = POET_NONE;
    return config->keep ? with_keeping(g, config, states, loss, kept) : loss;
}
