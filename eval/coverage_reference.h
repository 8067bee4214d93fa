/* What training saw of a codebook: the small file beside a tokenizer that other clips are compared with
 * (docs/formats/coverage.md). */
#ifndef POET_EVAL_COVERAGE_REFERENCE_H
#define POET_EVAL_COVERAGE_REFERENCE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { POET_COVERAGE_QUANTILES = 101, POET_COVERAGE_LIMIT = 99 };

typedef struct poet_coverage_reference {
    uint64_t tokenizer; /* fingerprint */
    int levels, codes;
    int64_t clips;     /* that were looked at */
    char *data;        /* where they came from, as it was named */
    double psnr, ssim; /* means of their reconstructions */
    int64_t *counts;   /* (levels,K): tokens of each code */
    double *
        quantiles; /* (levels, POET_COVERAGE_QUANTILES): of distances, at 0, 1, ..., 100 percent; POET_COVERAGE_LIMIT is
                          the place of the distance beyond which a latent is out of the codebook */
} poet_coverage_reference;

/* Appears by rename. */
poet_status poet_coverage_reference_save(const char *path,
                                         const poet_coverage_reference *reference);

/* POET_ERR_FORMAT with a sentence for what is no such file: every number is checked. Free also after a failure. */
poet_status poet_coverage_reference_load(const char *path, poet_coverage_reference *out);

/* The same from the text of a file, whose name the sentence begins with. */
poet_status poet_coverage_reference_parse(const char *name, const char *text, size_t size,
                                          poet_coverage_reference *out);
void poet_coverage_reference_free(poet_coverage_reference *reference);

#endif
