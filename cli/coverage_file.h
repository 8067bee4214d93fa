/* The reference of 'eval coverage' beside a tokenizer: where it is, and making it of the clips that a tokenizer is for. */
#ifndef POET_CLI_COVERAGE_FILE_H
#define POET_CLI_COVERAGE_FILE_H

#include "base/task.h"
#include "datasets/dataset.h"
#include "tokenizer/tokenizer.h"

/* model.safetensors -> model.coverage.json; poet_free. NULL: out of memory. */
char *cli_coverage_reference_name(const char *tokenizer);

/* Writes it to path, of the first n training clips of the dataset (all where there are fewer), which data names.
 * POET_ERR_UNSUPPORTED for FSQ and LFQ. */
poet_status cli_coverage_reference_make(poet_tokenizer *tokenizer, const poet_dataset *dataset,
                                        const char *data, int64_t n, const poet_task *task,
                                        const char *path);

/* The mean PSNR of the training clips, from the reference beside a tokenizer's file; 0 where there is none of this tokenizer. */
poet_status cli_coverage_reference_psnr(poet_tokenizer *tokenizer, const char *file, double *out);

#endif
