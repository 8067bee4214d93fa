#include "base/utf8.h"

#include <string.h>

/* Length of the UTF-8 sequence at text, of which left >= 1 bytes are there; 0 when it is none.
 * The ranges of the second byte are those of RFC 3629, section 4. */
static size_t sequence_length(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (left < length || text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (text[i] >> 6 != 2)
            return 0;
    return length;
}

bool poet_utf8_valid(const char *text, size_t bytes, size_t *bad_offset)
{
    size_t at = 0;
    while (at < bytes) {
        size_t length = sequence_length((const unsigned char *)text + at, bytes - at);
        if (!length) {
            if (bad_offset)
                *bad_offset = at;
            return false;
        }
        at += length;
    }
    return true;
}

size_t poet_utf8_mark(const char *text)
{
    static const char mark[] = "\xEF\xBB\xBF";
    return strncmp(text, mark, sizeof mark - 1) == 0 ? sizeof mark - 1 : 0;
}
