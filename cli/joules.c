#include "cli/joules.h"

void cli_joules_begin(poet_device *device, cli_joules *out)
{
    *out = (cli_joules){.device = device};
    out->counted = poet_energy_open(POET_ENERGY_ROOT, &out->processor);
    out->device_counted = poet_device_energy(device, &out->device_begin);
}

void cli_joules_look(cli_joules *energy)
{
    energy->joules += poet_energy_read(&energy->processor);
}

static json_t *per_clip(bool counted, double joules, double clips)
{
    return counted && clips > 0 ? json_real(joules / clips) : json_null();
}

void cli_joules_end(cli_joules *energy, double clips, json_t *out)
{
    double device_now = 0;
    cli_joules_look(energy);
    json_object_set_new(out, "joules_per_clip", per_clip(energy->counted, energy->joules, clips));
    if (energy->device->backend->host_memory)
        return;
    bool counted = energy->device_counted && poet_device_energy(energy->device, &device_now);
    json_object_set_new(out, "device_joules_per_clip",
                        per_clip(counted, device_now - energy->device_begin, clips));
}
