/* An autoregressive transformer that writes video tokens after a sentence (VideoPoet's way: text
 * prefix, then video tokens).
 *
 *     text (P ids, bidirectional)  |  group 0  group 1  ...  group N-1
 *
 * A video is a grid of codes (t,h,w,levels); group_h x group_w neighbouring positions form one
 * group, one position of the large transformer, written in the order time, row, column. What enters
 * at a group's position: the sum of the embeddings of the codes of the group before, the group's
 * own time, row and column, and one linear map of the codebook vectors of the groups around it that
 * are already written. Attention knows the distances of groups too, by rotary positions (Su et al.,
 * RoFormer, 2021), so that a shape is the same shape wherever it is. From the state that comes out, a small transformer writes the S =
 * group_h * group_w * levels codes of the group one after another (Yu et al., MegaByte, 2023; Lee
 * et al., RQ-Transformer, 2022). What enters there at a cell: the state, the code before, and one
 * linear map of the vectors of the cells around it that were written before the group: what is
 * still is copied from there, and a line goes on. A flat model is a group of one code.
 *
 * The mean of what comes out at the text goes, by one linear map, to the state of every group: a
 * straight way from the words to the codes beside attention.
 *
 * What stands still need not be written again: from the state the model first says whether the
 * group is the one at the same place in the time before. The codes of such a group are copied, in
 * training and in sampling, and cost the small transformer nothing.
 *
 * docs/models.md has the mathematics, tensor by tensor.
 *
 * Sampling: classifier-free guidance, temperature, top-k, top-p, min-p; a KV cache; many prompts in
 * one batch. A clip is a function of (model, prompt, seed, settings) alone: the same whatever batch
 * it is in. */
#ifndef POET_GENERATOR_GENERATOR_H
#define POET_GENERATOR_GENERATOR_H

#include "base/task.h"
#include "compute/cost.h"
#include "compute/train.h"
#include "generator/bpe.h"
#include "tokenizer/tokenizer.h"

typedef struct poet_generator_config {
    int codes, code_dim; /* K and the length of a code's vector: the tokenizer's */
    poet_grid grid;      /* of one clip */
    double fps;          /* of the clips it was trained on */
    int group_h, group_w;
    int text;       /* P: text positions, BEGIN and END included */
    int vocabulary; /* ids of the text vocabulary */
    int width, layers, heads;
    int slot_width, slot_layers, slot_heads; /* the small transformer inside the group */
    bool neighbours; /* the large transformer is given the vectors of the groups around a group */
    bool around;     /* the small one those of the cells around a cell */
    bool keep;       /* a group can be kept from the time before, as a whole */
    bool caption;    /* every group's state is given the caption as a whole */
    bool rotary;     /* the large transformer's attention knows distances in time, row and column */
} poet_generator_config;

/* 2 x 2 groups, 32 text positions, 6 layers of width 256 with 4 heads, 2 slot layers of width 192
 * with 4 heads. codes, code_dim, grid and vocabulary are 0: they follow from the tokenizer and the
 * captions. */
poet_generator_config poet_generator_defaults(void);
poet_status poet_generator_config_check(const poet_generator_config *config);

/* The value of "generator.config" in model files; JSON, at most 512 bytes. */
void poet_generator_config_text(const poet_generator_config *config, char out[512]);
poet_status poet_generator_config_parse(const char *text, poet_generator_config *out);

int poet_generator_slots(const poet_generator_config *config);  /* S */
int poet_generator_groups(const poet_generator_config *config); /* N */
int poet_generator_head_width(
    const poet_generator_config *config); /* D, of the large transformer */

typedef struct poet_generator poet_generator;

/* Fresh weights. vectors (levels,K,code_dim) are the tokenizer's and are copied (NULL: zeros);
 * fingerprint is the tokenizer's and goes into the file. The vocabulary is taken over, also on failure. */
poet_status poet_generator_create(poet_device *device, const poet_generator_config *config,
                                  poet_bpe *bpe, const float *vectors, uint64_t fingerprint,
                                  uint64_t seed, poet_generator **out);
poet_status poet_generator_load(poet_device *device, const char *path, poet_generator **out);
poet_status poet_generator_save(poet_generator *generator, const char *path, bool bf16,
                                const poet_pair *pairs, int n_pairs);
void poet_generator_destroy(poet_generator *generator);

/* A new model for clips of t times and fps frames a second, with the weights of this one: times that it does not know begin
 * as its last. Pictures can so be learned first, and clips after them. */
poet_status poet_generator_extend(poet_generator *generator, int t, double fps,
                                  poet_generator **out);

const poet_generator_config *poet_generator_get_config(const poet_generator *generator);
const poet_bpe *poet_generator_bpe(const poet_generator *generator);
poet_params *poet_generator_params(poet_generator *generator);

