/* Where models are found by name: those that come with the program, or the user's own. */
#ifndef POET_CLI_MODELS_H
#define POET_CLI_MODELS_H

#include "cli/opts.h"

/* The rows that tell a command its model, or a model or a tokenizer alone. */
#define CLI_MODEL(target)                                                                          \
    CLI_PATH("model", 'm', target, "NAME", "shapes",                                               \
             "a model that came with the program, or a folder with one")
#define CLI_MODEL_OR_TOKENIZER_ROWS(model, tokenizer)                                              \
    CLI_MODEL(model), CLI_PATH("tokenizer", 't', tokenizer, "FILE", NULL,                          \
                               "a tokenizer's .safetensors file instead")

/* A model is a folder with tokenizer.safetensors and generator.safetensors in it, or one file
 * ending in .safetensors. The path of the model that name means (poet_free), the first that exists
 * of:
 *
 *     name itself, as a path
 *     $POCKETPOET_MODELS/name
 *     ../share/pocketpoet/models/name from the program's own folder (installed)
 *     samples/models/name in a folder above the program (the source tree)
 *
 * each of the last three also with .safetensors appended. POET_ERR_IO names the folders that were
 * searched and the models that are there. */
poet_status cli_model_find(const char *name, char **path);

/* The path (poet_free) of a tokenizer: the file, or where that is NULL, the one in the folder of the model of that name. */
poet_status cli_model_tokenizer(const char *tokenizer, const char *model, char **path);

/* Calls each for every model in those folders, in order of search and then of name; a name that is
 * hidden by an earlier one is left out. */
typedef poet_status (*cli_model_fn)(void *opaque, const char *name, const char *path);
poet_status cli_model_list(cli_model_fn each, void *opaque);

#endif
