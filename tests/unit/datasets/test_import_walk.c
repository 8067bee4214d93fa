/* datasets/import_walk: which videos are found, and the folders that cannot be looked into. */
#include "base/file.h"
#include "datasets/import_internal.h"
#include "tests/support/check.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const uid_t ordinary_user = 65534;

static char root[64];

/* What a walk has found, and what it has said. */
typedef struct found {
    char files[1024], messages[1024];
    poet_import_report report;
} found;

static void append(char *text, size_t room, const char *line)
{
    size_t length = strlen(text);
    snprintf(text + length, room - length, "%s\n", line);
}

static poet_status visit(const poet_import_sink *sink, poet_import_list *list, const char *file)
{
    (void)list;
    found *f = sink->task->user;
    append(f->files, sizeof f->files, file);
    return POET_OK;
}

static void listen_message(void *user, const char *sentence)
{
    found *f = user;
    append(f->messages, sizeof f->messages, sentence);
}

static poet_status walk(const char *folder, found *into)
{
    char path[256];
    poet_task task = {.message = listen_message, .user = into};
    poet_import_sink sink = {.folder = path, .task = &task, .report = &into->report};
    snprintf(path, sizeof path, "%s/%s", root, folder);
    *into = (found){0};
    return poet_import_walk(&sink, NULL, visit);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK_OK(poet_make_directory(path));
}

static void make_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fclose(file) == 0);
}

static void test_names(void)
{
    found f;
    make_folder("names/b");
    make_folder("names/.hidden");
    make_file("names/c.MP4");
    make_file("names/a.webm");
    make_file("names/b/2.gif");
    make_file("names/b/1.mkv");
    make_file("names/b/notes.txt");
    make_file("names/.d.mp4");
    make_file("names/.hidden/e.mp4");
    CHECK_OK(walk("names", &f));
    CHECK_STR(f.files, "a.webm\nb/1.mkv\nb/2.gif\nc.MP4\n");
    CHECK_STR(f.messages, "");
}

static void test_too_deep(void)
{
    found f;
    make_folder("deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17");
    make_file("deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/in.mp4");
    make_file("deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/out.mp4");
    CHECK_OK(walk("deep", &f));
    CHECK_STR(f.files, "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/in.mp4\n");
    CHECK_INT(f.report.skipped[POET_IMPORT_BAD_FOLDER], 1);
    CHECK(strstr(f.messages, "15/16/17: lies too deep; skipped"));
}

static void test_locked(void)
{
    found f;
    char path[256];
    make_folder("locked/b");
    make_file("locked/a.mp4");
    make_file("locked/b/hidden.mp4");
    make_file("locked/c.mp4");
    snprintf(path, sizeof path, "%s/locked/b", root);
    CHECK(chmod(path, 0) == 0);
    CHECK_OK(walk("locked", &f));
    CHECK_STR(f.files, "a.mp4\nc.mp4\n");
    CHECK_INT(f.report.skipped[POET_IMPORT_BAD_FOLDER], 1);
    CHECK(strstr(f.messages, "locked/b: Permission denied; skipped"));
    CHECK_FAILS(walk("locked/b", &f), POET_ERR_IO, "locked/b: cannot be read: Permission denied");
    CHECK(chmod(path, 0700) == 0);
}

/* Permissions do not bind root. A process that has changed its user cannot be traced, which
 * LeakSanitizer does, until it says that it may be. */
static bool become_ordinary(void)
{
    return geteuid() != 0 || (setuid(ordinary_user) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
}

int main(void)
{
    if (!become_ordinary()) {
        puts("skipped: permissions do not bind root, and it cannot become another user here");
        return CHECK_SKIPPED;
    }
    strcpy(root, "/tmp/poet-walk-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    test_names();
    test_too_deep();
    test_locked();
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
    return CHECK_RESULT();
}
