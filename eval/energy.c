#include "eval/energy.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of a file. */
static bool read_line(const char *folder, const char *name, char out[32])
{
    char path[POET_ENERGY_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    bool found = file && fgets(out, 32, file);
    if (file)
        fclose(file);
    return found;
}

static bool read_number(const char *folder, const char *name, double *out)
{
    char line[32], *end;
    if (!read_line(folder, name, line))
        return false;
    *out = strtod(line, &end);
    return end != line;
}

static bool is_package(const char *folder)
{
    char name[32];
    return read_line(folder, "name", name) && strncmp(name, "package", sizeof "package" - 1) == 0;
}

static void add_package(poet_energy *e, const char *folder)
{
    int n = e->packages;
    if (n == POET_ENERGY_PACKAGES || strlen(folder) >= POET_ENERGY_PATH || !is_package(folder) ||
        !read_number(folder, "energy_uj", &e->last[n]) ||
        !read_number(folder, "max_energy_range_uj", &e->range[n]))
        return;
    snprintf(e->path[n], POET_ENERGY_PATH, "%s", folder);
    e->packages++;
}

bool poet_energy_open(const char *root, poet_energy *out)
{
    char pattern[POET_ENERGY_PATH];
    glob_t found;
    *out = (poet_energy){0};
    snprintf(pattern, sizeof pattern, "%s/*:*", root);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const char *name = strrchr(found.gl_pathv[i], '/') + 1;
            if (strchr(name, ':') == strrchr(name, ':'))
                add_package(out, found.gl_pathv[i]);
        }
    globfree(&found);
    return out->packages > 0;
}

double poet_energy_read(poet_energy *energy)
{
    double joules = 0;
    for (int i = 0; i < energy->packages; i++) {
        double now, spent;
        if (!read_number(energy->path[i], "energy_uj", &now))
            continue;
        spent = now - energy->last[i];
        joules += (spent < 0 ? spent + energy->range[i] : spent) / 1e6;
        energy->last[i] = now;
    }
    return joules;
}
