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

#include <assert.h>
#include <limits.h>
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

static poet_status prepare_encoder(poet_tokenizer *t, poet_grid chunk, bool latents)
{
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

poet_status poet_encoder_prepare(poet_tokenizer *t, const poet_grid *grid, bool latents)
{
    poet_grid chunk = *grid;
    chunk.t = chunk_length(t, grid, poet_encoder_context(&t->config) + 1);
    return prepare_encoder(t, chunk, latents);
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

/* Where units come from and go to: memory, or a caller's functions for one frame after the other. */
typedef struct ends {
    const uint8_t *source; /* the next unit, where there is no function */
    size_t left;           /* units from there on */
    uint8_t *target[2];
    poet_next_frame_fn next;
    poet_take_codes_fn take_codes;
    poet_take_frames_fn take_frames;
    void *opaque;
} ends;

/* A video in chunks of `length` positions that overlap by `overlap`. */
typedef struct walk {
    poet_program *program;
    side in, out[2];
    int outs;
    int length, overlap;
    ends ends;
} walk;

static poet_status read_units(walk *w, uint8_t *to, size_t count, size_t *got)
{
    ends *e = &w->ends;
    *got = 0;
    for (bool more = e->next; more && *got < count;) {
        POET_TRY(e->next(e->opaque, to + *got * w->in.unit, &more));
        *got += more;
    }
    if (e->next)
        return POET_OK;
    *got = count < e->left ? count : e->left;
    memcpy(to, e->source, *got * w->in.unit);
    e->source += *got * w->in.unit;
    e->left -= *got;
    return POET_OK;
}

static poet_status write_units(walk *w, int result, const uint8_t *units, size_t count)
{
    ends *e = &w->ends;
    if (e->take_codes)
        return e->take_codes(e->opaque, (const int32_t *)(const void *)units, (int)count);
    if (e->take_frames)
        return e->take_frames(e->opaque, units, (int)count);
    assert(e->target[result]);
    memcpy(e->target[result], units, count * w->out[result].unit);
    e->target[result] += count * w->out[result].unit;
    return POET_OK;
}

/* Of a chunk's result, what belongs to its last `fresh` positions is kept. */
static poet_status keep(walk *w, int result, int fresh)
{
    const side *out = &w->out[result];
    size_t all = units_before(out, w->length), skip = units_before(out, w->length - fresh);
    uint8_t *chunk = poet_alloc(all * out->unit);
    poet_status status = POET_ERR_NOMEM;
    if (chunk)
        status = poet_program_get_by_name(w->program, out->name, chunk, all * out->unit);
    if (!status)
        status = write_units(w, result, chunk + skip * out->unit, all - skip);
    poet_free(chunk);
    return status;
}

/* Units of one position after the first. */
static size_t units_each(const side *s)
{
    return units_before(s, 2) - units_before(s, 1);
}

/* Room for a chunk, and for what the next one adds to it. */
static size_t window_bytes(const walk *w)
{
    return (units_before(&w->in, w->length) + units_each(&w->in) * (size_t)w->length) * w->in.unit;
}

static uint8_t *window_create(const walk *w)
{
    return poet_alloc(window_bytes(w));
}

/* From the first chunk, which is in the window. The window moves on by what the next chunk adds, so the last one ends at the
 * end; the last unit of its first position stands in for all of that position. */
static poet_status walk_chunks(walk *w, uint8_t *window)
{
    size_t whole = units_before(&w->in, w->length) * w->in.unit, each = units_each(&w->in), got;
    size_t step = each * (size_t)(w->length > w->overlap ? w->length - w->overlap : 0);
    for (int fresh = w->length; fresh;) {
        POET_TRY(poet_program_set_by_name(w->program, w->in.name, window, whole));
        POET_TRY(poet_program_run(w->program));
        for (int i = 0; i < w->outs; i++)
            POET_TRY(keep(w, i, fresh));
        POET_TRY(read_units(w, window + whole, step, &got));
        fresh = (int)(got / each);
        memmove(window, window + (size_t)fresh * each * w->in.unit, whole);
    }
    return POET_OK;
}

/* What the host has of a chunk: the window, and a result on its way from the device. */
static size_t chunk_bytes(const walk *w)
{
    return window_bytes(w) + units_before(&w->out[0], w->length) * w->out[0].unit;
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

/* Fills the window with the first chunk, and makes the program for one of that length. */
static poet_status begin_encoding(poet_tokenizer *tokenizer, walk *w, poet_grid chunk,
                                  uint8_t *window)
{
    size_t got;
    POET_TRY(read_units(w, window, units_before(&w->in, w->length), &got));
    if (!got)
        return POET_FAIL(POET_ERR_ARG, "there are no frames to encode");
    w->length = chunk.t = 1 + (int)((got - 1) / units_each(&w->in));
    POET_TRY(prepare_encoder(tokenizer, chunk, w->outs == 2));
    w->program = tokenizer->encoder;
    return POET_OK;
}

static walk encoding_walk(const poet_tokenizer *t, const poet_grid *grid, bool latents)
{
    int overlap = poet_encoder_context(&t->config) + 1;
    return (walk){
        .in = frames_side(t, grid),
        .out = {rows_side("codes", grid, grid->levels), rows_side("latents", grid, t->config.dim)},
        .outs = latents ? 2 : 1,
        .length = chunk_length(t, grid, overlap),
        .overlap = overlap};
}

size_t poet_encoder_bytes(const poet_tokenizer *t, const poet_grid *grid)
{
    walk encoding = encoding_walk(t, grid, false);
    return chunk_bytes(&encoding);
}

/* At most grid->t positions; the ends say how many there are. */
static poet_status encode(poet_tokenizer *tokenizer, const poet_grid *grid, bool latents,
                          const ends *between)
{
    walk encoding = encoding_walk(tokenizer, grid, latents);
    encoding.ends = *between;
    uint8_t *window = window_create(&encoding);
    poet_status status =
        window ? begin_encoding(tokenizer, &encoding, *grid, window) : POET_ERR_NOMEM;
    if (!status)
        status = walk_chunks(&encoding, window);
    poet_free(window);
    return status;
}

/* latents may be NULL. */
static poet_status encode_clip(poet_tokenizer *tokenizer, const uint8_t *frames, int t, int h,
                               int w, int32_t *codes, float *latents)
{
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, t, h, w, &grid));
    const ends memory = {
        .source = frames, .left = (size_t)t, .target = {(uint8_t *)codes, (uint8_t *)latents}};
    return encode(tokenizer, &grid, latents, &memory);
}

poet_status poet_tokenizer_encode(poet_tokenizer *tokenizer, const uint8_t *frames, int t, int h,
                                  int w, int32_t *codes)
{
    return encode_clip(tokenizer, frames, t, h, w, codes, NULL);
}

poet_status poet_tokenizer_encode_latents(poet_tokenizer *tokenizer, const uint8_t *frames, int t,
                                          int h, int w, int32_t *codes, float *latents)
{
    return encode_clip(tokenizer, frames, t, h, w, codes, latents);
}

poet_status poet_tokenizer_encode_stream(poet_tokenizer *tokenizer, int h, int w,
                                         poet_next_frame_fn next, poet_take_codes_fn take,
                                         void *opaque)
{
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, 1, h, w, &grid));
    grid.t = INT_MAX; /* not known yet */
    const ends stream = {.next = next, .take_codes = take, .opaque = opaque};
    return encode(tokenizer, &grid, false, &stream);
}

