#include "compute/cpu/cpu_amx.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_amx;

/* Linux gives the tiles' state to a process that asks for it (Documentation/x86/xstate.rst). */
static bool ask_for_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };

    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static void find_amx(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };

    unsigned a, b, c, d;
    has_amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE) &&
              __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16") &&
              ask_for_tiles();
}

bool poet_cpu_amx(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_amx);
    return has_amx;
}

#else

bool poet_cpu_amx(void)
{
    return false;
}

#endif
