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

/* The part of a clip that is decoded at once. */
static poet_grid decoder_chunk(const poet_tokenizer *t, const poet_grid *grid)
{
    poet_grid chunk = *grid;
    chunk.t = chunk_length(t, grid, poet_decoder_context(&t->config) + 1);
    return chunk;
}

static bool same_grid(const poet_grid *a, const poet_grid *b)
{
    return a->t == b->t && a->h == b->h && a->w == b->w && a->levels == b->levels;
}

/* The same of encoding. */
static poet_grid encoder_chunk(const poet_tokenizer *t, const poet_grid *grid)
{
    poet_grid chunk = *grid;
    chunk.t = chunk_length(t, grid, poet_encoder_context(&t->config) + 1);
    return chunk;
}

poet_status poet_encoder_prepare(poet_tokenizer *t, const poet_grid *grid, bool latents)
{
    poet_grid chunk = encoder_chunk(t, grid);
    if (t->encoder && same_grid(&chunk, &t->encoder_grid) && t->encoder_latents == latents)
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
    if (latents)
        poet_result(g, "latents", z);
    t->encoder_grid = chunk;
    t->encoder_latents = latents;
    return poet_program_create(g, &t->encoder);
}

poet_status poet_decoder_prepare(poet_tokenizer *t, const poet_grid *grid)
{
    poet_grid chunk = decoder_chunk(t, grid);
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

/* One side of a program: rows of codes or latents, one for each position, or frames. */
typedef struct side {
    const char *name; /* of the program's input or result */
    size_t unit;      /* bytes of a row or frame */
    bool frames;
} side;

static size_t units_before(const side *s, int positions)
{
    return s->frames ? frames_before(positions) : (size_t)positions;
}

/* A video of `total` positions, as chunks of `length` that overlap by `overlap`. */
typedef struct walk {
    poet_program *program;
    side in, out[2];
    int outs;
    const uint8_t *source; /* the whole video's, as the targets are */
    uint8_t *target[2];
    int total, length, overlap;
} walk;

/* Where the chunk begins that goes on after `done` positions: the last one ends at the end. */
static int chunk_start(const walk *w, int done)
{
    int start = done > w->overlap ? done - w->overlap : 0;
    return start < w->total - w->length ? start : w->total - w->length;
}

/* Of a chunk's result, what the chunk before has not given yet is kept. */
static poet_status keep(const walk *w, int result, int done, int start)
{
    const side *out = &w->out[result];
    size_t bytes = units_before(out, w->length) * out->unit;
    size_t skip = units_before(out, done - start) * out->unit;
    uint8_t *chunk = poet_alloc(bytes);
    poet_status status =
        chunk ? poet_program_get_by_name(w->program, out->name, chunk, bytes) : POET_ERR_NOMEM;
    if (!status)
        memcpy(w->target[result] + units_before(out, done) * out->unit, chunk + skip, bytes - skip);
    poet_free(chunk);
    return status;
}

static poet_status walk_chunks(const walk *w)
{
    for (int done = 0; done < w->total;) {
        int start = chunk_start(w, done);
        /* The last unit of the chunk's first position stands in for all of it. */
        size_t first = units_before(&w->in, start + 1) - 1;
        POET_TRY(poet_program_set_by_name(w->program, w->in.name, w->source + first * w->in.unit,
                                          units_before(&w->in, w->length) * w->in.unit));
        POET_TRY(poet_program_run(w->program));
        for (int i = 0; i < w->outs; i++)
            POET_TRY(keep(w, i, done, start));
        done = start + w->length;
    }
    return POET_OK;
}

static side frames_side(const poet_tokenizer *t, const poet_grid *grid)
{
    size_t pixels = (size_t)grid->h * (size_t)grid->w * (size_t)(t->config.patch * t->config.patch);
    return (side){"frames", pixels * 3, true};
}

/* Codes (i32) or latents (f32): so many for each place. */
static side rows_side(const char *name, const poet_grid *grid, int each)
{
    size_t values = (size_t)grid->h * (size_t)grid->w * (size_t)each;
    return (side){name, values * sizeof(int32_t), false};
}

/* latents may be NULL. */
static poet_status encode(poet_tokenizer *tokenizer, const uint8_t *frames, int t, int h, int w,
                          int32_t *codes, float *latents)
{
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, t, h, w, &grid));
    POET_TRY(poet_encoder_prepare(tokenizer, &grid, latents));
    const walk encoding = {.program = tokenizer->encoder,
                           .in = frames_side(tokenizer, &grid),
                           .out = {rows_side("codes", &grid, grid.levels),
                                   rows_side("latents", &grid, tokenizer->config.dim)},
                           .outs = latents ? 2 : 1,
                           .source = frames,
                           .target = {(uint8_t *)codes, (uint8_t *)latents},
                           .total = grid.t,
                           .length = tokenizer->encoder_grid.t,
                           .overlap = poet_encoder_context(&tokenizer->config) + 1};
    return walk_chunks(&encoding);
}

poet_status poet_tokenizer_encode(poet_tokenizer *tokenizer, const uint8_t *frames, int t, int h,
                                  int w, int32_t *codes)
{
    return encode(tokenizer, frames, t, h, w, codes, NULL);
}

poet_status poet_tokenizer_encode_latents(poet_tokenizer *tokenizer, const uint8_t *frames, int t,
                                          int h, int w, int32_t *codes, float *latents)
{
    return encode(tokenizer, frames, t, h, w, codes, latents);
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
    POET_TRY(poet_decoder_prepare(tokenizer, grid));
    const walk decoding = {.program = tokenizer->decoder,
                           .in = rows_side("codes", grid, grid->levels),
                           .out = {frames_side(tokenizer, grid)},
                           .outs = 1,
                           .source = (const uint8_t *)codes,
                           .target = {frames},
                           .total = grid->t,
                           .length = tokenizer->decoder_grid.t,
                           .overlap = poet_decoder_context(&tokenizer->config) + 1};
    return walk_chunks(&decoding);
}
