/* Operations together with their parameters: what model code is written in. Each opens a scope of
 * its name, so a linear layer "up" inside scope "block0" owns "block0.up.weight" and
 * "block0.up.bias". */
#ifndef POET_COMPUTE_LAYERS_H
#define POET_COMPUTE_LAYERS_H

#include "compute/graph.h"

typedef struct poet_linear_options {
    bool bias;
    bool hidden; /* a hidden layer's matrix: trained by Muon where the optimizer uses it */
    poet_init
        init; /* of the weight; bias starts at zero. law NORMAL with scale 0: 1/sqrt(inputs) */
} poet_linear_options;

/* x (...,in) -> (...,out); weight (out,in). */
poet_val poet_linear(poet_graph *g, const char *name, poet_val x, int64_t out,
                     poet_linear_options options);

/* Causal convolution with a kernel of t x s x s: weight (out,t,s,s,in), bias (out). init as for
 * linear, over t*s*s*in inputs. */
poet_val poet_conv(poet_graph *g, const char *name, poet_val x, int64_t out, int t, int s,
                   poet_init init);

/* gain 1, bias 0 at the start. */
poet_val poet_group_norm_layer(poet_graph *g, const char *name, poet_val x, int groups,
                               poet_activation act);
poet_val poet_rms_norm_layer(poet_graph *g, const char *name, poet_val x);

/* index (...) -> (...,C): table (V,C); or slots > 1: index (...,slots), table (slots,V,C), the sum
 * over the slots. */
poet_val poet_embedding(poet_graph *g, const char *name, poet_val index, int slots, int64_t v,
                        int64_t c, poet_init init);

/* A pre-norm transformer block (Vaswani 2017; pre-norm, squared ReLU and no biases as in the
 * measured design): x + attention(rms_norm(x)), then x + down(relu2(up(rms_norm(x)))). Last
 * matrices start at zero. Training form. */
typedef struct poet_block_options {
    int heads, prefix;
    int64_t ff;     /* inner width */
    poet_val turns; /* rotary positions, or POET_NONE */
} poet_block_options;

poet_val poet_transformer_block(poet_graph *g, const char *name, poet_val x, poet_val lengths,
                                poet_block_options options);

/* The same block for incremental use: rows of qkv go to the states "keys" and "values" (B,S,C) of
 * kind CACHE, named under cache_name. */
poet_val poet_transformer_block_cached(poet_graph *g, const char *name, const char *cache_name,
                                       poet_val x, poet_val position, poet_val lengths,
                                       int64_t cache_length, poet_block_options options);

#endif
