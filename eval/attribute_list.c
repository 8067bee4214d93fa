#include "eval/classifier_internal.h"

#include <string.h>

/* Values beyond those that can be read are only noticed. */
enum { TOO_MANY_VALUES = POET_MAX_VALUES + 1, MAX_NAMES = 256 };

/* What a value says, or NULL. */
static const char *text_of(const json_t *value)
{
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    return json_string_value(value);
}

int poet_attribute_list_find(const poet_attribute_list *list, const char *name, size_t length)
{
    for (int i = 0; i < list->count; i++)
        if (strlen(list->item[i].name) == length && memcmp(list->item[i].name, name, length) == 0)
            return i;
    return -1;
}

static int find_value(const poet_named_attribute *a, const char *text)
{
    for (int i = 0; i < a->count; i++)
        if (strcmp(a->value[i], text) == 0)
            return i;
    return POET_UNKNOWN;
}

void poet_attribute_labels(const poet_attribute_list *list, const char *json, int32_t *label)
{
    json_t *root = json_loads(json, 0, NULL);
    for (int i = 0; i < list->count; i++) {
        const char *text = text_of(json_object_get(root, list->item[i].name));
        label[i] = text ? find_value(&list->item[i], text) : POET_UNSTATED;
    }
    json_decref(root);
}

/* ---- collecting ---- */

/* All names that clips state, with one value more than can be read where there are so many or more. */
typedef struct census {
    poet_arena *arena;
    int count;

    struct {
        const char *name;
        int count;
        const char *value[TOO_MANY_VALUES];
    } seen[MAX_NAMES];
} census;

static poet_status count_value(census *c, const char *name, const char *text)
{
    int i = 0, v = 0;
    while (i < c->count && strcmp(c->seen[i].name, name) != 0)
        i++;
    if (i == MAX_NAMES)
        return POET_FAIL(POET_ERR_FORMAT, "the clips name more than %d different attributes",
                         MAX_NAMES);
    if (i == c->count) {
        c->seen[i].name = poet_arena_strdup(c->arena, name);
        if (!c->seen[i].name)
            return POET_ERR_NOMEM;
        c->count++;
    }
    while (v < c->seen[i].count && strcmp(c->seen[i].value[v], text) != 0)
        v++;
    if (v < c->seen[i].count || v == TOO_MANY_VALUES)
        return POET_OK;
    c->seen[i].value[v] = poet_arena_strdup(c->arena, text);
    if (!c->seen[i].value[v])
        return POET_ERR_NOMEM;
    c->seen[i].count++;
    return POET_OK;
}

static poet_status count_clip(census *c, const char *json)
{
    json_t *root = json_loads(json, 0, NULL), *value;
    const char *name;
    poet_status status = POET_OK;
    json_object_foreach(root, name, value)
    {
        const char *text = text_of(value);
        if (text && !status)
            status = count_value(c, name, text);
    }
    json_decref(root);
    return status;
}

static poet_status count_clips(census *c, const poet_dataset *dataset)
{
    uint64_t clips = poet_dataset_count(dataset, POET_SPLIT_TRAIN);
    for (uint64_t i = 0; i < clips; i++) {
        poet_example example;
        POET_TRY(poet_dataset_describe(dataset, POET_SPLIT_TRAIN, i, &example));
        poet_status status = count_clip(c, example.attributes);
        poet_example_free(&example);
        POET_TRY(status);
    }
    return POET_OK;
}

static poet_status take(poet_attribute_list *list, const census *c, int i)
{
    if (list->count == POET_MAX_ATTRIBUTES)
        return POET_FAIL(POET_ERR_ARG,
                         "more than %d attributes; --attributes names those to be read",
                         POET_MAX_ATTRIBUTES);
    poet_named_attribute *a = &list->item[list->count++];
    a->name = c->seen[i].name;
    a->count = c->seen[i].count;
    /* In order of bytes, so that the order of clips does not matter. */
    for (int v = 0; v < a->count; v++) {
        int at = v;
        for (; at > 0 && strcmp(a->value[at - 1], c->seen[i].value[v]) > 0; at--)
            a->value[at] = a->value[at - 1];
        a->value[at] = c->seen[i].value[v];
    }
    return POET_OK;
}

static poet_status take_all(poet_attribute_list *list, const census *c, const poet_task *task)
{
    for (int i = 0; i < c->count; i++) {
        if (c->seen[i].count > POET_MAX_VALUES)
            poet_task_message(task, "attribute \"%.80s\" has more than %d values and is left out",
                              c->seen[i].name, POET_MAX_VALUES);
        else if (c->seen[i].count >= 2)
            POET_TRY(take(list, c, i));
    }
    if (!list->count)
        return POET_FAIL(POET_ERR_FORMAT,
                         "the training clips have no attribute with 2 to %d "
                         "values that are text, true or false",
                         POET_MAX_VALUES);
    return POET_OK;
}

