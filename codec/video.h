/* Videos and pictures in files: read through FFmpeg (anything it reads) and libpng, written as MP4,
 * WebM, GIF or PNG sheets.
 *
 * The first call that needs FFmpeg silences its log for the process; the last complaint becomes
 * part of our sentence. Paths are plain files: never a protocol, a pipe or a device. */
#ifndef POET_CODEC_VIDEO_H
#define POET_CODEC_VIDEO_H

#include "codec/frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- reading ---------------------------------------------------------------------------------
 *
 * A path is a video, a picture, a directory of PNG files (taken in natural order: 2.png before
 * 10.png) or a pattern such as "walk/%03d.png" (its numbers may begin anywhere and have gaps).
 *
 * Frames come out at a constant rate: frame k is what is on screen at the time start + k/fps, by
 * the file's timestamps, counted from its first frame. A gap of more than a minute between two
 * timestamps counts as one frame (streams that were joined). Rotation and mirroring in the display
 * matrix and pixels that are not square are applied. YUV becomes RGB by the matrix and range in
 * the file's tags; untagged video counts as BT.709 from 1280 x 577 up and as BT.601 below, as in
 * players. RGB comes out exact. Transfer curve and primaries are left alone (HDR is not
 * tone-mapped), interlaced fields are not separated. */

typedef struct poet_video_options {
    double fps;        /* 0: the file's own. PNG sequences have none: they play at fps (25 if 0),
                          frame for frame */
    double start;      /* seconds */
    int max_frames;    /* 0: to the end */
    int width, height; /* 0: the file's own; both or neither */
    poet_fit fit;
    poet_filter filter;
    uint8_t background[3]; /* under transparent pixels and beside POET_FIT_PAD */
    bool keep_damaged;     /* skip what cannot be decoded instead of failing */
    size_t max_pixels;     /* of one source frame; 0: 64 million */
    size_t max_bytes;      /* of the clip that poet_video_read makes; 0: 1 GiB */
} poet_video_options;

typedef struct poet_video_info {
    int source_width, source_height; /* as seen: rotated, square pixels */
    int width, height;               /* of the frames that come out */
    double source_fps, fps;
    double duration;       /* seconds of the whole source; 0 when the file does not tell */
    int64_t source_frames; /* in the file, estimated when it does not tell; 0 when unknown */
} poet_video_info;

/* Whether a path is a directory with PNG files in it, or a pattern that files fit. */
bool poet_video_is_sequence(const char *path);

/* Whether a file of this name is a video, by its extension. */
bool poet_video_is_named(const char *name);

/* Whether a path is a directory with captions (captions.jsonl, captions.csv) or videos in it: a collection of clips, whose PNG
 * files, if it has any, are not the frames of one. */
bool poet_video_is_collection(const char *path);

/* Reads a clip at once. options may be NULL. Fails with POET_ERR_IO (missing, not a file),
 * POET_ERR_FORMAT (no video in it, or damaged) or POET_ERR_NOMEM (above the limits). */
poet_status poet_video_read(const char *path, const poet_video_options *options, poet_clip *out);

/* Sizes and rates without reading the frames (the first one is decoded). */
poet_status poet_video_probe(const char *path, poet_video_info *out);

/* Reads frame by frame, for videos of any length: memory is that of a few source frames. */
typedef struct poet_video poet_video;

poet_status poet_video_open(const char *path, const poet_video_options *options, poet_video **out);
const poet_video_info *poet_video_get_info(const poet_video *video);

/* The next frame into pixels (height,width,3); *got is false after the last one. */
poet_status poet_video_next(poet_video *video, uint8_t *pixels, bool *got);

void poet_video_close(poet_video *video);

/* ---- writing ---------------------------------------------------------------------------------
 *
 *   .mp4 .mov   H.264 (yuv420p, BT.709, index in front). Odd sizes get their last row or column
 *               twice. Without an H.264 encoder: MPEG-4 part 2, and the notice says so.
 *   .webm       VP9, or VP8
 *   .gif        up to 255 colours: exact when the clip has no more, median cut otherwise
 *   .png        a sheet of frames on a fixed grid, and beside it a .json as Aseprite exports it
 *
 * Equal clips and options give equal bytes with the same FFmpeg. Files appear by rename. */

