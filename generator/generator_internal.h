/* The inside of the generator, for generator/ alone. */
#ifndef POET_GENERATOR_GENERATOR_INTERNAL_H
#define POET_GENERATOR_GENERATOR_INTERNAL_H

#include "base/rng.h"
#include "compute/graph.h"
#include "compute/program.h"
#include "generator/generator.h"

struct poet_generator {
    poet_generator_config config;
    poet_device *device;
    poet_params *params;
    poet_bpe *bpe;
    uint64_t fingerprint;
    /* Programs of the last batch size that was asked for, and what a device keeps of one group's. */
    poet_program *prefill, *step, *slots, *score;
    poet_recording *recording;
    poet_profile *profile; /* NULL: off */
    int step_rows, score_rows;
    bool step_guided;
};

/* ---- sequence.c: where everything stands in the sequence; host side ---- */

/* What a group, and a cell of it, is shown of what is already written: windows of groups and of cells. What lies below is
 * of the time before. With groups of 2x2 codes of 4x4 pixels a group sees 32 pixels up and 16 to each side. */
enum {
    POET_ABOVE = 4 * 5,                       /* groups of the same time: four rows of five */
    POET_NEIGHBOURS = POET_ABOVE + 2 + 3 * 3, /* two to the left; the time before */
    POET_BESIDE = 4 * 5 - 1,          /* cells of the same time: two rows above, one below */
    POET_AROUND = POET_BESIDE + 5 * 5 /* the time before */
};

/* codes in the order of the grid <-> codes (N,S) in the order of writing. */
void poet_sequence_group(const poet_generator_config *config, const int32_t *codes,
                         int32_t *grouped);
void poet_sequence_ungroup(const poet_generator_config *config, const int32_t *grouped,
                           int32_t *codes);

/* Time, row and column of group n. */
typedef struct poet_place3 {
    int32_t time, row, column;
} poet_place3;

poet_place3 poet_sequence_place(const poet_generator_config *config, int n);

/* The codes of a clip lie in the order of writing, (N,S), and behind them one more that says "none": K. In these terms,
 * where the codes stand that enter at group n: those of a group, out[S] (n < 0: none); of its neighbours, out[31*S]; of the
 * cells around each of its cells, out[S/levels * 44*levels], none for those that are written later. */
void poet_sequence_group_places(const poet_generator_config *config, int n, int32_t *out);
void poet_sequence_neighbour_places(const poet_generator_config *config, int n, int32_t *out);
void poet_sequence_around_places(const poet_generator_config *config, int n, int32_t *out);

/* Where the level's part of the vector table begins, for element m of neighbours or of what is around. */
int32_t poet_sequence_table(const poet_generator_config *config, int64_t m);

/* Rows of the vector table for the neighbours of group n, out[31*S]: level * (K+1) + code, or the
 * zero row K of the level where the neighbour is outside. grouped (N,S) must hold all groups before
 * n. */
void poet_sequence_neighbours(const poet_generator_config *config, const int32_t *grouped, int n,
                              int32_t *out);

/* The same for the cells around each cell of group n, out[S/levels * 44*levels]: rows of zeros for what is outside or not
 * written before the group begins. Inside the group, the small transformer sees for itself. */
void poet_sequence_around(const poet_generator_config *config, const int32_t *grouped, int n,
                          int32_t *out);

/* ---- noise.c ---- */

/* grouped (N,S) as training shows it to the model: some codes are wrong, so that it learns to go on from its own mistakes
 * (scheduled sampling, Bengio et al. 2015; with noise instead of samples, Valevski et al., GameNGen, 2024, section 3.2.1).
 * Only where something moves, so that what is kept and what is written stays as it was. A wrong code is the one of a cell
 * at most two rows and columns away: what a model gets wrong is where an edge runs, not of what kind it is. noise: their
 * mean share; that of a clip is uniform in 0 .. 2 noise. 0: a copy, and rng may be NULL. */
void poet_sequence_noise(const poet_generator_config *config, const int32_t *grouped, float noise,
                         poet_rng *rng, int32_t *shown);

/* ---- sequence.c ---- */

/* Rotary positions (Su et al. 2021) of groups on three axes, as ViTs have them on two (Heo et al., 2024):
 * out[count*D], rows of D/2 cosines and D/2 sines for groups first .. first+count-1; D = width / heads. A third of
 * the pairs turns with the time, the row and the column each, by 100^(-i/n) radians a step for pair i of n;
 * what is left over does not turn. A row of the text, for a negative group, does not turn either. */
void poet_sequence_turns(const poet_generator_config *config, int first, int count, float *out);

