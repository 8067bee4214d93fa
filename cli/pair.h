/* A model as users have it: a folder with a tokenizer and the generator that writes its codes. */
#ifndef POET_CLI_PAIR_H
#define POET_CLI_PAIR_H

#include "cli/command.h"
#include "codec/frames.h"
#include "generator/generator.h"

typedef struct cli_pair {
    poet_device *device;
    poet_tokenizer *tokenizer;
    poet_generator *generator;
} cli_pair;

/* name as for cli_model_find. The two must belong together: POET_ERR_MISMATCH otherwise. Close also after a failure. */
poet_status cli_pair_open(cli_context *context, const char *name, cli_pair *out);

/* A tokenizer's file alone; the generator stays NULL. */
poet_status cli_pair_open_tokenizer(cli_context *context, const char *path, cli_pair *out);
void cli_pair_close(cli_pair *pair);

/* POET_ERR_MISMATCH unless the generator, where there is one, writes clips of this grid; spec names those that have it. */
poet_status cli_pair_check_grid(const cli_pair *pair, const char *spec, const poet_grid *grid);

/* Tells what it takes to encode clips of this shape and to decode them again, if the device has so much: POET_ERR_NOMEM
 * otherwise. */
poet_status cli_pair_check_coding(const cli_pair *pair, const poet_clip *shape,
                                  const poet_task *task);

/* One clip of the generator's codes as frames; the caller frees it, also after a failure. */
poet_status cli_pair_decode(const cli_pair *pair, const int32_t *codes, poet_clip *out);

#endif
