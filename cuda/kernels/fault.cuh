/* Reporting a fault from a kernel. */
#pragma once

#include "cuda/kernels/fault.h"
#include "cuda/kernels/launch.cuh"

static inline __device__ void poet_report(poet_fault *fault, int kind, int64_t place)
{
    atomicMin(fault, static_cast<poet_fault>(place) << 8 | static_cast<poet_fault>(kind));
}
