#include "datasets/import_internal.h"

#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "codec/video.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CAPTION = 4096, COLUMNS = 16 };

void poet_import_list_free(poet_import_list *list)
{
    poet_free(list->item);
    poet_arena_destroy(list->arena);
    *list = (poet_import_list){0};
}

void poet_import_skip(const poet_import_sink *sink, poet_import_reason reason, const char *what,
                      const char *why)
{
    sink->report->skipped[reason]++;
    const char *slash = *sink->folder ? "/" : "";
    if (sink->only)
        (void)POET_FAIL(POET_ERR_FORMAT, "%s%s%.200s: %s", sink->folder, slash, what, why);
    else
        poet_task_message(sink->task, "%s%s%.200s: %s; skipped", sink->folder, slash, what, why);
}

/* --- captions --- */

/* Checks UTF-8, and turns every run of blanks, line ends and control characters into one space;
 * none at the ends. What is wrong, or NULL. */
static const char *clean_caption(char *text, bool may_be_empty)
{
    char *write = text;
    if (!poet_utf8_valid(text, strlen(text), NULL))
        return "its caption is not UTF-8";
    for (const char *read = text; *read; read++) {
        bool blank = (unsigned char)*read <= ' ' || *read == 127;
        if (!blank)
            *write++ = *read;
        else if (write > text && write[-1] != ' ')
            *write++ = ' ';
    }
    if (write > text && write[-1] == ' ')
        write--;
    *write = 0;
    if (write == text && !may_be_empty)
        return "its caption is empty";
    return write - text > MAX_CAPTION ? "its caption is longer than 4096 bytes" : NULL;
}

/* split may be NULL. The first word that is not known is told with its place, all are counted. */
static poet_import_side parse_side(const poet_import_sink *sink, const char *where,
                                   const char *split)
{
    static const char *const heldout[] = {"dev",  "val",     "valid",        "validation",
                                          "test", "heldout", "heldout-seen", "heldout-unseen"};
    if (!split || !*split)
        return POET_SIDE_OPEN;
    if (strcmp(split, "train") == 0)
        return POET_SIDE_TRAIN;
    for (size_t i = 0; i < sizeof heldout / sizeof *heldout; i++)
        if (strcmp(split, heldout[i]) == 0)
            return POET_SIDE_HELDOUT;
    if (!sink->report->unknown_splits++)
        poet_task_message(sink->task,
                          "%s/%s: there is no split \"%.80s\"; here, and on any other line with an "
                          "unknown split, a hash of the source's name decides",
                          sink->folder, where, split);
    return POET_SIDE_OPEN;
}

/* Even one that is skipped is copied: so the walk knows that its video has been named. */
poet_status poet_import_add(const poet_import_sink *sink, poet_import_list *list,
                            const poet_import_item *item, char *caption)
{
    char *file = poet_arena_strdup(list->arena, item->file);
    if (!file)
        return POET_ERR_NOMEM;
    poet_import_simplify(sink->folder, file);
    const char *wrong = item->skipped ? NULL : clean_caption(caption, sink->uncaptioned);
    bool bad_name = !poet_utf8_valid(file, strlen(file), NULL);
    if (bad_name)
        poet_import_skip(sink, POET_IMPORT_BAD_NAME, file, "its name is not UTF-8");
    else if (wrong)
        poet_import_skip(sink, POET_IMPORT_BAD_CAPTION, file, wrong);
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 256;
        poet_import_item *grown = poet_realloc(list->item, room * sizeof *grown);
        if (!grown)
            return POET_ERR_NOMEM;
        list->item = grown;
        list->room = room;
    }
    poet_import_item copy = {.file = file,
                             .side = item->side,
                             .place = list->read++,
                             .skipped = item->skipped || bad_name || wrong};
    copy.caption = poet_arena_strdup(list->arena, caption);
    copy.source = item->source ? poet_arena_strdup(list->arena, item->source) : copy.file;
    copy.attributes = poet_arena_strdup(list->arena, item->attributes);
    list->item[list->count++] = copy;
    return copy.caption && copy.source && copy.attributes ? POET_OK : POET_ERR_NOMEM;
}

/* --- captions.jsonl --- */

/* Whether a line has a caption, or need not have one. */
static bool check_caption(const poet_import_sink *sink, const char *where, const char *file,
                          const json_t *caption)
{
    bool absent = !caption || json_is_null(caption);
    if (!absent && !json_is_string(caption))
        poet_import_skip(sink, POET_IMPORT_BAD_LINE, where, "its caption is not a text");
    else if (absent && !sink->uncaptioned)
        poet_import_skip(sink, POET_IMPORT_NO_CAPTION, file, "has no caption");
    else
        return true;
    return false;
}

