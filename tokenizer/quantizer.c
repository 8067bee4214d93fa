/* One interface over VQ, residual VQ, FSQ and LFQ. */
#include "tokenizer/tokenizer_internal.h"

#include <stdio.h>

/* codebook (K,dim) of a level; it starts as small noise until k-means replaces it. */
static poet_val codebook(poet_graph *g, const poet_tokenizer_config *config, int level)
{
    char name[48];
    snprintf(name, sizeof name, "quantizer.level%d.codebook", level);
    return poet_state(g, name, POET_BUFFER, POET_F32, POET_SHAPE(config->codes, config->dim),
                      POET_NORMAL(0.1F));
}

static poet_val ema_state(poet_graph *g, int level, const char *what, poet_shape shape)
{
    char name[48];
    snprintf(name, sizeof name, "quantizer.level%d.%s", level, what);
    return poet_state(g, name, POET_MOMENT, POET_F32, shape, POET_ZEROS);
}

/* (...,C) -> (...,1) of codes, so that levels can be joined along a last axis. */
static poet_val with_level_axis(poet_graph *g, poet_val codes)
{
    poet_shape shape = *poet_val_shape(g, codes);
    shape.dim[shape.ndim++] = 1;
    return poet_reshape(g, codes, shape);
}

static poet_val subtract(poet_graph *g, poet_val a, poet_val b)
{
    return poet_add(g, a, poet_scale(g, b, -1));
}

static bool is_vq(const poet_tokenizer_config *config)
{
    return config->quantizer == POET_QUANTIZER_VQ;
}

static poet_val scalar_quantize(poet_graph *g, const poet_tokenizer_config *config, poet_val z,
                                poet_val *codes)
{
    return poet_fsq(g, z, config->fsq_levels, config->quantizer == POET_QUANTIZER_LFQ, codes);
}

poet_val poet_quantizer_encode(poet_graph *g, const poet_tokenizer_config *config, poet_val z)
{
    poet_val codes[POET_MAX_RESIDUAL_LEVELS] = {POET_NONE};
    if (!is_vq(config)) {
        scalar_quantize(g, config, z, codes);
        return with_level_axis(g, codes[0]);
    }
    for (int level = 0; level < config->levels; level++) {
        poet_val book = codebook(g, config, level);
        poet_val index = poet_nearest(g, z, book, NULL);
        codes[level] = with_level_axis(g, index);
        if (level + 1 < config->levels)
            z = subtract(g, z, poet_embed(g, book, index));
    }
    int axis = poet_val_shape(g, codes[0])->ndim - 1;
    return config->levels == 1 ? codes[0] : poet_concat(g, config->levels, codes, axis);
}

static poet_val level_vectors(poet_graph *g, const poet_tokenizer_config *config, int level,
                              poet_val index)
{
    if (is_vq(config))
        return poet_embed(g, codebook(g, config, level), index);
    return poet_fsq_codes(g, index, config->dim, config->fsq_levels,
                          config->quantizer == POET_QUANTIZER_LFQ);
}

poet_val poet_quantizer_decode(poet_graph *g, const poet_tokenizer_config *config, poet_val codes)
{
    poet_shape shape = *poet_val_shape(g, codes);
    int axis = shape.ndim - 1;
    shape.ndim--;
    poet_val sum = POET_NONE;
    for (int level = 0; level < config->levels; level++) {
        poet_val index = poet_reshape(g, poet_slice(g, codes, axis, level, 1), shape);
        poet_val v = level_vectors(g, config, level, index);
        sum = level ? poet_add(g, sum, v) : v;
    }
    return sum;
}

poet_val poet_quantizer_vectors(poet_graph *g, const poet_tokenizer_config *config, poet_val codes)
{
    poet_val all[POET_MAX_RESIDUAL_LEVELS];
    poet_shape shape = POET_SHAPE(1, poet_dim(g, codes, 0), config->dim);
    for (int level = 0; level < config->levels; level++)
        all[level] = poet_reshape(g, level_vectors(g, config, level, codes), shape);
    return poet_concat(g, config->levels, all, 0);
}

/* One level of VQ: the vectors of the nearest codes, with the codebook moved towards what chose
 * them. */
static poet_val train_level(poet_graph *g, const poet_tokenizer_training *training,
                            const poet_tokenizer_config *config, int level, poet_val rest,
                            const poet_training_inputs *inputs, poet_val *index)
{
    poet_val book = codebook(g, config, level);
    poet_val total = ema_state(g, level, "total", POET_SHAPE(config->codes, config->dim));
    poet_val count = ema_state(g, level, "count", POET_SHAPE(config->codes));
    poet_val shown = training->nested ? poet_add(g, book, inputs->away) : book;
    *index = poet_nearest(g, rest, shown, NULL);
    poet_val vectors = poet_embed(g, book, *index);
    poet_codebook_ema(g, book, total, count, rest, *index, inputs->step, training->decay,
                      training->restart, training->seed + (uint64_t)level);
    return vectors;
}

poet_quantized poet_quantizer_train(poet_graph *g, const poet_tokenizer_training *training,
                                    const poet_tokenizer_config *config, poet_val z,
                                    const poet_training_inputs *inputs)
{
    const float temperature = 1, gamma = 1;
    poet_quantized q = {.penalty = POET_NONE};
    if (config->quantizer == POET_QUANTIZER_FSQ) {
        q.vectors = scalar_quantize(g, config, z, &q.codes);
        q.codes = with_level_axis(g, q.codes);
        return q;
    }
    if (config->quantizer == POET_QUANTIZER_LFQ) {
        q.vectors = scalar_quantize(g, config, z, &q.codes);
        q.codes = with_level_axis(g, q.codes);
        poet_val commit = poet_mse(g, z, poet_stop_grad(g, q.vectors));
        poet_val entropy = poet_lfq_entropy(g, z, temperature, gamma);
        q.penalty = poet_scale(g, poet_add(g, commit, entropy), training->commitment);
        return q;
    }
    poet_val rest = poet_stop_grad(g, z), sum = POET_NONE;
    poet_val codes[POET_MAX_RESIDUAL_LEVELS] = {POET_NONE};
    for (int level = 0; level < config->levels; level++) {
        poet_val index;
        poet_val vectors = train_level(g, training, config, level, rest, inputs, &index);
        codes[level] = with_level_axis(g, index);
        sum = level ? poet_add(g, sum, vectors) : vectors;
        rest = subtract(g, rest, vectors);
    }
    int axis = poet_val_shape(g, codes[0])->ndim - 1;
    q.codes = config->levels == 1 ? codes[0] : poet_concat(g, config->levels, codes, axis);
    q.vectors = poet_straight_through(g, sum, z);
    q.penalty = poet_scale(g, poet_mse(g, z, sum), training->commitment);
    return q;
}
