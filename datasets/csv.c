#include "datasets/import_internal.h"

/* A field from *at on, unescaped in place; *at is moved to the byte that ended it, which is
 * returned: ',', '\n' or 0. -1: an open quote. */
static int read_field(char **at)
{
    char *read = *at, *write = *at;
    bool quoted = *read == '"';
    if (quoted)
        read++;
    for (;; read++) {
        if (quoted && *read == '"' && read[1] == '"')
            read++;
        else if (quoted && *read == '"') {
            quoted = false;
            continue;
        } else if (*read == 0 || (!quoted && (*read == ',' || *read == '\n')))
            break;
        else if (!quoted && *read == '\r' && read[1] == '\n')
            continue;
        *write++ = *read;
    }
    int end = quoted ? -1 : (unsigned char)*read;
    *at = *read ? read + 1 : read;
    *write = 0;
    return end;
}

int poet_csv_row(char **at, char **field, int room)
{
    int count = 0;
    for (;;) {
        char *begin = *at;
        int end = read_field(at);
        if (end < 0)
            return -1;
        if (count < room)
            field[count] = begin;
        count++;
        if (end != ',')
            return count;
    }
}
