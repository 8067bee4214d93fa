#include "base/limits.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The number in a file; SIZE_MAX where there is no file, or it says "max". */
static size_t read_limit(const char *path)
{
    char text[32] = "";
    FILE *f = fopen(path, "r");
    bool got = f && fgets(text, sizeof text, f);
    if (f)
        fclose(f);
    return got && text[0] >= '0' && text[0] <= '9' ? (size_t)strtoull(text, NULL, 10) : SIZE_MAX;
}

/* The least limit of a group and those that it lies in. Inside a container the group's own path need not be there: its limit is
 * then that of the root. */
static size_t group_limit(const char *mount, char *group, const char *file)
{
    char path[PATH_MAX];
    size_t limit = SIZE_MAX;
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
        limit = smaller(limit, read_limit(path));
        char *slash = strrchr(group, '/');
        if (!slash)
            return limit;
        *slash = 0;
    }
}

/* Lines of /proc/self/cgroup are "0::/group" (version 2) or "5:cpu,memory:/group" (version 1). */
static size_t line_limit(char *line)
{
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return SIZE_MAX;
    *group++ = 0;
    if (strcmp(line, "0") == 0)
        return group_limit("/sys/fs/cgroup", group, "memory.max");
    if (strstr(controllers, "memory"))
        return group_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    return SIZE_MAX;
}

size_t poet_machine_memory(void)
{
    char line[PATH_MAX];
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    size_t limit = pages > 0 && bytes > 0 ? (size_t)pages * (size_t)bytes : SIZE_MAX;
    FILE *groups = fopen("/proc/self/cgroup", "r");
    while (groups && fgets(line, sizeof line, groups))
        limit = smaller(limit, line_limit(line));
    if (groups)
        fclose(groups);
    return limit;
}
