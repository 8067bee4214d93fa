/* The inside of the tokenizer, for tokenizer/ alone. */
#ifndef POET_TOKENIZER_TOKENIZER_INTERNAL_H
#define POET_TOKENIZER_TOKENIZER_INTERNAL_H

#include "compute/graph.h"
#include "compute/program.h"
#include "tokenizer/tokenizer.h"

struct poet_tokenizer {
    poet_tokenizer_config config;
    poet_device *device;
    poet_params *params;
    int chunk_positions; /* what one run of encoder or decoder may hold, which bounds memory */
    /* The programs of the last shape that was asked for; NULL at the start and after the weights
     * changed. */
    poet_program *encoder, *decoder;
    poet_grid encoder_grid, decoder_grid;
    bool encoder_latents; /* the encoder's program gives latents too */
};

/* ---- network.c ---- */

/* patches (B,t,h,w,P) -> z (B,t,h,w,dim), and codes' vectors (B,t,h,w,dim) -> patches. */
poet_val poet_encoder_build(poet_graph *g, const poet_tokenizer_config *config, poet_val patches);
poet_val poet_decoder_build(poet_graph *g, const poet_tokenizer_config *config, poet_val vectors);

/* The same, with what its last layer reads beside the vectors: hidden (B,t,h,w,width). */
poet_val poet_decoder_build_hidden(poet_graph *g, const poet_tokenizer_config *config,
                                   poet_val vectors, poet_val *hidden);

/* How many earlier positions in time an output depends on. */
int poet_encoder_context(const poet_tokenizer_config *config);
int poet_decoder_context(const poet_tokenizer_config *config);

/* ---- quantizer.c ---- */

/* z (...,dim) -> codes (...,levels). */
poet_val poet_quantizer_encode(poet_graph *g, const poet_tokenizer_config *config, poet_val z);

/* codes (...,levels) -> vectors (...,dim). */
poet_val poet_quantizer_decode(poet_graph *g, const poet_tokenizer_config *config, poet_val codes);

/* codes (n) -> the vectors that each level has for them, (levels,n,dim). */
poet_val poet_quantizer_vectors(poet_graph *g, const poet_tokenizer_config *config, poet_val codes);

typedef struct poet_quantized {
    poet_val vectors; /* straight-through */
    poet_val codes;   /* (...,levels) */
    poet_val penalty; /* scalar to be added to the loss, already weighted */
} poet_quantized;

typedef struct poet_training_inputs {
    poet_val step; /* I32 (1) */
    poet_val
        away; /* (K,1), for nested codebooks: 0 where a row takes part in this step, and far away where not */
} poet_training_inputs;

/* A level's codebook (K,dim) with its running sums, total (K,dim) and count (K). */
typedef struct poet_codebook_values {
    poet_val book, total, count;
} poet_codebook_values;

poet_codebook_values poet_codebook_state(poet_graph *g, const poet_tokenizer_config *config,
                                         int level);

poet_quantized poet_quantizer_train(poet_graph *g, const poet_tokenizer_training *training,
                                    const poet_tokenizer_config *config, poet_val z,
                                    const poet_training_inputs *inputs);

/* ---- start.c ---- */

/* Principal components into the linear maps and k-means into the codebook, from patches of training
 * clips. */
poet_status poet_tokenizer_start(poet_tokenizer *tokenizer,
                                 const poet_tokenizer_training *training);

/* What that takes at most, the largest of its stages; twin is on a device without memory. */
poet_status poet_tokenizer_start_memory(poet_tokenizer *twin,
                                        const poet_tokenizer_training *training, poet_memory *out);

/* POET_ERR_INTERRUPTED when the task is to stop. */
poet_status poet_start_check(const poet_tokenizer_training *training);

/* Values of a parameter by its name. */
poet_status poet_start_write(poet_tokenizer *t, const char *name, const float *values,
                             size_t count);

/* ---- kmeans.c ---- */

typedef struct poet_kmeans_rows {
    float *z;           /* (all,dim); what is left of them afterwards is undefined */
    int64_t all, batch; /* all is a multiple of batch */
    int64_t step_rows;  /* latents of one training step */
} poet_kmeans_rows;

/* k-means of rows into the codebooks of all levels, and the running sums to what such codebooks would have. */
poet_status poet_kmeans_start(poet_tokenizer *t, const poet_tokenizer_training *training,
                              const poet_kmeans_rows *rows);

/* Its program, and what the host keeps beside it and z. */
poet_status poet_kmeans_build(poet_tokenizer *t, int64_t batch, poet_program **out);
size_t poet_kmeans_bytes(const poet_tokenizer_config *config, int64_t rows);

/* ---- encode.c ---- */

/* Makes the program of encoder or decoder, for the part of such a clip that is coded at once. latents: the encoder gives them
 * too. */
poet_status poet_encoder_prepare(poet_tokenizer *t, const poet_grid *grid, bool latents);
poet_status poet_decoder_prepare(poet_tokenizer *t, const poet_grid *grid);

/* What the host has of a clip while it is encoded or decoded, besides its codes and frames. */
size_t poet_encoder_bytes(const poet_tokenizer *t, const poet_grid *grid);
size_t poet_decoder_bytes(const poet_tokenizer *t, const poet_grid *grid);

/* ---- train_tokenizer.c ---- */

/* The program of a training step. */
poet_status poet_tokenizer_training_build(poet_tokenizer *t,
                                          const poet_tokenizer_training *training,
                                          poet_program **out);

/* ---- principal.c ---- */

/* The leading `count` eigenvectors of a symmetric positive matrix (n,n) by subspace iteration:
 * vectors (count,n), rows orthonormal, largest eigenvalue first. */
poet_status poet_principal(const double *matrix, int n, int count, uint64_t seed, double *vectors,
                           double *values);

#endif
