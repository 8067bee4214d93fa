/* A source of pictures with times: a video through FFmpeg, or PNG files. The reader looks one
 * picture ahead, and only the pictures that it wants are converted. */
#ifndef POET_CODEC_SOURCE_INTERNAL_H
#define POET_CODEC_SOURCE_INTERNAL_H

#include "codec/frames.h"
#include "codec/video.h"

typedef struct poet_source poet_source;

struct poet_source {
    double time;     /* of the current picture; the first is at 0 */
    double next;     /* of the one after it, INFINITY after the last */
    double end;      /* when the current picture goes, if it is the last one */
    double fps;      /* nominal rate */
    double jitter;   /* times are right to this many seconds */
    double duration; /* seconds, 0 when unknown */
    int64_t frames;  /* 0 when unknown */

    /* Makes the next picture the current one. */
    poet_status (*step)(poet_source *source);
    /* Converts the current picture; picture is remade when its size does not fit. */
    poet_status (*render)(poet_source *source, poet_clip *picture);
    void (*close)(poet_source *source);
};

/* The options have their limits filled in. After opening, the first picture (with seeking: the one
 * at or before options->start, if the file can seek) is current. */
poet_status poet_source_open_av(const char *path, const poet_video_options *options,
                                poet_source **out);

/* A directory, a pattern with one %d, or a single PNG file. */
poet_status poet_source_open_png(const char *path, const poet_video_options *options,
                                 poet_source **out);

/* True when the last component holds a pattern. */
bool poet_png_pattern(const char *path);

#endif
