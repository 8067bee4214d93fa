/* What the three sets share: one description each, a caption writer, and the kinds of path. */
#ifndef POET_DATASETS_SYNTH_INTERNAL_H
#define POET_DATASETS_SYNTH_INTERNAL_H

#include "base/rng.h"
#include "datasets/raster_internal.h"
#include "datasets/synth.h"

/* Kinds of path. */
enum {
    POET_PATH_LINE,  /* from (x,y) to (x+dx,y+dy), growing by `growth` */
    POET_PATH_WAVE,  /* a sine of reach (dx,dy) around (x,y) */
    POET_PATH_SWING, /* the same as straight walks back and forth, turning at once */
    POET_PATH_HOP,   /* parabolas of height dy above (x,y) */
    POET_PATH_ORBIT, /* clockwise at distance dx from (x,y) */
    POET_PATH_BRAKE, /* a line that slows down and stands for the last third */
    POET_PATH_START  /* stands for the first two fifths, then a line that gains speed */
};

typedef struct poet_synth_kind {
    const char *name;
    const poet_synth_field *field;
    int fields;
    /* Random values, uniform over what the set shows. */
    void (*draw_values)(const poet_synth_options *options, uint64_t index, poet_rng *rng,
                        int *value);
    bool (*held_out)(const int *value);
    void (*write_caption)(poet_synth_scene *scene, poet_rng *rng); /* also sets stated */
    void (*lay_out)(poet_synth_scene *scene, poet_rng *rng);       /* objects, path */
    poet_status (*paint)(const poet_synth_scene *scene, poet_clip *clip);
} poet_synth_kind;

extern const poet_synth_kind poet_synth_shapes, poet_synth_digits, poet_synth_street;

/* Size of the stage in units. */
float poet_synth_unit(const poet_synth_options *options); /* pixels per unit */
float poet_synth_width(const poet_synth_options *options);
float poet_synth_height(const poet_synth_options *options);

/* True once in n. */
bool poet_chance(poet_rng *rng, uint32_t n);

/* One of a NULL-terminated list of words: poet_pick(rng, POET_WORDS("moves", "slides")). */
#define POET_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
const char *poet_pick(poet_rng *rng, const char *const *words);

/* Appends words with a space between; "" adds nothing, a word that begins with ',' no space. The
 * word "a" becomes "an" before a vowel. */
void poet_say(poet_synth_scene *scene, const char *words);

#endif
