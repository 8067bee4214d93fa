#include "cli/model_card.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"
#include "compute/checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TEXT = 1 << 20 };

const cli_model_text cli_model_texts[CLI_MODEL_TEXTS] = {
    {"CREDITS.md", "credits"}, {"AUTHORS.txt", "authors"}, {"LICENSE", "licence"}};

bool cli_is_model_file(const char *path)
{
    unsigned char begin[9] = {0};
    FILE *file = poet_is_file(path) ? fopen(path, "rb") : NULL;
    size_t n = file ? fread(begin, 1, sizeof begin, file) : 0;
    if (file)
        fclose(file);
    return n == sizeof begin && poet_get_u64(begin) < (1U << 30) && begin[8] == '{';
}

/* Configurations are JSON inside of a string: shown as objects. */
static void add_value(void *opaque, poet_pair pair)
{
    json_t *parsed = pair.value && *pair.value == '{' ? json_loads(pair.value, 0, NULL) : NULL;
    json_object_set_new(opaque, pair.key,
                        parsed ? parsed : json_string(pair.value ? pair.value : ""));
}

static json_t *tensor_row(const char *name, const poet_tensor *tensor)
{
    json_t *shape = json_array();
    for (int d = 0; d < tensor->shape.ndim; d++)
        json_array_append_new(shape, json_integer(tensor->shape.dim[d]));
    return json_pack("{s:s, s:s, s:o}", "name", name, "type", poet_dtype_name(tensor->dtype),
                     "shape", shape);
}

poet_status cli_model_card(const char *path, bool tensors, json_t **out)
{
    poet_checkpoint *checkpoint = NULL;
    int64_t elements = 0, bytes = 0;
    *out = NULL;
    POET_TRY(poet_checkpoint_open(path, &checkpoint));
    json_t *card = json_object(), *rows = json_array();
    poet_checkpoint_each_value(checkpoint, add_value, card);
    int count = poet_checkpoint_count(checkpoint);
    for (int i = 0; i < count; i++) {
        const poet_tensor *tensor = poet_checkpoint_tensor(checkpoint, i);
        elements += poet_tensor_count(tensor);
        bytes += (int64_t)poet_tensor_bytes(tensor);
        if (tensors)
            json_array_append_new(rows, tensor_row(poet_checkpoint_name(checkpoint, i), tensor));
    }
    json_object_set_new(card, "tensors", tensors ? json_incref(rows) : json_integer(count));
    json_object_set_new(card, "elements", json_integer(elements));
    json_object_set_new(card, "bytes", json_integer(bytes));
    json_decref(rows);
    poet_checkpoint_close(checkpoint);
    *out = card;
    return POET_OK;
}

/* ---- texts ---- */

poet_status cli_model_text_read(const char *folder, const cli_model_text *text, char **out)
{
    unsigned char *bytes = NULL;
    size_t size;
    char *path = poet_path_join(folder, text->file);
    poet_status status = !path                ? POET_ERR_NOMEM
                         : poet_is_file(path) ? poet_file_read(path, MAX_TEXT, &bytes, &size)
                                              : POET_OK;
    *out = (char *)bytes;
    poet_free(path);
    return status;
}

static poet_status write_text(const char *folder, const char *name, const char *text)
{
    poet_output *output = NULL;
    char *path = poet_path_join(folder, name);
    poet_status status = path ? poet_output_create(path, &output) : POET_ERR_NOMEM;
    if (!status)
        status = poet_output_write(output, text, strlen(text));
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    poet_free(path);
    return status;
}

poet_status cli_model_texts_copy(const char *from, const char *to)
{
    for (int i = 0; i < CLI_MODEL_TEXTS; i++) {
        char *text;
        POET_TRY(cli_model_text_read(from, &cli_model_texts[i], &text));
        poet_status status = text ? write_text(to, cli_model_texts[i].file, text) : POET_OK;
        poet_free(text);
        POET_TRY(status);
    }
    return POET_OK;
}
