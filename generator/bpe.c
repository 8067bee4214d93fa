#include "generator/bpe.h"

#include "base/memory.h"
#include "generator/bpe_internal.h"

#include <string.h>

poet_status poet_bpe_create(int capacity, bool fold_case, poet_bpe **out)
{
    *out = NULL;
    poet_bpe *bpe = poet_calloc(1, sizeof *bpe);
    if (!bpe)
        return POET_ERR_NOMEM;
    *bpe = (poet_bpe){.fold_case = fold_case, .size = POET_BPE_FIRST_MERGE, .capacity = capacity};
    bpe->tokens = poet_calloc((size_t)capacity, sizeof *bpe->tokens);
    if (!bpe->tokens) {
        poet_bpe_destroy(bpe);
        return POET_ERR_NOMEM;
    }
    for (int b = 0; b < 256; b++)
        bpe->tokens[POET_BPE_FIRST_BYTE + b] =
            (poet_bpe_token){.count = 1, .bytes = {(unsigned char)b}};
    *out = bpe;
    return POET_OK;
}

void poet_bpe_destroy(poet_bpe *bpe)
{
    if (!bpe)
        return;
    poet_bpe_pairs_free(&bpe->merges);
    poet_free(bpe->tokens);
    poet_free(bpe);
}

int poet_bpe_size(const poet_bpe *bpe)
{
    return bpe->size;
}

static bool is_mergeable(const poet_bpe *bpe, int64_t id)
{
    return id >= POET_BPE_FIRST_BYTE && id < bpe->size;
}

poet_status poet_bpe_add_merge(poet_bpe *bpe, int64_t left, int64_t right)
{
    int index = bpe->size - POET_BPE_FIRST_MERGE;
    if (!is_mergeable(bpe, left) || !is_mergeable(bpe, right))
        return POET_FAIL(POET_ERR_FORMAT,
                         "text vocabulary: merge %d joins ids %lld and %lld, outside %d..%d", index,
                         (long long)left, (long long)right, POET_BPE_FIRST_BYTE, bpe->size - 1);
    const poet_bpe_token *a = &bpe->tokens[left], *b = &bpe->tokens[right];
    if (a->count + b->count > POET_BPE_PIECE_BYTES)
        return POET_FAIL(POET_ERR_FORMAT,
                         "text vocabulary: merge %d makes a token of %d bytes, more than %d", index,
                         a->count + b->count, POET_BPE_PIECE_BYTES);
    int64_t *id = poet_bpe_pairs_at(&bpe->merges, poet_bpe_pair_key((int)left, (int)right));
    if (!id)
        return POET_ERR_NOMEM;
    if (*id)
        return POET_FAIL(POET_ERR_FORMAT,
                         "text vocabulary: merge %d joins the same pair as merge %d", index,
                         (int)*id - POET_BPE_FIRST_MERGE);
    *id = bpe->size;
    poet_bpe_token *token = &bpe->tokens[bpe->size++];
    token->left = (uint16_t)left;
    token->right = (uint16_t)right;
    token->count = (unsigned char)(a->count + b->count);
    memcpy(token->bytes, a->bytes, a->count);
    memcpy(token->bytes + a->count, b->bytes, b->count);
    return POET_OK;
}

/* The earliest learned merge that fits somewhere in the piece; 0 when none does. */
static int first_merge(const poet_bpe *bpe, const poet_bpe_piece *piece)
{
    int64_t first = 0;
    for (int i = 0; i + 1 < piece->count; i++) {
        uint32_t key = poet_bpe_pair_key(piece->ids[i], piece->ids[i + 1]);
        const int64_t *id = poet_bpe_pairs_find(&bpe->merges, key);
        if (id && (!first || *id < first))
            first = *id;
    }
    return (int)first;
}

static void merge_all(const poet_bpe *bpe, poet_bpe_piece *piece)
{
    for (int id = first_merge(bpe, piece); id; id = first_merge(bpe, piece))
        poet_bpe_piece_merge(piece, bpe->tokens[id].left, bpe->tokens[id].right, id);
}

poet_status poet_bpe_encode(const poet_bpe *bpe, const char *text, size_t bytes,
                            poet_bpe_overflow overflow, int32_t *ids, int max,
                            poet_bpe_encoded *out)
{
    *out = (poet_bpe_encoded){0};
    if (max < 2)
        return POET_FAIL(POET_ERR_ARG,
                         "room for %d text tokens is too little: begin and end need 2", max);
    poet_bpe_reader reader = {(const unsigned char *)text, bytes, 0, bpe->fold_case};
    poet_bpe_piece piece;
    int count = 0;
    size_t used = 0;
    bool whole = true;
    ids[count++] = POET_BPE_BEGIN;
    while (poet_bpe_read(&reader, &piece)) {
        merge_all(bpe, &piece);
        whole = count + piece.count < max;
        if (!whole)
            break;
        for (int i = 0; i < piece.count; i++)
            ids[count++] = piece.ids[i];
        used = reader.at;
    }
    if (!whole && overflow == POET_BPE_REFUSE)
        return POET_FAIL(
            POET_ERR_ARG,
            "the text of %zu bytes does not fit %d tokens: only its first %zu bytes do", bytes, max,
            used);
    ids[count++] = POET_BPE_END;
    *out = (poet_bpe_encoded){.count = count, .bytes_used = whole ? bytes : used};
    while (count < max)
        ids[count++] = POET_BPE_PAD;
    return POET_OK;
}

poet_status poet_bpe_decode(const poet_bpe *bpe, const int32_t *ids, size_t count, char **text,
                            size_t *bytes)
{
    *text = NULL;
    *bytes = 0;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= bpe->size)
            return POET_FAIL(POET_ERR_ARG, "text token %d at %zu is outside the vocabulary of %d",
                             (int)ids[i], i, bpe->size);
        total += bpe->tokens[ids[i]].count;
    }
    char *out = poet_alloc(total + 1);
    if (!out)
        return POET_ERR_NOMEM;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const poet_bpe_token *token = &bpe->tokens[ids[i]];
        memcpy(out + at, token->bytes, token->count);
        at += token->count;
    }
    if (at && out[0] == ' ')
        memmove(out, out + 1, --at);
    out[at] = 0;
    *text = out;
    *bytes = at;
    return POET_OK;
}
