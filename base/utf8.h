/* Text from outside: captions, prompts, names of files. */
#ifndef POET_BASE_UTF8_H
#define POET_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF, nothing cut off. If not, *bad_offset (may be NULL) is where the first bad sequence
 * begins. */
bool poet_utf8_valid(const char *text, size_t bytes, size_t *bad_offset);

/* Bytes of the mark (U+FEFF) that some editors put before a text: 3, or 0 where there is none. */
size_t poet_utf8_mark(const char *text);

#endif
