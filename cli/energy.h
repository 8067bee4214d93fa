/* What is used while something is measured: by the processor's packages, and by the device where that is another one. */
#ifndef POET_CLI_ENERGY_H
#define POET_CLI_ENERGY_H

#include "compute/backend.h"
#include "eval/energy.h"

#include <jansson.h>

typedef struct cli_energy {
    poet_energy processor;
    poet_device *device;
    bool counted, device_counted;
    double joules, device_begin;
} cli_energy;

void cli_energy_begin(poet_device *device, cli_energy *out);

/* At least every minute in between: counters begin again. */
void cli_energy_look(cli_energy *energy);

/* "joules_per_clip" of the processor, and "device_joules_per_clip" on a device that is not the host, into out; null where there is no
 * counter, or it may not be read. */
void cli_energy_end(cli_energy *energy, double clips, json_t *out);

#endif
