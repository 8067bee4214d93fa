#include "datasets/shards_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_NAME "pocketpoet-dataset"

enum { MAX_SIDE = 16384, MAX_FRAMES = 1000000 };

static const size_t manifest_limit = (size_t)2 << 30;

poet_status poet_manifest_create(poet_manifest *out)
{
    *out = (poet_manifest){.arena = poet_arena_create()};
    return out->arena ? POET_OK : POET_ERR_NOMEM;
}

void poet_manifest_destroy(poet_manifest *manifest)
{
    poet_free(manifest->shard);
    poet_free(manifest->clip);
    poet_arena_destroy(manifest->arena);
    *manifest = (poet_manifest){0};
}

static poet_status grow(void *list, size_t count, size_t *room, size_t size)
{
    void **block = list;
    if (count < *room)
        return POET_OK;
    size_t wanted = *room ? 2 * *room : 64;
    void *grown = poet_realloc(*block, wanted * size);
    if (!grown)
        return POET_ERR_NOMEM;
    *block = grown;
    *room = wanted;
    return POET_OK;
}

poet_status poet_manifest_add_shard(poet_manifest *m, const poet_shard_entry *entry)
{
    POET_TRY(grow(&m->shard, m->shards, &m->shard_room, sizeof *m->shard));
    poet_shard_entry copy = *entry;
    copy.file = poet_arena_strdup(m->arena, entry->file);
    m->shard[m->shards++] = copy;
    return copy.file ? POET_OK : POET_ERR_NOMEM;
}

poet_status poet_manifest_add_clip(poet_manifest *m, const poet_clip_entry *entry)
{
    POET_TRY(grow(&m->clip, m->clips, &m->clip_room, sizeof *m->clip));
    poet_clip_entry copy = *entry;
    copy.file = poet_arena_strdup(m->arena, entry->file);
    copy.source = poet_arena_strdup(m->arena, entry->source);
    copy.caption = poet_arena_strdup(m->arena, entry->caption);
    copy.attributes = poet_arena_strdup(m->arena, entry->attributes);
    m->clip[m->clips++] = copy;
    return copy.file && copy.source && copy.caption && copy.attributes ? POET_OK : POET_ERR_NOMEM;
}

/* --- writing: one shard or clip a line, so that the file can be read and compared by people --- */

static poet_status write_json(poet_output *output, json_t *value, const char *after)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(value);
    if (!text)
        return POET_FAIL(POET_ERR_NOMEM, "no memory for a line of the manifest");
    poet_status status = poet_output_write(output, text, strlen(text));
    if (status == POET_OK)
        status = poet_output_write(output, after, strlen(after));
    free(text);
    return status;
}

static json_t *shard_json(const poet_shard_entry *s)
{
    return json_pack("{s:s,s:I,s:I}", "file", s->file, "bytes", (json_int_t)s->bytes, "crc32",
                     (json_int_t)s->crc);
}

static json_t *clip_json(const poet_clip_entry *c)
{
    json_t *attributes = json_loads(c->attributes, 0, NULL);
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:i,s:I,s:I,s:I,s:o}", "file", c->file, "source",
                     c->source, "start", (json_int_t)c->start, "split",
                     c->heldout ? "heldout" : "train", "caption", c->caption, "shard", c->shard,
                     "offset", (json_int_t)c->offset, "bytes", (json_int_t)c->bytes, "crc32",
                     (json_int_t)c->crc, "attributes", attributes ? attributes : json_object());
}

static poet_status write_lists(poet_output *output, const poet_manifest *m)
{
    static const char shards[] = ",\n\"shards\":[\n", clips[] = "],\n\"clips\":[\n";
    POET_TRY(poet_output_write(output, shards, sizeof shards - 1));
    for (size_t i = 0; i < m->shards; i++)
        POET_TRY(write_json(output, shard_json(&m->shard[i]), i + 1 < m->shards ? ",\n" : "\n"));
    POET_TRY(poet_output_write(output, clips, sizeof clips - 1));
    for (size_t i = 0; i < m->clips; i++)
        POET_TRY(write_json(output, clip_json(&m->clip[i]), i + 1 < m->clips ? ",\n" : "\n"));
    return poet_output_write(output, "]}\n", 3);
}

poet_status poet_manifest_write(const char *path, const poet_manifest *m)
{
    poet_output *output;
    poet_status status;
    POET_TRY(poet_output_create(path, &output));
    char head[400];
    int length = snprintf(head, sizeof head,
                          "{\"format\":\"%s\",\"version\":%d,\"frames\":%d,\"height\":%d,"
                          "\"width\":%d,\"fps\":%.12g,\"request\":\"%016llx\",\"sources\":%llu,"
                          "\"broken\":%llu,\"padded\":%llu",
                          FORMAT_NAME, POET_SHARD_VERSION, m->t, m->h, m->w, m->fps,
                          (unsigned long long)m->request, (unsigned long long)m->sources_done,
                          (unsigned long long)m->broken, (unsigned long long)m->padded);
    POET_TRY_DONE(poet_output_write(output, head, (size_t)length));
    POET_TRY_DONE(write_lists(output, m));
    POET_TRY_DONE(poet_output_commit(output));
done:
    poet_output_destroy(output);
    return status;
}

/* --- reading --- */

