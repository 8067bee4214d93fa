#include "compute/checkpoint.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LIMIT = 64 << 20, ALIGNMENT = 64, FORMAT_VERSION = 1, CRC_DIGITS = 8 };

static const char crc_key[] = "\"poet.crc32\": \"";

static const struct {
    const char *name;
    poet_dtype dtype;
} type_names[] = {
    {"F32", POET_F32}, {"BF16", POET_BF16}, {"F64", POET_F64}, {"I32", POET_I32}, {"U8", POET_U8}};

static const char *type_name(poet_dtype dtype)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (type_names[i].dtype == dtype)
            return type_names[i].name;
    return "?";
}

/* ---- writing ---- */

static bool is_saved(const poet_params *params, int index, const poet_save_options *options)
{
    poet_kind kind = poet_params_kind(params, index);
    return kind == POET_PARAM || kind == POET_BUFFER || (kind == POET_MOMENT && options->moments);
}

static poet_dtype saved_type(const poet_params *params, int index, const poet_save_options *options)
{
    poet_dtype own = poet_params_tensor(params, index)->dtype;
    bool halve = options->bf16 && poet_params_kind(params, index) == POET_PARAM && own == POET_F32;
    return halve ? POET_BF16 : own;
}

/* {"dtype":..,"shape":[..],"data_offsets":[from,to]} */
static json_t *describe(poet_dtype dtype, const poet_shape *shape, size_t from, size_t to)
{
    json_t *dims = json_array();
    for (int i = 0; i < shape->ndim; i++)
        json_array_append_new(dims, json_integer(shape->dim[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", type_name(dtype), "shape", dims,
                     "data_offsets", (json_int_t)from, (json_int_t)to);
}

/* The kind of each tensor that is not a plain parameter, as "poet.kind.<name>". */
static void add_kind(json_t *metadata, const poet_params *params, int index)
{
    char key[512];
    poet_kind kind = poet_params_kind(params, index);
    if (kind == POET_PARAM)
        return;
    snprintf(key, sizeof key, "poet.kind.%s", poet_params_name(params, index));
    json_object_set_new(metadata, key, json_string(kind == POET_BUFFER ? "buffer" : "moment"));
}

static json_t *make_header(poet_params *params, const poet_save_options *options)
{
    json_t *header = json_object(), *metadata = json_object();
    char version[16];
    snprintf(version, sizeof version, "%d", FORMAT_VERSION);
    json_object_set_new(metadata, "poet.format", json_string(version));
    json_object_set_new(metadata, "poet.crc32", json_string("00000000"));
    for (int i = 0; i < options->n_pairs; i++)
        json_object_set_new(metadata, options->pairs[i].key, json_string(options->pairs[i].value));
    json_object_set_new(header, "__metadata__", metadata);
    size_t offset = 0;
    for (int i = 0; i < poet_params_count(params); i++) {
        if (!is_saved(params, i, options))
            continue;
        const poet_tensor *tensor = poet_params_tensor(params, i);
        poet_dtype dtype = saved_type(params, i, options);
        size_t bytes = (size_t)poet_tensor_count(tensor) * poet_dtype_bytes(dtype);
        json_object_set_new(header, poet_params_name(params, i),
                            describe(dtype, &tensor->shape, offset, offset + bytes));
        add_kind(metadata, params, i);
        offset += bytes;
    }
    return header;
}

/* The header as it stands in the file: length, JSON, spaces up to the alignment. */
static poet_status header_text(json_t *header, unsigned char **out, size_t *size)
{
    char *json = json_dumps(header, JSON_ENSURE_ASCII);
    if (!json)
        return POET_FAIL(POET_ERR_ARG, "a metadata value is not valid UTF-8");
    size_t length = strlen(json);
    size_t padded = (8 + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - 8;
    *size = 8 + padded;
    *out = poet_alloc(*size + 1);
    if (*out) {
        poet_put_u64(*out, padded);
        memcpy(*out + 8, json, length);
        memset(*out + 8 + length, ' ', padded - length);
        (*out)[*size] = 0;
    }
    free(json);
    return *out ? POET_OK : POET_ERR_NOMEM;
}

static poet_status write_tensor(poet_output *output, poet_params *params, int index,
                                poet_dtype dtype, uint32_t *crc)
{
    const poet_tensor *tensor = poet_params_tensor(params, index);
    size_t bytes = poet_tensor_bytes(tensor);
    poet_tensor host = *tensor, rounded = *tensor;
    rounded.dtype = dtype;
    host.data = poet_alloc(bytes);
    rounded.data = dtype == tensor->dtype ? host.data : poet_alloc(poet_tensor_bytes(&rounded));
    poet_status status = POET_ERR_NOMEM;
    if (host.data && rounded.data)
        status = poet_params_read(params, index, host.data, bytes);
    if (!status && rounded.data != host.data)
        for (int64_t i = 0; i < poet_tensor_count(&host); i++)
            poet_put(&rounded, i, poet_get(&host, i));
    if (!status) {
        *crc = poet_crc32(*crc, rounded.data, poet_tensor_bytes(&rounded));
        status = poet_output_write(output, rounded.data, poet_tensor_bytes(&rounded));
    }
    if (rounded.data != host.data)
        poet_free(rounded.data);
    poet_free(host.data);
    return status;
}

/* The checksum's place in the header; NULL when there is none. */
static char *find_crc(const unsigned char *header)
{
    char *at = strstr((const char *)(uintptr_t)(header + 8), crc_key);
    return at && strlen(at) > sizeof crc_key - 1 + CRC_DIGITS ? at + sizeof crc_key - 1 : NULL;
}

static poet_status write_file(const char *path, poet_output *output, poet_params *params,
                              const poet_save_options *options, unsigned char *header, size_t size)
{
    POET_TRY(poet_output_write(output, header, size));
    uint32_t crc = poet_crc32(0, header, size);
    for (int i = 0; i < poet_params_count(params); i++)
        if (is_saved(params, i, options))
            POET_TRY(write_tensor(output, params, i, saved_type(params, i, options), &crc));
    char digits[CRC_DIGITS + 1];
    snprintf(digits, sizeof digits, "%08" PRIx32, crc);
    char *place = find_crc(header);
    assert(place); /* make_header put it there */
    memcpy(place, digits, CRC_DIGITS);
    if (fseek(poet_output_stream(output), 0, SEEK_SET) != 0)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    POET_TRY(poet_output_write(output, header, size));
    return poet_output_commit(output);
}

poet_status poet_checkpoint_save(const char *path, poet_params *params,
                                 const poet_save_options *options)
{
    poet_output *output = NULL;
    unsigned char *text = NULL;
    size_t size = 0;
    json_t *header = make_header(params, options);
    poet_status status = header_text(header, &text, &size);
    if (!status)
        status = poet_output_create(path, &output);
    if (!status)
        status = write_file(path, output, params, options, text, size);
    poet_output_destroy(output);
    poet_free(text);
    json_decref(header);
    return status ? poet_context(status, "saving") : POET_OK;
}

/* ---- reading ---- */

typedef struct item {
    const char *name; /* the JSON object's */
    poet_tensor tensor;
    poet_kind kind;
} item;

struct poet_checkpoint {
    char *path;
    poet_map map;
    json_t *header, *metadata;
    item *items;
    int count;
};

static poet_status check_crc(const char *path, const poet_map *map, size_t header_bytes)
{
    unsigned char *copy = poet_alloc(header_bytes + 1);
    if (!copy)
        return POET_ERR_NOMEM;
    memcpy(copy, map->bytes, header_bytes);
    copy[header_bytes] = 0;
    char *digits = find_crc(copy), expected[CRC_DIGITS + 1] = "", found[CRC_DIGITS + 1];
    if (digits) {
        memcpy(expected, digits, CRC_DIGITS);
        memset(digits, '0', CRC_DIGITS);
    }
    uint32_t crc = poet_crc32(0, copy, header_bytes);
    crc = poet_crc32(crc, map->bytes + header_bytes, map->size - header_bytes);
    snprintf(found, sizeof found, "%08" PRIx32, crc);
    poet_free(copy);
    if (!digits)
        return POET_FAIL(POET_ERR_FORMAT, "%s: has no checksum; it was not written by pocketpoet",
                         path);
    if (memcmp(expected, found, CRC_DIGITS) != 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is damaged: its checksum does not match", path);
    return POET_OK;
}

static bool read_shape(json_t *dims, poet_shape *out)
{
    *out = (poet_shape){.ndim = (int)json_array_size(dims)};
    if (!json_is_array(dims) || json_array_size(dims) > POET_MAX_DIMS)
        return false;
    int64_t count = 1;
    for (int i = 0; i < out->ndim; i++) {
        out->dim[i] = json_integer_value(json_array_get(dims, (size_t)i));
        if (out->dim[i] < 1 || out->dim[i] > INT32_MAX || count > INT64_MAX / 16 / out->dim[i])
            return false;
        count *= out->dim[i];
    }
    return true;
}

static bool read_type(json_t *value, poet_dtype *out)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(name, type_names[i].name) == 0) {
            *out = type_names[i].dtype;
            return true;
        }
    return false;
}

static poet_kind read_kind(const json_t *metadata, const char *name)
{
    char key[512];
    snprintf(key, sizeof key, "poet.kind.%s", name);
    const char *kind = json_string_value(json_object_get(metadata, key));
    return !kind ? POET_PARAM : strcmp(kind, "buffer") == 0 ? POET_BUFFER : POET_MOMENT;
}

static poet_status read_item(poet_checkpoint *c, const char *name, json_t *value,
                             size_t header_bytes)
{
    item *it = &c->items[c->count];
    size_t available = c->map.size - header_bytes;
    json_t *offsets = json_object_get(value, "data_offsets");
    json_int_t from = json_integer_value(json_array_get(offsets, 0));
    json_int_t to = json_integer_value(json_array_get(offsets, 1));
    it->name = name;
    it->kind = read_kind(c->metadata, name);
    if (!read_type(json_object_get(value, "dtype"), &it->tensor.dtype) ||
        !read_shape(json_object_get(value, "shape"), &it->tensor.shape) || from < 0 || to < from ||
        (size_t)to > available || (size_t)(to - from) != poet_tensor_bytes(&it->tensor))
        return POET_FAIL(POET_ERR_FORMAT, "%s: the entry of tensor %s is broken", c->path, name);
    it->tensor.data = (void *)(uintptr_t)(c->map.bytes + header_bytes + from);
    c->count++;
    return POET_OK;
}

static poet_status check_version(const poet_checkpoint *c)
{
    const char *version = poet_checkpoint_value(c, "poet.format");
    if (!version || strtol(version, NULL, 10) != FORMAT_VERSION)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is of format version %s; this program reads %d",
                         c->path, version ? version : "?", FORMAT_VERSION);
    return POET_OK;
}

static poet_status read_header(poet_checkpoint *c)
{
    if (c->map.size < 8)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is too short for a model", c->path);
    uint64_t length = poet_get_u64(c->map.bytes);
    if (length > HEADER_LIMIT || length > c->map.size - 8)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a safetensors file, or is cut short",
                         c->path);
    size_t header_bytes = 8 + (size_t)length;
    json_error_t error;
    c->header =
        json_loadb((const char *)c->map.bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    c->metadata = json_object_get(c->header, "__metadata__");
    if (!json_is_object(c->metadata))
        return POET_FAIL(POET_ERR_FORMAT, "%s: its header is not that of a model", c->path);
    POET_TRY(check_version(c));
    POET_TRY(check_crc(c->path, &c->map, header_bytes));
    c->items = poet_calloc(json_object_size(c->header) + 1, sizeof *c->items);
    if (!c->items)
        return POET_ERR_NOMEM;
    const char *name;
    json_t *value;
    json_object_foreach(c->header, name, value)
    {
        if (strcmp(name, "__metadata__") != 0)
            POET_TRY(read_item(c, name, value, header_bytes));
    }
    return POET_OK;
}

poet_status poet_checkpoint_open(const char *path, poet_checkpoint **out)
{
    *out = NULL;
    poet_checkpoint *c = poet_calloc(1, sizeof *c);
    if (!c)
        return POET_ERR_NOMEM;
    c->path = poet_strdup(path);
    poet_status status = c->path ? poet_map_open(path, &c->map) : POET_ERR_NOMEM;
    if (!status)
        status = read_header(c);
    if (status) {
        poet_checkpoint_close(c);
        return status;
    }
    *out = c;
    return POET_OK;
}

void poet_checkpoint_close(poet_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    json_decref(checkpoint->header);
    poet_map_close(&checkpoint->map);
    poet_free(checkpoint->items);
    poet_free(checkpoint->path);
    poet_free(checkpoint);
}

const char *poet_checkpoint_value(const poet_checkpoint *checkpoint, const char *key)
{
    return json_string_value(json_object_get(checkpoint->metadata, key));
}

void poet_checkpoint_each_value(const poet_checkpoint *checkpoint, poet_pair_fn each, void *opaque)
{
    const char *key;
    json_t *value;
    json_object_foreach(checkpoint->metadata, key, value)
    {
        if (strncmp(key, "poet.", 5) != 0)
            each(opaque, (poet_pair){.key = key, .value = json_string_value(value)});
    }
}

int poet_checkpoint_count(const poet_checkpoint *checkpoint)
{
    return checkpoint->count;
}

const char *poet_checkpoint_name(const poet_checkpoint *checkpoint, int index)
{
    return checkpoint->items[index].name;
}

const poet_tensor *poet_checkpoint_tensor(const poet_checkpoint *checkpoint, int index)
{
    return &checkpoint->items[index].tensor;
}

static poet_status load_item(const item *it, poet_params *params)
{
    int index;
    poet_dtype declared = poet_dtype_is_real(it->tensor.dtype) ? POET_F32 : it->tensor.dtype;
    POET_TRY(poet_params_get(params, it->name, it->kind, declared, &it->tensor.shape, POET_ZEROS,
                             &index));
    poet_tensor host = *poet_params_tensor(params, index);
    size_t bytes = poet_tensor_bytes(&host);
    if (host.dtype == it->tensor.dtype)
        return poet_params_write(params, index, it->tensor.data, bytes);
    /* A tensor may begin anywhere in a file, but is read one element at a time where it is aligned. */
    poet_tensor stored = it->tensor;
    stored.data = poet_alloc(poet_tensor_bytes(&stored));
    host.data = poet_alloc(bytes);
    poet_status status = stored.data && host.data ? POET_OK : POET_ERR_NOMEM;
    if (!status) {
        memcpy(stored.data, it->tensor.data, poet_tensor_bytes(&stored));
        for (int64_t i = 0; i < poet_tensor_count(&host); i++)
            poet_put(&host, i, poet_get(&stored, i));
        status = poet_params_write(params, index, host.data, bytes);
    }
    poet_free(stored.data);
    poet_free(host.data);
    return status;
}

poet_status poet_checkpoint_load(const poet_checkpoint *checkpoint, poet_params *params)
{
    for (int i = 0; i < checkpoint->count; i++) {
        poet_status status = load_item(&checkpoint->items[i], params);
        if (status)
            return poet_context(status, "%s", checkpoint->path);
    }
    return POET_OK;
}

poet_status poet_checkpoint_load_model(const poet_checkpoint *checkpoint, poet_params *params)
{
    POET_TRY(poet_checkpoint_load(checkpoint, params));
    poet_params_drop(params, POET_MOMENT);
    poet_params_seal(params);
    return POET_OK;
}
