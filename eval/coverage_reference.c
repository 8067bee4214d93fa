#include "eval/coverage_reference.h"

#include "base/file.h"
#include "base/memory.h"
#include "tokenizer/tokenizer.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_NAME "pocketpoet-coverage"

enum { VERSION = 1, MAX_BYTES = 1 << 28 };

void poet_coverage_reference_free(poet_coverage_reference *reference)
{
    poet_free(reference->data);
    poet_free(reference->counts);
    poet_free(reference->quantiles);
    *reference = (poet_coverage_reference){0};
}

/* ---- writing ---- */

static json_t *level_json(const poet_coverage_reference *r, int level)
{
    json_t *counts = json_array(), *quantiles = json_array();
    int failed = 0;
    for (int i = 0; i < r->codes; i++)
        failed |=
            json_array_append_new(counts, json_integer(r->counts[(int64_t)level * r->codes + i]));
    for (int i = 0; i < POET_COVERAGE_QUANTILES; i++)
        failed |= json_array_append_new(
            quantiles, json_real(r->quantiles[level * POET_COVERAGE_QUANTILES + i]));
    if (!failed)
        return json_pack("{s:o, s:o}", "counts", counts, "distances", quantiles);
    json_decref(counts);
    json_decref(quantiles);
    return NULL;
}

static json_t *reference_json(const poet_coverage_reference *r)
{
    char tokenizer[17];
    json_t *levels = json_array();
    snprintf(tokenizer, sizeof tokenizer, "%016" PRIx64, r->tokenizer);
    for (int level = 0; level < r->levels; level++)
        if (json_array_append_new(levels, level_json(r, level))) {
            json_decref(levels);
            return NULL;
        }
    return json_pack("{s:s, s:i, s:s, s:s, s:I, s:f, s:f, s:o}", "format", FORMAT_NAME, "version",
                     VERSION, "tokenizer", tokenizer, "data", r->data, "clips",
                     (json_int_t)r->clips, "psnr", r->psnr, "ssim", r->ssim, "levels", levels);
}

poet_status poet_coverage_reference_save(const char *path, const poet_coverage_reference *reference)
{
    json_t *root = reference_json(reference);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    if (!text)
        return POET_FAIL(POET_ERR_ARG,
                         "%s: cannot be written: it would have numbers that are not finite", path);
    poet_output *file;
    poet_status status = poet_output_create(path, &file);
    if (!status) {
        status = poet_output_write(file, text, strlen(text));
        if (!status)
            status = poet_output_commit(file);
        poet_output_destroy(file);
    }
    free(text);
    return status;
}

/* ---- reading ---- */

static bool read_counts(const json_t *array, int codes, int64_t *out)
{
    int64_t total = 0;
    if ((int)json_array_size(array) != codes)
        return false;
    for (int i = 0; i < codes; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        out[i] = json_integer_value(value);
        if (!json_is_integer(value) || out[i] < 0 || out[i] > INT64_MAX / 2 - total)
            return false;
        total += out[i];
    }
    return total > 0;
}

static bool read_quantiles(const json_t *array, double *out)
{
    if (json_array_size(array) != POET_COVERAGE_QUANTILES)
        return false;
    for (int i = 0; i < POET_COVERAGE_QUANTILES; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        out[i] = json_number_value(value);
        if (!json_is_number(value) || !(out[i] >= (i ? out[i - 1] : 0)) || !isfinite(out[i]))
            return false;
    }
    return true;
}

static poet_status read_levels(const char *path, const json_t *levels, poet_coverage_reference *out)
{
    size_t count = json_array_size(levels);
    size_t codes = json_array_size(json_object_get(json_array_get(levels, 0), "counts"));
    if (count < 1 || count > POET_MAX_RESIDUAL_LEVELS || codes < 1 || codes > POET_MAX_CODES)
        return POET_FAIL(POET_ERR_FORMAT, "%s: has no histogram of codes", path);
    out->levels = (int)count;
    out->codes = (int)codes;
    out->counts = poet_alloc(count * codes * sizeof *out->counts);
    out->quantiles = poet_alloc(count * POET_COVERAGE_QUANTILES * sizeof *out->quantiles);
    if (!out->counts || !out->quantiles)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *level = json_array_get(levels, i);
        if (!read_counts(json_object_get(level, "counts"), out->codes, out->counts + i * codes))
            return POET_FAIL(POET_ERR_FORMAT, "%s: the counts of level %zu are not %zu numbers",
                             path, i, codes);
        if (!read_quantiles(json_object_get(level, "distances"),
                            out->quantiles + i * POET_COVERAGE_QUANTILES))
            return POET_FAIL(POET_ERR_FORMAT,
                             "%s: the distances of level %zu are not %d numbers in rising order",
                             path, i, POET_COVERAGE_QUANTILES);
    }
    return POET_OK;
}

static poet_status read_root(const char *path, json_t *root, poet_coverage_reference *out)
{
    const char *format, *tokenizer, *data;
    json_t *levels;
    json_int_t clips;
    int version;
    char *end;
    if (json_unpack(root, "{s:s, s:i}", "format", &format, "version", &version) != 0 ||
        strcmp(format, FORMAT_NAME) != 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a reference that eval coverage wrote", path);
    if (version != VERSION)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is of version %d; this program reads version %d",
                         path, version, VERSION);
    if (json_unpack(root, "{s:s, s:s, s:I, s:F, s:F, s:o}", "tokenizer", &tokenizer, "data", &data,
                    "clips", &clips, "psnr", &out->psnr, "ssim", &out->ssim, "levels",
                    &levels) != 0 ||
        clips < 1)
        return POET_FAIL(POET_ERR_FORMAT, "%s: lacks a key, or has one of another type", path);
    out->tokenizer = strtoull(tokenizer, &end, 16);
    if (strlen(tokenizer) != 16 || *end)
        return POET_FAIL(POET_ERR_FORMAT, "%s: the tokenizer's fingerprint is not one", path);
    out->clips = clips;
    out->data = poet_strdup(data);
    return out->data ? read_levels(path, levels, out) : POET_ERR_NOMEM;
}

poet_status poet_coverage_reference_parse(const char *name, const char *text, size_t size,
                                          poet_coverage_reference *out)
{
    json_error_t error;
    *out = (poet_coverage_reference){0};
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not JSON: %s", name, error.text);
    poet_status status = read_root(name, root, out);
    json_decref(root);
    return status;
}

poet_status poet_coverage_reference_load(const char *path, poet_coverage_reference *out)
{
    unsigned char *text;
    size_t size;
    *out = (poet_coverage_reference){0};
    POET_TRY(poet_file_read(path, MAX_BYTES, &text, &size));
    poet_status status = poet_coverage_reference_parse(path, (const char *)text, size, out);
    poet_free(text);
    return status;
}
