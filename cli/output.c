#include "cli/output.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 2, LONGEST_LIST = 32 };

static poet_status out_of_memory(void)
{
    return POET_FAIL(POET_ERR_NOMEM, "out of memory: the result could not be printed");
}

poet_status cli_print_json(json_t *value)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    if (!text)
        return out_of_memory();
    puts(text); /* what becomes of it is seen when all is flushed */
    free(text);
    return POET_OK;
}

static bool is_compound(const json_t *value)
{
    return json_is_object(value) || json_is_array(value);
}

/* A list that holds objects or lists. */
static bool is_deep(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (is_compound(json_array_get(array, i)))
            return true;
    return false;
}

/* A list of texts with blanks in them: each has a line of its own. */
static bool has_sentences(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text && strchr(text, ' '))
            return true;
    }
    return false;
}

static void print_scalar(const json_t *value)
{
    if (json_is_string(value))
        printf("%s", json_string_value(value));
    else if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        printf("%g", json_real_value(value));
    else
        printf("%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none");
}

static void print_list(const json_t *array, const char *separator)
{
    size_t count = json_array_size(array);
    if (!count)
        printf("none");
    if (count > LONGEST_LIST && json_is_number(json_array_get(array, 0))) {
        printf("%zu numbers", count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s", i ? separator : "");
        print_scalar(json_array_get(array, i));
    }
}

/* The members of an object on one line. */
static void print_row(json_t *object)
{
    const char *key, *separator = "";
    json_t *value;
    json_object_foreach(object, key, value)
    {
        printf("%s", separator);
        if (json_is_array(value))
            print_list(value, " x ");
        else
            print_scalar(value);
        separator = "  ";
    }
}

/* The names of an object's members, above rows of them. */
static void print_titles(json_t *object, int indent)
{
    const char *key, *separator = "";
    json_t *value;
    printf("%*s", indent, "");
    json_object_foreach(object, key, value)
    {
        printf("%s%s", separator, key);
        separator = "  ";
    }
    putchar('\n');
}

static void print_text_block(const char *text, int indent)
{
    while (*text) {
        int line = (int)strcspn(text, "\n");
        printf("%*s%.*s\n", line ? indent : 0, "", line, text);
        text += line;
        text += *text == '\n';
    }
}

static void print_object(json_t *object, int indent);

static void print_member(const char *key, json_t *value, int indent)
{
    printf("%*s%s:", indent, "", key);
    if (json_is_object(value) && json_object_size(value)) {
        putchar('\n');
        print_object(value, indent + INDENT);
    } else if (is_deep(value)) {
        putchar('\n');
        if (json_is_object(json_array_get(value, 0)))
            print_titles(json_array_get(value, 0), indent + INDENT);
        for (size_t i = 0; i < json_array_size(value); i++) {
            printf("%*s", indent + INDENT, "");
            print_row(json_array_get(value, i));
            putchar('\n');
        }
    } else if (has_sentences(value)) {
        putchar('\n');
        for (size_t i = 0; i < json_array_size(value); i++) {
            printf("%*s", indent + INDENT, "");
            print_scalar(json_array_get(value, i));
            putchar('\n');
        }
    } else if (json_is_string(value) && strchr(json_string_value(value), '\n')) {
        putchar('\n');
        print_text_block(json_string_value(value), indent + INDENT);
    } else {
        putchar(' ');
        if (json_is_array(value))
            print_list(value, ", ");
        else if (json_is_object(value))
            printf("none");
        else
            print_scalar(value);
        putchar('\n');
    }
}

static void print_object(json_t *object, int indent)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) print_member(key, value, indent);
}

poet_status cli_print_text(json_t *value)
{
    if (!value)
        return out_of_memory();
    print_object(value, 0);
    json_decref(value);
    return POET_OK;
}

poet_status cli_print_result(bool json, json_t *value)
{
    return json ? cli_print_json(value) : cli_print_text(value);
}

poet_status cli_print_outcome(bool json, poet_status status, json_t *value)
{
    if (status == POET_OK)
        return cli_print_result(json, value);
    json_decref(value);
    return status;
}

json_t *cli_interval(const poet_mean *mean)
{
    return mean->n > 1 ? json_real(mean->interval) : json_null();
}

poet_status cli_can_write(const char *path, const char *extension)
{
    char found[16];
    poet_output *probe;
    poet_path_extension(path, found);
    if (extension && strcmp(found, extension) != 0)
        return POET_FAIL(POET_ERR_ARG, "%s: the name must end in .%s, which is what is written",
                         path, extension);
    POET_TRY(poet_output_create(path, &probe));
    poet_output_destroy(probe);
    return POET_OK;
}

const char *cli_temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}
