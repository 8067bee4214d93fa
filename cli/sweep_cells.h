/* The grid of 'eval sweep': which cells there are, and what each needs.
 *
 * A cell is (method, K, seed) and is named after it: "merge-128-s1". Every method is set beside the others at the bits of one
 * code of K:
 *
 *     retrained     a tokenizer trained with K codes, and a generator of them
 *     merge, kmeans, least-used, random
 *                   'codebook shrink' from the cell of the greatest K that was trained with the same seed
 *     merge-finetuned
 *                   merge, and then the decoder and the generator are trained on for a number of steps
 *     control       the same training of the cell of the greatest K itself, whose codes stay: what steps alone bring
 *     nested        at the greatest K a tokenizer trained so that its first rows are a codebook for every K, and a generator;
 *                   below, 'codebook shrink' from that to the first K rows
 *     fsq           trained with finite scalar quantization (Mentzer et al. 2023) into exactly K cells
 *     factorised    the same cells, but of two codes of sqrt(K), each on half of the channels, which the generator writes one after
 *                   the other (the factorised vocabulary of MAGVIT-v2, Yu et al. 2024, who write them at once)
 *     fewer-tokens  patches of 8 x 8 for 4 x 4, a quarter of the positions, with the fewest levels whose codes are no more than
 *                   the greatest K: the bits of a clip are the same, its codes fewer
 *     residual      two levels of sqrt(K) codes
 *
 * A cell that cannot be is left out: merge-finetuned and control where no steps are asked for, fsq where K is no power of two,
 * factorised and residual where it is no power of four (nor factorised without a generator, of which it is a matter),
 * fewer-tokens where no number of levels has the bits. */
#ifndef POET_CLI_SWEEP_CELLS_H
#define POET_CLI_SWEEP_CELLS_H

#include "cli/data_options.h"

typedef enum sweep_method {
    SWEEP_RETRAINED,
    SWEEP_MERGE,
    SWEEP_KMEANS,
    SWEEP_LEAST_USED,
    SWEEP_RANDOM,
    SWEEP_MERGE_FINETUNED,
    SWEEP_CONTROL,
    SWEEP_NESTED,
    SWEEP_FSQ,
    SWEEP_FACTORISED,
    SWEEP_FEWER_TOKENS,
    SWEEP_RESIDUAL,
    SWEEP_METHODS,
    SWEEP_FEATURES =
        SWEEP_METHODS /* no row of the table: the network whose features clips are compared in */
} sweep_method;

/* What a method is: its name, in a sentence, what it gives to 'codebook shrink', NULL where it shrinks nothing, and whether it
 * trains on what was shrunk. */
typedef struct sweep_method_row {
    const char *name, *help, *shrink;
    bool finetune;
} sweep_method_row;

/* By method; "features" is the last. */
extern const sweep_method_row sweep_methods[SWEEP_METHODS + 1];

enum { SWEEP_MAX_SIZES = 24, SWEEP_NAME_BYTES = 48 };

typedef struct sweep_cell {
    sweep_method method;
    int codes;       /* K of the grid */
    int seed;        /* 1 and up */
    int level_codes; /* codes of each level */
    int levels;
    int patch; /* pixels */
    int needs; /* index of the cell whose models it is made from; -1: none */
    bool kept; /* a later cell needs its models */
    char name[SWEEP_NAME_BYTES];
} sweep_cell;

/* What the grid is made of; filled by the command line. */
typedef struct sweep_plan {
    const char *spec, *folder; /* the clips; where all is kept */
    cli_data data;
    char fingerprint[17]; /* of the clips */
    const char *methods_text, *sizes_text;
    const char *tokenizer_options, *generator_options; /* words between blanks */
    bool method[SWEEP_METHODS];
    int sizes[SWEEP_MAX_SIZES], n_sizes; /* falling */
    int seeds, patch;
    int64_t tokenizer_steps, generator_steps, finetune_steps, feature_steps, train_clips;
    int heldout, captions, compared;
    double speed_seconds;
    int threads;
    const char *device;
    bool quiet;
    sweep_cell *cells; /* what a cell needs stands before it */
    int n_cells;
} sweep_plan;

/* Reads the lists of methods and sizes, and makes the cells. POET_ERR_ARG names the option. Free also after a failure. */
poet_status sweep_plan_cells(sweep_plan *plan);
void sweep_plan_free(sweep_plan *plan);

/* log2 K, or 0 where K is no power of two. */
int sweep_whole_bits(int codes);

/* The index of a cell by its name; -1: none. */
int sweep_plan_find(const sweep_plan *plan, const char *name);

/* The index of the cell whose network this one is measured with; -1: none. */
int sweep_cell_features(const sweep_plan *plan, const sweep_cell *cell);

/* FOLDER/cells/NAME.json, which is there when the cell is done; and FOLDER/models/NAME, where it is made. */
void sweep_cell_result(const sweep_plan *plan, const sweep_cell *cell, char *path, size_t room);
void sweep_cell_folder(const sweep_plan *plan, const sweep_cell *cell, char *path, size_t room);
bool sweep_cell_done(const sweep_plan *plan, const sweep_cell *cell);

#endif