static poet_status take_named(poet_attribute_list *list, const census *c, const char *name,
                              size_t length)
{
    int i = 0;
    while (i < c->count &&
           (strlen(c->seen[i].name) != length || memcmp(c->seen[i].name, name, length) != 0))
        i++;
    int values = i < c->count ? c->seen[i].count : 0;
    if (values < 2 || values > POET_MAX_VALUES)
        return POET_FAIL(POET_ERR_ARG,
                         "attribute \"%.*s\" has %s%d values in the training clips; 2 to %d that "
                         "are text, true or false are wanted",
                         length < 80 ? (int)length : 80, name,
                         values > POET_MAX_VALUES ? "more than " : "",
                         values > POET_MAX_VALUES ? POET_MAX_VALUES : values, POET_MAX_VALUES);
    if (poet_attribute_list_find(list, name, length) >= 0)
        return POET_FAIL(POET_ERR_ARG, "attribute \"%.80s\" is named twice", c->seen[i].name);
    return take(list, c, i);
}

static poet_status take_these(poet_attribute_list *list, const census *c, const char *names)
{
    for (;;) {
        size_t length = strcspn(names, ",");
        POET_TRY(take_named(list, c, names, length));
        if (!names[length])
            return POET_OK;
        names += length + 1;
    }
}

static poet_status create(poet_attribute_list *out)
{
    *out = (poet_attribute_list){.arena = poet_arena_create()};
    return out->arena ? POET_OK : POET_ERR_NOMEM;
}

poet_status poet_attribute_list_collect(const poet_dataset *dataset, const char *names,
                                        const poet_task *task, poet_attribute_list *out)
{
    POET_TRY(create(out));
    census *c = poet_calloc(1, sizeof *c);
    poet_status status = c ? POET_OK : POET_ERR_NOMEM;
    if (!status) {
        c->arena = out->arena;
        status = count_clips(c, dataset);
    }
    if (!status)
        status = names ? take_these(out, c, names) : take_all(out, c, task);
    poet_free(c);
    if (status)
        poet_attribute_list_free(out);
    return status;
}

void poet_attribute_list_free(poet_attribute_list *list)
{
    poet_arena_destroy(list->arena);
    *list = (poet_attribute_list){0};
}

poet_status poet_attribute_list_select(const poet_attribute_list *list, const char *names,
                                       uint32_t *out)
{
    *out = names ? 0 : UINT32_MAX;
    while (names) {
        size_t length = strcspn(names, ",");
        int i = poet_attribute_list_find(list, names, length);
        if (i < 0)
            return POET_FAIL(POET_ERR_ARG, "the reader knows no attribute \"%.*s\"",
                             length < 80 ? (int)length : 80, names);
        *out |= UINT32_C(1) << i;
        names = names[length] ? names + length + 1 : NULL;
    }
    return POET_OK;
}

/* ---- as text ---- */

json_t *poet_attribute_list_json(const poet_attribute_list *list)
{
    json_t *array = json_array();
    for (int i = 0; i < list->count; i++) {
        json_t *values = json_array();
        for (int v = 0; v < list->item[i].count; v++)
            json_array_append_new(values, json_string(list->item[i].value[v]));
        json_array_append_new(
            array, json_pack("{s:s, s:o}", "name", list->item[i].name, "values", values));
    }
    return array;
}

static bool parse_attribute(poet_attribute_list *list, json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    json_t *values = json_object_get(entry, "values");
    size_t count = json_array_size(values);
    if (!name || count < 2 || count > POET_MAX_VALUES || list->count == POET_MAX_ATTRIBUTES)
        return false;
    poet_named_attribute *a = &list->item[list->count++];
    a->name = poet_arena_strdup(list->arena, name);
    for (size_t v = 0; v < count; v++) {
        const char *text = json_string_value(json_array_get(values, v));
        a->value[a->count++] = text ? poet_arena_strdup(list->arena, text) : NULL;
        if (!a->value[v])
            return false;
    }
    return a->name != NULL;
}

poet_status poet_attribute_list_parse(json_t *array, poet_attribute_list *out)
{
    POET_TRY(create(out));
    size_t count = json_array_size(array);
    bool ok = count > 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = parse_attribute(out, json_array_get(array, i));
    if (ok)
        return POET_OK;
    poet_attribute_list_free(out);
    return POET_FAIL(POET_ERR_FORMAT, "the list of attributes cannot be read");
}
