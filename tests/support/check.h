/* Checks for tests: each failure prints its place and values and the test goes on; CHECK_RESULT()
 * is main's return value. */
#ifndef POET_TESTS_SUPPORT_CHECK_H
#define POET_TESTS_SUPPORT_CHECK_H

#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHECK_SKIPPED = 77 };

static int check_failures, check_count;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        check_count++;                                                                             \
        if (!(condition)) {                                                                        \
            check_failures++;                                                                      \
            fprintf(stderr, "%s:%d: false: %s\n", __FILE__, __LINE__, #condition);                 \
        }                                                                                          \
    } while (0)

/* |a - b| <= bound; NaN never passes. */
#define CHECK_CLOSE(a, b, bound)                                                                   \
    do {                                                                                           \
        double check_a_ = (double)(a), check_b_ = (double)(b);                                     \
        check_count++;                                                                             \
        if (!(fabs(check_a_ - check_b_) <= (double)(bound))) {                                     \
            check_failures++;                                                                      \
            fprintf(stderr, "%s:%d: %s = %.9g is not within %g of %s = %.9g\n", __FILE__,          \
                    __LINE__, #a, check_a_, (double)(bound), #b, check_b_);                        \
        }                                                                                          \
    } while (0)

#define CHECK_INT(a, b)                                                                            \
    do {                                                                                           \
        long long check_a_ = (long long)(a), check_b_ = (long long)(b);                            \
        check_count++;                                                                             \
        if (check_a_ != check_b_) {                                                                \
            check_failures++;                                                                      \
            fprintf(stderr, "%s:%d: %s = %lld, not %s = %lld\n", __FILE__, __LINE__, #a, check_a_, \
                    #b, check_b_);                                                                 \
        }                                                                                          \
    } while (0)

#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *check_a_ = (a), *check_b_ = (b);                                               \
        check_count++;                                                                             \
        if (!check_a_ || !check_b_ || strcmp(check_a_, check_b_) != 0) {                           \
            check_failures++;                                                                      \
            fprintf(stderr, "%s:%d: %s = \"%s\", not \"%s\"\n", __FILE__, __LINE__, #a,            \
                    check_a_ ? check_a_ : "(null)", check_b_ ? check_b_ : "(null)");               \
        }                                                                                          \
    } while (0)

/* A call that must succeed; prints the library's sentence otherwise. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        check_count++;                                                                             \
        if ((call) != POET_OK) {                                                                   \
            check_failures++;                                                                      \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, poet_error_message());   \
        }                                                                                          \
    } while (0)

/* A call that must fail with this status and a sentence that contains text. */
#define CHECK_FAILS(call, status, text)                                                            \
    do {                                                                                           \
        poet_status check_s_ = (call);                                                             \
        check_count++;                                                                             \
        if (check_s_ != (status) || !strstr(poet_error_message(), (text))) {                       \
            check_failures++;                                                                      \
            fprintf(stderr, "%s:%d: %s: status %d, \"%s\"; wanted status %d with \"%s\"\n",        \
                    __FILE__, __LINE__, #call, (int)check_s_, poet_error_message(), (int)(status), \
                    (text));                                                                       \
        }                                                                                          \
    } while (0)

/* Of two errors; what is not a number is larger than all. */
static inline double check_larger(double a, double b)
{
    return a >= b ? a : b < INFINITY ? b : INFINITY;
}

#define CHECK_RESULT()                                                                             \
    (fprintf(stderr, "%d checks, %d failed\n", check_count, check_failures),                       \
     check_failures || !check_count)

#endif
