/* Captioned clips of one size, from wherever they are: drawn on the fly, or imported into shards.
 *
 *     poet_dataset *data;
 *     POET_TRY(poet_dataset_open("synth:shapes,digits", NULL, &data));
 *     poet_example example;
 *     POET_TRY(poet_dataset_read(data, POET_SPLIT_TRAIN, 12, &example));
 *     ...
 *     poet_example_free(&example);
 *     poet_dataset_close(data);
 *
 * A dataset is not changed by reading; any number of threads may read at once. */
#ifndef POET_DATASETS_DATASET_H
#define POET_DATASETS_DATASET_H

#include "base/task.h"
#include "datasets/synth.h"

typedef struct poet_dataset poet_dataset;

typedef struct poet_dataset_options {
    /* For synth: the clips to draw; 0 means poet_synth_defaults. For shards: what the caller can
     * use; 0 means whatever is there, another value than the shards' is MISMATCH. */
    int t, h, w;
    /* synth only */
    double fps;
    uint64_t seed;
    uint64_t train_clips;      /* size of an epoch; 0: 100,000 */
    uint64_t heldout_clips;    /* of each held-out split; 0: 1,000 */
    const poet_glyphs *glyphs; /* for digits; must outlive the dataset */
} poet_dataset_options;

typedef struct poet_example {
    poet_clip clip;
    char *caption;    /* UTF-8, owned */
    char *attributes; /* one JSON object, owned; "{}" when nothing is known */
} poet_example;

/* spec is "synth:" with set names between commas (shapes, digits, digits1, digits2, street), taken
 * in turn, or the folder that poet_import wrote. options may be NULL. IO or FORMAT when the folder
 * holds no whole dataset. */
poet_status poet_dataset_open(const char *spec, const poet_dataset_options *options,
                              poet_dataset **out);
void poet_dataset_close(poet_dataset *dataset);

enum { POET_MAX_SOURCES = 16 };

/* Several datasets (1 .. POET_MAX_SOURCES) as one, which owns them: closed with it, and also after a failure. In every split they
 * are taken in turn, each until it has no more, so that none of their clips is left out. The rate is the first one's.
 * MISMATCH where frames, height or width differ. */
poet_status poet_dataset_mix(poet_dataset *const *sources, int n, poet_dataset **out);

/* Frames, height, width and rate of every clip; no pixels. */
poet_clip poet_dataset_geometry(const poet_dataset *dataset);

/* Part i of a built-in dataset: its name in the spec, which is valid as long as the program, its set, and the options it is drawn
 * with. False behind the last part, and for shards and mixtures. */
bool poet_dataset_part(const poet_dataset *dataset, int i, const char **name, poet_synth_set *set,
                       poet_synth_options *options);

/* Clips in a split; shards have their held-out clips in POET_SPLIT_SEEN and none in UNSEEN. */
uint64_t poet_dataset_count(const poet_dataset *dataset, poet_split split);

/* Of everything that its clips depend on: equal for two datasets that have the same clips in the same order. Of shards their checksums are
 * taken, not the pixels; of glyphs that they are there. */
uint64_t poet_dataset_fingerprint(const poet_dataset *dataset);

/* The caller frees with poet_example_free. ARG for an index outside the split, FORMAT for a clip
 * whose checksum is wrong. */
poet_status poet_dataset_read(const poet_dataset *dataset, poet_split split, uint64_t index,
                              poet_example *out);

/* The same without the pixels: for reading captions quickly. */
poet_status poet_dataset_describe(const poet_dataset *dataset, poet_split split, uint64_t index,
                                  poet_example *out);

enum { POET_CLIP_NAME_BYTES = 512 };

/* What a clip is called in reports: "walk.mp4" and, where it is not the file's beginning, "walk.mp4, frame 17"; "train/12"
 * where it is drawn. Longer names are cut. "" outside the split. */
void poet_dataset_name(const poet_dataset *dataset, poet_split split, uint64_t index,
                       char out[POET_CLIP_NAME_BYTES]);

/* Compares every shard with its checksum. Synth is always whole. */
poet_status poet_dataset_verify(const poet_dataset *dataset, const poet_task *task);

void poet_example_free(poet_example *example);

#endif
