/* What all users of FFmpeg here share: a silent log whose last complaint is kept, and sentences. */
#ifndef POET_CODEC_AV_INTERNAL_H
#define POET_CODEC_AV_INTERNAL_H

#include "codec/frames.h"

#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

/* Silences FFmpeg (once) and forgets its last complaint. Call before each piece of work with it. */
void poet_av_begin(void);

/* True when FFmpeg complained since then. */
bool poet_av_complained(void);

/* "path: what: FFmpeg's name of the error (FFmpeg's last complaint)". */
poet_status poet_av_fail(poet_status code, const char *path, const char *what, int av_error);

/* Opens a file with FFmpeg's demuxers; nothing but files is reached through it. The caller closes
 * with avformat_close_input, also after a failure. */
poet_status poet_av_open(const char *path, AVFormatContext **out);

/* POET_ERR_FORMAT when a GIF file ends before its trailer. */
poet_status poet_gif_check(const char *path);

/* A decoded frame to RGB: colour matrix, alpha, square pixels and orientation. */
typedef struct poet_av_converter poet_av_converter;

poet_status poet_av_converter_create(const uint8_t background[3], poet_av_converter **out);
void poet_av_converter_destroy(poet_av_converter *converter);

/* matrix is the 3x3 display matrix (NULL: upright). picture is remade when its size does not fit;
 * max_pixels bounds it. */
poet_status poet_av_convert(poet_av_converter *converter, const AVFrame *frame,
                            const int32_t *matrix, AVRational aspect, size_t max_pixels,
                            poet_clip *picture);

#endif
