#include "eval/classifier_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 4096, MAX_FRAMES = 4097, MIN_WIDTH = 8, MAX_WIDTH = 256 };

/* ---- configuration ---- */

static poet_status check(const poet_classifier_config *c)
{
    if (c->t < 1 || c->t > MAX_FRAMES || c->t % 4 != 1)
        return POET_FAIL(POET_ERR_ARG,
                         "a reader for clips of %d frames: 1+4n frames are wanted (1, 5, ... 17)",
                         c->t);
    if (c->h < 1 || c->h > MAX_SIDE || c->w < 1 || c->w > MAX_SIDE)
        return POET_FAIL(POET_ERR_ARG, "a reader for frames of %dx%d: sides of 1 to %d are wanted",
                         c->w, c->h, MAX_SIDE);
    if (c->width < MIN_WIDTH || c->width > MAX_WIDTH || c->width % 8)
        return POET_FAIL(POET_ERR_ARG, "reader: width = %d is not a multiple of 8 up to %d",
                         c->width, MAX_WIDTH);
    return POET_OK;
}

char *poet_classifier_config_text(const poet_classifier_config *c)
{
    json_t *root =
        json_pack("{s:i, s:i, s:i, s:i, s:o}", "frames", c->t, "height", c->h, "width", c->w,
                  "channels", c->width, "attributes", poet_attribute_list_json(&c->attributes));
    char *text = json_dumps(root, JSON_COMPACT);
    char *copy = text ? poet_strdup(text) : NULL;
    free(text);
    json_decref(root);
    return copy;
}

static poet_status parse(const char *text, poet_classifier_config *out)
{
    json_t *attributes = NULL, *root = json_loads(text, 0, NULL);
    *out = (poet_classifier_config){0};
    int bad = json_unpack(root, "{s:i, s:i, s:i, s:i, s:o}", "frames", &out->t, "height", &out->h,
                          "width", &out->w, "channels", &out->width, "attributes", &attributes);
    poet_status status =
        bad ? POET_FAIL(POET_ERR_FORMAT, "the reader's configuration cannot be read")
            : poet_attribute_list_parse(attributes, &out->attributes);
    json_decref(root);
    return status;
}

/* ---- life ---- */

