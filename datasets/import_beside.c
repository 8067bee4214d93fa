/* Captions beside their clips: that of clip.mp4 is in clip.txt. Any file may be the clip, but where a name has videos and
 * other files (a picture of it, its metadata), the videos are. */
#include "base/file.h"
#include "base/utf8.h"
#include "codec/video.h"
#include "datasets/import_internal.h"

#include <string.h>
#include <strings.h>

poet_status poet_import_add_uncaptioned(const poet_import_sink *sink, poet_import_list *list,
                                        const char *file)
{
    char empty[] = "";
    poet_import_item item = {.file = file, .attributes = "{}"};
    if (sink->uncaptioned)
        return poet_import_add(sink, list, &item, empty);
    poet_import_skip(sink, POET_IMPORT_NO_CAPTION, file, "has no caption");
    return POET_OK;
}

/* The files of one folder that differ in their extension alone. */
typedef struct namesakes {
    const char *text; /* the extension of the caption as it is written; NULL: there is none */
    bool video, other;
} namesakes;

/* stem ends with its dot, which is why all that begin with it follow one another. Of .TXT and .txt the latter comes last, and is
 * the caption. */
static namesakes find_namesakes(const poet_import_entries *beside, const char *stem, size_t length)
{
    namesakes found = {0};
    int low = 0, high = beside->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (strncmp(beside->entry[middle]->d_name, stem, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < beside->count; low++) {
        const struct dirent *entry = beside->entry[low];
        if (strncmp(entry->d_name, stem, length) != 0)
            break;
        if (entry->d_type == DT_DIR || strchr(entry->d_name + length, '.'))
            continue;
        if (strcasecmp(entry->d_name + length, "txt") == 0)
            found.text = entry->d_name + length;
        else if (poet_video_is_named(entry->d_name))
            found.video = true;
        else
            found.other = true;
    }
    return found;
}

/* What a sentence about a path says of it. */
static const char *without_path(const char *sentence, const char *path)
{
    size_t length = strlen(path);
    bool named = strncmp(sentence, path, length) == 0 && sentence[length] == ':';
    return named ? sentence + length + 2 : sentence;
}

/* stem_length: of the file's path up to its extension, with the dot. extension: of the text, three letters. */
static poet_status add_with_text(const poet_import_sink *sink, poet_import_list *list,
                                 const char *file, size_t stem_length, const char *extension)
{
    unsigned char *text = NULL;
    size_t size;
    char *name = poet_alloc(stem_length + sizeof "txt"), *path = NULL;
    poet_status status = POET_ERR_NOMEM;
    if (name) {
        memcpy(name, file, stem_length);
        memcpy(name + stem_length, extension, sizeof "txt");
        path = poet_path_join(sink->folder, name);
    }
    if (path && poet_file_read(path, POET_CAPTIONS_LIMIT, &text, &size) == POET_OK) {
        poet_import_item item = {.file = file, .attributes = "{}"};
        status = poet_import_add(sink, list, &item, (char *)text + poet_utf8_mark((char *)text));
    } else if (path) {
        poet_import_skip(sink, POET_IMPORT_BAD_CAPTION, name,
                         without_path(poet_error_message(), path));
        status = POET_OK;
    }
    poet_free(text);
    poet_free(path);
    poet_free(name);
    return status;
}

/* Whether any PNG file has a caption of its own. */
static bool has_captioned_picture(const poet_import_entries *beside)
{
    for (int i = 0; i < beside->count; i++) {
        const char *name = beside->entry[i]->d_name;
        if (poet_import_is_picture(name) &&
            find_namesakes(beside, name, (size_t)(strrchr(name, '.') + 1 - name)).text)
            return true;
    }
    return false;
}

poet_status poet_import_take_beside(const poet_import_sink *sink, poet_import_list *list,
                                    const char *file, const poet_import_entries *beside)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    if (!dot)
        return POET_OK;
    size_t length = (size_t)(dot + 1 - name);
    namesakes found = find_namesakes(beside, name, length);
    if (strcasecmp(dot, ".txt") == 0) {
        if (!found.video && !found.other)
            poet_import_skip(sink, POET_IMPORT_NO_FILE, file, "is a caption without a clip");
        return POET_OK;
    }
    bool video = poet_video_is_named(name);
    if (found.text && (video || !found.video))
        return add_with_text(sink, list, file, (size_t)(dot + 1 - file), found.text);
    if (poet_import_begins_sequence(file, beside) && !has_captioned_picture(beside))
        return poet_import_add_sequence(sink, list, file);
    return video || sink->only ? poet_import_add_uncaptioned(sink, list, file) : POET_OK;
}
