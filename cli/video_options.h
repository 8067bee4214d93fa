/* Options of the commands that write videos. */
#ifndef POET_CLI_VIDEO_OPTIONS_H
#define POET_CLI_VIDEO_OPTIONS_H

#include "cli/opts.h"

/* The words of --fit, in the order of poet_fit. */
static const char *const cli_fits[] = {"crop", "pad", "stretch", NULL};

#define CLI_CRF(target)                                                                            \
    CLI_INT("crf", 0, (target), 1, 51, "N", "14",                                                  \
            "of MP4, MOV and WebM, on x264's scale: 1 is best, 51 smallest")

#endif
