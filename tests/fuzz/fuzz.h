/* What the fuzz targets share: an input as a file that readers open, and checks that end the process,
 * which is how libFuzzer learns of a failure. */
#ifndef POET_TESTS_FUZZ_H
#define POET_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: false: %s\n", __FILE__, __LINE__, #condition);                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* From now on every file that is mapped (base/file.h) has these bytes, as a block of the heap of just
 * that size: a step behind the end of a real map would go unseen until the end of its page. The
 * caller keeps the bytes; a name for it. */
const char *fuzz_file(const uint8_t *data, size_t size);

#endif
