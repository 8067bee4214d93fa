/* The few functions of NVML that are needed, as NVIDIA, "NVML API Reference Guide", has them: 0 is success, a device is a pointer,
 * energy is in millijoules, power in milliwatts. */
#include "base/memory.h"
#include "base/task.h"
#include "cuda/backend/card_internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

enum { SAMPLE_MS = 20 };

struct poet_nvml {
    void *library, *card;
    int (*shutdown)(void);
    int (*energy)(void *card, unsigned long long *millijoules); /* NULL: power is sampled */
    int (*power)(void *card, unsigned *milliwatts);
    unsigned long long first;
    /* The sampler's, under the mutex: */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool samples, ends, lost;
    double joules, last;
};

/* ---- sampled power ---- */

/* The power of now, for the time since the last sample. */
static void sample(poet_nvml *n)
{
    unsigned milliwatts;
    double time = poet_seconds();
    if (n->power(n->card, &milliwatts) != 0)
        n->lost = true;
    else
        n->joules += 1e-3 * milliwatts * (time - n->last);
    n->last = time;
}

static void *sample_on(void *opaque)
{
    poet_nvml *n = opaque;
    pthread_mutex_lock(&n->mutex);
    while (!n->ends) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += SAMPLE_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&n->wake, &n->mutex, &until);
        sample(n);
    }
    pthread_mutex_unlock(&n->mutex);
    return NULL;
}

static bool start_sampling(poet_nvml *n)
{
    n->last = poet_seconds();
    pthread_mutex_init(&n->mutex, NULL);
    pthread_cond_init(&n->wake, NULL);
    n->samples = pthread_create(&n->thread, NULL, sample_on, n) == 0;
    return n->samples;
}

static void stop_sampling(poet_nvml *n)
{
    pthread_mutex_lock(&n->mutex);
    n->ends = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mutex);
    pthread_join(n->thread, NULL);
}

/* ---- the library ---- */

static bool find(const poet_nvml *n, const char *name, void *out)
{
    *(void **)out = dlsym(n->library, name);
    return *(void **)out != NULL;
}

static bool find_card(poet_nvml *n, const char *bus_id)
{
    int (*initialize)(void);
    int (*by_bus_id)(const char *, void **);
    if (!find(n, "nvmlInit_v2", &initialize) || !find(n, "nvmlShutdown", &n->shutdown) ||
        !find(n, "nvmlDeviceGetHandleByPciBusId_v2", &by_bus_id) || initialize() != 0) {
        n->shutdown = NULL;
        return false;
    }
    return by_bus_id(bus_id, &n->card) == 0;
}

static bool find_counter(poet_nvml *n)
{
    unsigned milliwatts;
    if (find(n, "nvmlDeviceGetTotalEnergyConsumption", &n->energy) &&
        n->energy(n->card, &n->first) == 0)
        return true;
    n->energy = NULL;
    return find(n, "nvmlDeviceGetPowerUsage", &n->power) && n->power(n->card, &milliwatts) == 0 &&
           start_sampling(n);
}

poet_nvml *poet_nvml_open(const char *library, const char *bus_id)
{
    poet_nvml *n = poet_calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (n->library && find_card(n, bus_id) && find_counter(n))
        return n;
    poet_nvml_close(n);
    return NULL;
}

void poet_nvml_close(poet_nvml *nvml)
{
    if (!nvml)
        return;
    if (nvml->samples)
        stop_sampling(nvml);
    if (nvml->shutdown)
        (void)nvml->shutdown();
    if (nvml->library)
        dlclose(nvml->library);
    poet_free(nvml);
}

bool poet_nvml_joules(poet_nvml *nvml, double *joules)
{
    unsigned long long millijoules;
    if (nvml->energy) {
        if (nvml->energy(nvml->card, &millijoules) != 0)
            return false;
        *joules = 1e-3 * (double)(millijoules - nvml->first);
        return true;
    }
    pthread_mutex_lock(&nvml->mutex);
    sample(nvml);
    *joules = nvml->joules;
    bool lost = nvml->lost;
    pthread_mutex_unlock(&nvml->mutex);
    return !lost;
}
