#include "datasets/prefetch.h"
#include "eval/classifier_internal.h"

#include <stdio.h>
#include <string.h>

poet_classifier_training poet_classifier_training_defaults(void)
{
    return (poet_classifier_training){.b = 16,
                                      .train = {.optim = poet_optim_defaults(),
                                                .save_seconds = 120,
                                                .log_steps = 50,
                                                .what = "train-reader"}};
}

typedef struct feeder {
    const poet_classifier_training *training;
    const poet_classifier_config *config;
    poet_prefetch *prefetch;
    uint8_t *frames; /* (B,T,H,W,3) */
    size_t frame_bytes;
    int32_t *labels; /* (attributes, B) */
    poet_val frames_input, step_input, labels_input[POET_MAX_ATTRIBUTES];
} feeder;

/* ---- batches ---- */

static void augment_batch(const feeder *f, int64_t step, const uint8_t *pixels)
{
    const poet_classifier_config *c = f->config;
    size_t clip = (size_t)c->t * (size_t)c->h * (size_t)c->w * 3, b = (size_t)f->training->b;
    for (size_t i = 0; i < b; i++)
        poet_classifier_augment(c, f->training->seed, (uint64_t)step * b + i, pixels + i * clip,
                                f->frames + i * clip);
}

static void label_batch(const feeder *f, const poet_batch *batch)
{
    const poet_attribute_list *list = &f->config->attributes;
    int32_t label[POET_MAX_ATTRIBUTES];
    for (int i = 0; i < batch->count; i++) {
        poet_attribute_labels(list, batch->attributes[i], label);
        for (int a = 0; a < list->count; a++)
            f->labels[a * batch->count + i] = label[a];
    }
}

static poet_status feed(void *opaque, int64_t step, poet_program *program)
{
    feeder *f = opaque;
    const poet_classifier_config *c = f->config;
    size_t b = (size_t)f->training->b;
    int32_t number = (int32_t)step;
    poet_batch batch;
    POET_TRY(poet_prefetch_next(f->prefetch, &batch));
    augment_batch(f, step, batch.pixels);
    label_batch(f, &batch);
    POET_TRY(poet_program_set(program, f->frames_input, f->frames, f->frame_bytes));
    POET_TRY(poet_program_set(program, f->step_input, &number, sizeof number));
    for (int a = 0; a < c->attributes.count; a++)
        POET_TRY(poet_program_set(program, f->labels_input[a], f->labels + (size_t)a * b,
                                  b * sizeof *f->labels));
    return POET_OK;
}

/* ---- the program ---- */

static void input_name(int attribute, char out[24])
{
    snprintf(out, 24, "labels%d", attribute);
}

/* The mean over attributes of their cross entropies, each over the clips that state it. */
static poet_val loss_of(poet_graph *g, const poet_classifier_config *c, poet_val frames, int b)
{
    poet_val logits[POET_MAX_ATTRIBUTES], sum = POET_NONE;
    poet_val step = poet_input(g, "step", POET_I32, POET_SHAPE(1));
    poet_classifier_build(g, c, frames, step, logits);
    for (int i = 0; i < c->attributes.count; i++) {
        char name[24];
        input_name(i, name);
        poet_val labels = poet_input(g, name, POET_I32, POET_SHAPE(b));
        poet_val loss = poet_cross_entropy(g, logits[i], labels, NULL);
        sum = i ? poet_add(g, sum, loss) : loss;
    }
    return poet_scale(g, sum, 1.0F / (float)c->attributes.count);
}

static poet_status build(poet_classifier *r, const poet_classifier_training *training,
                         poet_program **out)
{
    const poet_classifier_config *c = &r->config;
    poet_graph *g = poet_graph_create(r->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_graph_set_precision(g, training->train.precision);
    poet_val frames =
        poet_input(g, "frames", POET_U8, POET_SHAPE(training->b, c->t, c->h, c->w, 3));
    poet_optimize(g, loss_of(g, c, frames, training->b), &training->train.optim);
    return poet_program_create(g, out);
}

static poet_status train(poet_classifier *r, const poet_train_config *config, feeder *f,
                         poet_memory *memory)
{
    int64_t step;
    poet_program *program;
    const poet_classifier_training *training = f->training;
    POET_TRY(poet_train_resume(config, r->params, &step));
    POET_TRY(build(r, training, &program));
    poet_memory planned = poet_program_memory(program);
    planned.host = poet_prefetch_bytes(training->dataset, training->b, 0) + f->frame_bytes;
    poet_train_announce(config, &planned);
    if (memory)
        *memory = planned;
    poet_status status = poet_memory_check(poet_params_device(r->params), &planned,
                                           poet_memory_total(&planned), config->what);
    if (status) {
        poet_program_destroy(program);
        return status;
    }
    f->frames_input = poet_program_input(program, "frames");
    f->step_input = poet_program_input(program, "step");
    for (int i = 0; i < r->config.attributes.count; i++) {
        char name[24];
        input_name(i, name);
        f->labels_input[i] = poet_program_input(program, name);
    }
    poet_prefetch_options options = {.split = POET_SPLIT_TRAIN,
                                     .seed = training->seed,
                                     .first = (uint64_t)step,
                                     .batch = training->b};
    status = poet_prefetch_create(training->dataset, &options, &f->prefetch);
    if (!status)
        status = poet_train_run(config, r->params, program, step);
    poet_prefetch_destroy(f->prefetch);
    poet_program_destroy(program);
    return status;
}

poet_status poet_classifier_train(poet_classifier *classifier,
                                  const poet_classifier_training *training, poet_memory *memory)
{
    const poet_classifier_config *c = &classifier->config;
    poet_clip shape = poet_dataset_geometry(training->dataset);
    if (!c->attributes.count)
        return POET_FAIL(POET_ERR_ARG, "a reader without attributes has nothing to learn");
    POET_TRY(poet_classifier_fits(classifier, &shape));
    poet_classifier_forget_program(classifier);
    feeder f = {.training = training, .config = c};
    size_t b = (size_t)training->b;
    f.frame_bytes = b * (size_t)c->t * (size_t)c->h * (size_t)c->w * 3;
    f.frames = poet_alloc(f.frame_bytes);
    f.labels = poet_calloc(b * (size_t)c->attributes.count, sizeof *f.labels);
    char *config_text = poet_classifier_config_text(c), batch_text[64];
    snprintf(batch_text, sizeof batch_text, "%d seed %llu", training->b,
             (unsigned long long)training->seed);
    poet_pair pairs[] = {{"reader.config", config_text}, {"train.batch", batch_text}};
    poet_train_config config = training->train;
    config.pairs = pairs;
    config.n_pairs = 2;
    config.feed = feed;
    config.opaque = &f;
    poet_status status = f.frames && f.labels && config_text ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status = train(classifier, &config, &f, memory);
    poet_classifier_forget_program(classifier); /* a report may have made one */
    if (!status)
        status = poet_train_finish(classifier->params);
    poet_free(config_text);
    poet_free(f.labels);
    poet_free(f.frames);
    return status;
}
