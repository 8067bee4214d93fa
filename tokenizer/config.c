#include "tokenizer/tokenizer.h"

#include "base/bits.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const quantizer_names[] = {"vq", "fsq", "lfq"};

poet_tokenizer_config poet_tokenizer_defaults(void)
{
    return (poet_tokenizer_config){.patch = 4,
                                   .quantizer = POET_QUANTIZER_VQ,
                                   .codes = 1024,
                                   .levels = 1,
                                   .dim = 16,
                                   .width = 64,
                                   .encoder_blocks = 0,
                                   .encoder_time = 1,
                                   .decoder_blocks = 3};
}

static poet_status in_range(const char *name, int64_t value, int64_t low, int64_t high)
{
    if (value < low || value > high)
        return POET_FAIL(POET_ERR_ARG, "tokenizer: %s = %lld is not between %lld and %lld", name,
                         (long long)value, (long long)low, (long long)high);
    return POET_OK;
}

/* The codes of channels [first, first + count). */
static poet_status multiply(const poet_tokenizer_config *config, int first, int count, int *out)
{
    int64_t codes = 1;
    for (int i = first; i < first + count; i++) {
        POET_TRY(in_range("an FSQ level count", config->fsq_levels[i], 2, 1024));
        codes *= config->fsq_levels[i];
        POET_TRY(in_range("the product of the FSQ levels", codes, 2, POET_MAX_CODES));
    }
    *out = (int)codes;
    return POET_OK;
}

static poet_status complete_fsq(poet_tokenizer_config *config)
{
    int n = config->fsq_channels;
    POET_TRY(in_range("the number of FSQ channels", n, 1, POET_MAX_FSQ_CHANNELS));
    POET_TRY(in_range("levels", config->levels, 1, n));
    int share = n / config->levels;
    if (n % config->levels)
        return POET_FAIL(POET_ERR_ARG, "tokenizer: %d FSQ channels cannot be shared by %d levels",
                         n, config->levels);
    POET_TRY(multiply(config, 0, share, &config->codes));
    for (int level = 1; level < config->levels; level++) {
        int codes;
        POET_TRY(multiply(config, level * share, share, &codes));
        if (codes != config->codes)
            return POET_FAIL(
                POET_ERR_ARG,
                "tokenizer: the FSQ channels of level %d make %d codes, those of level "
                "0 make %d",
                level, codes, config->codes);
    }
    config->dim = n;
    return POET_OK;
}

static poet_status complete_lfq(poet_tokenizer_config *config)
{
    int bits = poet_bits_for((uint64_t)config->codes);
    if (config->codes < 2 || bits > POET_MAX_FSQ_CHANNELS || 1 << bits != config->codes)
        return POET_FAIL(POET_ERR_ARG,
                         "tokenizer: LFQ wants a power of two between 2 and %d codes, not %d",
                         1 << POET_MAX_FSQ_CHANNELS, config->codes);
    config->fsq_channels = config->dim = bits;
    for (int i = 0; i < bits; i++)
        config->fsq_levels[i] = 2;
    return POET_OK;
}

poet_status poet_tokenizer_config_check(poet_tokenizer_config *config)
{
    if (config->patch != 4 && config->patch != 8)
        return POET_FAIL(POET_ERR_ARG, "tokenizer: patch = %d is neither 4 nor 8", config->patch);
    if (config->quantizer == POET_QUANTIZER_FSQ)
        POET_TRY(complete_fsq(config));
    if (config->quantizer == POET_QUANTIZER_LFQ)
        POET_TRY(complete_lfq(config));
    POET_TRY(in_range("codes", config->codes, 2, POET_MAX_CODES));
    POET_TRY(in_range("levels", config->levels, 1,
                      config->quantizer == POET_QUANTIZER_LFQ ? 1 : POET_MAX_RESIDUAL_LEVELS));
    POET_TRY(in_range("dim", config->dim, 1, 128));
    POET_TRY(in_range("width", config->width, 8, 1024));
    POET_TRY(in_range("the number of encoder blocks", config->encoder_blocks, 0, 10));
    POET_TRY(in_range("the number of decoder blocks", config->decoder_blocks, 0, 10));
    if (config->encoder_time != 1 && config->encoder_time != 3)
        return POET_FAIL(POET_ERR_ARG, "tokenizer: encoder time = %d is neither 1 nor 3",
                         config->encoder_time);
    if (config->width % 8)
        return POET_FAIL(POET_ERR_ARG, "tokenizer: width = %d is not a multiple of 8",
                         config->width);
    return POET_OK;
}

