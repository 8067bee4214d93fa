/* References of eval coverage: what is accepted can be compared with. */
#include "base/memory.h"
#include "eval/coverage_reference.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

static void check(const poet_coverage_reference *r)
{
    FUZZ_CHECK(r->levels > 0 && r->codes > 0 && r->clips > 0 && r->data);
    FUZZ_CHECK(isfinite(r->psnr) && isfinite(r->ssim));
    for (int level = 0; level < r->levels; level++) {
        const double *q = r->quantiles + level * POET_COVERAGE_QUANTILES;
        int64_t tokens = 0;
        for (int k = 0; k < r->codes; k++) {
            FUZZ_CHECK(r->counts[level * r->codes + k] >= 0);
            tokens += r->counts[level * r->codes + k];
        }
        FUZZ_CHECK(tokens > 0);
        for (int i = 0; i < POET_COVERAGE_QUANTILES; i++)
            FUZZ_CHECK(isfinite(q[i]) && q[i] >= (i ? q[i - 1] : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    poet_coverage_reference reference;
    if (poet_coverage_reference_parse("input", (const char *)data, size, &reference) == POET_OK)
        check(&reference);
    poet_coverage_reference_free(&reference);
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}
