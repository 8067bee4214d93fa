/* The part of eval that compares sets of clips by their features: real held-out clips, and training clips, reconstructions and
 * generated clips beside them. */
#include "cli/cmd_eval_internal.h"

#include "base/memory.h"
#include "eval/distribution.h"

/* As train-reader makes them where no width is named. */
enum { FRESH_WIDTH = 32, FRESH_SEED = 1 };

typedef struct comparing {
    const cli_eval_run *run;
    poet_classifier *network;
    int n, dim;
    float *real, *other; /* (n,dim) */
    char **captions;     /* of the held-out clips */
} comparing;

static poet_status open_network(comparing *c)
{
    poet_clip shape = poet_dataset_geometry(c->run->dataset);
    poet_classifier_config config = {
        .t = shape.t, .h = shape.h, .w = shape.w, .width = FRESH_WIDTH};
    const char *path = c->run->features_path;
    poet_device *device = c->run->pair.device;
    if (!path)
        return poet_classifier_create(device, &config, FRESH_SEED, &c->network);
    POET_TRY(poet_classifier_load(device, path, &c->network));
    poet_status status = poet_classifier_fits(c->network, &shape);
    return status ? poet_context(status, "%s", path) : POET_OK;
}

static poet_status make_room(comparing *c)
{
    size_t count = (size_t)c->n * (size_t)c->dim;
    c->real = poet_alloc(count * sizeof *c->real);
    c->other = poet_alloc(count * sizeof *c->other);
    c->captions = poet_calloc((size_t)c->n, sizeof *c->captions);
    return c->real && c->other && c->captions ? POET_OK : POET_ERR_NOMEM;
}

static void close_comparing(comparing *c)
{
    for (int i = 0; i < c->n && c->captions; i++)
        poet_free(c->captions[i]);
    poet_free(c->captions);
    poet_free(c->other);
    poet_free(c->real);
    poet_classifier_destroy(c->network);
}

/* Features of the first n clips of a split, each changed before (NULL: not at all); captions are kept when asked for. */
static poet_status read_clips(comparing *c, poet_split split, poet_clip_change change,
                              const char *what, float *out, char **captions)
{
    poet_clip_writer writer = {.tokenizer = c->run->pair.tokenizer};
    for (int i = 0; i < c->n; i++) {
        poet_example example;
        POET_TRY(poet_dataset_read(c->run->dataset, split, (uint64_t)i, &example));
        poet_status status = change ? change(&writer, &example.clip) : POET_OK;
        if (!status)
            status = poet_classifier_features(c->network, &example.clip, out + (long)i * c->dim);
        if (captions)
            captions[i] = poet_strdup(example.caption);
        poet_example_free(&example);
        POET_TRY(status);
        if (captions && !captions[i])
            return POET_ERR_NOMEM;
        poet_task_progress(c->run->task, &(poet_progress){.what = what,
                                                          .done = (double)i + 1,
                                                          .total = (double)c->n,
                                                          .unit = "clips"});
        if (poet_task_stopped(c->run->task))
            return POET_FAIL(POET_ERR_INTERRUPTED, "stopped after %d of %d clips", i + 1, c->n);
    }
    return POET_OK;
}

static poet_status add(const comparing *c, const char *name, json_t *out)
{
    poet_distribution d;
    POET_TRY(poet_distribution_compare(c->real, c->n, c->other, c->n, c->dim, &d));
    json_object_set_new(out, name,
                        json_pack("{s:f, s:f, s:f, s:f, s:f}", "frechet", d.frechet, "precision",
                                  d.precision, "recall", d.recall, "density", d.density, "coverage",
                                  d.coverage));
    return POET_OK;
}

static poet_status judge(void *opaque, int i, const poet_clip *clip)
{
    comparing *c = opaque;
    return poet_classifier_features(c->network, clip, c->other + (long)i * c->dim);
}

static poet_status compare(comparing *c, json_t *out)
{
    bool training = poet_dataset_count(c->run->dataset, POET_SPLIT_TRAIN) >= (uint64_t)c->n;
    POET_TRY(read_clips(c, POET_SPLIT_SEEN, NULL, "look at clips", c->real, c->captions));
    if (training) {
        POET_TRY(read_clips(c, POET_SPLIT_TRAIN, NULL, "look at training clips", c->other, NULL));
        POET_TRY(add(c, "training", out));
    }
    POET_TRY(read_clips(c, POET_SPLIT_SEEN, poet_clip_writer_reconstruct, "look at reconstructions",
                        c->other, NULL));
    POET_TRY(add(c, "reconstructed", out));
    if (!c->run->pair.generator)
        return POET_OK;
    poet_clip_writer writer = cli_eval_writer(c->run);
    POET_TRY(poet_clip_writer_run(&writer, c->n, (const char *const *)c->captions, judge, c));
    return add(c, "generated", out);
}

poet_status cli_eval_distribution(const cli_eval_run *run, json_t *out)
{
    uint64_t count = poet_dataset_count(run->dataset, POET_SPLIT_SEEN);
    comparing c = {.run = run, .n = (uint64_t)run->compared < count ? run->compared : (int)count};
    if (!run->compared)
        return run->features_path ? POET_FAIL(POET_ERR_ARG, "--features wants --distribution N")
                                  : POET_OK;
    json_t *own = json_object();
    json_object_set_new(out, "distribution", own);
    poet_status status = open_network(&c);
    if (!status) {
        c.dim = poet_classifier_feature_count(c.network);
        json_object_set_new(own, "features",
                            json_string(run->features_path ? run->features_path : "fresh"));
        json_object_set_new(own, "clips", json_integer(c.n));
        status = make_room(&c);
    }
    if (!status)
        status = compare(&c, own);
    close_comparing(&c);
    return status;
}
