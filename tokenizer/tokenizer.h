/* A causal video tokenizer: clips of 1+4n frames to a grid of codes and back.
 *
 *     frames (T = 1+4n, H, W, 3)  ->  codes (t = 1+n, h = H/patch, w = W/patch, levels)  ->  frames
 *
 * One grid: space-time patches of 4 x patch x patch pixels (the first frame alone, repeated four
 * times, so an image is a clip of one frame), then causal convolutions at one resolution. Encoder
 * and decoder are each a linear map, which starts as the principal components of patches, plus a
 * network whose last layer starts at zero; the codebook starts as k-means of the projected patches.
 * Group norms work per frame, convolutions see no later frame: frame t of the output depends on no
 * input after t, so a long video gives the same codes and pixels in chunks as in one piece.
 *
 * docs/models.md has the mathematics, tensor by tensor.
 *
 * Quantizers behind one interface: VQ with EMA codebooks and restart of dead codes (van den Oord et
 * al. 2017), residual VQ of any depth (Zeghidour et al. 2021), FSQ (Mentzer et al. 2023), LFQ (Yu
 * et al. 2023). */
#ifndef POET_TOKENIZER_TOKENIZER_H
#define POET_TOKENIZER_TOKENIZER_H

#include "base/task.h"
#include "compute/checkpoint.h"
#include "compute/params.h"
#include "compute/train.h"

typedef enum poet_quantizer {
    POET_QUANTIZER_VQ,
    POET_QUANTIZER_FSQ,
    POET_QUANTIZER_LFQ
} poet_quantizer;

enum {
    POET_PATCH_FRAMES = 4,
    POET_MAX_CODES = 1 << 20,
    POET_MAX_RESIDUAL_LEVELS = 16,
    POET_MAX_FSQ_CHANNELS = 16
};

typedef struct poet_tokenizer_config {
    int patch; /* pixels: 4 or 8 */
    poet_quantizer quantizer;
    int codes;  /* K of each level; FSQ: the product of a level's fsq_levels; LFQ: a power of two */
    int levels; /* depth of the residual quantizer; 1 for LFQ. FSQ: its channels are shared out, so that one code of K becomes
                   several of few: a factorised vocabulary (Yu et al. 2024, MAGVIT-v2, arXiv 2310.05737) */
    int fsq_channels;
    int fsq_levels[POET_MAX_FSQ_CHANNELS];
    int dim;   /* of a code vector; FSQ: fsq_channels, LFQ: log2(codes) */
    int width; /* channels of the convolutions, a multiple of 8 */
    int encoder_blocks, decoder_blocks;
    int encoder_time; /* latent frames an encoder's convolution sees: 1, or 3 */
    bool frame_norms; /* group norms over a frame, not RMS norms of each place */
} poet_tokenizer_config;

/* 1,024 codes, 4 x 4 pixels, 16 dimensions, width 64, 0 + 3 blocks. */
poet_tokenizer_config poet_tokenizer_defaults(void);

/* Completes what follows from the rest (FSQ's codes and dim, LFQ's dim) and checks the ranges; the
 * sentence names the option. */
poet_status poet_tokenizer_config_check(poet_tokenizer_config *config);

/* A compact text form, the value of "tokenizer.config" in model files. JSON; at most 512 bytes. */
void poet_tokenizer_config_text(const poet_tokenizer_config *config, char out[512]);
poet_status poet_tokenizer_config_parse(const char *text, poet_tokenizer_config *out);

typedef struct poet_tokenizer poet_tokenizer;

/* Fresh weights from seed. The device must outlive the tokenizer. */
poet_status poet_tokenizer_create(poet_device *device, const poet_tokenizer_config *config,
                                  uint64_t seed, poet_tokenizer **out);
poet_status poet_tokenizer_load(poet_device *device, const char *path, poet_tokenizer **out);

/* Weights alone, in bf16 when asked; pairs are added to the metadata. */
poet_status poet_tokenizer_save(poet_tokenizer *tokenizer, const char *path, bool bf16,
                                const poet_pair *pairs, int n_pairs);
void poet_tokenizer_destroy(poet_tokenizer *tokenizer);

const poet_tokenizer_config *poet_tokenizer_get_config(const poet_tokenizer *tokenizer);
poet_params *poet_tokenizer_params(poet_tokenizer *tokenizer);

/* Encoding and decoding keep programs with packed weights: call this after weights were changed (training does at its end). */
void poet_tokenizer_forget_programs(poet_tokenizer *tokenizer);

/* Of weights and codebook: two tokenizers whose tokens can be exchanged have the same one. */
poet_status poet_tokenizer_fingerprint(poet_tokenizer *tokenizer, uint64_t *out);

/* The grid of a clip: T = 1+4n frames, H and W multiples of the patch, else POET_ERR_ARG with a
 * sentence. */
typedef struct poet_grid {
    int t, h, w; /* positions */
    int levels;  /* codes a position */
} poet_grid;

poet_status poet_tokenizer_grid(const poet_tokenizer_config *config, int frames, int height,
                                int width, poet_grid *out);
int64_t poet_grid_codes(const poet_grid *grid); /* t * h * w * levels */

