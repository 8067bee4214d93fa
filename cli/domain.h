/* Clips as codes of one tokenizer, from a token file or encoded on the way: what a codebook is shrunk for. */
#ifndef POET_CLI_DOMAIN_H
#define POET_CLI_DOMAIN_H

#include "cli/data_options.h"
#include "tokenizer/tokenizer.h"

typedef struct cli_domain {
    int64_t clips, tokens; /* tokens: codes of all levels */
    int64_t *counts;       /* (levels,K) */
    /* The first clips, whole: */
    poet_grid grid;
    int n;
    int32_t *codes; /* (n, codes of the grid) */
    char **captions;
} cli_domain;

typedef struct cli_domain_options {
    int64_t limit; /* at most so many clips, the first; 0: all */
    int whole; /* how many are kept whole, at most; their grids must be equal: POET_ERR_MISMATCH otherwise */
    poet_split split;
    const cli_data *data;
    const poet_task *task;
} cli_domain_options;

#define CLI_DOMAIN_HELP                                                                            \
    "A video, or a folder of videos that was not imported, is cut into clips of\n"                 \
    "--frames frames of --size at 8 a second, as for 'eval coverage'.\n"

/* spec is a token file of this tokenizer (POET_ERR_MISMATCH otherwise), or what cli_clip_source_open takes. Free also after
 * a failure. */
poet_status cli_domain_read(const char *spec, poet_tokenizer *tokenizer,
                            const cli_domain_options *options, cli_domain *out);

/* The same of clips that are open, which spec names. */
poet_status cli_domain_encode(const char *spec, const poet_dataset *dataset,
                              poet_tokenizer *tokenizer, const cli_domain_options *options,
                              cli_domain *out);

/* Of each level, how many codes are used: the fewest. */
int cli_domain_codes_used(const cli_domain *domain, const poet_tokenizer_config *config);

/* The share of the tokens that are of the most used `codes` codes of their level. */
poet_status cli_domain_share_of(const cli_domain *domain, const poet_tokenizer_config *config,
                                int codes, double *out);

/* The share of other's tokens whose code this domain never uses. */
double cli_domain_missing(const cli_domain *domain, const cli_domain *other,
                          const poet_tokenizer_config *config);

void cli_domain_free(cli_domain *domain);

#endif
