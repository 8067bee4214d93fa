/* Learning merges. Captions repeat few words, so the distinct pieces are counted first; a merge
 * then touches only the pieces that contain its pair, and the counts of pairs follow. */
#include "base/memory.h"
#include "base/rng.h"
#include "generator/bpe_internal.h"

#include <string.h>

typedef struct entry {
    poet_bpe_piece piece;
    int64_t count;
} entry;

/* The distinct pieces, and a hash table over them: index + 1, 0 for a free slot, at most half
 * full. */
typedef struct corpus {
    entry *entries; /* [slot_count / 2], of which count are used */
    size_t count;
    size_t *slots;
    size_t slot_count; /* a power of two */
} corpus;

static void corpus_free(corpus *c)
{
    poet_free(c->entries);
    poet_free(c->slots);
}

static size_t *corpus_slot(const corpus *c, const poet_bpe_piece *piece)
{
    size_t bytes = (size_t)piece->count * sizeof piece->ids[0];
    size_t at = poet_hash64(0, piece->ids, bytes) & (c->slot_count - 1);
    for (; c->slots[at]; at = (at + 1) & (c->slot_count - 1)) {
        const poet_bpe_piece *other = &c->entries[c->slots[at] - 1].piece;
        if (other->count == piece->count && !memcmp(other->ids, piece->ids, bytes))
            break;
    }
    return &c->slots[at];
}

static poet_status corpus_grow(corpus *c)
{
    size_t slot_count = c->slot_count ? 2 * c->slot_count : 1024;
    entry *entries = poet_realloc(c->entries, slot_count / 2 * sizeof *entries);
    if (!entries)
        return POET_ERR_NOMEM;
    c->entries = entries;
    size_t *slots = poet_calloc(slot_count, sizeof *slots);
    if (!slots)
        return POET_ERR_NOMEM;
    poet_free(c->slots);
    c->slots = slots;
    c->slot_count = slot_count;
    for (size_t i = 0; i < c->count; i++)
        *corpus_slot(c, &c->entries[i].piece) = i + 1;
    return POET_OK;
}

static poet_status corpus_add(corpus *c, const poet_bpe_piece *piece)
{
    if (2 * (c->count + 1) > c->slot_count)
        POET_TRY(corpus_grow(c));
    size_t *slot = corpus_slot(c, piece);
    if (!*slot) {
        c->entries[c->count++] = (entry){.piece = *piece};
        *slot = c->count;
    }
    c->entries[*slot - 1].count++;
    return POET_OK;
}

static poet_status corpus_read(corpus *c, const char *const *captions, size_t n, bool fold_case)
{
    for (size_t i = 0; i < n; i++) {
        poet_bpe_reader reader = {(const unsigned char *)captions[i], strlen(captions[i]), 0,
                                  fold_case};
        poet_bpe_piece piece;
        while (poet_bpe_read(&reader, &piece))
            POET_TRY(corpus_add(c, &piece));
    }
    return POET_OK;
}

static poet_status count_pairs(poet_bpe_pairs *pairs, const poet_bpe_piece *piece, int64_t times)
{
    for (int i = 0; i + 1 < piece->count; i++) {
        int64_t *count =
            poet_bpe_pairs_at(pairs, poet_bpe_pair_key(piece->ids[i], piece->ids[i + 1]));
        if (!count)
            return POET_ERR_NOMEM;
        *count += times;
    }
    return POET_OK;
}

/* The most frequent pair, the lowest ids among equals; 0 when no pair occurs twice. */
static uint32_t best_pair(const poet_bpe_pairs *pairs)
{
    uint32_t best = 0;
    int64_t most = 1;
    for (size_t i = 0; i < pairs->capacity; i++) {
        uint32_t key = pairs->keys[i];
        int64_t count = pairs->values[i];
        if (count > most || (count == most && best && key < best)) {
            best = key;
            most = count;
        }
    }
    return best;
}

static poet_status apply_merge(corpus *c, poet_bpe_pairs *pairs, int left, int right, int merged)
{
    for (size_t i = 0; i < c->count; i++) {
        entry *e = &c->entries[i];
        poet_bpe_piece before = e->piece;
        if (!poet_bpe_piece_merge(&e->piece, left, right, merged))
            continue;
        POET_TRY(count_pairs(pairs, &before, -e->count));
        POET_TRY(count_pairs(pairs, &e->piece, e->count));
    }
    return POET_OK;
}

static poet_status learn(poet_bpe *bpe, corpus *c, poet_bpe_pairs *pairs)
{
    for (size_t i = 0; i < c->count; i++)
        POET_TRY(count_pairs(pairs, &c->entries[i].piece, c->entries[i].count));
    while (bpe->size < bpe->capacity) {
        uint32_t best = best_pair(pairs);
        if (!best)
            break;
        int left = best >> 16, right = best & 0xFFFF;
        POET_TRY(poet_bpe_add_merge(bpe, left, right));
        POET_TRY(apply_merge(c, pairs, left, right, bpe->size - 1));
    }
    return POET_OK;
}

poet_bpe_options poet_bpe_defaults(void)
{
    return (poet_bpe_options){.size = 2048, .fold_case = true};
}

poet_status poet_bpe_train(const char *const *captions, size_t n, const poet_bpe_options *options,
                           poet_bpe **out)
{
    *out = NULL;
    if (options->size < POET_BPE_FIRST_MERGE || options->size > POET_BPE_MAX_SIZE)
        return POET_FAIL(POET_ERR_ARG, "a text vocabulary of %d is outside %d..%d", options->size,
                         POET_BPE_FIRST_MERGE, POET_BPE_MAX_SIZE);
    poet_bpe *bpe = NULL;
    corpus c = {0};
    poet_bpe_pairs pairs = {0};
    poet_status status = POET_OK;
    POET_TRY_DONE(corpus_read(&c, captions, n, options->fold_case));
    POET_TRY_DONE(poet_bpe_create(options->size, options->fold_case, &bpe));
    POET_TRY_DONE(learn(bpe, &c, &pairs));
    *out = bpe;
    bpe = NULL;
done:
    poet_bpe_destroy(bpe);
    poet_bpe_pairs_free(&pairs);
    corpus_free(&c);
    return status;
}