/* frames (T,H,W,3) -> codes (t,h,w,levels). Long clips go in chunks, with the same result and
 * bounded memory. */
poet_status poet_tokenizer_encode(poet_tokenizer *tokenizer, const uint8_t *frames, int t, int h,
                                  int w, int32_t *codes);

/* The same codes, and what they stand for: latents (t,h,w,dim), the encoder's vectors before they are quantized. */
poet_status poet_tokenizer_encode_latents(poet_tokenizer *tokenizer, const uint8_t *frames, int t,
                                          int h, int w, int32_t *codes, float *latents);

/* codes of grid -> frames (1+4(t-1), h*patch, w*patch, 3). A code outside the codebook is an error.
 */
poet_status poet_tokenizer_decode(poet_tokenizer *tokenizer, const int32_t *codes,
                                  const poet_grid *grid, uint8_t *frames);

/* The same for clips of any length, with the memory of one chunk, and with equal results. next fills the next frame (H,W,3);
 * *got is false after the last one, and up to three frames that fill no position are left out. take gets codes
 * (positions,h,w,levels), or frames (n,H,W,3), in their order. A function's error ends the work. */
typedef poet_status (*poet_next_frame_fn)(void *opaque, uint8_t *frame, bool *got);
typedef poet_status (*poet_take_codes_fn)(void *opaque, const int32_t *codes, int positions);
typedef poet_status (*poet_take_frames_fn)(void *opaque, const uint8_t *frames, int n);

poet_status poet_tokenizer_encode_stream(poet_tokenizer *tokenizer, int h, int w,
                                         poet_next_frame_fn next, poet_take_codes_fn take,
                                         void *opaque);
poet_status poet_tokenizer_decode_stream(poet_tokenizer *tokenizer, const int32_t *codes,
                                         const poet_grid *grid, poet_take_frames_fn take,
                                         void *opaque);

/* What encoding or decoding such a clip takes: on the tokenizer's device, its weights included, and as `host` besides the clip's
 * codes and frames. Nothing is allocated there. A grid of more positions than a chunk takes no more. */
poet_status poet_tokenizer_plan_encoding(poet_tokenizer *tokenizer, const poet_grid *grid,
                                         poet_memory *out);
poet_status poet_tokenizer_plan_decoding(poet_tokenizer *tokenizer, const poet_grid *grid,
                                         poet_memory *out);

/* What encoding and decoding such clips in turn take. The tokenizer need not exist: of device and config it is asked. */
poet_status poet_tokenizer_plan_coding(poet_device *device, const poet_tokenizer_config *config,
                                       const poet_grid *grid, poet_memory *out);

/* The vectors of all codes, (levels, codes, dim), for a generator that knows codes by their
 * vectors. */
poet_status poet_tokenizer_vectors(poet_tokenizer *tokenizer, float *out);

/* The metric of patches among latents: l (dim,dim), a lower triangle, with |L'(a - b)| the distance of the patches that the
 * decoder's linear path makes of a and b; a pixel's values are -1..1. */
poet_status poet_tokenizer_patch_metric(poet_tokenizer *tokenizer, double *l);

/* ---- training: tokenizer/train_tokenizer.c ---- */

/* Fills frames (B,T,H,W,3) for one step; a pure function of step. */
typedef poet_status (*poet_clips_fn)(void *opaque, int64_t step, int b, uint8_t *frames);

typedef struct poet_tokenizer_training {
    int b, t, h, w;       /* batch shape */
    float commitment;     /* weight of |z - code|^2: 0.1 */
    float decay, restart; /* codebook EMA: 0.99, and the share of the mean count below which a code
                             restarts: 0.03 */
    bool
        nested; /* VQ: the first K' rows are a codebook for every K' from K/16 to K: each step draws a K' (its logarithm
                    uniform) and quantizes to these rows alone (nested dropout, Rippel et al. 2014, over the rows) */
    bool
        decoder_only; /* from the weights that are there: encoder and codebook stay, and so do all codes; not with nested */
    uint64_t seed;
    int start_clips; /* how many clips the principal components and k-means are taken from: 200; k-means gets at most 2^18 of
                        their patches, and as many of 10 rounds as 4 * 10^11 multiplications allow */
    poet_train_config train; /* feed, pairs and opaque are set by the trainer */
    poet_clips_fn clips;
    void *opaque;
} poet_tokenizer_training;

poet_tokenizer_training poet_tokenizer_training_defaults(void);

/* What training takes at most, the starting values and one batch included; what clips and reports take is the caller's. To be
 * asked before the weights are made. */
poet_status poet_tokenizer_plan_training(poet_device *device, const poet_tokenizer_config *config,
                                         const poet_tokenizer_training *training, poet_memory *out);

/* Trains from the checkpoint, or from the start when there is none; afterwards the weights are
 * those of the last step (or their running average, if it was kept). POET_ERR_INTERRUPTED after a
 * clean stop, which before step 1 leaves nothing; POET_ERR_NOMEM, before anything is done, where the device has less than what
 * is planned. The plan goes to memory (may be NULL). */
poet_status poet_tokenizer_train(poet_tokenizer *tokenizer, const poet_tokenizer_training *training,
                                 poet_memory *memory);

#endif
