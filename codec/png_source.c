/* PNG files as a video: a directory, or all files that fit a pattern, in natural order. */
#include "base/file.h"
#include "base/memory.h"
#include "codec/png.h"
#include "codec/source_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 1000000 };

typedef struct png_source {
    poet_source base;
    char *directory;
    char **names; /* sorted */
    size_t count, room, next;
    uint8_t background[3];
    size_t max_pixels;
} png_source;

static png_source *self(poet_source *source)
{
    return (png_source *)source;
}

static void free_names(png_source *s)
{
    for (size_t i = 0; i < s->count; i++)
        poet_free(s->names[i]);
    poet_free(s->names);
    poet_free(s->directory);
}

static void close_source(poet_source *source)
{
    free_names(self(source));
    poet_free(source);
}

/* Digits compare as numbers, so that 2.png comes before 10.png. */
static int natural_order(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            int order = n != m ? (n < m ? -1 : 1) : strncmp(a, b, n);
            if (order)
                return order;
            a += n;
            b += m;
        } else if (*a != *b) {
            break;
        } else {
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int compare_names(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = natural_order(x, y);
    return order ? order : strcmp(x, y);
}

/* "walk%03d.png": what stands before and after the number, and its least digits. */
typedef struct pattern {
    const char *before, *after;
    size_t before_length;
    int digits;
} pattern;

/* False when the name holds no %d, %4d or %04d, or more than one %. */
static bool parse_pattern(const char *name, pattern *p)
{
    const char *percent = strchr(name, '%');
    if (!percent || strchr(percent + 1, '%'))
        return false;
    size_t length = strspn(percent + 1, "0123456789");
    int digits = length && length < 4 ? (int)strtol(percent + 1, NULL, 10) : 1;
    if (length >= 4 || digits > 20 || percent[1 + length] != 'd')
        return false;
    *p = (pattern){name, percent + length + 2, (size_t)(percent - name), digits};
    return true;
}

static bool matches(const pattern *p, const char *name)
{
    if (strncmp(name, p->before, p->before_length) != 0)
        return false;
    name += p->before_length;
    size_t digits = strspn(name, "0123456789");
    return digits >= (size_t)p->digits && strcmp(name + digits, p->after) == 0;
}

static poet_status add_name(png_source *s, const char *name)
{
    if (s->count == MAX_FILES)
        return POET_FAIL(POET_ERR_NOMEM, "%s: holds more than %d pictures", s->directory,
                         MAX_FILES);
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        char **names = poet_realloc(s->names, room * sizeof *names);
        if (!names)
            return POET_ERR_NOMEM;
        s->names = names;
        s->room = room;
    }
    s->names[s->count] = poet_strdup(name);
    return s->names[s->count++] ? POET_OK : POET_ERR_NOMEM;
}

/* All PNG files of the directory, or those that match. */
static poet_status list(png_source *s, const pattern *wanted)
{
    DIR *directory = opendir(s->directory);
    if (!directory)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be listed: %s", s->directory, strerror(errno));
    poet_status status = POET_OK;
    for (struct dirent *e; !status && (e = readdir(directory));) {
        char extension[16];
        poet_path_extension(e->d_name, extension);
        if (wanted ? matches(wanted, e->d_name)
                   : e->d_name[0] != '.' && strcmp(extension, "png") == 0)
            status = add_name(s, e->d_name);
    }
    closedir(directory);
    if (!status && s->count)
        qsort(s->names, s->count, sizeof *s->names, compare_names);
    return status;
}

static poet_status step(poet_source *source)
{
    png_source *s = self(source);
    source->time = (double)s->next / source->fps;
    s->next++;
    source->end = (double)s->next / source->fps;
    source->next = s->next < s->count ? source->end : INFINITY;
    return POET_OK;
}

static poet_status render(poet_source *source, poet_clip *picture)
{
    png_source *s = self(source);
    char *path = poet_path_join(s->directory, s->names[s->next - 1]);
    if (!path)
        return POET_ERR_NOMEM;
    poet_clip_free(picture);
    poet_status status = poet_png_read(path, s->background, s->max_pixels, picture);
    poet_free(path);
    return status;
}

/* Splits the path into directory and names. */
static poet_status find_files(png_source *s, const char *path)
{
    pattern wanted;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    bool whole = poet_is_directory(path);
    s->directory = whole ? poet_strdup(path) : poet_path_folder(path);
    if (!s->directory)
        return POET_ERR_NOMEM;
    if (!whole && poet_is_file(path))
        return add_name(s, name);
    POET_TRY(list(s, !whole && parse_pattern(name, &wanted) ? &wanted : NULL));
    if (!s->count)
        return POET_FAIL(
            POET_ERR_IO,
            whole ? "%s: is a directory without PNG files" : "%s: no file fits this pattern", path);
    return POET_OK;
}

poet_status poet_source_open_png(const char *path, const poet_video_options *options,
                                 poet_source **out)
{
    *out = NULL;
    png_source *s = poet_calloc(1, sizeof *s);
    if (!s)
        return POET_ERR_NOMEM;
    s->base = (poet_source){.step = step,
                            .render = render,
                            .close = close_source,
                            .fps = options->fps > 0 ? options->fps : 25};
    memcpy(s->background, options->background, 3);
    s->max_pixels = options->max_pixels;
    poet_status status = find_files(s, path);
    if (status) {
        close_source(&s->base);
        return status;
    }
    s->base.frames = (int64_t)s->count;
    s->base.duration = (double)s->count / s->base.fps;
    s->base.jitter = 0.1 / s->base.fps;
    *out = &s->base;
    return step(&s->base);
}

bool poet_png_pattern(const char *path)
{
    const char *slash = strrchr(path, '/');
    pattern unused;
    return parse_pattern(slash ? slash + 1 : path, &unused);
}

bool poet_video_is_sequence(const char *path)
{
    png_source s = {0};
    bool several = poet_is_directory(path) || (!poet_is_file(path) && poet_png_pattern(path));
    bool found = several && find_files(&s, path) == POET_OK;
    free_names(&s);
    return found;
}

bool poet_video_is_named(const char *name)
{
    static const char *const extensions[] = {"mp4", "mov", "mkv",  "webm", "avi", "gif",
                                             "m4v", "mpg", "mpeg", "ogv",  "wmv", "flv"};
    char extension[16];
    poet_path_extension(name, extension);
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (strcmp(extension, extensions[i]) == 0)
            return true;
    return false;
}

/* Captions of clips, or a video. */
static bool tells_of_clips(const char *name)
{
    return strcmp(name, "captions.jsonl") == 0 || strcmp(name, "captions.csv") == 0 ||
           (name[0] != '.' && poet_video_is_named(name));
}

bool poet_video_is_collection(const char *path)
{
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *e; directory && !found && (e = readdir(directory));)
        found = tells_of_clips(e->d_name);
    if (directory)
        closedir(directory);
    return found;
}
