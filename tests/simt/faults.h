/* Small kernels, most of them with one planted fault, for test_simt.c. */
#ifndef POET_TESTS_SIMT_FAULTS_H
#define POET_TESTS_SIMT_FAULTS_H

#ifdef __cplusplus
extern "C" {
#endif

enum { FAULT_THREADS = 64 };

typedef struct fault_kernel {
    const char *name;
    int sound; /* ends, with out[i] = expected(i) in every order */
    int stops; /* must end the process, whatever the order; 0 and not sound: some order gives a wrong result */
    int asan;                                   /* stops only under AddressSanitizer */
    int (*launch)(const float *in, float *out); /* one block of FAULT_THREADS; in[i] = i */
    float (*expected)(int i);
} fault_kernel;

/* All of them; *count. */
const fault_kernel *fault_kernels(int *count);

#ifdef __cplusplus
}
#endif

#endif
