#include "compute/layers.h"

#include <math.h>
#include <stdio.h>

/* NORMAL with scale 0 asks for the scale that keeps the variance: 1/sqrt(inputs). */
static poet_init resolve(poet_init init, int64_t inputs)
{
    if (init.law == POET_INIT_NORMAL && init.scale == 0)
        init.scale = 1.0F / sqrtf((float)inputs);
    return init;
}

poet_val poet_linear(poet_graph *g, const char *name, poet_val x, int64_t out,
                     poet_linear_options options)
{
    int64_t in = poet_dim(g, x, -1);
    poet_scope_begin(g, name);
    poet_val w = poet_param(g, "weight", POET_SHAPE(out, in), resolve(options.init, in));
    poet_val b = options.bias ? poet_param(g, "bias", POET_SHAPE(out), POET_ZEROS) : POET_NONE;
    if (options.hidden)
        poet_mark_hidden(g, w);
    poet_val y = poet_matmul(g, x, false, w, true, b);
    poet_scope_end(g);
    return y;
}

poet_val poet_conv(poet_graph *g, const char *name, poet_val x, int64_t out, int t, int s,
                   poet_init init)
{
    int64_t in = poet_dim(g, x, -1);
    poet_scope_begin(g, name);
    poet_val w =
        poet_param(g, "weight", POET_SHAPE(out, t, s, s, in), resolve(init, in * t * s * s));
    poet_val b = poet_param(g, "bias", POET_SHAPE(out), POET_ZEROS);
    poet_mark_hidden(g, w);
    poet_val y = poet_conv3d(g, x, w, b);
    poet_scope_end(g);
    return y;
}

poet_val poet_group_norm_layer(poet_graph *g, const char *name, poet_val x, int groups,
                               poet_activation act)
{
    int64_t c = poet_dim(g, x, -1);
    poet_scope_begin(g, name);
    poet_val gain = poet_param(g, "gain", POET_SHAPE(c), POET_ONES);
    poet_val bias = poet_param(g, "bias", POET_SHAPE(c), POET_ZEROS);
    poet_val y = poet_group_norm(g, x, gain, bias, groups, act);
    poet_scope_end(g);
    return y;
}

poet_val poet_rms_norm_layer(poet_graph *g, const char *name, poet_val x)
{
    poet_scope_begin(g, name);
    poet_val gain = poet_param(g, "gain", POET_SHAPE(poet_dim(g, x, -1)), POET_ONES);
    poet_val y = poet_rms_norm(g, x, gain);
    poet_scope_end(g);
    return y;
}

poet_val poet_embedding(poet_graph *g, const char *name, poet_val index, int slots, int64_t v,
                        int64_t c, poet_init init)
{
    poet_scope_begin(g, name);
    poet_shape shape = slots > 1 ? POET_SHAPE(slots, v, c) : POET_SHAPE(v, c);
    poet_val y = poet_embed(g, poet_param(g, "table", shape, init), index);
    poet_scope_end(g);
    return y;
}

static const poet_linear_options hidden_matrix = {.hidden = true, .init = {POET_INIT_NORMAL, 0}};
static const poet_linear_options last_matrix = {.hidden = true, .init = {POET_INIT_CONSTANT, 0}};

static poet_val feed_forward(poet_graph *g, poet_val x, int64_t ff)
{
    int64_t c = poet_dim(g, x, -1);
    poet_val h = poet_linear(g, "up", poet_rms_norm_layer(g, "norm2", x), ff, hidden_matrix);
    h = poet_linear(g, "down", poet_act(g, h, POET_ACT_RELU2), c, last_matrix);
    return poet_add(g, x, h);
}

static poet_val queries_keys_values(poet_graph *g, poet_val x, const poet_block_options *options)
{
    poet_val qkv = poet_linear(g, "qkv", poet_rms_norm_layer(g, "norm1", x), 3 * poet_dim(g, x, -1),
                               hidden_matrix);
    return options->turns.id < 0 ? qkv : poet_rotary(g, qkv, options->turns, options->heads);
}

static poet_val attend_then_feed(poet_graph *g, poet_val x, poet_val attended, int64_t ff)
{
    poet_val y = poet_linear(g, "proj", attended, poet_dim(g, x, -1), last_matrix);
    return feed_forward(g, poet_add(g, x, y), ff);
}

poet_val poet_transformer_block(poet_graph *g, const char *name, poet_val x, poet_val lengths,
                                poet_block_options options)
{
    poet_scope_begin(g, name);
    poet_val a = poet_attention(g, queries_keys_values(g, x, &options), lengths, options.heads,
                                options.prefix);
    x = attend_then_feed(g, x, a, options.ff);
    poet_scope_end(g);
    return x;
}

poet_val poet_transformer_block_cached(poet_graph *g, const char *name, const char *cache_name,
                                       poet_val x, poet_val position, poet_val lengths,
                                       int64_t cache_length, poet_block_options options)
{
    poet_scope_begin(g, name);
    poet_shape shape = POET_SHAPE(poet_dim(g, x, 0), cache_length, poet_dim(g, x, -1));
    poet_scope_begin(g, cache_name);
    poet_val keys = poet_state(g, "keys", POET_CACHE, POET_F32, shape, POET_ZEROS);
    poet_val values = poet_state(g, "values", POET_CACHE, POET_F32, shape, POET_ZEROS);
    poet_scope_end(g);
    poet_val a = poet_attention_cached(g, queries_keys_values(g, x, &options), keys, values,
                                       position, lengths, options.heads, options.prefix);
    x = attend_then_feed(g, x, a, options.ff);
    poet_scope_end(g);
    return x;
}
