#include "tokenizer/tokenizer_internal.h"

#include "compute/layers.h"

enum { KERNEL = 3, CONVS_PER_BLOCK = 2, NORM_GROUPS = 8 };

static const poet_linear_options plain = {.bias = true, .init = {POET_INIT_NORMAL, 0}};
static const poet_linear_options silent = {.bias = true, .init = {POET_INIT_CONSTANT, 0}};

/* A norm of each place alone is not changed by what moves elsewhere. */
static poet_val norm_silu(poet_graph *g, const char *name, poet_val x, bool frame_norm)
{
    if (frame_norm)
        return poet_group_norm_layer(g, name, x, NORM_GROUPS, POET_ACT_SILU);
    return poet_act(g, poet_rms_norm_layer(g, name, x), POET_ACT_SILU);
}

static poet_val residual_block(poet_graph *g, const char *name, poet_val x, int time,
                               bool frame_norms)
{
    int64_t c = poet_dim(g, x, -1);
    poet_scope_begin(g, name);
    poet_val h = norm_silu(g, "norm1", x, frame_norms);
    h = poet_conv(g, "conv1", h, c, time, KERNEL, POET_NORMAL(0));
    h = norm_silu(g, "norm2", h, frame_norms);
    h = poet_conv(g, "conv2", h, c, time, KERNEL, POET_NORMAL(0));
    poet_scope_end(g);
    return poet_add(g, x, h);
}

/* The encoder's principal components stay as they started. Trained at the rate of the network they outrun the codebook, whose codes
 * follow by a slow average: with 1,024 codes on 8 x 8 patches of built-in shapes, 150 steps at 1e-3 ended at 22.9 dB with 452 codes in use,
 * against 24.9 dB and 808 codes with the map kept. */
static poet_val kept_linear(poet_graph *g, poet_val x, int64_t out)
{
    poet_shape shape = POET_SHAPE(out, poet_dim(g, x, -1));
    poet_scope_begin(g, "linear");
    poet_val w = poet_state(g, "weight", POET_BUFFER, POET_F32, shape, POET_NORMAL(0.02F));
    poet_val b = poet_state(g, "bias", POET_BUFFER, POET_F32, POET_SHAPE(out), POET_ZEROS);
    poet_scope_end(g);
    return poet_matmul(g, x, false, w, true, b);
}

typedef poet_val (*linear_path)(poet_graph *g, poet_val x, int64_t out);

static poet_val learned_linear(poet_graph *g, poet_val x, int64_t out)
{
    return poet_linear(g, "linear", x, out, plain);
}

/* What differs between encoder and decoder. */
typedef struct side {
    const char *name;
    int64_t out;
    int blocks, time;
    linear_path linear;
} side;

/* linear(x) + last(h), h = silu(norm(blocks(first(x)))), with last at zero in the beginning. hidden: h,
 * where it is wanted. */
static poet_val half(poet_graph *g, const poet_tokenizer_config *config, const side *s, poet_val x,
                     poet_val *hidden)
{
    static const char *const names[] = {"block0", "block1", "block2", "block3", "block4",
                                        "block5", "block6", "block7", "block8", "block9"};
    poet_scope_begin(g, s->name);
    poet_val h = poet_linear(g, "first", x, config->width, plain);
    for (int i = 0; i < s->blocks; i++)
        h = residual_block(g, names[i], h, s->time, config->frame_norms);
    h = norm_silu(g, "norm", h, config->frame_norms);
    if (hidden)
        *hidden = h;
    poet_val y = poet_add(g, s->linear(g, x, s->out), poet_linear(g, "last", h, s->out, silent));
    poet_scope_end(g);
    return y;
}

static int64_t patch_values(const poet_tokenizer_config *config)
{
    return (int64_t)POET_PATCH_FRAMES * config->patch * config->patch * 3;
}

poet_val poet_encoder_build(poet_graph *g, const poet_tokenizer_config *config, poet_val patches)
{
    side s = {"encoder", config->dim, config->encoder_blocks, config->encoder_time, kept_linear};
    return half(g, config, &s, patches, NULL);
}

poet_val poet_decoder_build_hidden(poet_graph *g, const poet_tokenizer_config *config,
                                   poet_val vectors, poet_val *hidden)
{
    side s = {"decoder", patch_values(config), config->decoder_blocks, KERNEL, learned_linear};
    return half(g, config, &s, vectors, hidden);
}

poet_val poet_decoder_build(poet_graph *g, const poet_tokenizer_config *config, poet_val vectors)
{
    return poet_decoder_build_hidden(g, config, vectors, NULL);
}

int poet_encoder_context(const poet_tokenizer_config *config)
{
    return config->encoder_blocks * CONVS_PER_BLOCK * (config->encoder_time - 1);
}

int poet_decoder_context(const poet_tokenizer_config *config)
{
    return config->decoder_blocks * CONVS_PER_BLOCK * (KERNEL - 1);
}
