/* The table under test is the plug-in's. Where there is none, or no card for it, the test is skipped, and says why. */
#include "cuda/backend/cuda_table.h"
#include "cuda/plugin/plugin.h"

#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED = 77 };

static const poet_backend *find_card(void)
{
    const poet_backend *table;
    poet_device *device = NULL;
    poet_status status = poet_cuda_load(&table);
    if (!status)
        status = poet_device_open(table, 0, 0, &device);
    if (status) {
        printf("skipped: %s\n", poet_error_message());
        exit(SKIPPED);
    }
    printf("card: %s\n", device->name);
    poet_device_close(device);
    return table;
}

const poet_backend *poet_cuda_table(void)
{
    static const poet_backend *table;
    if (!table)
        table = find_card();
    return table;
}
