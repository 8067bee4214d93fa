/* Results: one JSON value on stdout, for programs as it is, for people as indented text; and whether
 * a file will take them. */
#ifndef POET_CLI_OUTPUT_H
#define POET_CLI_OUTPUT_H

#include "base/status.h"
#include "eval/metrics.h"

#include <jansson.h>
#include <stdbool.h>

/* Both take the reference; NULL is jansson's way of saying that memory ran out. */
poet_status cli_print_json(json_t *value);

/* A line "key: value" for each scalar; an object's members indented under its key; a list of
 * scalars on one line, a list of objects with one line each, below the names of the first one's members; a text of several lines as it is. */
poet_status cli_print_text(json_t *value);

/* Half the width of a 95% interval; null for a single value, which has none. */
json_t *cli_interval(const poet_mean *mean);

/* The one that --json decides. */
poet_status cli_print_result(bool json, json_t *value);

/* The same where status is POET_OK; otherwise the value is released, and the result is status. */
poet_status cli_print_outcome(bool json, poet_status status, json_t *value);

/* For asking before long work whether a file can be written: POET_ERR_IO when its folder takes no
 * new file or the name is a folder's, POET_ERR_ARG when it does not end in the extension ("png";
 * NULL: any name will do). */
poet_status cli_can_write(const char *path, const char *extension);

/* Where files go that are soon gone: $TMPDIR, or /tmp. */
const char *cli_temporary_folder(void);

#endif
