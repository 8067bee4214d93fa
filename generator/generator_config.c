#include "generator/generator.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

poet_generator_config poet_generator_defaults(void)
{
    return (poet_generator_config){.group_h = 2,
                                   .group_w = 2,
                                   .text = 32,
                                   .width = 256,
                                   .layers = 6,
                                   .heads = 4,
                                   .slot_width = 192,
                                   .slot_layers = 2,
                                   .slot_heads = 4,
                                   .neighbours = true,
                                   .around = true,
                                   .keep = true,
                                   .caption = true,
                                   .rotary = true};
}

/* The fields, with their names in files and their ranges. */
typedef struct field {
    const char *name;
    size_t offset;
    int low, high;
} field;

#define FIELD(name, member, low, high)                                                             \
    {                                                                                              \
        name, offsetof(poet_generator_config, member), low, high                                   \
    }

static const field fields[] = {
    FIELD("codes", codes, 2, POET_MAX_CODES),
    FIELD("code_dim", code_dim, 1, 128),
    FIELD("grid_t", grid.t, 1, 4096),
    FIELD("grid_h", grid.h, 1, 1024),
    FIELD("grid_w", grid.w, 1, 1024),
    FIELD("levels", grid.levels, 1, POET_MAX_RESIDUAL_LEVELS),
    FIELD("group_h", group_h, 1, 16),
    FIELD("group_w", group_w, 1, 16),
    FIELD("text", text, 4, 1024),
    FIELD("vocabulary", vocabulary, POET_BPE_FIRST_MERGE, POET_BPE_MAX_SIZE),
    FIELD("width", width, 8, 4096),
    FIELD("layers", layers, 1, 64),
    FIELD("heads", heads, 1, 64),
    FIELD("slot_width", slot_width, 8, 4096),
    FIELD("slot_layers", slot_layers, 1, 16),
    FIELD("slot_heads", slot_heads, 1, 64),
};

enum { FIELDS = sizeof fields / sizeof *fields };

static const struct {
    const char *name;
    size_t offset;
} switches[] = {{"neighbours", offsetof(poet_generator_config, neighbours)},
                {"around", offsetof(poet_generator_config, around)},
                {"keep", offsetof(poet_generator_config, keep)},
                {"caption", offsetof(poet_generator_config, caption)},
                {"rotary", offsetof(poet_generator_config, rotary)}};

enum { SWITCHES = sizeof switches / sizeof *switches };

static bool get_switch(const poet_generator_config *config, int i)
{
    bool value;
    memcpy(&value, (const char *)config + switches[i].offset, sizeof value);
    return value;
}

static int *at(poet_generator_config *config, const field *f)
{
    return (int *)(void *)((char *)config + f->offset);
}

static int get(const poet_generator_config *config, const field *f)
{
    int value;
    memcpy(&value, (const char *)config + f->offset, sizeof value);
    return value;
}

int poet_generator_head_width(const poet_generator_config *config)
{
    return config->width / config->heads;
}

poet_status poet_generator_config_check(const poet_generator_config *config)
{
    for (int i = 0; i < FIELDS; i++) {
        int value = get(config, &fields[i]);
        if (value < fields[i].low || value > fields[i].high)
            return POET_FAIL(POET_ERR_ARG, "generator: %s = %d is not between %d and %d",
                             fields[i].name, value, fields[i].low, fields[i].high);
    }
    if (!(config->fps > 0 && config->fps <= 1000))
        return POET_FAIL(POET_ERR_ARG, "generator: fps = %g is not between 0 and 1000",
                         config->fps);
    if (config->width % config->heads || config->slot_width % config->slot_heads)
        return POET_FAIL(POET_ERR_ARG, "generator: a width must be a multiple of its heads");
    if (config->rotary && config->width % (2 * config->heads))
        return POET_FAIL(POET_ERR_ARG,
                         "generator: rotary positions want heads of an even width, not %d",
                         poet_generator_head_width(config));
    if (config->grid.h % config->group_h || config->grid.w % config->group_w)
        return POET_FAIL(POET_ERR_ARG,
                         "generator: a grid of %dx%d codes does not divide into groups of %dx%d",
                         config->grid.h, config->grid.w, config->group_h, config->group_w);
    if (poet_grid_codes(&config->grid) > 1 << 20)
        return POET_FAIL(POET_ERR_ARG, "generator: a clip of more than a million codes");
    return POET_OK;
}

void poet_generator_config_text(const poet_generator_config *config, char out[512])
{
    json_t *root = json_object();
    for (int i = 0; i < FIELDS; i++)
        json_object_set_new(root, fields[i].name, json_integer(get(config, &fields[i])));
    for (int i = 0; i < SWITCHES; i++)
        json_object_set_new(root, switches[i].name, json_boolean(get_switch(config, i)));
    json_object_set_new(root, "fps", json_real(config->fps));
    char *text = json_dumps(root, JSON_COMPACT);
    snprintf(out, 512, "%s", text ? text : "");
    free(text);
    json_decref(root);
}

poet_status poet_generator_config_parse(const char *text, poet_generator_config *out)
{
    json_t *root = json_loads(text, 0, NULL);
    bool ok = json_is_object(root);
    *out = (poet_generator_config){.fps = json_number_value(json_object_get(root, "fps"))};
    for (int i = 0; ok && i < SWITCHES; i++) {
        json_t *value = json_object_get(root, switches[i].name);
        bool on = json_is_true(value);
        ok = !value || json_is_boolean(value); /* off where a file does not say so */
        memcpy((char *)out + switches[i].offset, &on, sizeof on);
    }
    for (int i = 0; ok && i < FIELDS; i++) {
        json_t *value = json_object_get(root, fields[i].name);
        ok = json_is_integer(value) && json_integer_value(value) >= 0 &&
             json_integer_value(value) <= 1 << 24;
        *at(out, &fields[i]) = (int)json_integer_value(value);
    }
    json_decref(root);
    if (!ok)
        return POET_FAIL(POET_ERR_FORMAT, "the generator's configuration cannot be read");
    return poet_generator_config_check(out);
}