/* The weights of the mean over a caption's real positions: out[P]. */
void poet_sequence_text_share(const poet_generator_config *config, int length, float *out);

/* Whether group n is the same as the group at its place in the time before. */
bool poet_sequence_keeps(const poet_generator_config *config, const int32_t *grouped, int n);

/* Numbers of one cell in it. */
static inline int64_t poet_around_count(const poet_generator_config *config)
{
    return (int64_t)POET_AROUND * config->grid.levels;
}

/* ---- model.c: the graph ---- */

/* Inputs of n groups of each of B rows, and of the R groups that are written (0: elsewhere); POET_NONE neighbours and around where the
 * model has none. */
typedef struct poet_group_inputs {
    poet_val before;            /* (B,n,S): codes of the group before, K at the beginning */
    poet_val neighbours;        /* (B,n,31*S): rows of the vector table */
    poet_val around;            /* (R,S/L,44*L): the same, of each cell; L levels */
    poet_val time, row, column; /* (n) */
    poet_val
        turns; /* (n,D), with a row for each text position before them when n is N; POET_NONE */
} poet_group_inputs;

poet_group_inputs poet_model_group_inputs(poet_graph *g, const poet_generator_config *config,
                                          int64_t b, int64_t n, int64_t r);

/* The input "around" alone, of R groups. */
poet_val poet_model_around_input(poet_graph *g, const poet_generator_config *config, int64_t r);

/* Embedded text (B,P,C) from ids (B,P), and embedded groups (B,n,C). */
poet_val poet_model_text(poet_graph *g, const poet_generator_config *config, poet_val ids);
poet_val poet_model_groups(poet_graph *g, const poet_generator_config *config,
                           const poet_group_inputs *inputs);

/* States (B,n,C) of a whole sequence: text ids (B,P), how many of them are real, lengths (B), and
 * groups. */
poet_val poet_model_states(poet_graph *g, const poet_generator_config *config, poet_val ids,
                           poet_val lengths, const poet_group_inputs *groups);

/* The same in two parts, for new positions with the cache: the large transformer, and the share of
 * the caption as a whole in the state of every group, (B,1,C), from the states of the text (B,P,C).
 * The model's own input "text_share" (B,P,1) is 1 / length at the real positions and 0 elsewhere. */
poet_val poet_model_blocks_cached(poet_graph *g, const poet_generator_config *config, poet_val x,
                                  poet_val position, poet_val lengths, poet_val turns);
poet_val poet_model_caption(poet_graph *g, const poet_generator_config *config, poet_val text);

/* States (B,n,C) -> logits (B,n,2): the group is written; it is kept from the time before. */
poet_val poet_model_keep(poet_graph *g, poet_val states);

/* States (R,C) of the groups that are written, the cells around, and the codes already in each
 * group, before (R,S), K in slot 0 -> logits (R,S,K). *hidden (may be NULL): what the head sees,
 * (R,S,slot width). */
poet_val poet_model_slots(poet_graph *g, const poet_generator_config *config, poet_val states,
                          poet_val around, poet_val before, poet_val *hidden);

/* The share of the cells around in what enters the small transformer, for all slots of a group:
 * (R,S,slot width); POET_NONE where the model has none. */
poet_val poet_model_around(poet_graph *g, const poet_generator_config *config, poet_val around);

/* One slot with the cache: states (R,1,C), the share of the cells around (R,S,slot width), the code
 * before (R,1), slot number s -> logits (R,K). position I32 (R), all s. */
poet_val poet_model_slot_cached(poet_graph *g, const poet_generator_config *config, poet_val states,
                                poet_val around, poet_val before, poet_val position, int slot);

/* ---- write_programs.c: what a device does to write clips ---- */

/* Makes the programs prefill, step and slots for b clips, of twice as many rows when guided, if they are not there.
 *
 * Step and slots write one group; all that they need to know is on the device. The states of the params store that are
 * theirs: "group" (1,1), the group that was written last; "written" (rows,N*S+1), the codes in the order of writing and
 * K behind them. What depends on the group alone comes from tables, inputs of N rows. */
poet_status poet_write_prepare(poet_generator *m, int b, bool guided);

/* ---- write.c ---- */

/* poet_generator_write without the choice of the best; sampling is checked already. */
poet_status poet_write_clips(poet_generator *generator, int n, const char *const *prompts,
                             const uint64_t *seeds, const poet_sampling *sampling,
                             const poet_task *task, int32_t *codes, int *cut);

/* ---- train_generator.c ---- */