static poet_status add_json(const poet_import_sink *sink, poet_import_list *list, const char *where,
                            json_t *line)
{
    const char *file = json_string_value(json_object_get(line, "file"));
    json_t *caption = json_object_get(line, "caption");
    json_t *split = json_object_get(line, "split");
    json_t *attributes = json_object_get(line, "attributes");
    if (!file || !*file) {
        poet_import_skip(sink, POET_IMPORT_BAD_LINE, where, "no \"file\" is named");
        return POET_OK;
    }
    poet_import_item item = {.file = file};
    item.skipped = !check_caption(sink, where, file, caption);
    item.source = json_string_value(json_object_get(attributes, "source"));
    bool text_or_none = !split || json_is_null(split) || json_is_string(split);
    item.side = parse_side(sink, where, text_or_none ? json_string_value(split) : "(not a text)");
    char *copy = poet_strdup(json_is_string(caption) ? json_string_value(caption) : "");
    char *text = json_is_object(attributes) ? json_dumps(attributes, JSON_COMPACT) : NULL;
    item.attributes = text ? text : "{}";
    poet_status status = copy ? poet_import_add(sink, list, &item, copy) : POET_ERR_NOMEM;
    free(text);
    poet_free(copy);
    return status;
}

static poet_status read_jsonl(const poet_import_sink *sink, char *text, size_t size,
                              poet_import_list *list)
{
    char *end = text + size;
    int number = 0;
    for (char *next; text < end; text = next) {
        char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        char where[64];
        json_error_t error;
        next = text + length + 1;
        snprintf(where, sizeof where, "captions.jsonl:%d", ++number);
        if (strspn(text, " \t\r") >= length)
            continue;
        json_t *line = json_loadb(text, length, 0, &error);
        poet_status status = POET_OK;
        if (json_is_object(line))
            status = add_json(sink, list, where, line);
        else
            poet_import_skip(sink, POET_IMPORT_BAD_LINE, where,
                             line ? "not an object" : error.text);
        json_decref(line);
        POET_TRY(status);
    }
    return POET_OK;
}

/* --- captions.csv --- */

static int find_column(char *const *name, int count, const char *wanted)
{
    for (int i = 0; i < count && i < COLUMNS; i++)
        if (strcmp(name[i], wanted) == 0)
            return i;
    return -1;
}

static poet_status read_csv(const poet_import_sink *sink, char *text, size_t size,
                            poet_import_list *list)
{
    char *field[COLUMNS], *at = text;
    if (strlen(text) != size)
        return POET_FAIL(POET_ERR_FORMAT, "%s/captions.csv: holds zero bytes", sink->folder);
    int columns = poet_csv_row(&at, field, COLUMNS);
    int file = find_column(field, columns, "file"),
        caption = find_column(field, columns, "caption");
    int split = find_column(field, columns, "split");
    if (file < 0 || caption < 0)
        return POET_FAIL(POET_ERR_FORMAT,
                         "%s/captions.csv: its first line must name the columns "
                         "file and caption",
                         sink->folder);
    for (int row = 2; *at; row++) {
        char where[64];
        int count = poet_csv_row(&at, field, COLUMNS);
        snprintf(where, sizeof where, "captions.csv, row %d", row);
        if (count == 1 && !*field[0])
            continue;
        if (count != columns || !*field[file]) {
            poet_import_skip(sink, POET_IMPORT_BAD_LINE, where,
                             count < 0 ? "a quote is not closed"
                                       : "not as many fields as the first line, or no file");
            continue;
        }
        poet_import_item item = {.file = field[file], .attributes = "{}"};
        item.side = parse_side(sink, where, split < 0 ? NULL : field[split]);
        POET_TRY(poet_import_add(sink, list, &item, field[caption]));
    }
    return POET_OK;
}

/* --- what is there --- */

static int by_file(const void *a, const void *b)
{
    const poet_import_item *const *x = a, *const *y = b;
    int order = strcmp((*x)->file, (*y)->file);
    if (!order)
        order = (*x)->skipped - (*y)->skipped;
    return order ? order : (*x)->place < (*y)->place ? -1 : 1;
}

