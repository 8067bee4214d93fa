/* Division by a number that is known before the launch, as a multiplication and a shift (Granlund and Montgomery,
 * "Division by invariant integers using multiplication", PLDI 1994, figure 4.1): a GPU has no instruction for it. */
#ifndef POET_CUDA_KERNELS_DIVIDE_H
#define POET_CUDA_KERNELS_DIVIDE_H

#include <stdint.h>

typedef struct poet_divisor {
    int by; /* at least 1 */
    int shift;
    uint32_t multiplier;
} poet_divisor;

static inline poet_divisor poet_divisor_of(int by)
{
    poet_divisor d;
    uint64_t power = 1;
    d.by = by;
    for (d.shift = 0; power < (uint64_t)by; d.shift++)
        power *= 2;
    d.multiplier = (uint32_t)((power - (uint64_t)by) * 0x100000000U / (uint64_t)by + 1);
    return d;
}

#endif
