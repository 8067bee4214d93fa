#include "eval/captions.h"

#include "base/memory.h"

static const poet_split held_out = POET_SPLIT_SEEN; /* where a dataset has them */

static poet_status check(const poet_dataset_caption_run *run)
{
    poet_clip clips = poet_dataset_geometry(run->dataset);
    poet_clip written = poet_clip_writer_geometry(&run->writer);
    POET_TRY(poet_classifier_fits(run->reader, &clips));
    POET_TRY(poet_classifier_fits(run->reader, &written));
    return poet_dataset_count(run->dataset, held_out)
               ? POET_OK
               : POET_FAIL(POET_ERR_FORMAT, "the dataset has no held-out clips");
}

/* ---- what is written for the captions ---- */

typedef struct judging {
    const poet_dataset_caption_run *run;
    char **captions;
    int32_t *labels; /* (captions, attributes) */
    int n_captions, n_attributes;
    poet_classifier_score *out;
} judging;

static poet_status judge(void *opaque, int i, const poet_clip *clip)
{
    judging *j = opaque;
    int32_t value[POET_MAX_ATTRIBUTES];
    POET_TRY(poet_classifier_read(j->run->reader, clip, value));
    poet_classifier_score_add(j->run->reader, j->run->selected, value,
                              j->labels + (size_t)(i % j->n_captions) * (size_t)j->n_attributes,
                              j->out);
    return POET_OK;
}

static poet_status describe(judging *j)
{
    const poet_attribute_list *list = &poet_classifier_get_config(j->run->reader)->attributes;
    for (int i = 0; i < j->n_captions; i++) {
        poet_example example;
        POET_TRY(poet_dataset_describe(j->run->dataset, held_out, (uint64_t)i, &example));
        poet_attribute_labels(list, example.attributes,
                              j->labels + (size_t)i * (size_t)j->n_attributes);
        j->captions[i] = example.caption;
        example.caption = NULL;
        poet_example_free(&example);
    }
    return POET_OK;
}

static poet_status write_and_judge(judging *j)
{
    int n = j->run->n;
    const char **prompts = poet_calloc((size_t)n, sizeof *prompts);
    j->captions = poet_calloc((size_t)j->n_captions, sizeof *j->captions);
    j->labels = poet_calloc((size_t)j->n_captions * (size_t)j->n_attributes, sizeof *j->labels);
    poet_status status = prompts && j->captions && j->labels ? describe(j) : POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i++)
        prompts[i] = j->captions[i % j->n_captions];
    if (!status)
        status = poet_clip_writer_run(&j->run->writer, n, prompts, judge, j);
    for (int i = 0; j->captions && i < j->n_captions; i++)
        poet_free(j->captions[i]);
    poet_free(j->labels);
    poet_free(j->captions);
    poet_free(prompts);
    return status;
}

poet_status poet_measure_dataset_captions(const poet_dataset_caption_run *run,
                                          poet_dataset_caption_score *out)
{
    *out = (poet_dataset_caption_score){0};
    POET_TRY(check(run));
    uint64_t count = poet_dataset_count(run->dataset, held_out);
    out->captions = (uint64_t)run->n < count ? run->n : (int)count;
    poet_clip_writer writer = run->writer;
    POET_TRY(poet_classifier_accuracy(run->reader, run->dataset, held_out, (uint64_t)run->n,
                                      run->selected, NULL, NULL, "read", writer.task, &out->real));
    POET_TRY(poet_classifier_accuracy(run->reader, run->dataset, held_out, (uint64_t)run->n,
                                      run->selected, poet_clip_writer_reconstruct, &writer,
                                      "read reconstructions", writer.task, &out->reconstructed));
    judging j = {.run = run,
                 .n_captions = out->captions,
                 .n_attributes = poet_classifier_get_config(run->reader)->attributes.count,
                 .out = &out->generated};
    return write_and_judge(&j);
}