/* The list's items in that order; NULL when memory ran out. */
static const poet_import_item **sorted(const poet_import_list *list,
                                       int (*order)(const void *, const void *))
{
    const poet_import_item **items = poet_calloc(list->count + 1, sizeof *items);
    for (size_t i = 0; items && i < list->count; i++)
        items[i] = &list->item[i];
    if (items)
        qsort(items, list->count, sizeof *items, order);
    return items;
}

/* The place of the first sorted item of the captions that does not come before the name. */
static size_t find_captioned(const poet_import_list *list, const char *name)
{
    size_t low = 0, high = list->captioned;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(list->item[middle].file, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_captioned(const poet_import_list *list, const char *file)
{
    size_t i = find_captioned(list, file);
    return i < list->captioned && strcmp(list->item[i].file, file) == 0;
}

/* Whether captions name the folder of a picture, or pictures in it, one or many by a pattern. */
static bool is_captioned_sequence(const poet_import_list *list, const char *first)
{
    const char *slash = strrchr(first, '/');
    size_t length = slash ? (size_t)(slash + 1 - first) : 0;
    char *folder = poet_strdup(first);
    if (!folder)
        return false;
    folder[length] = 0;
    bool captioned = false;
    for (size_t i = find_captioned(list, folder); i < list->captioned && !captioned; i++) {
        const char *file = list->item[i].file;
        if (strncmp(file, folder, length) != 0)
            break;
        captioned = !strchr(file + length, '/') && poet_import_is_picture(file);
    }
    folder[length ? length - 1 : 0] = 0;
    captioned = captioned || is_captioned(list, length ? folder : ".");
    poet_free(folder);
    return captioned;
}

/* A video, or a folder of pictures, that the captions do not name. */
static poet_status find_uncaptioned(const poet_import_sink *sink, poet_import_list *list,
                                    const char *file, const poet_import_entries *beside)
{
    if (poet_import_begins_sequence(file, beside))
        return is_captioned_sequence(list, file) ? POET_OK
                                                 : poet_import_add_sequence(sink, list, file);
    return !poet_video_is_named(file) || is_captioned(list, file)
               ? POET_OK
               : poet_import_add_uncaptioned(sink, list, file);
}

/* Sorts the list by file and drops repeats: the first line that can be used stays. */
static poet_status drop_repeats(const poet_import_sink *sink, poet_import_list *list)
{
    const poet_import_item **items = sorted(list, by_file);
    poet_import_item *kept = poet_calloc(list->count + 1, sizeof *kept);
    poet_status status = items && kept ? POET_OK : POET_ERR_NOMEM;
    size_t count = 0;
    for (size_t i = 0; status == POET_OK && i < list->count; i++) {
        const char *file = items[i]->file;
        if (i && strcmp(items[i - 1]->file, file) == 0) {
            if (!items[i]->skipped)
                poet_import_skip(sink, POET_IMPORT_REPEATED, file, "has a caption already");
            continue;
        }
        kept[count++] = *items[i];
    }
    poet_free(items);
    if (status != POET_OK) {
        poet_free(kept);
        return status;
    }
    poet_free(list->item);
    list->item = kept;
    list->room = list->count + 1;
    list->count = count;
    return POET_OK;
}

/* Whether captions name something that is there; what is wrong is told. */
static bool check_there(const poet_import_sink *sink, const char *file, const char *path)
{
    if (poet_is_file(path) || poet_video_is_sequence(path))
        return true;
    poet_import_skip(sink, POET_IMPORT_NO_FILE, file,
                     poet_is_directory(path) ? "is a folder without PNG files"
                                             : "there is no such file");
    return false;
}

static bool check_no_sheet(const poet_import_sink *sink, const char *file, const char *path)
{
    const char *sheet = poet_import_find_sheet(path);
    if (sheet)
        poet_import_skip(sink, POET_IMPORT_BROKEN, file, sheet);
    return !sheet;
}

/* Drops what was skipped, what captions name that is not there, and sheets. */
static poet_status drop_unusable(const poet_import_sink *sink, poet_import_list *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const poet_import_item *item = &list->item[i];
        char *path = poet_path_join(sink->folder, item->file);
        if (!path)
            return POET_ERR_NOMEM;
        bool named = i < list->captioned;
        if (!item->skipped && (!named || check_there(sink, item->file, path)) &&
            check_no_sheet(sink, item->file, path))
            list->item[count++] = *item;
        poet_free(path);
    }
    list->count = count;
    return POET_OK;
}

/* --- sides --- */

static int by_source(const void *a, const void *b)
{
    const poet_import_item *const *x = a, *const *y = b;
    int order = strcmp((*x)->source, (*y)->source);
    return order ? order : (*x)->place < (*y)->place ? -1 : 1;
}

static uint64_t source_hash(const char *source)
{
    return poet_hash64(0, source, strlen(source));
}

static poet_import_side side_by_hash(const char *source, double heldout)
{
    double place = (double)(source_hash(source) >> 11) * 0x1p-53;
    return place < heldout ? POET_SIDE_HELDOUT : POET_SIDE_TRAIN;
}

/* Where nothing says and the hash held nothing out: the source of the smallest hash. */
static void hold_one_out(poet_import_list *list)
{
    const char *first = list->item[0].source, *smallest = first;
    bool several = false;
    for (size_t i = 0; i < list->count; i++) {
        const char *source = list->item[i].source;
        several = several || strcmp(source, first) != 0;
        if (source_hash(source) < source_hash(smallest))
            smallest = source;
    }
    for (size_t i = 0; several && i < list->count; i++)
        if (strcmp(list->item[i].source, smallest) == 0)
            list->item[i].side = POET_SIDE_HELDOUT;
}

static poet_status settle_sides(const poet_import_sink *sink, poet_import_list *list,
                                double heldout)
{
    poet_import_item **items = (poet_import_item **)sorted(list, by_source);
    bool given = false, any_heldout = false;
    if (!items)
        return POET_ERR_NOMEM;
    for (size_t i = 0, next; i < list->count; i = next) {
        poet_import_side side = POET_SIDE_OPEN;
        for (next = i; next < list->count && strcmp(items[next]->source, items[i]->source) == 0;
             next++)
            if (side == POET_SIDE_OPEN)
                side = items[next]->side;
        given = given || side != POET_SIDE_OPEN;
        if (side == POET_SIDE_OPEN)
            side = side_by_hash(items[i]->source, heldout);
        any_heldout = any_heldout || side == POET_SIDE_HELDOUT;
        for (size_t k = i; k < next; k++) {
            if (items[k]->side != POET_SIDE_OPEN && items[k]->side != side) {
                sink->report->moved++;
                poet_task_message(
                    sink->task,
                    "%s/%.200s: goes to the other side, where the rest of \"%.200s\" is",
                    sink->folder, items[k]->file, items[k]->source);
            }
            items[k]->side = side;
        }
    }
    poet_free(items);
    if (!given && !any_heldout && heldout > 0 && list->count)
        hold_one_out(list);
    return POET_OK;
}

/* --- all of it --- */

/* The one that is wanted: of a pattern there is no entry in the folder to be found. */
static poet_status read_only(const poet_import_sink *sink, poet_import_list *list)
{
    char *path = poet_path_join(sink->folder, sink->only);
    if (!path)
        return POET_ERR_NOMEM;
    bool file = poet_is_file(path);
    poet_free(path);
    return file ? poet_import_walk(sink, list, poet_import_take_beside)
                : poet_import_add_uncaptioned(sink, list, sink->only);
}

static poet_status read_captions(const poet_import_sink *sink, poet_import_list *list)
{
    static const char *const names[2] = {"captions.jsonl", "captions.csv"};
    for (int i = 0; i < 2; i++) {
        unsigned char *text;
        size_t size;
        char *path = poet_path_join(sink->folder, names[i]);
        if (!path)
            return POET_ERR_NOMEM;
        bool there = poet_is_file(path);
        poet_status status =
            there ? poet_file_read(path, POET_CAPTIONS_LIMIT, &text, &size) : POET_OK;
        poet_free(path);
        POET_TRY(status);
        if (!there)
            continue;
        size_t mark = poet_utf8_mark((char *)text);
        status = (i ? read_csv : read_jsonl)(sink, (char *)text + mark, size - mark, list);
        poet_free(text);
        POET_TRY(status);
        POET_TRY(drop_repeats(sink, list));
        list->captioned = list->count;
        return poet_import_walk(sink, list, find_uncaptioned);
    }
    return poet_import_walk(sink, list, poet_import_take_beside);
}

poet_status poet_import_list_read(const poet_import_sink *sink, double heldout,
                                  poet_import_list *out)
{
    *out = (poet_import_list){.arena = poet_arena_create()};
    poet_status status = !out->arena  ? POET_ERR_NOMEM
                         : sink->only ? read_only(sink, out)
                                      : read_captions(sink, out);
    if (status == POET_OK)
        status = drop_unusable(sink, out);
    if (status == POET_OK)
        status = settle_sides(sink, out, heldout);
    if (status != POET_OK)
        poet_import_list_free(out);
    return status;
}
