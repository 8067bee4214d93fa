/* Token files (.ptok): clips as codes of one tokenizer, with their captions, random access by clip.
 *
 * The bytes, all numbers little-endian; every byte is under a CRC-32 (base/bits.h) and none is left
 * between the parts:
 *
 *   header  48  at 0: magic 89 50 54 4f 4b 0d 0a 1a ("\x89PTOK\r\n\x1a")
 *               8: u32 version = 1    12: u32 codes (K)    16: u32 levels
 *               20, 22, 24: u16 patch frames, rows, columns    26: u16 0
 *               28: f64 frames per second    36: u64 tokenizer fingerprint
 *               44: u32 CRC of bytes 0..43
 *   clips       one zstd frame each, in order, the first at 48. Its contents are the codes (T,H,W,
 *               levels), row-major, each in ceil(log2 K) bits, least significant bit first, the
 *               last byte filled with zeros.
 *   index       per clip 36 bytes: u64 offset, u32 bytes and u32 CRC of the zstd frame; u32 T, H, W;
 *               u32 caption bytes, u32 source bytes; then the caption and the source name, UTF-8,
 *               each with a final 0 that the counts include
 *   footer  28  u64 offset and u64 bytes of the index, u32 clips, u32 CRC of the index, u32 CRC of
 *               the footer's first 24 bytes
 *
 * docs/formats/ptok.md says the same with an example, and what the bytes of a journal are. */
#ifndef POET_CODEC_TOKFILE_H
#define POET_CODEC_TOKFILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one clip: along each side of its grid, and in all. */
enum { POET_TOKFILE_MAX_SIDE = 65535, POET_TOKFILE_MAX_CODES = 1 << 26 };

typedef struct poet_tokfile_header {
    uint32_t codes;                     /* K, 1..2^31; codes are 0..K-1 */
    uint32_t levels;                    /* residual depth, 1..64 */
    uint32_t patch_t, patch_h, patch_w; /* pixels of one token, 1..65535: e.g. 4,4,4 */
    double fps;                         /* of the clips, above 0 */
    uint64_t tokenizer;                 /* fingerprint of the tokenizer that made the codes */
} poet_tokfile_header;

typedef struct poet_tokfile_clip {
    uint32_t t, h, w;    /* the grid, each 1..65535; t*h*w*levels codes, at most 2^26 */
    const char *caption; /* UTF-8, below 1 MiB */
    const char *source;  /* what it came from: docs/formats/ptok.md; below 64 KiB */
} poet_tokfile_clip;

/* ---- writing: create, add clip by clip, commit; destroy in any case. The file appears by
 * commit. ---- */
typedef struct poet_tokfile_writer poet_tokfile_writer;

poet_status poet_tokfile_create(const char *path, const poet_tokfile_header *header,
                                poet_tokfile_writer **out);

/* codes (t,h,w,levels). */
poet_status poet_tokfile_add(poet_tokfile_writer *writer, const poet_tokfile_clip *clip,
                             const uint32_t *codes);
poet_status poet_tokfile_commit(poet_tokfile_writer *writer);
void poet_tokfile_destroy(poet_tokfile_writer *writer);

/* What the name of a journal adds to that of its token file. */
#define POET_TOKFILE_JOURNAL ".partial"

/* The same for long work, which may be ended at any moment, by kill -9 or a full disk: clips that were added are in a journal beside the
 * file, too, and the next call goes on behind them. Commit removes the journal, destroy without it leaves one that has
 * clips. The file has the bytes that it would have without a stop.
 *
 * run tells all that the clips depend on besides header, in a line of text below 4 KiB: the data, the options. A journal of
 * another run or another header is POET_ERR_MISMATCH, what is no journal or has a damaged head POET_ERR_FORMAT: the user removes
 * it or goes on with what it is of. POET_ERR_IO while another process writes it. Records that are damaged are cut off, with all
 * behind them. */
poet_status poet_tokfile_resume(const char *path, const poet_tokfile_header *header,
                                const char *run, poet_tokfile_writer **out);

/* Clips that were added, those of a journal included: the number of the next one. */
uint32_t poet_tokfile_written(const poet_tokfile_writer *writer);

/* ---- reading: the file is mapped; header and index are checked on opening, a clip when it is
 * read. Reads from several threads at once are fine. Damage is POET_ERR_FORMAT. ---- */
typedef struct poet_tokfile poet_tokfile;

/* Whether a file begins like a token file, or is named like one. */
bool poet_tokfile_is(const char *path);

poet_status poet_tokfile_open(const char *path, poet_tokfile **out);
void poet_tokfile_close(poet_tokfile *file);

const poet_tokfile_header *poet_tokfile_get_header(const poet_tokfile *file);
size_t poet_tokfile_count(const poet_tokfile *file);

/* Strings belong to the file; i < count. */
poet_tokfile_clip poet_tokfile_info(const poet_tokfile *file, size_t i);

/* Codes of clip i: t*h*w*levels. */
size_t poet_tokfile_code_count(const poet_tokfile *file, size_t i);

/* A fingerprint of all clips, as they are in the index: their sizes, checksums and captions. */
uint64_t poet_tokfile_contents(const poet_tokfile *file);

/* codes (t,h,w,levels), each below K. */
poet_status poet_tokfile_read(const poet_tokfile *file, size_t i, uint32_t *codes);

/* POET_ERR_MISMATCH with a sentence when the codes were made by another tokenizer. */
poet_status poet_tokfile_check_fingerprint(const poet_tokfile *file, uint64_t tokenizer);

#endif