static poet_status read_shard(const char *path, json_t *json, poet_manifest *m)
{
    const char *file;
    json_int_t bytes, crc;
    if (json_unpack(json, "{s:s,s:I,s:I}", "file", &file, "bytes", &bytes, "crc32", &crc) != 0 ||
        bytes < POET_SHARD_HEAD || crc < 0 || crc > UINT32_MAX)
        return POET_FAIL(POET_ERR_FORMAT, "%s: shard %zu is not described as it should be", path,
                         m->shards);
    if (strchr(file, '/') || !*file || *file == '.')
        return POET_FAIL(POET_ERR_FORMAT, "%s: shard %zu is not in the dataset's folder: \"%.80s\"",
                         path, m->shards, file);
    poet_shard_entry entry = {file, (uint64_t)bytes, (uint32_t)crc};
    return poet_manifest_add_shard(m, &entry);
}

static bool clip_in_range(const poet_manifest *m, json_int_t shard, json_int_t offset,
                          json_int_t bytes, json_int_t crc)
{
    if (shard < 0 || (size_t)shard >= m->shards || offset < POET_SHARD_HEAD || bytes < 1 ||
        bytes > UINT32_MAX || crc < 0 || crc > UINT32_MAX)
        return false;
    uint64_t size = m->shard[shard].bytes;
    return (uint64_t)offset <= size && (uint64_t)bytes <= size - (uint64_t)offset;
}

static poet_status read_clip(const char *path, json_t *json, poet_manifest *m)
{
    const char *file, *source, *caption, *split;
    json_int_t start, shard, offset, bytes, crc;
    json_t *attributes;
    if (json_unpack(json, "{s:s,s:s,s:I,s:s,s:s,s:I,s:I,s:I,s:I,s:o}", "file", &file, "source",
                    &source, "start", &start, "split", &split, "caption", &caption, "shard", &shard,
                    "offset", &offset, "bytes", &bytes, "crc32", &crc, "attributes",
                    &attributes) != 0 ||
        !clip_in_range(m, shard, offset, bytes, crc))
        return POET_FAIL(POET_ERR_FORMAT, "%s: clip %zu is not described as it should be", path,
                         m->clips);
    char *text = json_dumps(attributes, JSON_COMPACT);
    if (!text)
        return POET_FAIL(POET_ERR_FORMAT, "%s: clip %zu has no attributes", path, m->clips);
    poet_clip_entry entry = {.shard = (int)shard,
                             .offset = (uint64_t)offset,
                             .bytes = (uint32_t)bytes,
                             .crc = (uint32_t)crc,
                             .heldout = strcmp(split, "heldout") == 0,
                             .start = start,
                             .file = file,
                             .source = source,
                             .caption = caption,
                             .attributes = text};
    poet_status status = poet_manifest_add_clip(m, &entry);
    free(text);
    return status;
}

static poet_status read_head(const char *path, json_t *root, poet_manifest *m)
{
    const char *format, *request;
    json_int_t version, sources, broken, padded;
    if (json_unpack(root, "{s:s,s:I}", "format", &format, "version", &version) != 0 ||
        strcmp(format, FORMAT_NAME) != 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: not the manifest of a dataset", path);
    if (version != POET_SHARD_VERSION)
        return POET_FAIL(POET_ERR_FORMAT, "%s: version %lld; this program reads version %d", path,
                         (long long)version, POET_SHARD_VERSION);
    if (json_unpack(root, "{s:i,s:i,s:i,s:F,s:s,s:I,s:I,s:I}", "frames", &m->t, "height", &m->h,
                    "width", &m->w, "fps", &m->fps, "request", &request, "sources", &sources,
                    "broken", &broken, "padded", &padded) != 0 ||
        m->t < 1 || m->t > MAX_FRAMES || m->h < 1 || m->h > MAX_SIDE || m->w < 1 ||
        m->w > MAX_SIDE || !(m->fps > 0 && m->fps <= 1000) || sources < 0 || broken < 0 ||
        padded < 0)
        return POET_FAIL(POET_ERR_FORMAT, "%s: frames, height, width or fps are out of range",
                         path);
    m->request = strtoull(request, NULL, 16);
    m->sources_done = (uint64_t)sources;
    m->broken = (uint64_t)broken;
    m->padded = (uint64_t)padded;
    return POET_OK;
}

static poet_status read_lists(const char *path, json_t *root, poet_manifest *m)
{
    json_t *shards = json_object_get(root, "shards"), *clips = json_object_get(root, "clips");
    json_t *item;
    size_t i;
    if (!json_is_array(shards) || !json_is_array(clips))
        return POET_FAIL(POET_ERR_FORMAT, "%s: has no list of shards or clips", path);
    json_array_foreach(shards, i, item) POET_TRY(read_shard(path, item, m));
    json_array_foreach(clips, i, item) POET_TRY(read_clip(path, item, m));
    return POET_OK;
}

poet_status poet_manifest_read(const char *path, poet_manifest *out)
{
    unsigned char *bytes = NULL;
    size_t size;
    json_t *root = NULL;
    json_error_t error;
    poet_status status;
    POET_TRY(poet_manifest_create(out));
    POET_TRY_DONE(poet_file_read(path, manifest_limit, &bytes, &size));
    root = json_loadb((const char *)bytes, size, 0, &error);
    if (!root) {
        status = POET_FAIL(POET_ERR_FORMAT, "%s:%d: %s", path, error.line, error.text);
        goto done;
    }
    POET_TRY_DONE(read_head(path, root, out));
    POET_TRY_DONE(read_lists(path, root, out));
done:
    json_decref(root);
    poet_free(bytes);
    if (status != POET_OK)
        poet_manifest_destroy(out);
    return status;
}
