/* Stages of convolutions, each at half the resolution of the one before and wider. Convolutions in the frame and along time are
 * separate (Tran et al., "A closer look at spatiotemporal convolutions", 2018), which costs a third of cubic ones.
 *
 *     patches of 4 frames -> stages of 1, 2, 3, 4 times the width -> mean over all places -> a softmax per attribute
 *
 * The last stage sees most of a frame at once. */
#include "compute/layers.h"
#include "eval/classifier_internal.h"

#include <stdio.h>

enum {
    NORM_GROUPS = 8,
    KERNEL = 3,
    STAGES = 4,
    DROPOUT_SEED = 1,
    LARGEST_PATCH = 8,
    LEAST_PATCHES = 32
};

static const float dropped_share = 0.2F;
static const poet_linear_options hidden = {
    .bias = true, .hidden = true, .init = {POET_INIT_NORMAL, 0}};
static const poet_linear_options silent = {.bias = true, .init = {POET_INIT_CONSTANT, 0}};

/* The largest patch that leaves enough of them on the shorter side: 64 pixels are 32 patches of 2, and the time that reading
 * takes hardly depends on the size of the clips. */
static int patch_of(const poet_classifier_config *config)
{
    int patch = LARGEST_PATCH, side = config->h < config->w ? config->h : config->w;
    while (patch > 1 && (config->h % patch || config->w % patch || side / patch < LEAST_PATCHES))
        patch /= 2;
    return patch;
}

static poet_val conv(poet_graph *g, const char *name, poet_val x, int t, int s)
{
    poet_scope_begin(g, name);
    x = poet_group_norm_layer(g, "norm", x, NORM_GROUPS, POET_ACT_SILU);
    x = poet_conv(g, "conv", x, poet_dim(g, x, -1), t, s, POET_NORMAL(0));
    poet_scope_end(g);
    return x;
}

/* (B,T,H,W,C) -> (B,T,H/2,W/2,4C): squares of four neighbours become channels, odd sides are filled up with zeros. */
static poet_val fold(poet_graph *g, poet_val x)
{
    if (poet_dim(g, x, 2) % 2)
        x = poet_pad(g, x, 2, 0, 1);
    if (poet_dim(g, x, 3) % 2)
        x = poet_pad(g, x, 3, 0, 1);
    int64_t b = poet_dim(g, x, 0), t = poet_dim(g, x, 1), h = poet_dim(g, x, 2) / 2,
            w = poet_dim(g, x, 3) / 2, c = poet_dim(g, x, 4);
    x = poet_reshape(g, x, POET_SHAPE(b * t * h, 2, w, 2 * c));
    poet_val rows[2] = {poet_slice(g, x, 1, 0, 1), poet_slice(g, x, 1, 1, 1)};
    return poet_reshape(g, poet_concat(g, 2, rows, 3), POET_SHAPE(b, t, h, w, 4 * c));
}

static poet_val stage(poet_graph *g, int number, poet_val x, int64_t channels)
{
    char name[16];
    snprintf(name, sizeof name, "stage%d", number);
    poet_scope_begin(g, name);
    x = poet_linear(g, "in", number ? fold(g, x) : x, channels, hidden);
    x = poet_add(g, x, conv(g, "space", x, 1, KERNEL));
    if (number) /* a patch of the first stage has four frames in it */
        x = poet_add(g, x, conv(g, "time", x, KERNEL, 1));
    poet_scope_end(g);
    return x;
}

/* One vector for a clip: the mean over all places. Squares let what is seen in few places stand out against the rest. What
 * differs between clips is small beside what their means have in common, so the vector is centred before it is used. */
static poet_val summary(poet_graph *g, poet_val x, int64_t channels)
{
    int64_t b = poet_dim(g, x, 0), c = poet_dim(g, x, -1);
    int64_t places = poet_dim(g, x, 1) * poet_dim(g, x, 2) * poet_dim(g, x, 3);
    x = poet_group_norm_layer(g, "norm", x, NORM_GROUPS, POET_ACT_NONE);
    x = poet_reshape(g, poet_act(g, x, POET_ACT_RELU2), POET_SHAPE(b, places, c));
    x = poet_reshape(g, poet_sum_to(g, x, POET_SHAPE(b, 1, c)), POET_SHAPE(b, 1, 1, 1, c));
    x = poet_group_norm_layer(g, "centre", poet_scale(g, x, 1.0F / (float)places), 1,
                              POET_ACT_NONE);
    x = poet_act(g, poet_linear(g, "mix", x, channels, hidden), POET_ACT_SILU);
    return poet_reshape(g, x, POET_SHAPE(b, channels));
}

int poet_classifier_feature_count(const poet_classifier *classifier)
{
    return classifier->config.width * (STAGES + 1);
}

poet_val poet_classifier_build(poet_graph *g, const poet_classifier_config *config, poet_val frames,
                               poet_val step, poet_val logits[POET_MAX_ATTRIBUTES])
{
    poet_scope_begin(g, "reader");
    poet_val x = poet_patchify(g, frames, patch_of(config));
    for (int i = 0; i < STAGES; i++)
        x = stage(g, i, x, (int64_t)config->width * (i + 1));
    x = summary(g, x, (int64_t)config->width * (STAGES + 1));
    poet_val features = x;
    if (step.id >= 0)
        x = poet_dropout(g, x, step, dropped_share, DROPOUT_SEED);
    for (int i = 0; i < config->attributes.count; i++) {
        char name[16]; /* attributes may be called anything, parameters not */
        snprintf(name, sizeof name, "head%d", i);
        logits[i] = poet_linear(g, name, x, config->attributes.item[i].count, silent);
    }
    poet_scope_end(g);
    return features;
}
