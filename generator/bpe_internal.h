/* What learning, encoding and the text form of the byte-pair encoding share. */
#ifndef POET_GENERATOR_BPE_INTERNAL_H
#define POET_GENERATOR_BPE_INTERNAL_H

#include "generator/bpe.h"

/* A hash map from a pair of ids to a number. Learning counts pairs with it, encoding finds their
 * merges. Start from zeros. */
typedef struct poet_bpe_pairs {
    uint32_t *keys; /* left << 16 | right; 0, a pair of PADs, marks a free slot */
    int64_t *values;
    size_t capacity; /* 0 or a power of two, at most half full */
    size_t count;
} poet_bpe_pairs;

/* The pair's value; NULL when it has none. */
int64_t *poet_bpe_pairs_find(const poet_bpe_pairs *pairs, uint32_t key);

/* The same, but a new pair is added with value 0; NULL when memory ran out. */
int64_t *poet_bpe_pairs_at(poet_bpe_pairs *pairs, uint32_t key);
void poet_bpe_pairs_free(poet_bpe_pairs *pairs);

static inline uint32_t poet_bpe_pair_key(int left, int right)
{
    return (uint32_t)left << 16 | (uint32_t)right;
}

/* A piece of text as ids: of its bytes at first, then of its merges. */
typedef struct poet_bpe_piece {
    uint16_t ids[POET_BPE_PIECE_BYTES];
    int count;
} poet_bpe_piece;

/* Cuts a text into pieces. Start with at = 0. */
typedef struct poet_bpe_reader {
    const unsigned char *text;
    size_t bytes, at;
    bool fold_case;
} poet_bpe_reader;

/* False at the end, where only white space was left. */
bool poet_bpe_read(poet_bpe_reader *reader, poet_bpe_piece *piece);

/* Replaces (left, right) by merged, from left to right; false when the pair is not there. */
bool poet_bpe_piece_merge(poet_bpe_piece *piece, int left, int right, int merged);

typedef struct poet_bpe_token {
    uint16_t left, right; /* of a merge */
    unsigned char count;  /* bytes; 0 for the specials */
    unsigned char bytes[POET_BPE_PIECE_BYTES];
} poet_bpe_token;

struct poet_bpe {
    bool fold_case;
    int size, capacity;
    poet_bpe_token *tokens; /* [size] */
    poet_bpe_pairs merges;  /* to the id of the merge */
};

/* A vocabulary of the specials and the bytes, with room for capacity ids. */
poet_status poet_bpe_create(int capacity, bool fold_case, poet_bpe **out);

/* Appends a merge; FORMAT when it can not be one. There must be room. */
poet_status poet_bpe_add_merge(poet_bpe *bpe, int64_t left, int64_t right);

#endif
