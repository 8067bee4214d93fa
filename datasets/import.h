/* From a folder of captioned clips to a dataset of one size, decoded once.
 *
 * Captions come from the first of these that is in the folder:
 *
 *   captions.jsonl  one object a line: {"file", "caption", "split"?, "attributes"?}; further keys
 *                   are ignored
 *   captions.csv    RFC 4180 with a header line: file,caption and optionally split
 *   clip.txt        beside clip.mp4, in the folder or below; a file of another kind (clip.ts,
 *                   clip.png) where no video has that name. Extensions may be capitals
 *
 * With uncaptioned, videos that have none are taken too, for what needs no sentences; so is a folder, below or the one given, with
 * PNG files and no videos in it, as one clip of its pictures in natural order, unless captions name it or any of them. In
 * place of a folder there may be one file, whose caption is in a text beside it, or with uncaptioned a pattern of PNG files.
 *
 * Files are named relative to the folder, in any spelling ("a//b", "./a/b" and "a/x/../b" are one); "file" may also be a
 * folder of PNG files, or a pattern of them such as walk/%03d.png (codec/video.h), which plays at fps, frame for frame. A PNG
 * file with a sheet's table beside it (of the same name, .json with "frames" and "meta") is many frames in one picture: it and a
 * folder that holds such a one are no clips, and count as broken. A clip is cut into
 * pieces of `frames` frames, each with its caption; a remainder is dropped, but a video shorter than
 * one piece keeps its last frame on screen until the piece is full.
 *
 * Split: "train", or one of "dev", "val", "valid", "validation", "test", "heldout" and the two
 * that synth writes, "heldout-seen" and "heldout-unseen". Where it is not given, or is another
 * word (which a message tells), a hash of the source's name decides; when that would hold nothing
 * out of two or more sources, the source of the smallest hash is held out. The source is
 * attributes.source, or the file itself: all pieces of one source go to one side; the first line
 * that names a source decides.
 *
 * Whatever cannot be used is named in a message, counted by reason, and left out; the rest is kept.
 * The folder out becomes a dataset when its manifest appears, at the end, by rename; shards there that other imports have
 * left are removed then. An import that was stopped goes on where it was when it is asked the same again. */
#ifndef POET_DATASETS_IMPORT_H
#define POET_DATASETS_IMPORT_H

#include "base/task.h"
#include "codec/frames.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum poet_import_reason {
    POET_IMPORT_BAD_LINE,    /* a line of captions that is not JSON, CSV, lacks a file, or has a
                                caption that is no text */
    POET_IMPORT_BAD_CAPTION, /* empty, not UTF-8, or longer than 4,096 bytes */
    POET_IMPORT_BAD_NAME,    /* of a file, not UTF-8 */
    POET_IMPORT_REPEATED,    /* a file that an earlier line has named */
    POET_IMPORT_NO_FILE,     /* a caption without its clip, in a line or in a text file */
    POET_IMPORT_NO_CAPTION,  /* a video that no caption names, or a line without one */
    POET_IMPORT_BAD_FOLDER,  /* one below that cannot be read, or lies deeper than 16 */
    POET_IMPORT_BROKEN,      /* a clip that cannot be decoded, or not to its end, or is a sheet */
    POET_IMPORT_REASONS
} poet_import_reason;

typedef struct poet_import_options {
    int t, h, w;        /* 17, 64, 64 */
    double fps;         /* 8: videos are resampled; 0: every frame is kept, and the dataset has the
                           rate of the first clip */
    poet_fit fit;       /* POET_FIT_CROP */
    poet_filter filter; /* POET_FILTER_SMOOTH */
    double heldout;     /* share of sources to hold out where no split is given, 0..1; 0.1 */
    bool uncaptioned;   /* videos without a caption are taken too, and have an empty one; false */
    int level;          /* zstd, 1..19; 6 */
} poet_import_options;

typedef struct poet_import_report {
    uint64_t sources, clips, heldout; /* files used, pieces stored, of them held out */
    uint64_t padded;                  /* pieces whose last frame was repeated */
    uint64_t moved;                   /* files that went to the side of their source instead of
                                         their own */
    uint64_t unknown_splits;          /* lines whose split is none of the known words */
    uint64_t skipped[POET_IMPORT_REASONS];
    uint64_t bytes; /* of all shards */
} poet_import_report;

poet_import_options poet_import_defaults(void);

/* "without caption", "broken", ... */
const char *poet_import_reason_name(poet_import_reason reason);

/* task and report may be NULL. FORMAT when no clip could be used, INTERRUPTED when the task was
 * stopped, IO when the folder cannot be read or out cannot be written. Finished shards are kept for
 * the next time; where there is none, folders that this call made are removed again. */
poet_status poet_import(const char *folder, const char *out, const poet_import_options *options,
                        const poet_task *task, poet_import_report *report);

#endif
