/* Gathering of tags: tags_read.c owns the list, readers of a format add to it. */
#ifndef POET_CODEC_TAGS_INTERNAL_H
#define POET_CODEC_TAGS_INTERNAL_H

#include "codec/video.h"

/* Appends a copy, the key in lower case. What has no key, or is longer than anything sensible, is
 * left out. */
poet_status poet_tags_add(poet_tags *tags, const char *key, const char *value, size_t length);

/* Adds the text chunks that stand before a PNG's pixels, the keys in their own case. */
poet_status poet_png_texts(const char *path, poet_tags *tags);

#endif
