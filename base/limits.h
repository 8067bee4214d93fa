/* What the system lets a process have. */
#ifndef POET_BASE_LIMITS_H
#define POET_BASE_LIMITS_H

#include <stddef.h>

/* Bytes of memory that all processes together can have: what is built in, or the limit of a control group that this process
 * is in where that is less (cgroups(7), versions 1 and 2). SIZE_MAX where the system does not tell. */
size_t poet_machine_memory(void);

#endif
