/* What eval's files share, and train-reader with them. */
#ifndef POET_CLI_CMD_EVAL_INTERNAL_H
#define POET_CLI_CMD_EVAL_INTERNAL_H

#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/pair.h"
#include "eval/captions.h"

#include <jansson.h>

typedef struct cli_eval_run {
    const char *model, *tokenizer, *spec; /* a model, or a tokenizer alone; the clips */
    const char *reader_path, *reader_attributes, *features_path;
    cli_data data;
    int clips, captions, batch, compared;
    double speed_seconds;
    poet_sampling sampling;
    uint64_t seed;
    cli_pair pair;
    poet_dataset *dataset;
    poet_classifier *reader; /* NULL: built-in clips have one of their own, others are not read */
    uint32_t selected;       /* of the reader's attributes */
    poet_classifier
        *features; /* the network in whose features clips are compared; NULL: they are not */
    const poet_task *task;
} cli_eval_run;

poet_status cmd_eval_coverage(cli_context *context, int argc, char **argv);
poet_status cmd_eval_sweep(cli_context *context, int argc, char **argv);

/* After pair and dataset are open: the reader, if one is asked for, and whether it is for these clips. */
poet_status cli_eval_open_reader(cli_eval_run *run);

/* What writes and reconstructs clips for this run. */
poet_clip_writer cli_eval_writer(const cli_eval_run *run);

/* After pair and dataset are open: the network whose features are compared, if any are. cmd_eval_distribution.c */
poet_status cli_eval_open_features(cli_eval_run *run);

/* Adds "distribution", where clips are to be compared. */
poet_status cli_eval_distribution(const cli_eval_run *run, json_t *out);

/* Adds "speed", where there is a generator and it is asked for. cmd_eval_speed.c */
poet_status cli_eval_speed(const cli_eval_run *run, json_t *out);

/* Adds "caption_accuracy", where there is a reader. */
poet_status cli_eval_captions(cli_eval_run *run, json_t *out);

/* All attributes together, and each by its name. A new reference. */
json_t *cli_classifier_score_json(const poet_attribute_list *list,
                                  const poet_classifier_score *score);

#endif
