/* What a file says about itself: FFmpeg's metadata or a PNG's text chunks, made one list whatever
 * the container did to it. */
#include "codec/tags_internal.h"

#include "base/memory.h"
#include "codec/av_internal.h"
#include "codec/png.h"

#include <ctype.h>
#include <libavformat/avformat.h>
#include <string.h>

enum { MAX_TAGS = 64, MAX_TEXT = 1 << 20 };

poet_status poet_tags_add(poet_tags *tags, const char *key, const char *value, size_t length)
{
    if (tags->count == MAX_TAGS || !*key || strlen(key) > 79 || length > MAX_TEXT)
        return POET_OK;
    char *name = poet_arena_strdup(tags->arena, key);
    char *text = poet_arena_alloc(tags->arena, length + 1);
    if (!name || !text)
        return POET_ERR_NOMEM;
    memcpy(text, value, length);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    tags->tag[tags->count++] = (poet_video_tag){name, text};
    return POET_OK;
}

/* What containers add by themselves. */
static bool is_noise(const char *key)
{
    static const char *const noise[] = {"major_brand", "minor_version", "compatible_brands",
                                        "encoder"};
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        if (strcasecmp(key, noise[i]) == 0)
            return true;
    return false;
}

static poet_status add_metadata(const char *path, poet_tags *tags)
{
    AVFormatContext *format = NULL;
    const AVDictionaryEntry *entry = NULL;
    poet_status status = poet_av_open(path, &format);
    while (!status && (entry = av_dict_get(format->metadata, "", entry, AV_DICT_IGNORE_SUFFIX)))
        if (!is_noise(entry->key))
            status = poet_tags_add(tags, entry->key, entry->value, strlen(entry->value));
    avformat_close_input(&format);
    return status;
}

/* Length of the key when the line is "key: value", 0 otherwise. */
static size_t key_length(const char *line)
{
    size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    return strncmp(line + length, ": ", 2) == 0 ? length : 0;
}

/* A value without the blank that each of its lines but the first begins with. */
static poet_status add_value(poet_tags *out, const char *key, const char *value, size_t size)
{
    char *text = poet_alloc(size + 1);
    size_t length = 0;
    for (size_t i = 0; text && i < size; i++)
        if (i == 0 || value[i - 1] != '\n' || value[i] != ' ')
            text[length++] = value[i];
    poet_status status = text ? poet_tags_add(out, key, text, length) : POET_ERR_NOMEM;
    poet_free(text);
    return status;
}

/* A comment that is a list of tags, as poet_video_write puts it in MP4 and GIF: each begins with
 * "key: " on a line of its own, and may go on for more lines, which begin with a blank. */
static poet_status split_comment(const char *comment, poet_tags *out)
{
    while (*comment) {
        char key[81];
        size_t length = key_length(comment);
        snprintf(key, sizeof key, "%.*s", (int)length, comment);
        const char *value = comment + length + 2, *end = strchrnul(value, '\n');
        while (*end && !key_length(end + 1))
            end = strchrnul(end + 1, '\n');
        POET_TRY(add_value(out, key, value, (size_t)(end - value)));
        comment = *end ? end + 1 : end;
    }
    return POET_OK;
}

static const poet_video_tag *find(const poet_tags *tags, const char *key)
{
    for (int i = 0; i < tags->count; i++)
        if (strcmp(tags->tag[i].key, key) == 0)
            return &tags->tag[i];
    return NULL;
}

/* Our prompt is also the title, in PNG only that. */
static poet_status settle(const poet_tags *found, poet_tags *out)
{
    bool ours = find(found, "seed") && find(found, "model");
    for (int i = 0; i < found->count; i++) {
        const char *key = found->tag[i].key, *value = found->tag[i].value;
        bool title = strcmp(key, "title") == 0;
        if (strcmp(key, "comment") == 0 && strncmp(value, "prompt: ", 8) == 0)
            POET_TRY(split_comment(value, out));
        else
            POET_TRY(poet_tags_add(out, title && ours ? "prompt" : key, value, strlen(value)));
    }
    return POET_OK;
}

/* Of equal keys the last stays, and a title that is the prompt goes. */
static void drop_repeats(poet_tags *tags)
{
    int kept = 0;
    const poet_video_tag *found = find(tags, "prompt");
    const char *prompt = found ? found->value : NULL; /* the list moves */
    for (int i = 0; i < tags->count; i++) {
        poet_tags rest = {.tag = tags->tag + i + 1, .count = tags->count - i - 1};
        bool title = prompt && strcmp(tags->tag[i].key, "title") == 0 &&
                     strcmp(tags->tag[i].value, prompt) == 0;
        if (!title && !find(&rest, tags->tag[i].key))
            tags->tag[kept++] = tags->tag[i];
    }
    tags->count = kept;
}

static poet_status create(poet_tags *tags, poet_arena *arena)
{
    *tags =
        (poet_tags){.arena = arena,
                    .tag = arena ? poet_arena_alloc(arena, MAX_TAGS * sizeof *tags->tag) : NULL};
    return tags->tag ? POET_OK : POET_ERR_NOMEM;
}

poet_status poet_tags_read(const char *path, poet_tags *out)
{
    poet_tags found;
    poet_arena *arena = poet_arena_create();
    poet_status status = create(&found, arena);
    if (!status)
        status = create(out, arena);
    if (!status)
        status = poet_png_is(path) ? poet_png_texts(path, &found) : add_metadata(path, &found);
    if (!status)
        status = settle(&found, out);
    if (!status)
        drop_repeats(out);
    else
        poet_arena_destroy(arena);
    if (status)
        *out = (poet_tags){0};
    return status;
}

void poet_tags_free(poet_tags *tags)
{
    poet_arena_destroy(tags->arena);
    *tags = (poet_tags){0};
}
