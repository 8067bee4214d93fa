/* Imported clips on disk: shards of zstd frames, and a manifest that says where everything is.
 * Byte by byte in docs/formats/dataset.md. */
#ifndef POET_DATASETS_SHARDS_INTERNAL_H
#define POET_DATASETS_SHARDS_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "base/task.h"
#include "datasets/dataset.h"

#define POET_MANIFEST_NAME "manifest.json"
#define POET_SHARD_MAGIC "POETSHRD"

enum { POET_SHARD_VERSION = 1, POET_SHARD_HEAD = 16 };

typedef struct poet_shard_entry {
    const char *file; /* in the manifest's folder */
    uint64_t bytes;
    uint32_t crc;
} poet_shard_entry;

typedef struct poet_clip_entry {
    int shard;
    uint64_t offset;
    uint32_t bytes, crc; /* of the zstd frame */
    bool heldout;
    int64_t start;                       /* first frame in the source, at the dataset's rate */
    const char *file, *source, *caption; /* file: as the captions name it; source: see import.h */
    const char *attributes;              /* a JSON object */
} poet_clip_entry;

typedef struct poet_manifest {
    int t, h, w;
    double fps;
    poet_shard_entry *shard;
    poet_clip_entry *clip;
    size_t shards, clips, shard_room, clip_room;
    poet_arena *arena; /* owns all strings */
    /* What the import was asked (a hash), and how far it has come. */
    uint64_t request, sources_done, broken, padded;
} poet_manifest;

poet_status poet_manifest_create(poet_manifest *out);
void poet_manifest_destroy(poet_manifest *manifest);

/* Append a copy, strings included. */
poet_status poet_manifest_add_shard(poet_manifest *manifest, const poet_shard_entry *entry);
poet_status poet_manifest_add_clip(poet_manifest *manifest, const poet_clip_entry *entry);

/* Appears by rename. */
poet_status poet_manifest_write(const char *path, const poet_manifest *manifest);

/* Every number is checked; after success, offsets lie inside their shards. */
poet_status poet_manifest_read(const char *path, poet_manifest *out);

typedef struct poet_shards poet_shards;

poet_status poet_shards_open(const char *folder, poet_shards **out);
void poet_shards_close(poet_shards *shards);
const poet_manifest *poet_shards_manifest(const poet_shards *shards);

/* The clip of a split, NULL outside it. */
const poet_clip_entry *poet_shards_find(const poet_shards *shards, bool heldout, uint64_t index);
uint64_t poet_shards_count(const poet_shards *shards, bool heldout);

/* Decompresses into (t,h,w,3). */
poet_status poet_shards_decode(const poet_shards *shards, const poet_clip_entry *entry,
                               uint8_t *pixels);
poet_status poet_shards_verify(const poet_shards *shards, const poet_task *task);

/* The magic and version at the beginning of a shard. */
void poet_shard_head(unsigned char head[POET_SHARD_HEAD]);

#endif
