/* The text form of a vocabulary. */
#include "base/memory.h"
#include "generator/bpe_internal.h"

#include <jansson.h>
#include <string.h>

#define TYPE "byte-level-bpe"

enum {
    VERSION = 1,
    MAX_MERGES = POET_BPE_MAX_SIZE - POET_BPE_FIRST_MERGE,
    MAX_TEXT = 1024 + 12 * MAX_MERGES /* a merge is at most "65535,65535," */
};

static json_t *merges_to_json(const poet_bpe *bpe)
{
    json_t *merges = json_array();
    for (int id = POET_BPE_FIRST_MERGE; id < bpe->size; id++)
        if (json_array_append_new(merges, json_integer(bpe->tokens[id].left)) ||
            json_array_append_new(merges, json_integer(bpe->tokens[id].right))) {
            json_decref(merges);
            return NULL;
        }
    return merges;
}

poet_status poet_bpe_to_text(const poet_bpe *bpe, char **text)
{
    *text = NULL;
    json_t *root = json_pack("{s:s, s:i, s:b, s:o}", "type", TYPE, "version", VERSION, "fold_case",
                             bpe->fold_case, "merges", merges_to_json(bpe));
    if (!root)
        return POET_FAIL(POET_ERR_NOMEM, "out of memory for the text of a vocabulary of %d ids",
                         bpe->size);
    size_t bytes = json_dumpb(root, NULL, 0, JSON_COMPACT);
    *text = poet_alloc(bytes + 1);
    if (*text) {
        json_dumpb(root, *text, bytes, JSON_COMPACT);
        (*text)[bytes] = 0;
    }
    json_decref(root);
    return *text ? POET_OK : POET_ERR_NOMEM;
}

static poet_status add_merges(poet_bpe *bpe, const json_t *merges)
{
    for (size_t i = 0; i < json_array_size(merges); i += 2) {
        const json_t *left = json_array_get(merges, i), *right = json_array_get(merges, i + 1);
        if (!json_is_integer(left) || !json_is_integer(right))
            return POET_FAIL(POET_ERR_FORMAT, "text vocabulary: merge %zu is not two whole numbers",
                             i / 2);
        POET_TRY(poet_bpe_add_merge(bpe, json_integer_value(left), json_integer_value(right)));
    }
    return POET_OK;
}

static poet_status from_json(json_t *root, poet_bpe **out)
{
    const char *type;
    json_int_t version;
    int fold_case;
    json_t *merges;
    json_error_t error;
    if (json_unpack_ex(root, &error, 0, "{s:s, s:I}", "type", &type, "version", &version))
        return POET_FAIL(POET_ERR_FORMAT, "text vocabulary: %s", error.text);
    if (strcmp(type, TYPE) != 0 || version != VERSION)
        return POET_FAIL(POET_ERR_FORMAT,
                         "text vocabulary: type \"%.40s\" version %lld is not %s version %d", type,
                         (long long)version, TYPE, VERSION);
    if (json_unpack_ex(root, &error, 0, "{s:b, s:o}", "fold_case", &fold_case, "merges", &merges))
        return POET_FAIL(POET_ERR_FORMAT, "text vocabulary: %s", error.text);
    size_t numbers = json_array_size(merges);
    if (!json_is_array(merges) || numbers % 2 || numbers / 2 > MAX_MERGES)
        return POET_FAIL(POET_ERR_FORMAT, "text vocabulary: merges are not at most %d pairs",
                         MAX_MERGES);
    POET_TRY(poet_bpe_create(POET_BPE_FIRST_MERGE + (int)(numbers / 2), fold_case, out));
    poet_status status = add_merges(*out, merges);
    if (status != POET_OK) {
        poet_bpe_destroy(*out);
        *out = NULL;
    }
    return status;
}

poet_status poet_bpe_from_text(const char *text, poet_bpe **out)
{
    *out = NULL;
    size_t bytes = strlen(text);
    if (bytes > MAX_TEXT)
        return POET_FAIL(POET_ERR_FORMAT, "text vocabulary: %zu bytes are more than %d", bytes,
                         MAX_TEXT);
    json_error_t error;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return POET_FAIL(POET_ERR_FORMAT, "text vocabulary: %s at byte %d", error.text,
                         error.position);
    poet_status status = from_json(root, out);
    json_decref(root);
    return status;
}

poet_status poet_bpe_copy(const poet_bpe *bpe, poet_bpe **out)
{
    char *text;
    *out = NULL;
    POET_TRY(poet_bpe_to_text(bpe, &text));
    poet_status status = poet_bpe_from_text(text, out);
    poet_free(text);
    return status;
}
