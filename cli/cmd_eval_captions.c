/* The part of eval that asks whether clips show what their sentences say. */
#include "cli/cmd_eval_internal.h"

poet_clip_writer cli_eval_writer(const cli_eval_run *run)
{
    return (poet_clip_writer){.tokenizer = run->pair.tokenizer,
                              .generator = run->pair.generator,
                              .sampling = run->sampling,
                              .seed = run->seed,
                              .batch = run->batch,
                              .task = run->task};
}

static json_t *share_json(poet_share share)
{
    double low, high;
    poet_share_interval(share, 1.96, &low, &high);
    double rate = share.total ? (double)share.right / (double)share.total : 0;
    return json_pack("{s:f, s:[f,f], s:I}", "accuracy", rate, "interval", low, high, "clips",
                     (json_int_t)share.total);
}

/* ---- built-in sets ---- */

/* All attributes together, and each by its name. */
static json_t *score_json(poet_synth_set set, const poet_attribute_score *score)
{
    int count;
    const poet_synth_field *fields = poet_synth_fields(set, &count);
    json_t *out = share_json(score->all), *by_field = json_object();
    for (int f = 0; f < count; f++)
        if (score->field[f].total)
            json_object_set_new(by_field, fields[f].name, share_json(score->field[f]));
    json_object_set_new(out, "attributes", by_field);
    return out;
}

static poet_status eval_part(const cli_eval_run *run, poet_synth_set set,
                             const poet_synth_options *options, json_t *out)
{
    poet_caption_run captions = {
        .writer = cli_eval_writer(run), .set = set, .options = *options, .n = run->captions};

    static const struct {
        const char *name;
        poet_split split;
    } splits[] = {{"seen", POET_SPLIT_SEEN}, {"heldout", POET_SPLIT_UNSEEN}};

    json_t *reader = json_object();
    json_object_set_new(out, "reader", reader);
    for (int i = 0; i < 2; i++) {
        poet_attribute_score drawn, reconstructed, score;
        json_t *own = json_object();
        captions.split = splits[i].split;
        json_object_set_new(reader, splits[i].name, own);
        POET_TRY(poet_measure_reader(&captions, &drawn, &reconstructed));
        json_object_set_new(own, "drawn", score_json(set, &drawn));
        json_object_set_new(own, "reconstructed", score_json(set, &reconstructed));
        if (!run->pair.generator)
            continue;
        POET_TRY(poet_measure_captions(&captions, &score));
        json_object_set_new(out, splits[i].name, score_json(set, &score));
    }
    return POET_OK;
}

/* One object for one built-in set; for several, one under each set's name. */
static poet_status eval_parts(const cli_eval_run *run, json_t *out)
{
    const char *name;
    poet_synth_set set;
    poet_synth_options options;
    bool several = poet_dataset_part(run->dataset, 1, &name, &set, &options);
    for (int i = 0; poet_dataset_part(run->dataset, i, &name, &set, &options); i++) {
        json_t *one = several ? json_object() : out;
        if (several)
            json_object_set_new(out, name, one);
        POET_TRY(eval_part(run, set, &options, one));
    }
    return POET_OK;
}

/* ---- a dataset, with a reader that was trained on it ---- */

json_t *cli_classifier_score_json(const poet_attribute_list *list,
                                  const poet_classifier_score *score)
{
    json_t *out = share_json(score->all), *by_name = json_object();
    for (int i = 0; i < list->count; i++)
        if (score->attribute[i].total)
            json_object_set_new(by_name, list->item[i].name, share_json(score->attribute[i]));
    json_object_set_new(out, "attributes", by_name);
    return out;
}

poet_status cli_eval_open_reader(cli_eval_run *run)
{
    poet_clip shape = poet_dataset_geometry(run->dataset);
    if (!run->reader_path)
        return run->reader_attributes
                   ? POET_FAIL(POET_ERR_ARG, "--reader-attributes wants --reader FILE")
                   : POET_OK;
    if (!run->pair.generator)
        return POET_FAIL(POET_ERR_ARG, "--reader wants a model with a generator");
    if (cli_data_is_built_in(run->spec))
        return POET_FAIL(POET_ERR_ARG, "--reader is for a dataset's folder; %.80s has its own",
                         run->spec);
    POET_TRY(poet_classifier_load(run->pair.device, run->reader_path, &run->reader));
    poet_status status = poet_classifier_fits(run->reader, &shape);
    if (status)
        return poet_context(status, "%s", run->reader_path);
    return poet_attribute_list_select(&poet_classifier_get_config(run->reader)->attributes,
                                      run->reader_attributes, &run->selected);
}

static poet_status eval_dataset(const cli_eval_run *run, json_t *out)
{
    const poet_attribute_list *list = &poet_classifier_get_config(run->reader)->attributes;
    poet_dataset_caption_run captions = {.writer = cli_eval_writer(run),
                                         .reader = run->reader,
                                         .dataset = run->dataset,
                                         .selected = run->selected,
                                         .n = run->captions};
    poet_dataset_caption_score score;
    POET_TRY(poet_measure_dataset_captions(&captions, &score));
    if (score.captions < run->captions)
        poet_task_message(run->task,
                          "there are %d held-out captions: %d clips are written with other seeds",
                          score.captions, run->captions - score.captions);
    json_t *counted = json_array();
    for (int i = 0; i < list->count; i++)
        if (run->selected >> i & 1)
            json_array_append_new(counted, json_string(list->item[i].name));
    json_object_set_new(out, "together", counted);
    json_object_set_new(out, "captions", json_integer(score.captions));
    json_object_set_new(out, "real", cli_classifier_score_json(list, &score.real));
    json_object_set_new(out, "reconstructed",
                        cli_classifier_score_json(list, &score.reconstructed));
    json_object_set_new(out, "generated", cli_classifier_score_json(list, &score.generated));
    return POET_OK;
}

poet_status cli_eval_captions(cli_eval_run *run, json_t *out)
{
    bool built_in = cli_data_is_built_in(run->spec);
    if (!run->captions || (!built_in && !run->reader))
        return POET_OK;
    json_t *accuracy = json_object();
    json_object_set_new(out, "caption_accuracy", accuracy);
    return built_in ? eval_parts(run, accuracy) : eval_dataset(run, accuracy);
}
