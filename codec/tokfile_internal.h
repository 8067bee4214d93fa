/* What the writer, the reader and the journal of token files share. */
#ifndef POET_CODEC_TOKFILE_INTERNAL_H
#define POET_CODEC_TOKFILE_INTERNAL_H

#include "codec/tokfile.h"

#include <stdbool.h>

enum {
    POET_TOKFILE_VERSION = 1,
    POET_TOKFILE_HEADER = 48,
    POET_TOKFILE_ENTRY = 36,
    POET_TOKFILE_FOOTER = 28,
    POET_TOKFILE_MAX_CAPTION = 1 << 20,
    POET_TOKFILE_MAX_SOURCE = 1 << 16
};

#define POET_TOKFILE_MAGIC "\x89PTOK\r\n\x1a"

void poet_tokfile_put_header(const poet_tokfile_header *header,
                             unsigned char bytes[POET_TOKFILE_HEADER]);

/* What is wrong with a header or a clip's grid, as the end of a sentence; NULL when all is well. */
const char *poet_tokfile_header_flaw(const poet_tokfile_header *header);
bool poet_tokfile_grid_fits(uint32_t t, uint32_t h, uint32_t w, uint32_t levels);

/* Checks the index's entry at *at, which ends before end, and moves *at behind it. *offset is where its clip must begin, and
 * becomes where the next one does. */
bool poet_tokfile_read_entry(const unsigned char **at, const unsigned char *end, uint32_t levels,
                             uint64_t *offset);

/* ---- the journal ---- */

/* A clip in the journal: its entry of the index, and its zstd frame. */
typedef struct poet_tokfile_record {
    const unsigned char *entry, *frame;
    size_t entry_bytes, frame_bytes;
} poet_tokfile_record;

typedef poet_status (*poet_tokfile_take_fn)(void *opaque, const poet_tokfile_record *record);

/* Gives the records in bytes, which is what follows the journal's head, up to the first that is not whole; *end is where that
 * begins. */
poet_status poet_tokfile_journal_replay(const unsigned char *bytes, size_t size, uint32_t levels,
                                        poet_tokfile_take_fn take, void *opaque, size_t *end);

typedef struct poet_tokfile_journal poet_tokfile_journal;

/* The journal beside the token file path, which has this header: begun, or gone on with after its records were given to take. What
 * is behind the whole ones is cut off. Errors as those of poet_tokfile_resume. */
poet_status poet_tokfile_journal_open(const char *path, const poet_tokfile_header *header,
                                      const char *run, poet_tokfile_take_fn take, void *opaque,
                                      poet_tokfile_journal **out);
poet_status poet_tokfile_journal_add(poet_tokfile_journal *journal,
                                     const poet_tokfile_record *record);

/* keep: for another run to go on from. */
void poet_tokfile_journal_close(poet_tokfile_journal *journal, bool keep);

#endif
