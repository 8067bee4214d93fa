/* The clips that a command measures: of a dataset or a built-in set, or all that are in a video or a folder of videos. */
#ifndef POET_CLI_CLIP_SOURCE_H
#define POET_CLI_CLIP_SOURCE_H

#include "cli/data_options.h"

#define CLI_CLIPS_HELP                                                                             \
    "CLIPS is a video, or a folder of videos: all are cut into clips of --frames\n"                \
    "frames of --size at 8 a second; what cannot be decoded is named and left out.\n"              \
    "Or it is a dataset made by 'pocketpoet import', or built-in sets:\n"                          \
    "synth:shapes,street.\n"

typedef struct cli_clip_source {
    poet_dataset *dataset;
    bool videos;     /* what heldout said is in POET_SPLIT_SEEN, the rest in POET_SPLIT_TRAIN */
    char *temporary; /* where their clips are kept until close; NULL: none */
} cli_clip_source;

/* Whether it is a folder in which import has not begun to make a dataset. */
poet_status cli_is_video_folder(const char *spec, bool *out);

/* heldout: the share of videos to keep apart, 0..1; a dataset has its own splits. Clips of videos go to $TMPDIR (else /tmp)
 * meanwhile. Close also after a failure. */
poet_status cli_clip_source_open(const char *spec, const cli_data *data, double heldout,
                                 const poet_task *task, cli_clip_source *out);
void cli_clip_source_close(cli_clip_source *source);

#endif
