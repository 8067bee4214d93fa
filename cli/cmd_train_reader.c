/* train-reader: a network that names the attributes of a clip, from clips whose attributes are known. */
#include "base/memory.h"
#include "cli/cmd_eval_internal.h"
#include "cli/data_options.h"
#include "cli/device.h"
#include "cli/output.h"
#include "cli/training.h"
#include "compute/backend.h"

enum { REPORT_CLIPS = 256 };

typedef struct reader_run {
    cli_training training;
    cli_data data;
    const char *attributes;
    int width;
    poet_dataset *dataset;
    poet_classifier *reader;
} reader_run;

/* Share of held-out attributes that are read right, with the weights as they are. */
static poet_status report(void *opaque, int64_t step, char *text, size_t room)
{
    reader_run *run = opaque;
    poet_classifier_score score;
    poet_share share = {0};
    (void)step;
    poet_classifier_forget_program(run->reader);
    poet_status status =
        poet_classifier_accuracy(run->reader, run->dataset, POET_SPLIT_SEEN, REPORT_CLIPS,
                                 UINT32_MAX, NULL, NULL, "read", NULL, &score);
    poet_classifier_forget_program(run->reader);
    for (int i = 0; i < poet_classifier_get_config(run->reader)->attributes.count; i++) {
        share.right += score.attribute[i].right;
        share.total += score.attribute[i].total;
    }
    if (!status && share.total)
        snprintf(text, room, "\"accuracy\": %.4f", (double)share.right / (double)share.total);
    return status;
}

static poet_status create(cli_context *context, reader_run *run, poet_device *device)
{
    poet_clip shape = poet_dataset_geometry(run->dataset);
    poet_classifier_config config = {.t = shape.t, .h = shape.h, .w = shape.w, .width = run->width};
    POET_TRY(poet_attribute_list_collect(run->dataset, run->attributes, &context->task,
                                         &config.attributes));
    return poet_classifier_create(device, &config, run->training.seed, &run->reader);
}

static poet_status print_result(cli_context *context, reader_run *run, double seconds)
{
    const cli_training *t = &run->training;
    poet_classifier_score score;
    POET_TRY(poet_classifier_accuracy(run->reader, run->dataset, POET_SPLIT_SEEN, UINT64_MAX,
                                      UINT32_MAX, NULL, NULL, "read", &context->task, &score));
    const poet_attribute_list *list = &poet_classifier_get_config(run->reader)->attributes;
    json_t *out = json_pack("{s:s, s:I, s:f}", "output", t->output, "steps", (json_int_t)t->steps,
                            "seconds", seconds);
    if (poet_dataset_count(run->dataset, POET_SPLIT_SEEN))
        json_object_set_new(out, "heldout", cli_classifier_score_json(list, &score));
    return cli_print_result(context->json, out);
}

static poet_status train(cli_context *context, reader_run *run, poet_device *device)
{
    cli_training *t = &run->training;
    poet_classifier_training training = poet_classifier_training_defaults();
    POET_TRY(cli_training_complete(t, context, device, &training.train));
    POET_TRY(cli_data_open(context->operands[0], &run->data, &run->dataset));
    POET_TRY(create(context, run, device));
    training.b = t->batch;
    training.seed = t->seed;
    training.dataset = run->dataset;
    training.train.data = poet_dataset_fingerprint(run->dataset);
    training.train.report = report;
    training.train.report_opaque = run;
    double started = poet_seconds();
    POET_TRY(poet_classifier_train(run->reader, &training, NULL));
    POET_TRY(poet_classifier_save(run->reader, t->output, cli_training_bf16(t)));
    POET_TRY(print_result(context, run, poet_seconds() - started));
    cli_training_finish(t); /* until then the same command goes on */
    return POET_OK;
}

static poet_status parse(cli_context *context, reader_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_TRAINING_ROWS(&run->training, "the reader to make", "2000", "16", "0.001", "0.02"),
        CLI_TEXT("attributes", 'a', &run->attributes, "LIST", NULL,
                 "which to read, e.g. subject,action; without it, all that have 2 to 64 values "
                 "that are text, true or false"),
        CLI_INT("width", 0, &run->width, 8, 256, "N", "32", "channels of the first convolutions"),
        CLI_DATA_ROWS(&run->data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Trains a reader: what tells a clip's attributes from its pixels. With it, 'eval\n"
            "--reader' counts how often generated clips show what was asked for. At the end\n"
            "the reader's own accuracy on held-out clips is printed.\n"
            "\n" CLI_DATA_HELP "\n"
            "Ctrl-C saves; the same command goes on where it stopped.",
        .examples = "train-reader my-data -o reader.safetensors\n"
                    "train-reader my-data -o reader.safetensors -a subject,action",
        .options = options,
        .json = true,
        .device = true,
    };
    return cli_parse(context, &spec, argc, argv);
}

poet_status cmd_train_reader(cli_context *context, int argc, char **argv)
{
    reader_run run = {0};
    poet_device *device;
    POET_TRY(parse(context, &run, argc, argv));
    POET_TRY(cli_device_open(context, &device));
    poet_status status = train(context, &run, device);
    poet_classifier_destroy(run.reader);
    poet_dataset_close(run.dataset);
    poet_free(run.training.checkpoint);
    poet_device_close(device);
    return status;
}
