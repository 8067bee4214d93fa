/* Sizes and limits that the writer and the reader of token files share. */
#ifndef POET_CODEC_TOKFILE_INTERNAL_H
#define POET_CODEC_TOKFILE_INTERNAL_H

#include "codec/tokfile.h"

#include <stdbool.h>

enum {
    POET_TOKFILE_VERSION = 1,
    POET_TOKFILE_HEADER = 48,
    POET_TOKFILE_ENTRY = 36,
    POET_TOKFILE_FOOTER = 28,
    POET_TOKFILE_MAX_CODES = 1 << 26, /* of one clip */
    POET_TOKFILE_MAX_CAPTION = 1 << 20,
    POET_TOKFILE_MAX_SOURCE = 1 << 16
};

#define POET_TOKFILE_MAGIC "\x89PTOK\r\n\x1a"

/* What is wrong with a header or a clip's grid, as the end of a sentence; NULL when all is well. */
const char *poet_tokfile_header_flaw(const poet_tokfile_header *header);
bool poet_tokfile_grid_fits(uint32_t t, uint32_t h, uint32_t w, uint32_t levels);

#endif
