/* Files: whole reads, maps, and writes that appear by rename, complete or not at all. */
#ifndef POET_BASE_FILE_H
#define POET_BASE_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads a whole regular file of at most limit bytes. *bytes gets one 0 byte more than *size, so
 * text can be used as a string. The caller frees with poet_free. */
poet_status poet_file_read(const char *path, size_t limit, unsigned char **bytes, size_t *size);

/* The same, also of a pipe or a character device (/dev/stdin, a terminal), to its end. A pipe that nobody opens for writing is given
 * a second, then counts as empty. */
poet_status poet_stream_read(const char *path, size_t limit, unsigned char **bytes, size_t *size);

/* A read-only map of a regular file. */
typedef struct poet_map {
    const unsigned char *bytes; /* NULL when size is 0 */
    size_t size;
} poet_map;

poet_status poet_map_open(const char *path, poet_map *out);
void poet_map_close(poet_map *map);

/* An output file under a temporary name in the directory of path. commit flushes, syncs and
 * renames; destroy without commit removes the temporary file. A signal handler need do nothing:
 * what is left is a *.tmp beside the target, never a half file. */
typedef struct poet_output poet_output;

poet_status poet_output_create(const char *path, poet_output **out);

/* The stream to write to, and the temporary path for libraries that open files themselves (they
 * write to that path; poet_output_stream is then not used). Owned by the output. */
FILE *poet_output_stream(poet_output *output);
const char *poet_output_path(const poet_output *output);

poet_status poet_output_write(poet_output *output, const void *bytes, size_t count);

/* After commit, successful or not, only destroy is allowed. */
poet_status poet_output_commit(poet_output *output);
void poet_output_destroy(poet_output *output);

/* Removes the temporary files that killed processes of this machine have left for path. It reads the whole directory: once for
 * what a command writes, not for each of many files. */
void poet_output_clean(const char *path);

/* Creates a directory and its parents; fine when it exists. */
poet_status poet_make_directory(const char *path);
/* Whether the above could, as far as can be told, and files be written there; nothing is made. */
poet_status poet_can_make_directory(const char *path);

/* Removes a directory with all that is in it, where there is one. What cannot be removed stays. */
void poet_remove_directory(const char *path);

/* Gives a directory whose files are all there the name `to`, in its own file system. One that has that name already is replaced at
 * once: at every moment `to` is one of the two as a whole. Files of the old one that the new one does not have are kept, and are moved
 * there afterwards, but for those with a name in `own` (NULL at its end). */
poet_status poet_place_directory(const char *from, const char *to, const char *const *own);

bool poet_is_directory(const char *path);
bool poet_is_file(const char *path);

/* Joins with one '/' into a new string (poet_free); name alone when it is absolute or directory is
 * "" or ".". */
char *poet_path_join(const char *directory, const char *name);

/* Whether both are there and are one file or folder, however they are spelt. */
bool poet_path_same(const char *a, const char *b);

/* The folder that a path is in, with its slash; "." where it names none. The caller frees with poet_free; NULL: no memory. */
char *poet_path_folder(const char *path);

/* The part after the last '.' of the last component, lower-cased into out[16]; "" when there is
 * none or it is longer. */
void poet_path_extension(const char *path, char out[16]);

#endif
