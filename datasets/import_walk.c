/* Which files there are in a folder and below. */
#include "base/file.h"
#include "datasets/import_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 16 };

typedef struct walk {
    const poet_import_sink *sink;
    poet_import_list *list;
    poet_import_visit visit;
    int depth;
    struct stat folders[MAX_DEPTH + 1]; /* those that are open, from the outermost */
} walk;

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A link to a folder that holds it would lead into itself again and again. */
static bool is_loop(const walk *w, const char *path)
{
    struct stat st;
    for (int i = 0; stat(path, &st) == 0 && i < w->depth; i++)
        if (st.st_dev == w->folders[i].st_dev && st.st_ino == w->folders[i].st_ino)
            return true;
    return false;
}

static poet_status walk_folder(walk *w, const char *below);

static poet_status walk_entry(walk *w, const char *file, const poet_import_entries *beside)
{
    if (w->sink->only && strcmp(file, w->sink->only) != 0)
        return POET_OK;
    char *path = poet_path_join(w->sink->folder, file);
    poet_status status = path ? POET_OK : POET_ERR_NOMEM;
    if (status == POET_OK && poet_is_directory(path)) {
        if (is_loop(w, path))
            poet_task_message(w->sink->task, "%s: is a link to a folder that holds it; skipped",
                              path);
        else if (w->depth > MAX_DEPTH)
            poet_import_skip(w->sink, POET_IMPORT_BAD_FOLDER, file, "lies too deep");
        else
            status = walk_folder(w, file);
    } else if (status == POET_OK) {
        status = w->visit(w->sink, w->list, file, beside);
    }
    poet_free(path);
    return status;
}

static poet_status walk_folder(walk *w, const char *below)
{
    poet_import_entries found = {0};
    char *path = poet_path_join(w->sink->folder, below);
    if (!path)
        return POET_ERR_NOMEM;
    const char *here = *below ? path : *w->sink->folder ? w->sink->folder : ".";
    found.count = stat(here, &w->folders[w->depth]) == 0
                      ? scandir(here, &found.entry, not_hidden, by_name)
                      : -1;
    poet_status status = POET_OK;
    if (found.count < 0 && *below)
        poet_import_skip(w->sink, POET_IMPORT_BAD_FOLDER, below, strerror(errno));
    else if (found.count < 0)
        status = POET_FAIL(POET_ERR_IO, "%s: cannot be read: %s", here, strerror(errno));
    if (w->sink->uncaptioned && !w->sink->only)
        found.picture = poet_import_first_picture(&found);
    w->depth++;
    for (int i = 0; i < found.count; i++) {
        char *file = poet_path_join(below, found.entry[i]->d_name);
        if (status == POET_OK)
            status = file ? walk_entry(w, file, &found) : POET_ERR_NOMEM;
        poet_free(file);
    }
    w->depth--;
    for (int i = 0; i < found.count; i++)
        free(found.entry[i]);
    free(found.entry);
    poet_free(path);
    return status;
}

poet_status poet_import_walk(const poet_import_sink *sink, poet_import_list *list,
                             poet_import_visit visit)
{
    walk w = {.sink = sink, .list = list, .visit = visit};
    return walk_folder(&w, "");
}
