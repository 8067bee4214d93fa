/* A library with NVML's names, as a card before Volta and one after it would answer. The bus id says which: "...:00.0" counts
 * energy, 1.5 J more each time it is asked; "...:01.0" has power alone, 60 W; "...:02.0" has neither; others are not there. */
#include <string.h>

enum { NOT_SUPPORTED = 3, NOT_FOUND = 6 };

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **card);
int nvmlDeviceGetTotalEnergyConsumption(void *card, unsigned long long *millijoules);
int nvmlDeviceGetPowerUsage(void *card, unsigned *milliwatts);

static char counts, draws, silent;
static int users;

int nvmlInit_v2(void)
{
    users++;
    return 0;
}

int nvmlShutdown(void)
{
    return users-- > 0 ? 0 : 1;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **card)
{
    *card = strstr(id, ":00.0")   ? &counts
            : strstr(id, ":01.0") ? &draws
            : strstr(id, ":02.0") ? &silent
                                  : NULL;
    return *card ? 0 : NOT_FOUND;
}

int nvmlDeviceGetTotalEnergyConsumption(void *card, unsigned long long *millijoules)
{
    static unsigned long long used = 5000000;
    if (card != &counts)
        return NOT_SUPPORTED;
    *millijoules = used += 1500;
    return 0;
}

int nvmlDeviceGetPowerUsage(void *card, unsigned *milliwatts)
{
    if (card != &draws)
        return NOT_SUPPORTED;
    *milliwatts = 60000;
    return 0;
}