static poet_status check_codes(const poet_tokenizer *t, const int32_t *codes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (codes[i] < 0 || codes[i] >= t->config.codes)
            return POET_FAIL(POET_ERR_ARG, "code %d is outside the codebook of %d", codes[i],
                             t->config.codes);
    return POET_OK;
}

static walk decoding_walk(const poet_tokenizer *t, const poet_grid *grid)
{
    return (walk){.in = rows_side("codes", grid, grid->levels),
                  .out = {frames_side(t, grid)},
                  .outs = 1,
                  .length = decoder_chunk(t, grid).t,
                  .overlap = poet_decoder_context(&t->config) + 1};
}

size_t poet_decoder_bytes(const poet_tokenizer *t, const poet_grid *grid)
{
    walk decoding = decoding_walk(t, grid);
    return chunk_bytes(&decoding);
}

static poet_status decode(poet_tokenizer *tokenizer, const int32_t *codes, const poet_grid *grid,
                          ends between)
{
    size_t got;
    if (grid->levels != tokenizer->config.levels)
        return POET_FAIL(POET_ERR_ARG, "the tokens have %d levels, the tokenizer has %d",
                         grid->levels, tokenizer->config.levels);
    POET_TRY(check_codes(tokenizer, codes, poet_grid_codes(grid)));
    POET_TRY(poet_decoder_prepare(tokenizer, grid));
    between.source = (const uint8_t *)codes;
    between.left = (size_t)grid->t;
    walk decoding = decoding_walk(tokenizer, grid);
    decoding.program = tokenizer->decoder;
    decoding.ends = between;
    uint8_t *window = window_create(&decoding);
    poet_status status = window ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status = read_units(&decoding, window, (size_t)decoding.length, &got);
    if (!status)
        status = walk_chunks(&decoding, window);
    poet_free(window);
    return status;
}

poet_status poet_tokenizer_decode(poet_tokenizer *tokenizer, const int32_t *codes,
                                  const poet_grid *grid, uint8_t *frames)
{
    return decode(tokenizer, codes, grid, (ends){.target = {frames}});
}

poet_status poet_tokenizer_decode_stream(poet_tokenizer *tokenizer, const int32_t *codes,
                                         const poet_grid *grid, poet_take_frames_fn take,
                                         void *opaque)
{
    return decode(tokenizer, codes, grid, (ends){.take_frames = take, .opaque = opaque});
}
