/* A directory for a test's files that is removed at its end, and small file helpers. */
#ifndef POET_TESTS_SUPPORT_SCRATCH_H
#define POET_TESTS_SUPPORT_SCRATCH_H

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_directory[] = "/tmp/poet-test-XXXXXX";

static inline void scratch_begin(void)
{
    if (!mkdtemp(scratch_directory)) {
        perror(scratch_directory);
        exit(1);
    }
}

/* A path in the directory; eight are valid at a time. */
static inline const char *scratch(const char *name)
{
    static char paths[8][320];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_directory, name);
    return path;
}

static inline int scratch_files(void)
{
    int count = 0;
    DIR *directory = opendir(scratch_directory);
    for (struct dirent *e; directory && (e = readdir(directory));)
        count += e->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count;
}

static inline void scratch_end(void)
{
    char command[300];
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s", scratch_directory,
             scratch_directory);
    if (system(command) != 0)
        perror(command);
}

static inline void write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static inline unsigned char *read_bytes(const char *path, size_t *size)
{
    unsigned char *bytes;
    if (poet_file_read(path, (size_t)1 << 30, &bytes, size)) {
        fprintf(stderr, "%s\n", poet_error_message());
        exit(1);
    }
    return bytes;
}

#endif
