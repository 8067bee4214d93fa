#include "datasets/shards_internal.h"

#include "base/bits.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

struct poet_shards {
    char *folder;
    poet_manifest manifest;
    poet_map *map;    /* one per shard */
    size_t *order[2]; /* clip numbers of training and held-out clips */
    uint64_t count[2];
};

void poet_shard_head(unsigned char head[POET_SHARD_HEAD])
{
    memset(head, 0, POET_SHARD_HEAD);
    memcpy(head, POET_SHARD_MAGIC, 8);
    poet_put_u32(head + 8, POET_SHARD_VERSION);
}

static poet_status map_shard(const poet_shards *s, size_t i)
{
    const poet_shard_entry *entry = &s->manifest.shard[i];
    unsigned char head[POET_SHARD_HEAD];
    char *path = poet_path_join(s->folder, entry->file);
    if (!path)
        return POET_ERR_NOMEM;
    poet_shard_head(head);
    poet_map *map = &s->map[i];
    poet_status status = poet_map_open(path, map);
    if (status == POET_OK && map->size != entry->bytes)
        status = POET_FAIL(POET_ERR_FORMAT, "%s: is %zu bytes long, but the manifest says %llu",
                           path, map->size, (unsigned long long)entry->bytes);
    else if (status == POET_OK && memcmp(map->bytes, head, POET_SHARD_HEAD) != 0)
        status =
            POET_FAIL(POET_ERR_FORMAT, "%s: not a shard of version %d", path, POET_SHARD_VERSION);
    poet_free(path);
    return status;
}

static poet_status sort_by_split(poet_shards *s)
{
    const poet_manifest *m = &s->manifest;
    for (int k = 0; k < 2; k++) {
        s->order[k] = poet_calloc(m->clips + 1, sizeof *s->order[k]);
        if (!s->order[k])
            return POET_ERR_NOMEM;
    }
    for (size_t i = 0; i < m->clips; i++) {
        int k = m->clip[i].heldout;
        s->order[k][s->count[k]++] = i;
    }
    return POET_OK;
}

static poet_status no_manifest(const char *folder)
{
    if (access(folder, F_OK) != 0)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be opened: %s", folder, strerror(errno));
    return POET_FAIL(POET_ERR_IO,
                     "%s: holds no imported dataset (no %s); 'pocketpoet import' makes one of a "
                     "folder of videos",
                     folder, POET_MANIFEST_NAME);
}

static poet_status open_parts(poet_shards *s)
{
    char *path = poet_path_join(s->folder, POET_MANIFEST_NAME);
    if (!path)
        return POET_ERR_NOMEM;
    poet_status status =
        poet_is_file(path) ? poet_manifest_read(path, &s->manifest) : no_manifest(s->folder);
    poet_free(path);
    POET_TRY(status);
    s->map = poet_calloc(s->manifest.shards + 1, sizeof *s->map);
    if (!s->map)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < s->manifest.shards; i++)
        POET_TRY(map_shard(s, i));
    return sort_by_split(s);
}

poet_status poet_shards_open(const char *folder, poet_shards **out)
{
    *out = NULL;
    poet_shards *s = poet_calloc(1, sizeof *s);
    if (!s)
        return POET_ERR_NOMEM;
    s->folder = poet_strdup(folder);
    poet_status status = s->folder ? open_parts(s) : POET_ERR_NOMEM;
    if (status != POET_OK) {
        poet_shards_close(s);
        return status;
    }
    *out = s;
    return POET_OK;
}

void poet_shards_close(poet_shards *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->map && i < s->manifest.shards; i++)
        poet_map_close(&s->map[i]);
    poet_free(s->map);
    poet_free(s->order[0]);
    poet_free(s->order[1]);
    poet_manifest_destroy(&s->manifest);
    poet_free(s->folder);
    poet_free(s);
}

const poet_manifest *poet_shards_manifest(const poet_shards *s)
{
    return &s->manifest;
}

uint64_t poet_shards_count(const poet_shards *s, bool heldout)
{
    return s->count[heldout];
}

const poet_clip_entry *poet_shards_find(const poet_shards *s, bool heldout, uint64_t index)
{
    return index < s->count[heldout] ? &s->manifest.clip[s->order[heldout][index]] : NULL;
}

poet_status poet_shards_decode(const poet_shards *s, const poet_clip_entry *entry, uint8_t *pixels)
{
    const poet_manifest *m = &s->manifest;
    const unsigned char *bytes = s->map[entry->shard].bytes + entry->offset;
    size_t size = (size_t)m->t * (size_t)m->h * (size_t)m->w * 3;
    const char *shard = m->shard[entry->shard].file;
    if (poet_crc32(0, bytes, entry->bytes) != entry->crc)
        return POET_FAIL(POET_ERR_FORMAT, "%s/%s: wrong checksum of the clip from %s", s->folder,
                         shard, entry->file);
    size_t got = ZSTD_decompress(pixels, size, bytes, entry->bytes);
    if (ZSTD_isError(got) || got != size)
        return POET_FAIL(POET_ERR_FORMAT, "%s/%s: the clip from %s is not %zu bytes of zstd",
                         s->folder, shard, entry->file, size);
    return POET_OK;
}

poet_status poet_shards_verify(const poet_shards *s, const poet_task *task)
{
    for (size_t i = 0; i < s->manifest.shards; i++) {
        const poet_shard_entry *entry = &s->manifest.shard[i];
        if (poet_task_stopped(task))
            return POET_FAIL(POET_ERR_INTERRUPTED, "stopped while %s was verified", s->folder);
        if (poet_crc32(0, s->map[i].bytes, s->map[i].size) != entry->crc)
            return POET_FAIL(POET_ERR_FORMAT, "%s/%s: wrong checksum", s->folder, entry->file);
        poet_progress progress = {.what = "verify",
                                  .done = (double)(i + 1),
                                  .total = (double)s->manifest.shards,
                                  .unit = "shards"};
        poet_task_progress(task, &progress);
    }
    return POET_OK;
}
