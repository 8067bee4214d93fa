/* The CUDA backend as a plug-in, so that one program starts on machines with and without NVIDIA's driver.
 *
 * pocketpoet-cuda.so is looked for beside the program, and in lib/pocketpoet (as installed) beside the program's folder. It
 * needs no library of NVIDIA's but the driver, and takes the functions of base/ and compute/ from the program, which has to
 * export them. */
#ifndef POET_CUDA_PLUGIN_PLUGIN_H
#define POET_CUDA_PLUGIN_PLUGIN_H

#include "compute/backend.h"

/* Loads the plug-in once. POET_ERR_UNSUPPORTED when there is none, or one of another build; the sentence names the file or
 * the folders. Whether there is a driver and a card is found out by poet_device_open. The table is never unloaded. */
poet_status poet_cuda_load(const poet_backend **out);

/* Whether there is a file of that name to load. */
bool poet_cuda_is_installed(void);

#endif
