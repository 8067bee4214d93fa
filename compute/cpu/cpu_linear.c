#include "compute/cpu/cpu_linear_internal.h"
#include "compute/cpu/cpu_tile.h"

size_t poet_cpu_linear_bytes(int64_t n, int64_t k, bool half)
{
    return (size_t)(poet_round_up(n, PANEL) * k) * (half ? sizeof(uint16_t) : sizeof(float));
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

bool poet_cpu_linear_is_half(const linear_job *job)
{
    for (int64_t i = 0; i < job->n * job->k; i++)
        if (bits_of(job->b[i]) & 0xFFFF)
            return false;
    return true;
}

static void pack_panels(const void *context, int64_t begin, int64_t end)
{
    const linear_job *job = context;
    int64_t j_step = job->transposed ? job->k : 1, k_step = job->transposed ? 1 : job->n;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t width = poet_min(PANEL, job->n - panel * PANEL), at = panel * job->k * PANEL;
        const float *in = job->b + panel * PANEL * j_step;
        for (int64_t k = 0; k < job->k; k++)
            for (int64_t j = 0; j < PANEL; j++, at++) {
                float x = j < width ? in[j * j_step + k * k_step] : 0;
                if (job->half)
                    ((uint16_t *)job->packed)[at] = (uint16_t)(bits_of(x) >> 16);
                else
                    ((float *)job->packed)[at] = x;
            }
    }
}

void poet_cpu_linear_pack(const poet_device *device, const linear_job *job)
{
    int64_t panels = (job->n + PANEL - 1) / PANEL;
    poet_cpu_parallel(device, panels, poet_max(1, 65536 / (job->k * PANEL + 1)), pack_panels, job);
}

/* Rows for the next step when so many are left: even shares of at most TILE_ROWS. */
static int64_t linear_rows(int64_t left)
{
    int64_t steps = (left + TILE_ROWS - 1) / TILE_ROWS;
    return (left + steps - 1) / steps;
}

#define WIDE(name) avx2_##name
#define WIDE_LANES 8
#define WIDE_TARGET VEC
#define WIDE_ALL vf_all
#define WIDE_FMA vf_fma
#define WIDE_FROM_HALF vf_from_bf16
#define WIDE_PANELS(rows) ((rows) == 1 ? 4 : (rows) <= 3 ? 2 : 1)
#define WIDE_MAX_SUMS 12
#include "compute/cpu/cpu_linear_kernel.h"

#if defined(__x86_64__)
#define WIDE(name) avx512_##name
#define WIDE_LANES 16
#define WIDE_TARGET __attribute__((target("avx512f")))
#define WIDE_ALL(x) ((avx512_vector)_mm512_set1_ps(x))
#define WIDE_FMA(a, b, c) ((avx512_vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define WIDE_FROM_HALF(p)                                                                          \
    ((avx512_vector)_mm512_slli_epi32(                                                             \
        _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(p))), 16))
#define WIDE_PANELS(rows) ((rows) == 1 ? 8 : (rows) <= 4 ? 4 : 2)
#define WIDE_MAX_SUMS 16
#include "compute/cpu/cpu_linear_kernel.h"
#else
#define avx512_range avx2_range
#endif

void poet_cpu_linear(const poet_device *device, const linear_job *job)
{
    /* A part of less than about 5 microseconds is not worth waking a thread for. */
    enum { PART_PRODUCTS = 65536 };

    int64_t panels = (job->n + PANEL - 1) / PANEL, cost = job->m * job->k * PANEL + 1;
    poet_cpu_parallel(device, panels, poet_max(1, PART_PRODUCTS / cost),
                      poet_cpu_vectors() == 3 ? avx512_range : avx2_range, job);
}
