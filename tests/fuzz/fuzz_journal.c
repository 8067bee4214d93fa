/* The records of a token file's journal, behind a byte with the number of levels less one. Their checksums are made right first. */
#include "base/bits.h"
#include "base/memory.h"
#include "codec/tokfile_internal.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { CHECKSUM = 4 };

typedef struct taken {
    const unsigned char *at, *end;
    uint64_t offset;
} taken;

/* Records follow each other, inside the bytes, and so do their clips. */
static poet_status take(void *opaque, const poet_tokfile_record *record)
{
    taken *t = opaque;
    FUZZ_CHECK(record->entry == t->at && record->frame == t->at + record->entry_bytes);
    FUZZ_CHECK(record->entry_bytes >= POET_TOKFILE_ENTRY &&
               record->entry[record->entry_bytes - 1] == 0);
    FUZZ_CHECK(poet_get_u64(record->entry) == t->offset);
    FUZZ_CHECK((size_t)(t->end - record->frame) >= record->frame_bytes + CHECKSUM);
    t->at = record->frame + record->frame_bytes + CHECKSUM;
    t->offset += record->frame_bytes;
    return POET_OK;
}

static void mend(unsigned char *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= POET_TOKFILE_ENTRY + CHECKSUM) {
        const unsigned char *entry = bytes + at;
        uint64_t length = (uint64_t)POET_TOKFILE_ENTRY + poet_get_u32(entry + 28) +
                          poet_get_u32(entry + 32) + poet_get_u32(entry + 8);
        if (length > size - at - CHECKSUM)
            return;
        poet_put_u32(bytes + at + length, poet_crc32(0, entry, (size_t)length));
        at += (size_t)length + CHECKSUM;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t end;
    if (!size)
        return 0;
    size_t records = size - 1;
    unsigned char *bytes = malloc(records);
    memcpy(bytes, data + 1, records);
    mend(bytes, records);
    taken t = {bytes, bytes + records, POET_TOKFILE_HEADER};
    FUZZ_CHECK(poet_tokfile_journal_replay(bytes, records, 1 + data[0] % 64, take, &t, &end) ==
               POET_OK);
    FUZZ_CHECK(t.at == bytes + end);
    free(bytes);
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}
