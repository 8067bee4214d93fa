/* What a name in the folder stands for: its one spelling, and the PNG files that are a clip together, or sheets and no clip. */
#include "base/file.h"
#include "codec/video.h"
#include "datasets/import_internal.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const size_t table_limit = (size_t)64 << 20;

/* --- spellings --- */

/* Whether "name/.." is where name is: not so where it is a link, or is not there. */
static bool is_own_folder(const char *folder, const char *name)
{
    struct stat st;
    const char *slash = strrchr(name, '/');
    if (strcmp(slash ? slash + 1 : name, "..") == 0)
        return false;
    char *path = poet_path_join(folder, name);
    bool own = path && lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
    poet_free(path);
    return own;
}

/* The end of what is before the last part of first..end. */
static char *without_last(char *first, char *end)
{
    while (end > first && end[-1] != '/')
        end--;
    return end > first ? end - 1 : end;
}

/* In place: at any time the end is before what is still to be read, so a 0 may be put there. */
void poet_import_simplify(const char *folder, char *name)
{
    char *first = name + (*name == '/'), *end = first;
    for (const char *read = first; *read; read += *read == '/') {
        size_t length = strcspn(read, "/");
        const char *part = read;
        read += length;
        if (!length || (length == 1 && *part == '.'))
            continue;
        if (end > first && length == 2 && strncmp(part, "..", 2) == 0) {
            *end = 0;
            if (is_own_folder(folder, name)) {
                end = without_last(first, end);
                continue;
            }
        }
        if (end > first)
            *end++ = '/';
        memmove(end, part, length);
        end += length;
    }
    if (end == name)
        *end++ = '.';
    *end = 0;
}

/* --- sequences --- */

bool poet_import_is_picture(const char *name)
{
    char extension[16];
    poet_path_extension(name, extension);
    return strcmp(extension, "png") == 0;
}

const char *poet_import_first_picture(const poet_import_entries *entries)
{
    const char *first = NULL;
    for (int i = 0; i < entries->count; i++) {
        const struct dirent *entry = entries->entry[i];
        if (entry->d_type == DT_DIR)
            continue;
        if (poet_video_is_named(entry->d_name))
            return NULL;
        if (!first && poet_import_is_picture(entry->d_name))
            first = entry->d_name;
    }
    return first;
}

bool poet_import_begins_sequence(const char *file, const poet_import_entries *beside)
{
    const char *slash = strrchr(file, '/');
    return beside->picture && strcmp(slash ? slash + 1 : file, beside->picture) == 0;
}

poet_status poet_import_add_sequence(const poet_import_sink *sink, poet_import_list *list,
                                     const char *first)
{
    char *folder = poet_path_folder(first);
    poet_status status = folder ? poet_import_add_uncaptioned(sink, list, folder) : POET_ERR_NOMEM;
    poet_free(folder);
    return status;
}

/* --- sheets --- */

/* As Aseprite and others write it, and codec/video.h: a list of frames and what is told of all of them. */
static bool is_table(const char *path)
{
    unsigned char *bytes;
    size_t size;
    if (!poet_is_file(path) || poet_file_read(path, table_limit, &bytes, &size) != POET_OK)
        return false;
    json_t *root = json_loadb((const char *)bytes, size, 0, NULL);
    json_t *frames = json_object_get(root, "frames");
    bool table = (json_is_array(frames) || json_is_object(frames)) &&
                 json_is_object(json_object_get(root, "meta"));
    json_decref(root);
    poet_free(bytes);
    return table;
}

/* The path with another extension of at most four letters; NULL: no memory. */
static char *with_extension(const char *path, const char *extension)
{
    size_t length = (size_t)(strrchr(path, '.') + 1 - path), room = length + 5;
    char *other = poet_alloc(room);
    if (other)
        snprintf(other, room, "%.*s%s", (int)length, path, extension);
    return other;
}

static bool is_sheet(const char *path)
{
    char *table = poet_import_is_picture(path) ? with_extension(path, "json") : NULL;
    bool sheet = table && is_table(table);
    poet_free(table);
    return sheet;
}

/* Looks for tables, which are fewer than pictures. */
static bool holds_sheet(const char *path)
{
    bool sheet = false;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && !sheet && (entry = readdir(folder));) {
        char extension[16];
        poet_path_extension(entry->d_name, extension);
        if (entry->d_name[0] == '.' || strcmp(extension, "json") != 0)
            continue;
        char *table = poet_path_join(path, entry->d_name);
        char *picture = table ? with_extension(table, "png") : NULL;
        sheet = picture && poet_is_file(picture) && is_table(table);
        poet_free(picture);
        poet_free(table);
    }
    if (folder)
        closedir(folder);
    return sheet;
}

const char *poet_import_find_sheet(const char *path)
{
    if (poet_is_directory(path))
        return holds_sheet(path) ? "holds sheets of frames with their tables (.json), and is not "
                                   "the frames of a clip"
                                 : NULL;
    return is_sheet(path) ? "is a sheet of frames, as the .json of its name says, and not a clip"
                          : NULL;
}
