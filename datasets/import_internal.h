/* The list of what is to be imported, read from captions (import_list.c) and found in the folder (import_walk.c,
 * import_beside.c, import_names.c), its use (import.c), and the folder that a dataset is made in (import_output.c). */
#ifndef POET_DATASETS_IMPORT_INTERNAL_H
#define POET_DATASETS_IMPORT_INTERNAL_H

#include "base/memory.h"
#include "datasets/import.h"
#include "datasets/shards_internal.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#define POET_PARTIAL_NAME "import.json"       /* the manifest of an import that is not finished */
#define POET_CAPTIONS_LIMIT ((size_t)1 << 30) /* bytes of a file of captions */

typedef enum poet_import_side {
    POET_SIDE_OPEN, /* a hash decides */
    POET_SIDE_TRAIN,
    POET_SIDE_HELDOUT
} poet_import_side;

typedef struct poet_import_item {
    const char *file, *caption, *source, *attributes;
    poet_import_side side;
    size_t place; /* among all that was read: of two that contradict each other the first decides */
    bool skipped; /* and told; it stays in the list until every video has been looked for */
} poet_import_item;

typedef struct poet_import_list {
    poet_import_item *item;
    size_t count, room;
    size_t read;       /* so many were added, also those that have been dropped */
    size_t captioned;  /* the first so many, sorted by file, are named by captions.jsonl or .csv */
    poet_arena *arena; /* owns the strings */
} poet_import_list;

/* What a list is read with: whether captions may be absent, where it reports, and what it counts. */
typedef struct poet_import_sink {
    const char *folder;
    const char *only; /* the one file or pattern of the folder that is wanted; NULL: all */
    bool uncaptioned;
    const poet_task *task;
    poet_import_report *report;
} poet_import_sink;

/* Counts what is left out, and names it and the reason in a message; of an import of one file, in the error that it ends with.
 * what is relative to the folder. */
void poet_import_skip(const poet_import_sink *sink, poet_import_reason reason, const char *what,
                      const char *why);

/* Reads the captions of a folder; drops and reports what is wrong with them, looks which files are
 * there, and settles every item's side. */
poet_status poet_import_list_read(const poet_import_sink *sink, double heldout,
                                  poet_import_list *out);
void poet_import_list_free(poet_import_list *list);

/* Copies an item into the list, its file in its one spelling. caption is cleaned in place; what is wrong is reported, unless the
 * item is skipped already. */
poet_status poet_import_add(const poet_import_sink *sink, poet_import_list *list,
                            const poet_import_item *item, char *caption);

/* A video without a caption, which the sink takes or reports. */
poet_status poet_import_add_uncaptioned(const poet_import_sink *sink, poet_import_list *list,
                                        const char *file);

/* What is in one folder, in the order of strcmp of the names. */
typedef struct poet_import_entries {
    struct dirent **entry;
    int count;
    const char *picture; /* the first PNG file, where the sink takes all of them as one clip */
} poet_import_entries;

typedef poet_status (*poet_import_visit)(const poet_import_sink *sink, poet_import_list *list,
                                         const char *file, const poet_import_entries *beside);

/* Calls visit for every file in the folder and below, in the order of their names, which are relative to the folder; beside
 * is what is in the same folder; or for sink->only alone. A folder below that cannot be read is skipped; IO when the folder itself cannot be read. */
poet_status poet_import_walk(const poet_import_sink *sink, poet_import_list *list,
                             poet_import_visit visit);

/* Takes "//", "/./" and "x/.." out of a name in the folder, in place; "." is the folder itself. "x/.." stays where x is a link,
 * beyond which is another place. */
void poet_import_simplify(const char *folder, char *name);

/* Whether a name ends as that of a PNG file. */
bool poet_import_is_picture(const char *name);

/* The first PNG file of a folder without videos; otherwise NULL. */
const char *poet_import_first_picture(const poet_import_entries *entries);

/* Whether a file is beside->picture. */
bool poet_import_begins_sequence(const char *file, const poet_import_entries *beside);

/* Takes the folder of that file as a clip without a caption. */
poet_status poet_import_add_sequence(const poet_import_sink *sink, poet_import_list *list,
                                     const char *first);

/* What is to be said of a picture that is a sheet of frames, or of a folder that holds one: a table beside it tells. NULL: no sheet. */
const char *poet_import_find_sheet(const char *path);

/* A visit: takes a clip whose caption is in a text file beside it, and reports a text file without a clip. */
poet_status poet_import_take_beside(const poet_import_sink *sink, poet_import_list *list,
                                    const char *file, const poet_import_entries *beside);

/* One row of RFC 4180 from *at (advanced): up to `room` fields are unescaped in place. The number of
 * fields in the row, or -1 when a quote does not end. */
int poet_csv_row(char **at, char **field, int room);

/* Makes the folder out, and removes the temporary files in it that killed imports have left. there: so many bytes of out
 * named a folder before. */
poet_status poet_import_make_output(const char *out, size_t *there);

/* Removes the folders that the above has made, from the innermost, as far as they are empty. */
void poet_import_remove_output(const char *out, size_t there);

/* Takes over what an import of the same request, of so many sources, has left; anything else is as good as nothing. */
poet_status poet_import_resume(const char *out, const char *name, const poet_task *task,
                               size_t sources, poet_manifest *manifest, bool *resumed);

poet_status poet_import_write_manifest(const char *out, const char *name,
                                       const poet_manifest *manifest);

/* Writes the dataset's manifest, then removes the shards that it does not name. */
poet_status poet_import_publish(const char *out, const poet_manifest *manifest);

#endif
