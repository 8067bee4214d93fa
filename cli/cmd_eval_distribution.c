/* The part of eval that compares sets of clips by their features: real held-out clips, and training clips, reconstructions and
 * generated clips beside them. */
#include "cli/cmd_eval_internal.h"

#include "base/memory.h"
#include "eval/distribution.h"

/* As train-reader makes them where no width is named. */
enum { FRESH_WIDTH = 32, FRESH_SEED = 1 };

typedef struct comparing {
    const cli_eval_run *run;
    int n, dim;
    float *real, *other; /* (n,dim) */
    char **captions;     /* of the held-out clips */
} comparing;

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
            status =
                poet_classifier_features(c->run->features, &example.clip, out + (long)i * c->dim);
        if (captions)
            captions[i] = poet_strdup(example.caption);
        poet_example_free(&example);
        POET_TRY(status);
        if (captions && !captions[i])
            return POET_ERR_NOMEM;
        POET_TRY(poet_task_advance(c->run->task, what, i + 1, c->n, "clips"));
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
    return poet_classifier_features(c->run->features, clip, c->other + (long)i * c->dim);
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

poet_status cli_eval_open_features(cli_eval_run *run)
{
    poet_clip shape = poet_dataset_geometry(run->dataset);
    poet_classifier_config config = {
        .t = shape.t, .h = shape.h, .w = shape.w, .width = FRESH_WIDTH};
    const char *path = run->features_path;
    uint64_t count = poet_dataset_count(run->dataset, POET_SPLIT_SEEN);
    if (!run->compared)
        return path ? POET_FAIL(POET_ERR_ARG, "--features wants --distribution N") : POET_OK;
    run->compared = (uint64_t)run->compared < count ? run->compared : (int)count;
    if (run->compared <= POET_DENSITY_NEIGHBOURS)
        return POET_FAIL(POET_ERR_ARG, "--distribution: %d held-out clips are fewer than %d",
                         run->compared, POET_DENSITY_NEIGHBOURS + 1);
    if (!path)
        return poet_classifier_create(run->pair.device, &config, FRESH_SEED, &run->features);
    POET_TRY(poet_classifier_load(run->pair.device, path, &run->features));
    poet_status status = poet_classifier_fits(run->features, &shape);
    return status ? poet_context(status, "%s", path) : POET_OK;
}

poet_status cli_eval_distribution(const cli_eval_run *run, json_t *out)
{
    if (!run->features)
        return POET_OK;
    comparing c = {
        .run = run, .n = run->compared, .dim = poet_classifier_feature_count(run->features)};
    json_t *own = json_pack("{s:s, s:i}", "features",
                            run->features_path ? run->features_path : "fresh", "clips", c.n);
    json_object_set_new(out, "distribution", own);
    poet_status status = make_room(&c);
    if (!status)
        status = compare(&c, own);
    close_comparing(&c);
    return status;
}
