/* Text as tokens: a byte-level byte-pair encoding learned from captions.
 *
 * Learning starts from the 256 bytes and again and again joins the pair of neighbouring tokens that
 * is most frequent (Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword
 * Units", ACL 2016). Since bytes are the base (Radford et al., "Language Models are Unsupervised
 * Multitask Learners", 2019) every text has an encoding and no text is unknown.
 *
 * What happens to a text, in learning and in encoding alike:
 *   1. ASCII capitals become small letters, if fold_case; other scripts keep their case.
 *   2. Runs of ASCII white space become one space; leading and trailing space goes.
 *   3. The text is split into pieces: runs of letters (bytes from 128 up count as letters), of
 *      digits, or of other bytes. A piece carries the space before it; the first piece gets one,
 *      so that a word has the same tokens wherever it stands. A run is cut every
 *      POET_BPE_PIECE_BYTES bytes, between UTF-8 characters, which keeps encoding linear in time.
 *   4. Merges are applied inside pieces, the earliest learned first, and never across them.
 *
 * Ids: the three specials, the 256 bytes, then merges in the order in which they were learned. */
#ifndef POET_GENERATOR_BPE_H
#define POET_GENERATOR_BPE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    POET_BPE_PAD = 0,
    POET_BPE_BEGIN = 1,
    POET_BPE_END = 2,
    POET_BPE_FIRST_BYTE = 3, /* byte b has the id POET_BPE_FIRST_BYTE + b */
    POET_BPE_FIRST_MERGE = POET_BPE_FIRST_BYTE + 256,
    POET_BPE_MAX_SIZE = 65536, /* ids fit 16 bits */
    POET_BPE_PIECE_BYTES = 32  /* the longest piece, its space included, and the longest token */
};

/* Immutable once made: threads may share it. */
typedef struct poet_bpe poet_bpe;

typedef struct poet_bpe_options {
    int size;       /* ids wanted, POET_BPE_FIRST_MERGE..POET_BPE_MAX_SIZE */
    bool fold_case; /* "Red" and "red" are the same word */
} poet_bpe_options;

/* 2,048 ids, case folded. */
poet_bpe_options poet_bpe_defaults(void);

/* Learns from n captions (0-terminated, any bytes). Ends early, with fewer ids than wanted, when
 * no pair occurs twice. The same captions in any order give the same vocabulary: of equally
 * frequent pairs the one with the lowest ids is taken. Time is linear in the captions plus, for
 * each merge, in the distinct pieces and pairs: 0.1 s for 100,000 captions of a few hundred words.
 * ARG for a size out of range, NOMEM. The caller destroys *out. */
poet_status poet_bpe_train(const char *const *captions, size_t n, const poet_bpe_options *options,
                           poet_bpe **out);

/* NULL is fine. */
void poet_bpe_destroy(poet_bpe *bpe);

/* Number of ids: the rows of an embedding table. */
int poet_bpe_size(const poet_bpe *bpe);

/* What to do with a text of more tokens than there is room for. */
typedef enum poet_bpe_overflow { POET_BPE_REFUSE, POET_BPE_TRUNCATE } poet_bpe_overflow;

typedef struct poet_bpe_encoded {
    int count;         /* ids before the padding, BEGIN and END included */
    size_t bytes_used; /* of the text; less than its size exactly when it was truncated */
} poet_bpe_encoded;

/* Writes BEGIN, the tokens of text[0..bytes), END, and PAD up to max (>= 2) ids. Any bytes are
 * accepted; ask poet_utf8_valid (base/utf8.h) first where only UTF-8 is wanted. Truncation keeps
 * whole pieces, so that no UTF-8 character, and no word that is shorter than a piece, is left half.
 * ARG for max < 2, and under POET_BPE_REFUSE when the text does not fit; ids are then unspecified.
 * Allocates nothing. */
poet_status poet_bpe_encode(const poet_bpe *bpe, const char *text, size_t bytes,
                            poet_bpe_overflow overflow, int32_t *ids, int max,
                            poet_bpe_encoded *out);

/* The bytes of ids, without specials and without the space before the first word: the text that
 * was encoded, after steps 1 and 2 above. *text gets one 0 byte more than *bytes; the caller frees
 * it with poet_free. ARG for an id outside the vocabulary. */
poet_status poet_bpe_decode(const poet_bpe *bpe, const int32_t *ids, size_t count, char **text,
                            size_t *bytes);

/* The vocabulary as one line of JSON, for a value of a checkpoint's metadata:
 *   {"type":"byte-level-bpe","version":1,"fold_case":true,"merges":[left,right,left,right,...]}
 * in ASCII, about ten bytes a merge. The caller frees *text with poet_free. */
poet_status poet_bpe_to_text(const poet_bpe *bpe, char **text);

/* The inverse. FORMAT, with a sentence that says what is wrong: no JSON, another version, a merge
 * of ids that do not exist before it, of a pair that already has one, or of more than
 * POET_BPE_PIECE_BYTES bytes, too many merges. The sentence does not name the file: add it with
 * poet_context. */
poet_status poet_bpe_from_text(const char *text, poet_bpe **out);

/* Another with the same ids; the caller destroys it. */
poet_status poet_bpe_copy(const poet_bpe *bpe, poet_bpe **out);

#endif