/* Names every parameter once, so that a fresh reader has them all, and a loaded one is seen to have them all. */
static poet_status declare(poet_classifier *r)
{
    const poet_classifier_config *c = &r->config;
    poet_val logits[POET_MAX_ATTRIBUTES];
    poet_graph *g = poet_graph_create(r->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val frames = poet_input(g, "frames", POET_U8, POET_SHAPE(1, c->t, c->h, c->w, 3));
    poet_classifier_build(g, c, frames, POET_NONE, logits);
    poet_status status = poet_graph_status(g);
    poet_graph_destroy(g);
    return status;
}

/* Without parameters yet. Takes the configuration's attributes over. */
static poet_status make(poet_device *device, poet_classifier_config *config, uint64_t seed,
                        poet_classifier **out)
{
    poet_status status = check(config);
    *out = status ? NULL : poet_calloc(1, sizeof **out);
    if (!*out) {
        poet_attribute_list_free(&config->attributes);
        return status ? status : POET_ERR_NOMEM;
    }
    (*out)->config = *config;
    (*out)->device = device;
    config->attributes = (poet_attribute_list){0};
    return poet_params_create(device, seed, &(*out)->params);
}

poet_status poet_classifier_create(poet_device *device, poet_classifier_config *config,
                                   uint64_t seed, poet_classifier **out)
{
    poet_status status = make(device, config, seed, out);
    if (!status)
        status = declare(*out);
    if (status) {
        poet_classifier_destroy(*out);
        *out = NULL;
    }
    return status;
}

static poet_status load(poet_device *device, const poet_checkpoint *file, const char *path,
                        poet_classifier **out)
{
    const char *text = poet_checkpoint_value(file, "reader.config");
    poet_classifier_config config;
    if (!text)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a reader of attributes", path);
    poet_status status = parse(text, &config);
    if (!status)
        status = make(device, &config, 0, out);
    if (status)
        return poet_context(status, "%s", path);
    POET_TRY(poet_checkpoint_load_model(file, (*out)->params));
    status = declare(*out);
    return status ? poet_context(status, "%s", path) : POET_OK;
}

poet_status poet_classifier_load(poet_device *device, const char *path, poet_classifier **out)
{
    poet_checkpoint *file;
    *out = NULL;
    POET_TRY(poet_checkpoint_open(path, &file));
    poet_status status = load(device, file, path, out);
    poet_checkpoint_close(file);
    if (status) {
        poet_classifier_destroy(*out);
        *out = NULL;
    }
    return status;
}

poet_status poet_classifier_save(poet_classifier *classifier, const char *path, bool bf16)
{
    char *text = poet_classifier_config_text(&classifier->config);
    if (!text)
        return POET_ERR_NOMEM;
    poet_pair pair = {"reader.config", text};
    poet_save_options options = {.bf16 = bf16, .pairs = &pair, .n_pairs = 1};
    poet_status status = poet_checkpoint_save(path, classifier->params, &options);
    poet_free(text);
    return status;
}

void poet_classifier_forget_program(poet_classifier *classifier)
{
    poet_program_destroy(classifier->program);
    classifier->program = NULL;
}

void poet_classifier_destroy(poet_classifier *classifier)
{
    if (!classifier)
        return;
    poet_classifier_forget_program(classifier);
    poet_params_destroy(classifier->params);
    poet_attribute_list_free(&classifier->config.attributes);
    poet_free(classifier);
}

const poet_classifier_config *poet_classifier_get_config(const poet_classifier *classifier)
{
    return &classifier->config;
}

poet_params *poet_classifier_params(poet_classifier *classifier)
{
    return classifier->params;
}

/* ---- reading ---- */

static void output_name(int attribute, char out[24])
{
    snprintf(out, 24, "logits%d", attribute);
}

static poet_status prepare(poet_classifier *r)
{
    const poet_classifier_config *c = &r->config;
    poet_val logits[POET_MAX_ATTRIBUTES];
    if (r->program)
        return POET_OK;
    poet_graph *g = poet_graph_create(r->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val frames = poet_input(g, "frames", POET_U8, POET_SHAPE(1, c->t, c->h, c->w, 3));
    poet_result(g, "features", poet_classifier_build(g, c, frames, POET_NONE, logits));
    for (int i = 0; i < c->attributes.count; i++) {
        char name[24];
        output_name(i, name);
        poet_result(g, name, logits[i]);
    }
    return poet_program_create(g, &r->program);
}

static int32_t likeliest(const float *logits, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

poet_status poet_classifier_fits(const poet_classifier *classifier, const poet_clip *shape)
{
    const poet_classifier_config *c = &classifier->config;
    if (shape->t != c->t || shape->h != c->h || shape->w != c->w)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "clips of %d frames of %dx%d, but the reader is for %d of %dx%d", shape->t,
                         shape->w, shape->h, c->t, c->w, c->h);
    return POET_OK;
}

static poet_status look_at(poet_classifier *r, const poet_clip *clip)
{
    POET_TRY(poet_classifier_fits(r, clip));
    POET_TRY(prepare(r));
    POET_TRY(poet_program_set_by_name(r->program, "frames", clip->pixels,
                                      (size_t)clip->t * poet_clip_frame_bytes(clip)));
    return poet_program_run(r->program);
}

poet_status poet_classifier_features(poet_classifier *classifier, const poet_clip *clip, float *out)
{
    size_t count = (size_t)poet_classifier_feature_count(classifier);
    POET_TRY(look_at(classifier, clip));
    return poet_program_get_by_name(classifier->program, "features", out, count * sizeof *out);
}

poet_status poet_classifier_read(poet_classifier *r, const poet_clip *clip, int32_t *value)
{
    const poet_classifier_config *c = &r->config;
    POET_TRY(look_at(r, clip));
    for (int i = 0; i < c->attributes.count; i++) {
        float logits[POET_MAX_VALUES];
        char name[24];
        int count = c->attributes.item[i].count;
        output_name(i, name);
        POET_TRY(
            poet_program_get_by_name(r->program, name, logits, (size_t)count * sizeof *logits));
        value[i] = likeliest(logits, count);
    }
    return POET_OK;
}

/* ---- judging ---- */

void poet_classifier_score_add(const poet_classifier *classifier, uint32_t selected,
                               const int32_t *value, const int32_t *label,
                               poet_classifier_score *score)
{
    bool counts = false, right = true;
    for (int i = 0; i < classifier->config.attributes.count; i++) {
        if (label[i] == POET_UNSTATED)
            continue;
        score->attribute[i].total++;
        score->attribute[i].right += value[i] == label[i];
        if (selected >> i & 1) {
            counts = true;
            right = right && value[i] == label[i];
        }
    }
    score->all.total += counts;
    score->all.right += counts && right;
}

static poet_status judge(poet_classifier *r, poet_example *example, uint32_t selected,
                         poet_clip_change change, void *user, poet_classifier_score *out)
{
    int32_t value[POET_MAX_ATTRIBUTES], label[POET_MAX_ATTRIBUTES];
    if (change)
        POET_TRY(change(user, &example->clip));
    POET_TRY(poet_classifier_read(r, &example->clip, value));
    poet_attribute_labels(&r->config.attributes, example->attributes, label);
    poet_classifier_score_add(r, selected, value, label, out);
    return POET_OK;
}

poet_status poet_classifier_accuracy(poet_classifier *classifier, const poet_dataset *dataset,
                                     poet_split split, uint64_t n, uint32_t selected,
                                     poet_clip_change change, void *user, const char *what,
                                     const poet_task *task, poet_classifier_score *out)
{
    uint64_t count = poet_dataset_count(dataset, split);
    count = n < count ? n : count;
    *out = (poet_classifier_score){0};
    for (uint64_t i = 0; i < count; i++) {
        poet_example example;
        POET_TRY(poet_dataset_read(dataset, split, i, &example));
        poet_status status = judge(classifier, &example, selected, change, user, out);
        poet_example_free(&example);
        POET_TRY(status);
        POET_TRY(poet_task_advance(task, what, (int64_t)i + 1, (int64_t)count, "clips"));
    }
    return POET_OK;
}
