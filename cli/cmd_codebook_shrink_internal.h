/* What codebook shrink works on, for its two files: reading it, and the models of one size. */
#ifndef POET_CLI_CMD_CODEBOOK_SHRINK_INTERNAL_H
#define POET_CLI_CMD_CODEBOOK_SHRINK_INTERNAL_H

#include "cli/clip_source.h"
#include "cli/finetune.h"
#include "cli/pair.h"
#include "generator/shrink_generator.h"

#include <jansson.h>

enum { CLI_SHRINK_SIZES = 32 }; /* at most */

typedef struct cli_shrink {
    const char *data_name, *domain_name;
    const char *spec; /* of the two what is shrunk for: the domain, where there is one */
    const char *output, *model, *tokenizer, *sizes_text, *heldout;
    int sizes[CLI_SHRINK_SIZES], n_sizes;
    int method, distance, fit_clips, fit_decoder, measure;
    int64_t limit, fit_rows;
    uint64_t seed;
    cli_data data;
    cli_finetune finetune;
    const poet_task *task;
    char *tokenizer_path, *generator_path; /* no generator with --tokenizer */
    cli_pair pair;
    uint64_t fingerprint; /* of the tokenizer */
    cli_domain domain;    /* what is shrunk for */
    cli_domain general;   /* DATA, where the domain is another */
    cli_domain heldout_clips;
    cli_clip_source pixels; /* what is shrunk for; no dataset: it is a token file */
    cli_clip_source heldout_pixels;
    poet_codebook book;
    poet_merge_tree tree;
} cli_shrink;

/* The held-out clips in the codes of a tokenizer. */
poet_status cli_shrink_encode_heldout(const cli_shrink *run, poet_tokenizer *tokenizer,
                                      cli_domain *out);

/* Whether the folders of all sizes could be made; for asking before the work. */
poet_status cli_shrink_can_write(const cli_shrink *run);

/* Makes the folder of one size, which appears whole or not at all (a run that is stopped leaves FOLDER.tmp with what it goes on
 * from), and adds to sizes a row of what it is and what it loses. */
poet_status cli_shrink_size(cli_shrink *run, int kept, json_t *sizes);

/* Removes what the training of one size left behind: once all sizes are done, so that a command that was stopped trains
 * none twice. */
void cli_shrink_forget(const cli_shrink *run, int kept);

#endif
