/* The options by which every command names its clips. */
#ifndef POET_CLI_DATA_OPTIONS_H
#define POET_CLI_DATA_OPTIONS_H

#include "cli/command.h"
#include "datasets/dataset.h"

typedef struct cli_data {
    cli_size size;
    int frames;
    int64_t clips, heldout;
    uint64_t seed;
} cli_data;

#define CLI_DATA_ROWS(d)                                                                           \
    CLI_SIZE("size", 0, &(d)->size, 16, 1024, "64x64",                                             \
             "of built-in clips, or to cut videos to, in pixels"),                                 \
        CLI_DATA_ROWS_BUT_SIZE(d)

#define CLI_DATA_ROWS_BUT_SIZE(d)                                                                  \
    CLI_INT("frames", 0, &(d)->frames, 1, 1025, "N", "17",                                         \
            "of built-in clips, or of a cut video's"),                                             \
        CLI_LONG("clips", 0, &(d)->clips, 1, 1000000000, "N", "20000",                             \
                 "how many built-in training clips there are"),                                    \
        CLI_LONG("heldout-clips", 0, &(d)->heldout, 1, 1000000000, "N", "1000",                    \
                 "how many built-in clips each held-out split has"),                               \
        CLI_SEED("data-seed", 0, &(d)->seed, "1", "which built-in clips")

#define CLI_DATA_HELP                                                                              \
    "DATA is a folder made by 'pocketpoet import', or \"synth:\" with built-in sets:\n"            \
    "synth:shapes, synth:digits, synth:street, synth:shapes,street. Several are mixed\n"           \
    "with a plus, clips taken in turn until each has no more: synth:shapes+my-data.\n"

/* Whether the operand names built-in sets alone. */
bool cli_data_is_built_in(const char *spec);

/* Opens what the operand names, with these options where the clips are built in. A folder may have a plus in its name. */
poet_status cli_data_open(const char *spec, const cli_data *data, poet_dataset **out);

#endif
