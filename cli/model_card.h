/* What a model file says about itself. */
#ifndef POET_CLI_MODEL_CARD_H
#define POET_CLI_MODEL_CARD_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>

/* True when the file begins as a safetensors file does. */
bool cli_is_model_file(const char *path);

/* A new object with the file's values, and the number and bytes of its tensors; with a list of
 * them when tensors is true. The whole file is read and checked. */
poet_status cli_model_card(const char *path, bool tensors, json_t **out);

#endif
