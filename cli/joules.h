/* What is used while something is measured: by the processor's packages, and by the device where that is another one. */
#ifndef POET_CLI_JOULES_H
#define POET_CLI_JOULES_H

#include "compute/backend.h"
#include "eval/energy.h"

#include <jansson.h>

typedef struct cli_joules {
    poet_energy processor;
    poet_device *device;
    bool counted, device_counted;
    double joules, device_begin;
} cli_joules;

void cli_joules_begin(poet_device *device, cli_joules *out);

/* At least every minute in between: counters begin again. */
void cli_joules_look(cli_joules *energy);

/* "joules_per_clip" of the processor, and "device_joules_per_clip" on a device that is not the host, into out; null where there is no
 * counter, or it may not be read. */
void cli_joules_end(cli_joules *energy, double clips, json_t *out);

#endif
