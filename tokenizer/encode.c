/* Encoding and decoding of clips of any length, in chunks.
 *
 * An output position depends on `context` earlier positions and on no later one. A chunk that
 * starts in the middle of a video sees zeros where the video went on, and its first position sees
 * one frame four times; both wash out after context + 1 positions, which are computed and thrown
 * away. All chunks have one shape, so one program serves a whole video:
 *
 *     whole video   0 1 2 3 4 5 6 7 8 9 ...
 *     first chunk   0 1 2 3 4 5                      keeps all
 *     next chunk          c c c 6 7 8                keeps 6 7 8; c: context + 1 positions again
 */
#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"

#include <string.h>

static int chunk_length(const poet_tokenizer *t, const poet_grid *grid, int overlap)
{
    int64_t fit = t->chunk_positions / ((int64_t)grid->h * grid->w);
    int64_t length = fit > 2 * (int64_t)overlap ? fit : 2 * (int64_t)overlap;
    return length < grid->t ? (int)length : grid->t;
}

static bool same_grid(const poet_grid *a, const poet_grid *b)
{
    return a->t == b->t && a->h == b->h && a->w == b->w && a->levels == b->levels;
}

static poet_status prepare_encoder(poet_tokenizer *t, poet_grid chunk)
{
    if (t->encoder && same_grid(&chunk, &t->encoder_grid))
        return POET_OK;
    poet_program_destroy(t->encoder);
    t->encoder = NULL;
    poet_graph *g = poet_graph_create(t->params);
    if (!g)
        return POET_ERR_NOMEM;
    const poet_tokenizer_config *c = &t->config;
    poet_shape shape = POET_SHAPE(1, 1 + POET_PATCH_FRAMES * (chunk.t - 1), chunk.h * c->patch,
                                  chunk.w * c->patch, 3);
    poet_val patches = poet_patchify(g, poet_input(g, "frames", POET_U8, shape), c->patch);
    poet_val z = poet_encoder_build(g, c, patches);
    poet_result(g, "codes", poet_quantizer_encode(g, c, z));
    t->encoder_grid = chunk;
    return poet_program_create(g, &t->encoder);
}

static poet_status prepare_decoder(poet_tokenizer *t, poet_grid chunk)
{
    if (t->decoder && same_grid(&chunk, &t->decoder_grid))
        return POET_OK;
    poet_program_destroy(t->decoder);
    t->decoder = NULL;
    poet_graph *g = poet_graph_create(t->params);
    if (!g)
        return POET_ERR_NOMEM;
    const poet_tokenizer_config *c = &t->config;
    poet_val codes =
        poet_input(g, "codes", POET_I32, POET_SHAPE(1, chunk.t, chunk.h, chunk.w, chunk.levels));
    poet_val patches = poet_decoder_build(g, c, poet_quantizer_decode(g, c, codes));
    poet_result(g, "frames", poet_to_bytes(g, poet_unpatchify(g, patches, c->patch)));
    t->decoder_grid = chunk;
    return poet_program_create(g, &t->decoder);
}

/* Frames of the first `positions` positions: the first position is one frame. */
static size_t frames_before(int positions)
{
    return positions ? 1 + (size_t)POET_PATCH_FRAMES * (size_t)(positions - 1) : 0;
}

/* Walks over the chunks of a video: the first starts at 0, the last ends at the end. */
typedef struct walk {
    int start, keep; /* the chunk covers positions start .. start + length - 1; those from keep on
                        are new */
} walk;

static walk next_chunk(int done, int total, int length, int overlap)
{
    int start = done > overlap ? done - overlap : 0;
    if (start > total - length)
        start = total - length;
    return (walk){start, done};
}

poet_status poet_tokenizer_encode(poet_tokenizer *tokenizer, const uint8_t *frames, int t, int h,
                                  int w, int32_t *codes)
{
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, t, h, w, &grid));
    int overlap = poet_encoder_context(&tokenizer->config) + 1;
    poet_grid chunk = grid;
    chunk.t = chunk_length(tokenizer, &grid, overlap);
    POET_TRY(prepare_encoder(tokenizer, chunk));
    size_t frame_bytes = (size_t)h * (size_t)w * 3;
    size_t row = (size_t)grid.h * (size_t)grid.w * (size_t)grid.levels;
    int32_t *some = poet_alloc((size_t)chunk.t * row * sizeof *some);
    poet_status status = some ? POET_OK : POET_ERR_NOMEM;
    for (int done = 0; done < grid.t && !status;) {
        walk at = next_chunk(done, grid.t, chunk.t, overlap);
        /* The last frame of the chunk's first position stands in for its first frame. */
        size_t first = at.start ? frames_before(at.start + 1) - 1 : 0;
        status =
            poet_program_set_by_name(tokenizer->encoder, "frames", frames + first * frame_bytes,
                                     frames_before(chunk.t) * frame_bytes);
        if (!status)
            status = poet_program_run(tokenizer->encoder);
        if (!status)
            status = poet_program_get_by_name(tokenizer->encoder, "codes", some,
                                              (size_t)chunk.t * row * sizeof *some);
        int end = at.start + chunk.t;
        if (!status)
            memcpy(codes + (size_t)at.keep * row, some + (size_t)(at.keep - at.start) * row,
                   (size_t)(end - at.keep) * row * sizeof *some);
        done = end;
    }
    poet_free(some);
    return status;
}

static poet_status check_codes(const poet_tokenizer *t, const int32_t *codes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (codes[i] < 0 || codes[i] >= t->config.codes)
            return POET_FAIL(POET_ERR_ARG, "code %d is outside the codebook of %d", codes[i],
                             t->config.codes);
    return POET_OK;
}

poet_status poet_tokenizer_decode(poet_tokenizer *tokenizer, const int32_t *codes,
                                  const poet_grid *grid, uint8_t *frames)
{
    if (grid->levels != tokenizer->config.levels)
        return POET_FAIL(POET_ERR_ARG, "the tokens have %d levels, the tokenizer has %d",
                         grid->levels, tokenizer->config.levels);
    POET_TRY(check_codes(tokenizer, codes, poet_grid_codes(grid)));
    int overlap = poet_decoder_context(&tokenizer->config) + 1;
    poet_grid chunk = *grid;
    chunk.t = chunk_length(tokenizer, grid, overlap);
    POET_TRY(prepare_decoder(tokenizer, chunk));
    int patch = tokenizer->config.patch;
    size_t frame_bytes = (size_t)grid->h * (size_t)grid->w * (size_t)(patch * patch) * 3;
    size_t row = (size_t)grid->h * (size_t)grid->w * (size_t)grid->levels;
    size_t chunk_bytes = frames_before(chunk.t) * frame_bytes;
    uint8_t *some = poet_alloc(chunk_bytes);
    poet_status status = some ? POET_OK : POET_ERR_NOMEM;
    for (int done = 0; done < grid->t && !status;) {
        walk at = next_chunk(done, grid->t, chunk.t, overlap);
        status =
            poet_program_set_by_name(tokenizer->decoder, "codes", codes + (size_t)at.start * row,
                                     (size_t)chunk.t * row * sizeof *codes);
        if (!status)
            status = poet_program_run(tokenizer->decoder);
        if (!status)
            status = poet_program_get_by_name(tokenizer->decoder, "frames", some, chunk_bytes);
        size_t skip = frames_before(at.keep - at.start), kept = frames_before(chunk.t) - skip;
        if (!status)
            memcpy(frames + frames_before(at.keep) * frame_bytes, some + skip * frame_bytes,
                   kept * frame_bytes);
        done = at.start + chunk.t;
    }
    poet_free(some);
    return status;
}
