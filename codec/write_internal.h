/* One writer per kind of file; video_write.c chooses. */
#ifndef POET_CODEC_WRITE_INTERNAL_H
#define POET_CODEC_WRITE_INTERNAL_H

#include "codec/video.h"

/* Frame by frame, with the first of the encoders (names of FFmpeg, NULL at the end) that works; container is FFmpeg's name of
 * the format. *used gets the encoder's name. shape: height, width and rate; path and options outlive the writer. The file
 * appears by commit, after which only destroy is allowed. */
typedef struct poet_av_writer poet_av_writer;

poet_status poet_av_create(const char *path, const poet_clip *shape,
                           const poet_write_options *options, const char *container,
                           const char *const *encoders, const char **used, poet_av_writer **out);
poet_status poet_av_add(poet_av_writer *writer, const uint8_t *frame);
poet_status poet_av_commit(poet_av_writer *writer);
void poet_av_destroy(poet_av_writer *writer);

/* The first of the encoders that this FFmpeg has, or NULL. */
const char *poet_av_encoder(const char *const *encoders);

poet_status poet_gif_write(const char *path, const poet_clip *clip,
                           const poet_write_options *options);

poet_status poet_sheet_write(const char *path, const poet_clip *clip,
                             const poet_write_options *options);

/* One "key: value" line per tag; the caller frees with poet_free. NULL when memory ran out. */
char *poet_tags_text(const poet_write_options *options);

/* The value of a tag, or NULL. */
const char *poet_tag_value(const poet_write_options *options, const char *key);

#endif
