/* The folder that becomes a dataset. Shards are named after the request, so a new import never touches those of the dataset that it
 * will replace. They go once the new manifest is there, and with them what other imports have begun there and left. */
#include "base/file.h"
#include "datasets/import_internal.h"
#include "datasets/shards_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- making and removing it --- */

/* How much of the path, cut at a '/', names a folder; 0: none of it. */
static size_t folder_length(const char *path)
{
    char *copy = poet_strdup(path);
    size_t length = copy ? strlen(copy) : 0;
    while (length && !poet_is_directory(copy)) {
        while (length && copy[length - 1] != '/')
            length--;
        while (length && copy[length - 1] == '/')
            length--;
        copy[length] = 0;
    }
    poet_free(copy);
    return length;
}

/* "shard-0123abcd-00000.zst", with as many digits of the number as it needs. */
static bool is_shard(const char *name)
{
    if (strncmp(name, "shard-", 6) != 0 || strspn(name + 6, "0123456789abcdef") != 8 ||
        name[14] != '-')
        return false;
    const char *number = name + 15;
    size_t digits = strspn(number, "0123456789");
    return digits >= 5 && strcmp(number + digits, ".zst") == 0;
}

/* Cuts NAME.PID.tmp to NAME. False where that is no name that an import writes. */
static bool cut_to_target(char *name)
{
    char *dot = strrchr(name, '.');
    if (!dot || strcmp(dot, ".tmp") != 0)
        return false;
    *dot = 0;
    dot = strrchr(name, '.');
    if (!dot)
        return false;
    *dot = 0;
    return is_shard(name) || strcmp(name, POET_MANIFEST_NAME) == 0 ||
           strcmp(name, POET_PARTIAL_NAME) == 0;
}

/* Removes the temporary files of imports that were killed. */
static void clean_folder(const char *out)
{
    DIR *folder = opendir(out);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char name[sizeof entry->d_name];
        snprintf(name, sizeof name, "%s", entry->d_name);
        char *path = cut_to_target(name) ? poet_path_join(out, name) : NULL;
        if (path)
            poet_output_clean(path);
        poet_free(path);
    }
    if (folder)
        closedir(folder);
}

poet_status poet_import_make_output(const char *out, size_t *there)
{
    *there = folder_length(out);
    POET_TRY(poet_make_directory(out));
    clean_folder(out);
    return POET_OK;
}

void poet_import_remove_output(const char *out, size_t there)
{
    char *copy = poet_strdup(out);
    for (size_t length = copy ? strlen(copy) : 0; length > there; length--)
        if (copy[length] == 0 || copy[length] == '/') {
            copy[length] = 0;
            rmdir(copy);
        }
    poet_free(copy);
}

/* --- going on --- */

/* Whether the shards are there as a manifest has them, by their sizes; what is missing is told. */
static bool has_shards(const char *out, const poet_task *task, const poet_manifest *manifest)
{
    for (size_t i = 0; i < manifest->shards; i++) {
        struct stat st;
        char *path = poet_path_join(out, manifest->shard[i].file);
        bool whole = path && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
                     (uint64_t)st.st_size == manifest->shard[i].bytes;
        if (!whole && path)
            poet_task_message(task, "%s: is gone or cut short; its clips are imported again", path);
        poet_free(path);
        if (!whole)
            return false;
    }
    return true;
}

poet_status poet_import_resume(const char *out, const char *name, const poet_task *task,
                               size_t sources, poet_manifest *manifest, bool *resumed)
{
    poet_manifest found = {0};
    char *path = poet_path_join(out, name);
    *resumed = false;
    if (!path)
        return POET_ERR_NOMEM;
    bool there = poet_is_file(path) && poet_manifest_read(path, &found) == POET_OK;
    poet_free(path);
    bool same = there && found.request == manifest->request && found.sources_done <= sources;
    if (same && has_shards(out, task, &found)) {
        poet_manifest_destroy(manifest);
        *manifest = found;
        *resumed = true;
    } else if (there) {
        poet_manifest_destroy(&found);
    }
    return POET_OK;
}

/* --- the manifest --- */

poet_status poet_import_write_manifest(const char *out, const char *name,
                                       const poet_manifest *manifest)
{
    char *path = poet_path_join(out, name);
    if (!path)
        return POET_ERR_NOMEM;
    poet_status status = poet_manifest_write(path, manifest);
    poet_free(path);
    return status;
}

static bool names_shard(const poet_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->shards; i++)
        if (strcmp(manifest->shard[i].file, name) == 0)
            return true;
    return false;
}

/* By what is there, not by older manifests: an import that was stopped may have written its own over that of another which was
 * stopped before it, and one that was killed may have had no time for any. */
static void remove_other_shards(const char *out, const poet_manifest *manifest)
{
    DIR *folder = opendir(out);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_shard(entry->d_name) && !names_shard(manifest, entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
}

poet_status poet_import_publish(const char *out, const poet_manifest *manifest)
{
    POET_TRY(poet_import_write_manifest(out, POET_MANIFEST_NAME, manifest));
    char *partial = poet_path_join(out, POET_PARTIAL_NAME);
    if (partial)
        unlink(partial);
    poet_free(partial);
    remove_other_shards(out, manifest);
    return POET_OK;
}
