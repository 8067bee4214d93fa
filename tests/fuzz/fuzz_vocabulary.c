/* Text vocabularies: what is accepted can be written and read again, and encodes any text. */
#include "base/memory.h"
#include "generator/bpe.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { IDS = 64 };

static void use(const poet_bpe *bpe, const char *sample)
{
    int32_t ids[IDS];
    poet_bpe_encoded encoded;
    char *text;
    size_t bytes;
    FUZZ_CHECK(poet_bpe_encode(bpe, sample, strlen(sample), POET_BPE_TRUNCATE, ids, IDS,
                               &encoded) == POET_OK);
    FUZZ_CHECK(encoded.count >= 2 && encoded.count <= IDS);
    FUZZ_CHECK(poet_bpe_decode(bpe, ids, (size_t)encoded.count, &text, &bytes) == POET_OK);
    FUZZ_CHECK(bytes <= strlen(sample));
    poet_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    poet_bpe *bpe, *again;
    char *text = malloc(size + 1), *written;
    memcpy(text, data, size);
    text[size] = 0;
    if (poet_bpe_from_text(text, &bpe) == POET_OK) {
        use(bpe, text);
        FUZZ_CHECK(poet_bpe_to_text(bpe, &written) == POET_OK);
        FUZZ_CHECK(poet_bpe_from_text(written, &again) == POET_OK);
        FUZZ_CHECK(poet_bpe_size(bpe) == poet_bpe_size(again));
        poet_bpe_destroy(again);
        poet_bpe_destroy(bpe);
        poet_free(written);
    }
    free(text);
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}
