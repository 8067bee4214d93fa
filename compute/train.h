/* Training: the update rules appended to a graph, the schedule, and the loop with checkpoints,
 * metrics, and a clean stop.
 *
 * A run is a pure function of (configuration, data, seed, thread count, precision): batches are asked for by
 * step number, every random draw is keyed by step, and the schedule counts steps, never seconds.
 * Killed at any moment and started again, it ends with equal bits. */
#ifndef POET_COMPUTE_TRAIN_H
#define POET_COMPUTE_TRAIN_H

#include "base/task.h"
#include "compute/checkpoint.h"
#include "compute/program.h"

typedef struct poet_optim_config {
    float rate;         /* AdamW's peak learning rate */
    float final_share;  /* cosine from rate down to rate * final_share */
    int64_t warmup;     /* steps of linear rise */
    int64_t steps;      /* length of the schedule */
    float beta1, beta2; /* 0.9, 0.95 */
    float weight_decay;
    float clip; /* global gradient norm; 0: no clipping */
    float
        muon_rate; /* > 0: Muon for matrices of hidden layers at this peak rate; 0: AdamW for all */
    float average; /* > 0: a running average of weights with this decay is kept as MOMENT
                      "<name>@mean" */
} poet_optim_config;

poet_optim_config poet_optim_defaults(void);

/* Appends backward, clipping and updates for every parameter of the graph; adds the input "hyper"
 * and the outputs "loss" and "grad_norm". */
void poet_optimize(poet_graph *g, poet_val loss, const poet_optim_config *config);

/* The learning-rate factor of a step (counted from 0): linear warm-up, cosine to final_share. */
float poet_schedule(const poet_optim_config *config, int64_t step);

/* Fills the inputs of a program for one step: a pure function of step. */
typedef poet_status (*poet_feed_fn)(void *opaque, int64_t step, poet_program *program);

/* Called every report steps, to compute held-out figures: may return a JSON fragment like
 * "\"psnr\": 21.3" in text. */
typedef poet_status (*poet_report_fn)(void *opaque, int64_t step, char *text, size_t room);

typedef struct poet_train_config {
    poet_optim_config optim;
    poet_dtype precision; /* F32, or BF16 where the device has it: what products read their operands
                               in. Weights, moments and sums stay F32 (Micikevicius et al., "Mixed
                               precision training", 2018; bf16 needs no scaling of the loss) */
    const char *checkpoint; /* path; written every save_seconds, on a stop and at the end; read at
                               the start if it exists */
    double save_seconds;
    const char
        *metrics;      /* JSONL path, or NULL: a line for every log, {"step":..,"loss":..,"rate":..,
                               "grad_norm":..,"seconds":..}. Of an earlier run that this one goes on from lines stay up to
                               its checkpoint, of another none; a file with other lines is refused: POET_ERR_FORMAT */
    int64_t log_steps; /* a metrics line every so many steps */
    int64_t report_steps;   /* 0: never */
    const poet_pair *pairs; /* the caller's metadata for the checkpoint */
    int n_pairs;
    uint64_t data;      /* fingerprint of what batches come from; 0: not known */
    const char *what;   /* name for progress */
    poet_memory memory; /* what the run takes, to be told; all 0: nothing is told */
    const poet_task *task;
    poet_feed_fn feed;
    poet_report_fn report; /* may be NULL; called with report_opaque */
    void *opaque, *report_opaque;
} poet_train_config;

/* The length of the run that a checkpoint is of: for runs whose length was measured, not asked for. 0 where there is no such
 * file, or it does not say. */
poet_status poet_train_planned(const char *checkpoint, int64_t *steps);

/* Loads the checkpoint, if there is one, into params (before the graph is built), and then tells the task the size of the
 * model and its memory. *step: 0, or where it stopped. The pairs of the configuration, and which moments it keeps, must equal
 * those in the file, else POET_ERR_MISMATCH names the first that differs. Other threads, precision or data are told: the run goes on. */
poet_status poet_train_resume(const poet_train_config *config, poet_params *params, int64_t *step);

/* The same telling, of memory that was not known before. */
void poet_train_announce(const poet_train_config *config, const poet_memory *memory);

/* Runs steps [step, config->optim.steps). POET_ERR_INTERRUPTED after a clean stop, with the
 * checkpoint written. */
poet_status poet_train_run(const poet_train_config *config, poet_params *params,
                           poet_program *program, int64_t step);

/* After the last step: the running averages of weights, where they were kept, become the weights,
 * and the moments are dropped. No program of these params may be run afterwards. */
poet_status poet_train_finish(poet_params *params);

#endif