void poet_tokenizer_config_text(const poet_tokenizer_config *config, char out[512])
{
    json_t *levels = json_array();
    for (int i = 0; i < config->fsq_channels; i++)
        json_array_append_new(levels, json_integer(config->fsq_levels[i]));
    json_t *root = json_pack(
        "{s:i, s:s, s:i, s:i, s:o, s:i, s:i, s:i, s:i, s:i, s:b}", "patch", config->patch,
        "quantizer", quantizer_names[config->quantizer], "codes", config->codes, "levels",
        config->levels, "fsq_levels", levels, "dim", config->dim, "width", config->width,
        "encoder_blocks", config->encoder_blocks, "decoder_blocks", config->decoder_blocks,
        "encoder_time", config->encoder_time, "frame_norms", config->frame_norms);
    char *text = json_dumps(root, JSON_COMPACT);
    snprintf(out, 512, "%s", text ? text : "");
    free(text);
    json_decref(root);
}

static bool parse_quantizer(const char *name, poet_quantizer *out)
{
    for (int i = 0; name && i < 3; i++)
        if (strcmp(name, quantizer_names[i]) == 0) {
            *out = (poet_quantizer)i;
            return true;
        }
    return false;
}

poet_status poet_tokenizer_config_parse(const char *text, poet_tokenizer_config *out)
{
    const char *quantizer = NULL;
    json_t *levels = NULL, *root = json_loads(text, 0, NULL);
    int frame_norms = 1; /* of files that do not say so */
    *out = (poet_tokenizer_config){.encoder_time = 3};
    int bad =
        json_unpack(root, "{s:i, s:s, s:i, s:i, s:o, s:i, s:i, s:i, s:i, s?i, s?b}", "patch",
                    &out->patch, "quantizer", &quantizer, "codes", &out->codes, "levels",
                    &out->levels, "fsq_levels", &levels, "dim", &out->dim, "width", &out->width,
                    "encoder_blocks", &out->encoder_blocks, "decoder_blocks", &out->decoder_blocks,
                    "encoder_time", &out->encoder_time, "frame_norms", &frame_norms);
    out->frame_norms = frame_norms != 0;
    bool ok = !bad && parse_quantizer(quantizer, &out->quantizer) &&
              json_array_size(levels) <= POET_MAX_FSQ_CHANNELS;
    for (size_t i = 0; ok && i < json_array_size(levels); i++)
        out->fsq_levels[out->fsq_channels++] = (int)json_integer_value(json_array_get(levels, i));
    json_decref(root);
    if (!ok)
        return POET_FAIL(POET_ERR_FORMAT, "the tokenizer's configuration cannot be read");
    return poet_tokenizer_config_check(out);
}

poet_status poet_tokenizer_grid(const poet_tokenizer_config *config, int frames, int height,
                                int width, poet_grid *out)
{
    if (frames < 1 || (frames - 1) % POET_PATCH_FRAMES)
        return POET_FAIL(POET_ERR_ARG, "a clip of %d frames: 1+4n frames are wanted (1, 5, ... 17)",
                         frames);
    if (height < config->patch || width < config->patch || height % config->patch ||
        width % config->patch)
        return POET_FAIL(POET_ERR_ARG, "frames of %dx%d: both sides must be multiples of %d", width,
                         height, config->patch);
    *out = (poet_grid){.t = 1 + (frames - 1) / POET_PATCH_FRAMES,
                       .h = height / config->patch,
                       .w = width / config->patch,
                       .levels = config->levels};
    return POET_OK;
}

int64_t poet_grid_codes(const poet_grid *grid)
{
    return (int64_t)grid->t * grid->h * grid->w * grid->levels;
}
