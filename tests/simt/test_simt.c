/* The checker is checked: sound kernels give their results in every thread order, and each planted fault is noticed, as a
 * wrong result in some order or by the end of the process that runs it. */
#include "cuda/simt/simt.h"
#include "tests/simt/faults.h"
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = FAULT_THREADS * sizeof(float) };

#if defined(__SANITIZE_ADDRESS__)
static const bool has_asan = true;
#else
static const bool has_asan = false;
#endif

static bool run(const fault_kernel *k, poet_simt_order order)
{
    float host[FAULT_THREADS];
    void *in, *out;
    bool right = true;
    for (int i = 0; i < FAULT_THREADS; i++)
        host[i] = (float)i;
    poet_simt_set_order(order);
    CHECK(poet_simt_alloc(BYTES, &in) == POET_SIMT_OK &&
          poet_simt_alloc(BYTES, &out) == POET_SIMT_OK);
    poet_simt_copy(in, host, BYTES);
    CHECK(k->launch(in, out) == POET_SIMT_OK);
    poet_simt_copy(host, out, BYTES);
    for (int i = 0; i < FAULT_THREADS; i++)
        right = right && host[i] == k->expected(i);
    if (!poet_simt_free(in) || !poet_simt_free(out))
        abort();
    return right;
}

static bool right_in_every_order(const fault_kernel *k)
{
    bool right = true;
    for (int order = 0; order < POET_SIMT_ORDERS; order++)
        right = run(k, (poet_simt_order)order) && right;
    return right;
}

/* In a process of its own, without its last words. */
static bool stops(const fault_kernel *k, poet_simt_order order)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        run(k, order);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return status != 0;
}

static void check_kernel(const fault_kernel *k)
{
    if (k->stops && k->asan && !has_asan)
        return;
    if (!k->stops) {
        bool right = right_in_every_order(k);
        if (right != (k->sound != 0))
            printf("%s: %s\n", k->name, right ? "was not noticed" : "is wrong");
        CHECK(right == (k->sound != 0));
        return;
    }
    for (int order = 0; order < POET_SIMT_ORDERS; order++) {
        bool stopped = stops(k, (poet_simt_order)order);
        if (!stopped)
            printf("%s: was not noticed in order %d\n", k->name, order);
        CHECK(stopped);
    }
}

static void test_kernels(void)
{
    int count;
    const fault_kernel *kernels = fault_kernels(&count);
    for (int i = 0; i < count; i++)
        check_kernel(&kernels[i]);
}

static void nothing(const void *arguments)
{
    (void)arguments;
}

static void test_limits(void)
{
    poet_simt_index one = {1, 1, 1}, none = {0, 1, 1}, many = {33, 32, 1}, high = {1, 65536, 1};
    CHECK(poet_simt_launch(one, one, 0, nothing, NULL, 0) == POET_SIMT_OK);
    CHECK(poet_simt_launch(none, one, 0, nothing, NULL, 0) == POET_SIMT_INVALID_CONFIGURATION);
    CHECK(poet_simt_launch(one, many, 0, nothing, NULL, 0) == POET_SIMT_INVALID_CONFIGURATION);
    CHECK(poet_simt_launch(high, one, 0, nothing, NULL, 0) == POET_SIMT_INVALID_CONFIGURATION);
    CHECK(poet_simt_launch(one, one, (48 << 10) + 1, nothing, NULL, 0) == POET_SIMT_INVALID_VALUE);
}

static void test_memory(void)
{
    void *a, *b;
    uint32_t words[3];
    size_t left, limit;
    setenv("POET_SIMT_MEMORY", "1000", 1);
    CHECK(poet_simt_alloc(sizeof words, &a) == POET_SIMT_OK);
    CHECK(poet_simt_alloc(1000, &b) == POET_SIMT_NO_MEMORY && !b);
    poet_simt_memory(&left, &limit);
    CHECK(limit == 1000 && left == 1000 - sizeof words);
    poet_simt_copy(words, a, sizeof words);
    CHECK(words[0] == POET_SIMT_POISON && words[2] == POET_SIMT_POISON);
    CHECK(poet_simt_free(a));
    CHECK(poet_simt_alloc(1000, &b) == POET_SIMT_OK && poet_simt_free(b));
    unsetenv("POET_SIMT_MEMORY");
}

int main(void)
{
    test_kernels();
    test_limits();
    test_memory();
    return CHECK_RESULT();
}
