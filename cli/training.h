/* What train-tokenizer and train-generator share: the options of a run, and batches of clips. */
#ifndef POET_CLI_TRAINING_H
#define POET_CLI_TRAINING_H

#include "cli/command.h"
#include "compute/train.h"
#include "datasets/dataset.h"
#include "datasets/prefetch.h"

typedef struct cli_training {
    const char *output, *metrics;
    char *checkpoint; /* "<output>.checkpoint"; poet_free */
    int64_t steps, warmup, log_steps, report_steps;
    int batch, save_seconds, weights, precision;
    float rate, muon_rate, weight_decay, average;
    uint64_t seed;
} cli_training;

/* "f32", "bf16", NULL. */
extern const char *const cli_weight_types[];

/* "auto", "f32", "bf16", NULL. */
extern const char *const cli_precisions[];

/* What products read unless an option says otherwise: bf16 where the device has it. */
poet_dtype cli_precision_auto(const poet_device *device);

/* Whether the finished model is stored in bf16. */
bool cli_training_bf16(const cli_training *training);

/* Rows for an option table; the defaults that differ between the commands are arguments. */
#define CLI_TRAINING_ROWS(t, output_help, steps_default, batch_default, rate_default,              \
                          muon_default)                                                            \
    CLI_OUTPUT("output", 'o', &(t)->output, "FILE", NULL, output_help),                            \
        CLI_LONG("steps", 'n', &(t)->steps, 1, 1000000000, "N", steps_default,                     \
                 "length of the run, and of the learning-rate schedule"),                          \
        CLI_INT("batch", 'b', &(t)->batch, 1, 4096, "N", batch_default, "clips a step"),           \
        CLI_FLOAT("rate", 0, &(t)->rate, 1e-8, 10, "R", rate_default,                              \
                  "peak learning rate of AdamW"),                                                  \
        CLI_FLOAT("muon-rate", 0, &(t)->muon_rate, 0, 10, "R", muon_default,                       \
                  "peak rate of Muon, for hidden matrices; 0: AdamW for all"),                     \
        CLI_LONG("warmup", 0, &(t)->warmup, 0, 1000000000, "N", "100",                             \
                 "steps until the rate is reached"),                                               \
        CLI_FLOAT("weight-decay", 0, &(t)->weight_decay, 0, 1, "W", "0", "of AdamW"),              \
        CLI_FLOAT("average", 0, &(t)->average, 0, 0.99999, "D", "0",                               \
                  "keep a running average of weights with this decay; 0: none"),                   \
        CLI_SEED("seed", 's', &(t)->seed, "1", "of weights and of the order of clips"),            \
        CLI_OUTPUT("metrics", 0, &(t)->metrics, "FILE.jsonl", NULL, "a line for every log"),       \
        CLI_LONG("log-every", 0, &(t)->log_steps, 1, 1000000000, "N", "50",                        \
                 "steps between two lines of the log"),                                            \
        CLI_LONG("report-every", 0, &(t)->report_steps, 0, 1000000000, "N", "0",                   \
                 "steps between two measurements on held-out clips; 0: only at the end"),          \
        CLI_CHOICE("precision", 0, &(t)->precision, cli_precisions, "TYPE", "auto",                \
                   "what products read: auto (bf16 where the processor has it), f32, bf16"),       \
        CLI_INT("save-every", 0, &(t)->save_seconds, 1, 86400, "SECONDS", "120",                   \
                "between two checkpoints"),                                                        \
        CLI_CHOICE("weights", 0, &(t)->weights, cli_weight_types, "TYPE", "bf16",                  \
                   "how the finished model stores them; bf16 is half as long and faster to read")

/* After parsing: checks, the checkpoint's name, and the parts of the configuration that follow from the options. */
poet_status cli_training_complete(cli_training *training, const cli_context *context,
                                  const poet_device *device, poet_train_config *config);

/* For before the weights are made: what the run will tell that it takes, or POET_ERR_NOMEM where the device has less. held: what is
 * on it already, of the plan; smaller: the options to be lowered then, "--batch, --width". */
poet_status cli_training_plan(poet_train_config *config, poet_device *device,
                              const poet_memory *memory, size_t held, const char *smaller);

/* After a whole run: the checkpoint is no longer needed. */
void cli_training_finish(cli_training *training);

/* Bytes in MiB and so on are the modules' messages; this says where the result is. */
poet_status cli_training_report(const cli_context *context, const cli_training *training,
                                double seconds);

/* Batches of a dataset by step, drawn ahead by another thread. */
typedef struct cli_clips {
    const poet_dataset *dataset;
    poet_prefetch *prefetch;
    uint64_t seed;
    int crop, align; /* as for poet_prefetch_options */
    int64_t next;    /* step of the next batch of prefetch */
} cli_clips;

/* What batches of b clips take on the host, with the clip that is read. */
size_t cli_clips_bytes(const cli_clips *clips, int b);

/* A poet_clips_fn; opaque is a cli_clips. */
poet_status cli_clips_next(void *opaque, int64_t step, int b, uint8_t *frames);
void cli_clips_close(cli_clips *clips);

#endif
