/* The commands of codebook. */
#ifndef POET_CLI_CMD_CODEBOOK_INTERNAL_H
#define POET_CLI_CMD_CODEBOOK_INTERNAL_H

#include "cli/command.h"
#include "cli/domain.h"

poet_status cmd_codebook_inspect(cli_context *context, int argc, char **argv);
poet_status cmd_codebook_recommend(cli_context *context, int argc, char **argv);
poet_status cmd_codebook_remap(cli_context *context, int argc, char **argv);
poet_status cmd_codebook_shrink(cli_context *context, int argc, char **argv);

/* Every code as a patch, each level in rows of its own, the most used first; on other levels stands their most used code. A
 * patch is what the decoder makes of the code alone, a picture of one position; 4 pixels for one. counts (levels,K). */
poet_status cli_codebook_picture(poet_tokenizer *tokenizer, const int64_t *counts, const char *path,
                                 const poet_task *task);

#endif
