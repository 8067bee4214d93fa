#include "cli/models.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FOLDERS = 3, LEVELS_UP = 4 };

static const char suffix[] = ".safetensors";

/* The folders that exist, in order of search. */
typedef struct folder_list {
    char *path[MAX_FOLDERS];
    int n;
} folder_list;

static void free_folders(folder_list *folders)
{
    for (int i = 0; i < folders->n; i++)
        poet_free(folders->path[i]);
    folders->n = 0;
}

static poet_status add_folder(folder_list *folders, const char *path)
{
    if (!poet_is_directory(path))
        return POET_OK;
    char *copy = poet_strdup(path);
    if (!copy)
        return POET_ERR_NOMEM;
    folders->path[folders->n++] = copy;
    return POET_OK;
}

/* Cuts the last component; false at the root. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return false;
    *slash = 0;
    return true;
}

/* Folders that are found from where the program lies. */
static poet_status add_program_folders(folder_list *folders)
{
    char program[PATH_MAX], path[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return POET_OK;
    program[n] = 0;
    if (!go_up(program))
        return POET_OK;
    snprintf(path, sizeof path, "%s/../share/pocketpoet/models", program);
    POET_TRY(add_folder(folders, path));
    for (int level = 0; level < LEVELS_UP && go_up(program); level++) {
        snprintf(path, sizeof path, "%s/samples/models", program);
        if (poet_is_directory(path))
            return add_folder(folders, path);
    }
    return POET_OK;
}

static poet_status find_folders(folder_list *folders)
{
    const char *own = getenv("POCKETPOET_MODELS");
    poet_status status = own && *own ? add_folder(folders, own) : POET_OK;
    return status ? status : add_program_folders(folders);
}

static bool ends_with_suffix(const char *name)
{
    size_t n = strlen(name), m = sizeof suffix - 1;
    return n > m && strcmp(name + n - m, suffix) == 0;
}

/* A folder of another kind, such as a data set of the same name, is not taken for a model. */
static bool is_model(const char *path)
{
    char tokenizer[PATH_MAX];
    snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer%s", path, suffix);
    return poet_is_file(path) || poet_is_file(tokenizer);
}

/* *path stays NULL when there is no such model in the folder. */
static poet_status find_in_folder(const char *folder, const char *name, char **path)
{
    char file[NAME_MAX + 1];
    const char *candidates[] = {name, file};
    snprintf(file, sizeof file, "%s%s", name, suffix);
    for (int i = 0; i < 2; i++) {
        char *candidate = poet_path_join(folder, candidates[i]);
        if (!candidate)
            return POET_ERR_NOMEM;
        if (is_model(candidate)) {
            *path = candidate;
            return POET_OK;
        }
        poet_free(candidate);
    }
    return POET_OK;
}

/* ---- listing ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct name_list {
    char **name;
    int n, room;
} name_list;

static void free_names(name_list *names)
{
    for (int i = 0; i < names->n; i++)
        poet_free(names->name[i]);
    poet_free(names->name);
}

static poet_status add_name(name_list *names, const char *name)
{
    if (names->n == names->room) {
        int room = names->room ? 2 * names->room : 16;
        char **grown = poet_realloc(names->name, (size_t)room * sizeof *grown);
        if (!grown)
            return POET_ERR_NOMEM;
        names->name = grown;
        names->room = room;
    }
    char *copy = poet_strdup(name);
    if (!copy)
        return POET_ERR_NOMEM;
    if (ends_with_suffix(copy))
        copy[strlen(copy) - (sizeof suffix - 1)] = 0;
    names->name[names->n++] = copy;
    return POET_OK;
}

/* The models of one folder, sorted. */
static poet_status read_names(const char *folder, name_list *names)
{
    poet_status status = POET_OK;
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    while (!status && dir && (entry = readdir(dir))) {
        char *path = poet_path_join(folder, entry->d_name);
        bool wanted =
            path && is_model(path) && (poet_is_directory(path) || ends_with_suffix(entry->d_name));
        status = !path ? POET_ERR_NOMEM : wanted ? add_name(names, entry->d_name) : POET_OK;
        poet_free(path);
    }
    if (dir)
        closedir(dir);
    if (!status && names->n)
        qsort(names->name, (size_t)names->n, sizeof *names->name, compare_names);
    return status;
}

/* A name is hidden when an earlier folder has it too. */
static bool is_hidden(const folder_list *folders, int before, const char *name)
{
    bool hidden = false;
    for (int i = 0; i < before && !hidden; i++) {
        char *path = NULL;
        hidden = find_in_folder(folders->path[i], name, &path) == POET_OK && path;
        poet_free(path);
    }
    return hidden;
}

static poet_status list_folder(const folder_list *folders, int index, cli_model_fn each,
                               void *opaque)
{
    name_list names = {0};
    poet_status status = read_names(folders->path[index], &names);
    for (int i = 0; i < names.n && !status; i++) {
        char *path = NULL;
        if (is_hidden(folders, index, names.name[i]))
            continue;
        status = find_in_folder(folders->path[index], names.name[i], &path);
        if (!status && path)
            status = each(opaque, names.name[i], path);
        poet_free(path);
    }
    free_names(&names);
    return status;
}

poet_status cli_model_list(cli_model_fn each, void *opaque)
{
    folder_list folders = {0};
    poet_status status = find_folders(&folders);
    for (int i = 0; i < folders.n && !status; i++)
        status = list_folder(&folders, i, each, opaque);
    free_folders(&folders);
    return status;
}

/* ---- finding ---- */

typedef struct sentence {
    char text[512];
} sentence;

static void append(sentence *s, const char *separator, const char *text)
{
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof s->text - used, "%s%s", used ? separator : "", text);
}