/* The program of a training step, with so many written groups; and that of scores. */
poet_status poet_training_build(poet_generator *m, const poet_generator_training *training,
                                int rows, poet_program **out);
poet_status poet_score_prepare(poet_generator *m);

enum { POET_SCORE_BATCH = 4 }; /* clips that are scored at once */

/* ---- generator_plan.c ---- */

/* An error when a training run takes more than there is. The plan goes to out (may be NULL). */
poet_status poet_training_check(poet_generator *m, const poet_generator_training *training,
                                int rows, poet_memory *out);

/* ---- derived.c: models that are made from another ---- */

/* A fresh model with the vocabulary of from; vectors as for poet_generator_create. */
poet_status poet_derived_create(poet_generator *from, poet_device *device,
                                const poet_generator_config *config, const float *vectors,
                                uint64_t fingerprint, poet_generator **out);

/* A tensor of the old model and its counterpart. */
typedef struct poet_tensor_pair {
    poet_params *from, *to;
    int source, target;
    int64_t c;        /* length of a row */
    float *old, *new; /* new begins with zeros */
    size_t old_bytes, new_bytes;
} poet_tensor_pair;

/* Reads the old one. Free also after a failure. */
poet_status poet_tensor_pair_open(poet_generator *from, poet_generator *to, const char *name,
                                  poet_tensor_pair *out);
poet_status poet_tensor_pair_write(const poet_tensor_pair *pair); /* new */
void poet_tensor_pair_free(poet_tensor_pair *pair);

/* ---- batch.c: host arrays of a teacher-forced batch ---- */

typedef struct poet_sequence_batch {
    int b;
    int32_t *ids, *lengths;       /* (B,P), (B) */
    float *text_share;            /* (B,P): 1 / length at the real positions */
    int32_t *before, *neighbours; /* (B,N,S), (B,N,31S), where the model has neighbours */
    int32_t *keep;                /* (B,N): 1 where the group is kept from the time before */
    int32_t *time, *row, *column; /* (N) */
    float *turns;                 /* (P+N,D) */
    /* Rows of written groups, R of them after packing, B*N before: */
    int r;
    int32_t *rows;            /* (R): b*N + n */
    int32_t *around;          /* (R,S/L,44*L), where the model has it */
    int32_t *slots, *targets; /* (R,S) both; targets -1 in rows that are not used */
    int32_t *shown;           /* (N,S): of the row that is filled, what the model is shown */
    float share;              /* of the B*N groups, how many are written */
} poet_sequence_batch;

/* r: rows after packing, 1 .. B*N; B*N for a model that keeps nothing. */
poet_status poet_sequence_batch_create(const poet_generator_config *config, int b, int r,
                                       poet_sequence_batch *out);
size_t poet_sequence_batch_bytes(const poet_generator_config *config, int b);
void poet_sequence_batch_free(poet_sequence_batch *batch);

/* Fills row i from codes in the order of the grid and a caption (NULL: none). What is shown of the codes has noise, of which
 * poet_sequence_noise tells. */
poet_status poet_sequence_batch_fill(const poet_generator *generator, poet_sequence_batch *batch,
                                     int i, const int32_t *codes, const char *caption, float noise,
                                     poet_rng *rng);

/* After all rows are filled: moves the rows of written groups to the front. Where they are more than
 * R, some are left out, a draw of (seed, step). */
void poet_sequence_batch_pack(const poet_generator_config *config, poet_sequence_batch *batch,
                              uint64_t seed, uint64_t step);

/* The graph of the loss over such a batch: nats a code. rows and kept (may be NULL): the losses of
 * every code (R,S) and of every keeping (B,N), in nats; kept is POET_NONE where nothing is kept. */
poet_val poet_model_loss(poet_graph *g, const poet_generator_config *config, int b, int r,
                         poet_val *rows, poet_val *kept);
poet_status poet_sequence_batch_set(const poet_generator_config *config,
                                    const poet_sequence_batch *batch, poet_program *program);

/* ---- train_generator.c: the program of a training step, and its batches ---- */

typedef struct poet_feeder {
    poet_generator *m;
    const poet_generator_training *training;
    int rows; /* of the batch, after packing */
    poet_sequence_batch batch;
    int32_t *codes;
    const char **captions;
} poet_feeder;

/* Free also after a failure. */
poet_status poet_feeder_create(poet_generator *m, const poet_generator_training *training,
                               poet_feeder *out);
void poet_feeder_free(poet_feeder *feeder);

/* A poet_feed_fn; opaque is a poet_feeder. */
poet_status poet_feeder_feed(void *opaque, int64_t step, poet_program *program);

#endif
