/* Energy that the processor has used, where the machine counts it and lets us read: Linux's powercap tree, which has Intel's and
 * AMD's counters (RAPL). The counters are of whole packages, so whatever else runs is counted too. */
#ifndef POET_EVAL_ENERGY_H
#define POET_EVAL_ENERGY_H

#include "base/status.h"

#include <stdbool.h>

#define POET_ENERGY_ROOT "/sys/class/powercap"

enum { POET_ENERGY_PACKAGES = 16, POET_ENERGY_PATH = 256 };

typedef struct poet_energy {
    int packages; /* 0: nothing can be read */
    char path[POET_ENERGY_PACKAGES][POET_ENERGY_PATH];
    double last[POET_ENERGY_PACKAGES],
        range[POET_ENERGY_PACKAGES]; /* microjoules; where counters begin again at 0 */
} poet_energy;

/* Finds the packages under root: its folders "NAME:N" (not their parts, "NAME:N:M") whose name begins with "package", and which may
 * be read (on most machines by root alone). True when there is one. */
bool poet_energy_open(const char *root, poet_energy *out);

/* Joules of all packages since the last call, or since they were opened. A counter that has begun again once is understood; read
 * it at least every minute. */
double poet_energy_read(poet_energy *energy);

#endif
