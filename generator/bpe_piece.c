/* From bytes to pieces; the map of pairs. */
#include "base/memory.h"
#include "generator/bpe_internal.h"

typedef enum byte_class { SPACE, LETTER, DIGIT, OTHER } byte_class;

static byte_class class_of(unsigned char byte)
{
    if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
        return SPACE;
    if (byte >= '0' && byte <= '9')
        return DIGIT;
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80)
        return LETTER;
    return OTHER;
}

static bool is_continuation(unsigned char byte)
{
    return byte >= 0x80 && byte <= 0xBF;
}

/* Where the run at reader->at ends, at most room bytes on. A cut inside a UTF-8 character moves
 * back to its first byte; what is no UTF-8 is cut anywhere. */
static size_t run_end(const poet_bpe_reader *reader, int room)
{
    const unsigned char *text = reader->text;
    size_t begin = reader->at, left = reader->bytes - begin;
    size_t limit = left < (size_t)room ? reader->bytes : begin + (size_t)room;
    byte_class class = class_of(text[begin]);
    size_t end = begin + 1;
    while (end < limit && class_of(text[end]) == class)
        end++;
    if (end < limit || end == reader->bytes)
        return end;
    for (size_t cut = end; cut > begin && end - cut < 4; cut--)
        if (!is_continuation(text[cut]))
            return cut;
    return end;
}

static unsigned char fold(unsigned char byte, bool fold_case)
{
    return fold_case && byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte - 'A' + 'a') : byte;
}

static void append(poet_bpe_piece *piece, unsigned char byte)
{
    piece->ids[piece->count++] = (uint16_t)(POET_BPE_FIRST_BYTE + byte);
}

bool poet_bpe_read(poet_bpe_reader *reader, poet_bpe_piece *piece)
{
    size_t start = reader->at;
    piece->count = 0;
    while (reader->at < reader->bytes && class_of(reader->text[reader->at]) == SPACE)
        reader->at++;
    if (reader->at == reader->bytes)
        return false;
    if (start == 0 || reader->at > start)
        append(piece, ' ');
    size_t end = run_end(reader, POET_BPE_PIECE_BYTES - piece->count);
    while (reader->at < end)
        append(piece, fold(reader->text[reader->at++], reader->fold_case));
    return true;
}

bool poet_bpe_piece_merge(poet_bpe_piece *piece, int left, int right, int merged)
{
    int count = 0, i = 0;
    while (i < piece->count) {
        bool match = i + 1 < piece->count && piece->ids[i] == left && piece->ids[i + 1] == right;
        piece->ids[count++] = match ? (uint16_t)merged : piece->ids[i];
        i += match ? 2 : 1;
    }
    bool found = count < piece->count;
    piece->count = count;
    return found;
}

/* The slot of key, or the free slot where it would go; the map has one. */
static size_t slot_of(const poet_bpe_pairs *pairs, uint32_t key)
{
    uint32_t hash = key * 0x9E3779B1U;
    size_t slot = (hash ^ hash >> 15) & (pairs->capacity - 1);
    while (pairs->keys[slot] && pairs->keys[slot] != key)
        slot = (slot + 1) & (pairs->capacity - 1);
    return slot;
}

static bool grow(poet_bpe_pairs *pairs)
{
    poet_bpe_pairs grown = {.capacity = pairs->capacity ? 2 * pairs->capacity : 1024,
                            .count = pairs->count};
    grown.keys = poet_calloc(grown.capacity, sizeof *grown.keys);
    grown.values = poet_calloc(grown.capacity, sizeof *grown.values);
    if (!grown.keys || !grown.values) {
        poet_bpe_pairs_free(&grown);
        return false;
    }
    for (size_t i = 0; i < pairs->capacity; i++)
        if (pairs->keys[i]) {
            size_t slot = slot_of(&grown, pairs->keys[i]);
            grown.keys[slot] = pairs->keys[i];
            grown.values[slot] = pairs->values[i];
        }
    poet_bpe_pairs_free(pairs);
    *pairs = grown;
    return true;
}

int64_t *poet_bpe_pairs_find(const poet_bpe_pairs *pairs, uint32_t key)
{
    if (!pairs->capacity)
        return NULL;
    size_t slot = slot_of(pairs, key);
    return pairs->keys[slot] ? &pairs->values[slot] : NULL;
}

int64_t *poet_bpe_pairs_at(poet_bpe_pairs *pairs, uint32_t key)
{
    if (2 * (pairs->count + 1) > pairs->capacity && !grow(pairs))
        return NULL;
    size_t slot = slot_of(pairs, key);
    if (!pairs->keys[slot]) {
        pairs->keys[slot] = key;
        pairs->count++;
    }
    return &pairs->values[slot];
}

void poet_bpe_pairs_free(poet_bpe_pairs *pairs)
{
    poet_free(pairs->keys);
    poet_free(pairs->values);
    *pairs = (poet_bpe_pairs){0};
}
