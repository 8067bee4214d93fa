/* Videos with unusual pixels, times and tags, made with FFmpeg's encoders. */
#ifndef POET_TESTS_CODEC_MAKE_VIDEO_H
#define POET_TESTS_CODEC_MAKE_VIDEO_H

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct video_recipe {
    const char *container, *encoder; /* FFmpeg's names */
    enum AVPixelFormat pixels;
    int w, h, frames;
    const int64_t *times; /* (frames) in ticks; NULL: 0, 1, 2, ... */
    AVRational tick;      /* seconds of one tick */
    enum AVColorSpace matrix;
    enum AVColorRange range;
    AVRational aspect;
    const char *preset;                        /* option "crf"=value of the encoder, may be NULL */
    const char *metadata_key, *metadata_value; /* of the stream */
    void (*fill)(AVFrame *frame, int t);
} video_recipe;

/* False when this FFmpeg lacks the encoder; exits on other trouble. */
bool make_video(const char *path, const video_recipe *recipe);

/* A second of silence as WAV. */
void make_sound(const char *path);

#endif
