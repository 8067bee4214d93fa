#include "cuda/kernels/fault.cuh"

static __global__ void clear_fault(poet_fault *fault)
{
    *fault = POET_FAULT_NONE;
}

const void *poet_cuda_probe(void)
{
    return reinterpret_cast<const void *>(clear_fault);
}

int poet_cuda_clear_fault(poet_stream stream, poet_fault *fault)
{
    return POET_LAUNCH(clear_fault, 1, 1, 0, stream, fault);
}
