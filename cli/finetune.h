/* Training that goes on after a codebook was shrunk: of the decoder, then of the generator. */
#ifndef POET_CLI_FINETUNE_H
#define POET_CLI_FINETUNE_H

#include "cli/domain.h"
#include "generator/generator.h"

/* How long. With a time, the first steps of a copy are measured, and a run has as many as its part of the time has room
 * for; the number is in the checkpoint, so that a run that was stopped ends as it would have. With steps alone the
 * result depends on the seed, not on the machine's speed. */
typedef struct cli_finetune {
    float minutes; /* 0: by steps */
    int64_t steps; /* of each part; 0 and no minutes: no training */
    uint64_t seed;
    const char
        *checkpoint; /* the file that a run goes on from; the caller removes it once none will */
    const poet_task *task;
} cli_finetune;

bool cli_finetune_wanted(const cli_finetune *finetune);

/* Trains the decoder of the tokenizer in file (encoder, codebook and codes stay) on the training clips of dataset, with share of the
 * minutes, and writes the file anew. *steps: how many there were. */
poet_status cli_finetune_decoder(const cli_finetune *finetune, double share, poet_device *device,
                                 const poet_dataset *dataset, const char *file, bool bf16,
                                 int64_t *steps);

/* The same for the generator in file, on the whole clips of domain, in the generator's codes. */
poet_status cli_finetune_generator(const cli_finetune *finetune, double share, poet_device *device,
                                   const cli_domain *domain, const char *file, bool bf16,
                                   int64_t *steps);

#endif
