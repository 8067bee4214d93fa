/* --device: where the work is done. */
#ifndef POET_CLI_DEVICE_H
#define POET_CLI_DEVICE_H

#include "cli/command.h"
#include "compute/backend.h"

/* Opens what --device names: "cpu", "cuda" or "cuda:N", or "auto": a GPU where plug-in, driver and card are there, else the
 * processor. Says once, on the progress's stream, what was taken and why, unless nothing else was possible and nothing
 * was asked for. */
poet_status cli_device_open(cli_context *context, poet_device **out);

#endif