static poet_status append_name(void *opaque, const char *name, const char *path)
{
    (void)path;
    append(opaque, ", ", name);
    return POET_OK;
}

static poet_status not_found(const folder_list *folders, const char *name)
{
    sentence searched = {""}, there = {""};
    for (int i = 0; i < folders->n; i++)
        append(&searched, " and ", folders->path[i]);
    POET_TRY(cli_model_list(append_name, &there));
    if (!folders->n)
        return POET_FAIL(POET_ERR_IO,
                         "%.200s: there is no such model file, and no folder of models", name);
    if (!*there.text)
        return POET_FAIL(POET_ERR_IO, "%.200s: there is no such model; %s has none", name,
                         searched.text);
    return POET_FAIL(POET_ERR_IO, "%.200s: there is no such model; %s has %s", name, searched.text,
                     there.text);
}

poet_status cli_model_find(const char *name, char **path)
{
    folder_list folders = {0};
    poet_status status = POET_OK;
    *path = NULL;
    if (*name && is_model(name)) {
        *path = poet_strdup(name);
        return *path ? POET_OK : POET_ERR_NOMEM;
    }
    POET_TRY_DONE(find_folders(&folders));
    for (int i = 0; i < folders.n && *name && name[0] != '/' && !*path; i++)
        POET_TRY_DONE(find_in_folder(folders.path[i], name, path));
    if (!*path)
        status = not_found(&folders, name);
done:
    free_folders(&folders);
    return status;
}

poet_status cli_model_tokenizer(const char *tokenizer, const char *model, char **path)
{
    char *folder;
    *path = NULL;
    if (tokenizer) {
        *path = poet_strdup(tokenizer);
        return *path ? POET_OK : POET_ERR_NOMEM;
    }
    POET_TRY(cli_model_find(model, &folder));
    poet_status status = POET_OK;
    if (poet_is_directory(folder)) {
        *path = poet_path_join(folder, "tokenizer.safetensors");
        status = *path ? POET_OK : POET_ERR_NOMEM;
    } else {
        status = POET_FAIL(POET_ERR_FORMAT, "%s: is not a model folder; a file is for --tokenizer",
                           folder);
    }
    poet_free(folder);
    return status;
}