typedef struct poet_video_tag {
    const char *key, *value; /* UTF-8: "prompt", "seed", "model", "codes", ... */
} poet_video_tag;

typedef struct poet_write_options {
    const poet_video_tag *tags; /* "prompt" becomes the title; all become the comment (MP4, GIF),
                                   one tag each (WebM) or one text chunk each (PNG) */
    int tag_count;
    int enlarge;        /* nearest neighbour, by a whole factor; 0 or 1: as it is */
    int crf;            /* 1 (best) to 51, on x264's scale; 0: 14 */
    int bit_rate;       /* bits per second instead of crf; 0: crf */
    bool play_once;     /* GIF: do not loop */
    int sheet_columns;  /* PNG: 0: as square as it gets */
    bool sheet_hash;    /* JSON: frames as a hash (Aseprite's other form) instead of an array */
    const char *action; /* JSON: name of the one frame tag; NULL: the file's name */
} poet_write_options;

enum { POET_NOTICE_BYTES = 256 };

/* The most frames per second of a GIF: players slow down anything faster. Faster clips lose frames. */
enum { POET_GIF_FPS = 50 };

/* options may be NULL. notice (may be NULL) gets a sentence to print when the file is not quite
 * what was asked for, "" otherwise. */
poet_status poet_video_write(const char *path, const poet_clip *clip,
                             const poet_write_options *options, char notice[POET_NOTICE_BYTES]);

/* The same for clips of any length, frame by frame: of MP4, MOV and WebM a few frames are in memory, of GIF and PNG sheets
 * all. The tags outlive the writer. frames (n,h,w,3). The file appears by commit; destroy in any case. */
typedef struct poet_video_writer poet_video_writer;

poet_status poet_video_create(const char *path, int h, int w, double fps,
                              const poet_write_options *options, poet_video_writer **out);
poet_status poet_video_add(poet_video_writer *writer, const uint8_t *frames, int n);
poet_status poet_video_commit(poet_video_writer *writer, char notice[POET_NOTICE_BYTES]);
void poet_video_destroy(poet_video_writer *writer);

/* About how many bytes poet_video_write takes besides the clip, enlarged so many times. GIF and PNG hold all frames twice, as they
 * are enlarged; videos are enlarged frame by frame, but encoders look ahead, and that of WebM has room for it from the start. */
size_t poet_video_write_bytes(const char *path, const poet_clip *shape, int enlarge);

/* Whether poet_video_write could write there, as far as can be told before there is a clip: a known extension, a directory
 * that takes a new file. For asking before long work. */
poet_status poet_video_can_write(const char *path);

/* FFmpeg's version, and the name of the first encoder that it has for files of an extension ("mp4",
 * "mov", "webm"); NULL when it has none, or needs none. */
const char *poet_ffmpeg_version(void);
const char *poet_video_encoder(const char *extension);

/* ---- what a file says about itself ----
 *
 * The texts in a file, in its order, keys in lower case and no key twice. What poet_video_write put
 * in comes out as it was, from every format; other files may have anything, e.g. title, artist or
 * comment. Values may be any bytes. */

typedef struct poet_tags {
    poet_video_tag *tag;
    int count;
    struct poet_arena *arena; /* owns the list and its strings */
} poet_tags;

/* POET_ERR_IO or POET_ERR_FORMAT when the file is no video or picture. */
poet_status poet_tags_read(const char *path, poet_tags *out);
void poet_tags_free(poet_tags *tags); /* leaves a zeroed struct */

/* A PNG with one row per clip and `columns` frames of it, evenly spread from its first to its last,
 * each pixel enlarged by a whole factor, on a white ground. */
poet_status poet_contact_sheet_write(const char *path, const poet_clip *clips, int count,
                                     int columns, int enlarge);

#endif
