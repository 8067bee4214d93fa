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

static poet_val running_sum(poet_graph *g, int level, const char *what, poet_shape shape)
{
    char name[48];
    snprintf(name, sizeof name, "quantizer.level%d.%s", level, what);
    return poet_state(g, name, POET_MOMENT, POET_F32, shape, POET_ZEROS);
}

poet_codebook_values poet_codebook_state(poet_graph *g, const poet_tokenizer_config *config,
                                         int level)
{
    return (poet_codebook_values){
        .book = codebook(g, config, level),
        .total = running_sum(g, level, "total", POET_SHAPE(config->codes, config->dim)),
        .count = running_sum(g, level, "count", POET_SHAPE(config->codes))};
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

/* Codes of the levels, each with an axis of its own at the end: (...,levels). */
static poet_val join_levels(poet_graph *g, const poet_tokenizer_config *config,
                            const poet_val *codes)
{
    int axis = poet_val_shape(g, codes[0])->ndim - 1;
    return config->levels == 1 ? codes[0] : poet_concat(g, config->levels, codes, axis);
}

/* z (...,dim) -> quantized (...,dim) and codes (...,levels). The levels of a scalar quantizer share its channels out. */
static poet_val scalar_quantize(poet_graph *g, const poet_tokenizer_config *config, poet_val z,
                                poet_val *codes)
{
    poet_val part[POET_MAX_FSQ_CHANNELS] = {POET_NONE}, index[POET_MAX_FSQ_CHANNELS] = {POET_NONE};
    int channels = config->dim / config->levels, axis = poet_val_shape(g, z)->ndim - 1;
    for (int level = 0; level < config->levels; level++) {
        int first = level * channels;
        poet_val own = config->levels == 1 ? z : poet_slice(g, z, axis, first, channels);
        part[level] = poet_fsq(g, own, config->fsq_levels + first,
                               config->quantizer == POET_QUANTIZER_LFQ, &index[level]);
        index[level] = with_level_axis(g, index[level]);
    }
    *codes = join_levels(g, config, index);
    return config->levels == 1 ? part[0] : poet_concat(g, config->levels, part, axis);
}

poet_val poet_quantizer_encode(poet_graph *g, const poet_tokenizer_config *config, poet_val z)
{
    poet_val codes[POET_MAX_RESIDUAL_LEVELS] = {POET_NONE};
    if (!is_vq(config)) {
        scalar_quantize(g, config, z, codes);
        return codes[0];
    }
    for (int level = 0; level < config->levels; level++) {
        poet_val book = codebook(g, config, level);
        poet_val index = poet_nearest(g, z, book, NULL);
        codes[level] = with_level_axis(g, index);
        if (level + 1 < config->levels)
            z = subtract(g, z, poet_embed(g, book, index));
    }
    return join_levels(g, config, codes);
}

static poet_val level_vectors(poet_graph *g, const poet_tokenizer_config *config, int level,
                              poet_val index)
{
    if (is_vq(config))
        return poet_embed(g, codebook(g, config, level), index);
    int channels = config->dim / config->levels, first = level * channels;
    poet_val v = poet_fsq_codes(g, index, channels, config->fsq_levels + first,
                                config->quantizer == POET_QUANTIZER_LFQ);
    int axis = poet_val_shape(g, v)->ndim - 1;
    return config->levels == 1 ? v : poet_pad(g, v, axis, first, config->dim - channels - first);
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
    poet_codebook_values own = poet_codebook_state(g, config, level);
    poet_val shown = training->nested ? poet_add(g, own.book, inputs->away) : own.book;
    *index = poet_nearest(g, rest, shown, NULL);
    poet_val vectors = poet_embed(g, own.book, *index);
    poet_codebook_ema(g, own.book, own.total, own.count, rest, *index, inputs->step,
                      training->decay, training->restart, training->seed + (uint64_t)level);
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
        return q;
    }
    if (config->quantizer == POET_QUANTIZER_LFQ) {
        q.vectors = scalar_quantize(g, config, z, &q.codes);
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
    q.codes = join_levels(g, config, codes);
    q.vectors = poet_straight_through(g, sum, z);
    q.penalty = poet_scale(g, poet_mse(g, z, sum), training->commitment);
    return q;
}
