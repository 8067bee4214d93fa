/* What a model says about itself: its files, and the texts that go with it. */
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

/* Texts that a model's folder may have: on what terms the model may be used, what it was made from, and who made that. They are of
 * all that is made from the model, too. */
typedef struct cli_model_text {
    const char *file, *key; /* key: what 'info' calls it */
} cli_model_text;

enum { CLI_MODEL_TEXTS = 3 };

extern const cli_model_text cli_model_texts[CLI_MODEL_TEXTS];

/* The text of one of these, NULL where the folder has none; the caller frees with poet_free. */
poet_status cli_model_text_read(const char *folder, const cli_model_text *text, char **out);

/* Copies those that are there from one folder to another, which exists. */
poet_status cli_model_texts_copy(const char *from, const char *to);

#endif