/* Frees programs and caches: after weights were changed, and when memory is wanted back. */
void poet_generator_forget_programs(poet_generator *generator);

/* The fingerprint of the tokenizer whose codes it writes. */
uint64_t poet_generator_fingerprint(const poet_generator *generator);

/* ---- writing ---- */

enum { POET_MAX_BEST_OF = 64 };

/* Temperature and filters are for codes. Whether a group is kept is drawn from the model's own chances, or at
 * temperature 0 as is likelier. */
typedef struct poet_sampling {
    float guidance;    /* 1: off */
    float temperature; /* 0: the likeliest code */
    int top_k;         /* 0: off */
    float top_p;       /* 1: off */
    float min_p;       /* 0: off */
    int best_of;       /* clips written for each prompt, of which one is taken; 0 or 1: off */
} poet_sampling;

poet_sampling poet_sampling_defaults(void);
poet_status poet_sampling_check(const poet_sampling *sampling);

/* Writes n clips. prompts[i] is any text (too long: the end is cut, which *cut, if not NULL,
 * counts); codes (n, t*h*w*levels), in the order of the grid. progress goes to the task, which can
 * stop it (POET_ERR_INTERRUPTED).
 *
 * Of best_of clips the one is taken whose codes the prompt explains best: the greatest
 * log p(codes | prompt) - log p(codes | no prompt), both by this model, their pointwise mutual
 * information. The first of them is the clip that is written without choice. */
poet_status poet_generator_write(poet_generator *generator, int n, const char *const *prompts,
                                 const uint64_t *seeds, const poet_sampling *sampling,
                                 const poet_task *task, int32_t *codes, int *cut);

/* What writing n clips at once takes on the generator's device, all of its weights included. Nothing is allocated there. */
poet_status poet_generator_plan_writing(poet_generator *generator, int n,
                                        const poet_sampling *sampling, poet_memory *out);

/* Adds what the device computes for n clips at once when no group is kept: the prefix once, each group once. */
poet_status poet_generator_count_writing(poet_generator *generator, int n,
                                         const poet_sampling *sampling, poet_work *out);

/* While profile is not NULL, writing waits for each call and adds it to the profile. */
void poet_generator_profile_writing(poet_generator *generator, poet_profile *profile);

/* How many of n clips fit onto the device at once, and what they take: n, or half of it, and so on. Frees programs.
 * POET_ERR_NOMEM, with both figures, when one does not. */
poet_status poet_generator_fit_batch(poet_generator *generator, int n,
                                     const poet_sampling *sampling, int *fits, poet_memory *out);

/* ---- training ---- */

/* Fills codes (B, t*h*w*levels) and captions[B] for one step; captions stay valid until the next
 * call. A pure function of step. */
typedef poet_status (*poet_tokens_fn)(void *opaque, int64_t step, int b, int32_t *codes,
                                      const char **captions);

typedef struct poet_generator_training {
    int b;
    float drop_text; /* share of examples whose caption is left out, for guidance: 0.1 */
    float
        noise; /* share of the codes already written that are shown wrong where something moves; 0: none */
    uint64_t seed;
    poet_train_config train; /* feed, pairs and opaque are set by the trainer */
    poet_tokens_fn tokens;
    void *opaque;
} poet_generator_training;

poet_generator_training poet_generator_training_defaults(void);

/* What training takes, one batch included; reads the first batches. The generator may be one on a device without memory
 * (poet_device_plan): so it is known before weights are made. */
poet_status poet_generator_plan_training(poet_generator *generator,
                                         const poet_generator_training *training, poet_memory *out);

/* The same of poet_generator_score. */
poet_status poet_generator_plan_scoring(poet_generator *generator, poet_memory *out);

/* Trains from the checkpoint, or from the start when there is none; see poet_tokenizer_train. */
poet_status poet_generator_train(poet_generator *generator, const poet_generator_training *training,
                                 poet_memory *memory);

/* Where the time of a training step goes, in seconds: the whole step, and the part of it that is on logits: the last layer and
 * the cross-entropy, forward and backward, without the update of their weights. What the size of the codebook costs. */
typedef struct poet_step_profile {
    double seconds, softmax;
} poet_step_profile;

/* Runs a step to warm up and `steps` more, whose means are returned; nothing is learned. training as for poet_generator_train;
 * of its train only optim and precision are read. generator/step_profile.c */
poet_status poet_generator_profile_step(poet_generator *generator,
                                        const poet_generator_training *training, int steps,
                                        poet_step_profile *out);

/* Bits per clip of n clips under the model given their captions: bits[n]. No caption where it is
 * NULL, and for none of them where captions is. */
poet_status poet_generator_score(poet_generator *generator, int n, const int32_t *codes,
                                 const char *const *captions, double *bits);

#endif
