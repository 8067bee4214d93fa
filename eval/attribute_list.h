/* The attributes of a dataset that can be read: those whose values are words. Which there are and what values they take is
 * collected from the training clips.
 *
 * A value is a JSON string or a boolean ("true", "false"). null, numbers, arrays, objects and absence do not state anything. */
#ifndef POET_EVAL_ATTRIBUTE_LIST_H
#define POET_EVAL_ATTRIBUTE_LIST_H

#include "base/memory.h"
#include "datasets/dataset.h"

enum {
    POET_MAX_ATTRIBUTES = 32,
    POET_MAX_VALUES = 64,
    /* what poet_attribute_labels gives instead of the index of a value */
    POET_UNSTATED = -1, /* nothing is said about it */
    POET_UNKNOWN = -2   /* a value that training never showed: whatever is read is wrong */
};

typedef struct poet_named_attribute {
    const char *name;
    int count; /* of values: 2 .. POET_MAX_VALUES */
    const char *value[POET_MAX_VALUES];
} poet_named_attribute;

typedef struct poet_attribute_list {
    int count;
    poet_named_attribute item[POET_MAX_ATTRIBUTES];
    poet_arena *arena; /* owns the texts */
} poet_attribute_list;

/* The attributes of the training clips with 2 .. POET_MAX_VALUES values, as the clips name them first, values in order of their
 * bytes. names: only these, in this order, e.g. "subject,action"; NULL: all; then those with too many values are left out, with a
 * message. ARG for a name that has too few or too many values, FORMAT when there is nothing to read. */
poet_status poet_attribute_list_collect(const poet_dataset *dataset, const char *names,
                                        const poet_task *task, poet_attribute_list *out);

void poet_attribute_list_free(poet_attribute_list *list); /* leaves a zeroed struct */

/* The index of an attribute, -1 when there is none of this name. */
int poet_attribute_list_find(const poet_attribute_list *list, const char *name, size_t length);

/* The attributes that text names between commas, as bits. ARG for a name that the list does not have. NULL: all. */
poet_status poet_attribute_list_select(const poet_attribute_list *list, const char *names,
                                       uint32_t *out);

/* label[list->count]: for each attribute the index of the value that a clip's JSON object states. */
void poet_attribute_labels(const poet_attribute_list *list, const char *json, int32_t *label);

#endif
