/* The import itself: sources are decoded, cut and stored in shards; import_output.c has the folder that they go to. */
#include "datasets/import.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/rng.h"
#include "codec/video.h"
#include "datasets/import_internal.h"
#include "datasets/shards_internal.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

static const uint64_t shard_limit = (uint64_t)64 << 20;

typedef struct importer {
    const char *what, *out; /* the folder or the file, as given, */
    char *folder;           /* its folder, */
    const char *only;       /* and, of a file or a pattern, its name */
    size_t out_there;       /* bytes of out that named a folder before */
    poet_import_options options;
    const poet_task *task;
    poet_import_report *report;
    poet_import_list list;
    poet_manifest manifest;
    /* the shard being written, NULL between shards */
    poet_output *shard;
    char shard_name[40];
    uint64_t shard_bytes;
    uint32_t shard_crc;
    /* one piece, and its zstd frame */
    uint8_t *pixels, *packed;
    size_t pixel_bytes, packed_room;
    ZSTD_CCtx *zstd;
} importer;

poet_import_options poet_import_defaults(void)
{
    return (poet_import_options){.t = 17, .h = 64, .w = 64, .fps = 8, .heldout = 0.1, .level = 6};
}

const char *poet_import_reason_name(poet_import_reason reason)
{
    static const char *const names[POET_IMPORT_REASONS] = {
        "bad line",     "bad caption",     "bad name",   "named twice",
        "file missing", "without caption", "bad folder", "broken"};
    return names[reason];
}

static poet_status check_options(const poet_import_options *o)
{
    if (o->t < 1 || o->t > 100000 || o->h < 1 || o->h > 4096 || o->w < 1 || o->w > 4096)
        return POET_FAIL(POET_ERR_ARG, "import: pieces of %d frames of %dx%d cannot be made", o->t,
                         o->w, o->h);
    if ((double)o->t * o->h * o->w * 3 > 1e9)
        return POET_FAIL(POET_ERR_ARG, "import: a piece of %d frames of %dx%d is larger than 1 GB",
                         o->t, o->w, o->h);
    if (!(o->fps >= 0 && o->fps <= 1000) || !(o->heldout >= 0 && o->heldout <= 1) || o->level < 1 ||
        o->level > 19)
        return POET_FAIL(POET_ERR_ARG,
                         "import: fps %g, held-out share %g or zstd level %d is out of "
                         "range",
                         o->fps, o->heldout, o->level);
    return POET_OK;
}

/* --- shards --- */

static poet_status write_shard(importer *im, const void *bytes, size_t count)
{
    POET_TRY(poet_output_write(im->shard, bytes, count));
    im->shard_crc = poet_crc32(im->shard_crc, bytes, count);
    im->shard_bytes += count;
    return POET_OK;
}

static poet_status begin_shard(importer *im)
{
    unsigned char head[POET_SHARD_HEAD];
    snprintf(im->shard_name, sizeof im->shard_name, "shard-%08x-%05zu.zst",
             (unsigned)im->manifest.request, im->manifest.shards);
    char *path = poet_path_join(im->out, im->shard_name);
    if (!path)
        return POET_ERR_NOMEM;
    poet_status status = poet_output_create(path, &im->shard);
    poet_free(path);
    POET_TRY(status);
    im->shard_bytes = im->shard_crc = 0;
    poet_shard_head(head);
    return write_shard(im, head, sizeof head);
}

static poet_status keep_shard(importer *im)
{
    poet_shard_entry entry = {im->shard_name, im->shard_bytes, im->shard_crc};
    POET_TRY(poet_output_commit(im->shard));
    return poet_manifest_add_shard(&im->manifest, &entry);
}

/* Ends the shard, if one is open, and notes how far the import is. A shard without clips is dropped,
 * so that nothing is left of an import that found none. */
static poet_status end_shard(importer *im)
{
    if (!im->shard)
        return POET_OK;
    poet_status status = im->shard_bytes > POET_SHARD_HEAD ? keep_shard(im) : POET_OK;
    poet_output_destroy(im->shard);
    im->shard = NULL;
    POET_TRY(status);
    return im->manifest.shards
               ? poet_import_write_manifest(im->out, POET_PARTIAL_NAME, &im->manifest)
               : POET_OK;
}

/* A place in the shard to which a broken file's pieces are taken back. */
typedef struct mark {
    uint64_t bytes;
    uint32_t crc;
    size_t clips;
} mark;

static poet_status take_back(importer *im, mark to)
{
    FILE *stream = poet_output_stream(im->shard);
    if (fflush(stream) != 0 || ftruncate(fileno(stream), (off_t)to.bytes) != 0 ||
        fseeko(stream, (off_t)to.bytes, SEEK_SET) != 0)
        return POET_FAIL(POET_ERR_IO, "%s/%s: cannot be shortened", im->out, im->shard_name);
    im->shard_bytes = to.bytes;
    im->shard_crc = to.crc;
    im->manifest.clips = to.clips;
    return POET_OK;
}

/* --- sources --- */

static poet_status store_piece(importer *im, const poet_import_item *item, int64_t start)
{
    size_t bytes = ZSTD_compressCCtx(im->zstd, im->packed, im->packed_room, im->pixels,
                                     im->pixel_bytes, im->options.level);
    if (ZSTD_isError(bytes))
        return POET_FAIL(POET_ERR_NOMEM, "zstd: %s", ZSTD_getErrorName(bytes));
    poet_clip_entry entry = {.shard = (int)im->manifest.shards,
                             .offset = im->shard_bytes,
                             .bytes = (uint32_t)bytes,
                             .crc = poet_crc32(0, im->packed, bytes),
                             .heldout = item->side == POET_SIDE_HELDOUT,
                             .start = start,
                             .file = item->file,
                             .source = item->source,
                             .caption = item->caption,
                             .attributes = item->attributes};
    POET_TRY(write_shard(im, im->packed, bytes));
    return poet_manifest_add_clip(&im->manifest, &entry);
}

/* Why a source was not stored whole. */
typedef enum outcome { STORED, BROKEN, STOPPED, FAILED } outcome;

static outcome cut_video(importer *im, const poet_import_item *item, poet_video *video)
{
    size_t frame_bytes = im->pixel_bytes / (size_t)im->options.t;
    int64_t pieces = 0;
    int filled = 0;
    for (bool got = true; got;) {
        uint8_t *frame = im->pixels + (size_t)filled * frame_bytes;
        if (poet_task_stopped(im->task))
            return STOPPED;
        if (poet_video_next(video, frame, &got) != POET_OK)
            return BROKEN;
        filled += got;
        if (filled == im->options.t) {
            if (store_piece(im, item, pieces++ * im->options.t) != POET_OK)
                return FAILED;
            filled = 0;
        }
    }
    if (pieces || !filled)
        return STORED;
    for (uint8_t *last = im->pixels + (size_t)(filled - 1) * frame_bytes; filled < im->options.t;
         filled++)
        memcpy(im->pixels + (size_t)filled * frame_bytes, last, frame_bytes);
    im->manifest.padded++;
    return store_piece(im, item, 0) == POET_OK ? STORED : FAILED;
}

static outcome read_source(importer *im, const poet_import_item *item, const char *path)
{
    const poet_import_options *o = &im->options;
    poet_video_options options = {
        .fps = o->fps, .width = o->w, .height = o->h, .fit = o->fit, .filter = o->filter};
    poet_video *video;
    if (poet_video_open(path, &options, &video) != POET_OK)
        return BROKEN;
    if (o->fps == 0 && im->manifest.clips == 0) /* clips play at the rate of the first */
        im->manifest.fps = poet_video_get_info(video)->fps;
    outcome result = cut_video(im, item, video);
    poet_video_close(video);
    return result;
}

static poet_status import_source(importer *im, const poet_import_item *item)
{
    if (!im->shard)
        POET_TRY(begin_shard(im));
    mark before = {im->shard_bytes, im->shard_crc, im->manifest.clips};
    char *path = poet_path_join(im->folder, item->file);
    outcome result = path ? read_source(im, item, path) : FAILED;
    poet_free(path);
    switch (result) {
    case STORED: break;
    case FAILED: return POET_FAIL(POET_ERR_IO, "%s", poet_error_message());
    case STOPPED: return take_back(im, before);
    case BROKEN:
        if (im->only)
            return POET_FAIL(POET_ERR_FORMAT, "%s", poet_error_message());
        poet_task_message(im->task, "%s; skipped", poet_error_message());
        im->manifest.broken++;
        POET_TRY(take_back(im, before));
    }
    im->manifest.sources_done++;
    return im->shard_bytes >= shard_limit ? end_shard(im) : POET_OK;
}

static poet_status import_sources(importer *im)
{
    while (im->manifest.sources_done < im->list.count) {
        POET_TRY(import_source(im, &im->list.item[im->manifest.sources_done]));
        if (poet_task_stopped(im->task)) {
            POET_TRY(end_shard(im));
            return POET_FAIL(POET_ERR_INTERRUPTED,
                             "import stopped after %llu of %zu files; the same command goes on",
                             (unsigned long long)im->manifest.sources_done, im->list.count);
        }
        poet_progress progress = {.what = "import",
                                  .done = (double)im->manifest.sources_done,
                                  .total = (double)im->list.count,
                                  .unit = "files"};
        poet_task_progress(im->task, &progress);
    }
    return end_shard(im);
}

/* --- requests --- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return poet_hash64(hash, text, strlen(text) + 1);
}

static uint64_t hash_stat(uint64_t hash, const struct stat *st)
{
    int64_t file[3] = {st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec};
    return poet_hash64(hash, file, sizeof file);
}

/* The sizes and times of a folder's files, in whatever order it has them. */
static uint64_t describe_folder(const char *path)
{
    uint64_t sum = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat st;
        if (fstatat(dirfd(folder), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            sum += hash_text(hash_stat(0, &st), entry->d_name);
    }
    if (folder)
        closedir(folder);
    return sum;
}

/* Of a file, or of the folder that a sequence's or a pattern's files are in. */
static uint64_t describe_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? describe_folder(path) : hash_stat(0, &st);
    char *folder = poet_path_folder(path);
    uint64_t hash = folder ? describe_folder(folder) : 0;
    poet_free(folder);
    return hash;
}

/* Everything that decides what will be stored: options, captions, sizes and times of the files. */
static poet_status hash_request(importer *im)
{
    const poet_import_options *o = &im->options;
    double options[] = {o->t, o->h, o->w, o->fps, (double)o->fit, (double)o->filter, o->level};
    uint64_t hash = poet_hash64(0, options, sizeof options);
    for (size_t i = 0; i < im->list.count; i++) {
        const poet_import_item *item = &im->list.item[i];
        char *path = poet_path_join(im->folder, item->file);
        if (!path)
            return POET_ERR_NOMEM;
        uint64_t file[2] = {describe_file(path), (uint64_t)item->side};
        poet_free(path);
        hash = poet_hash64(hash, file, sizeof file);
        hash = hash_text(hash_text(hash, item->file), item->caption);
        hash = hash_text(hash_text(hash, item->source), item->attributes);
    }
    im->manifest.request = hash;
    return POET_OK;
}

/* --- all of it --- */

static uint64_t count_skipped(const poet_import_report *report)
{
    uint64_t count = 0;
    for (int reason = 0; reason < POET_IMPORT_REASONS; reason++)
        count += report->skipped[reason];
    return count;
}

static poet_status prepare(importer *im)
{
    const poet_import_options *o = &im->options;
    im->pixel_bytes = (size_t)o->t * (size_t)o->h * (size_t)o->w * 3;
    im->packed_room = ZSTD_compressBound(im->pixel_bytes);
    im->pixels = poet_alloc(im->pixel_bytes);
    im->packed = poet_alloc(im->packed_room);
    im->zstd = ZSTD_createCCtx();
    if (!im->pixels || !im->packed || !im->zstd)
        return POET_FAIL(POET_ERR_NOMEM, "no memory for a piece of %d frames of %dx%d", o->t, o->w,
                         o->h);
    POET_TRY(poet_manifest_create(&im->manifest));
    im->manifest.t = o->t;
    im->manifest.h = o->h;
    im->manifest.w = o->w;
    im->manifest.fps = o->fps > 0 ? o->fps : poet_import_defaults().fps;
    poet_import_sink sink = {.folder = im->folder,
                             .only = im->only,
                             .uncaptioned = o->uncaptioned,
                             .task = im->task,
                             .report = im->report};
    POET_TRY(poet_import_list_read(&sink, o->heldout, &im->list));
    if (im->only && !im->list.count && count_skipped(im->report))
        return POET_FAIL(POET_ERR_FORMAT, "%s", poet_error_message());
    POET_TRY(hash_request(im));
    return poet_import_make_output(im->out, &im->out_there);
}

static void fill_report(const importer *im)
{
    const poet_manifest *m = &im->manifest;
    poet_import_report *report = im->report;
    report->sources = m->sources_done - m->broken;
    report->clips = m->clips;
    report->padded = m->padded;
    report->skipped[POET_IMPORT_BROKEN] += m->broken;
    for (size_t i = 0; i < m->clips; i++)
        report->heldout += m->clip[i].heldout;
    for (size_t i = 0; i < m->shards; i++)
        report->bytes += m->shard[i].bytes;
}

static poet_status run(importer *im)
{
    bool done, resumed;
    POET_TRY(prepare(im));
    POET_TRY(poet_import_resume(im->out, POET_MANIFEST_NAME, im->task, im->list.count,
                                &im->manifest, &done));
    if (done) {
        poet_task_info(im->task, "%s: holds these clips already", im->out);
        return POET_OK;
    }
    POET_TRY(poet_import_resume(im->out, POET_PARTIAL_NAME, im->task, im->list.count, &im->manifest,
                                &resumed));
    POET_TRY(import_sources(im));
    if (!im->manifest.clips)
        return POET_FAIL(POET_ERR_FORMAT, "%s: no %sclip in it can be used", im->what,
                         im->options.uncaptioned ? "" : "captioned ");
    return poet_import_publish(im->out, &im->manifest);
}

/* "" is the folder of a file or a pattern that is named without one. */
static poet_status find_folder(importer *im)
{
    const char *slash = strrchr(im->what, '/');
    im->folder = poet_strdup(im->what);
    if (!im->folder)
        return POET_ERR_NOMEM;
    if (poet_is_directory(im->what) ||
        (!poet_is_file(im->what) && !poet_video_is_sequence(im->what)))
        return POET_OK;
    im->only = slash ? slash + 1 : im->what;
    im->folder[slash == im->what ? 1 : im->only - im->what - (slash != NULL)] = 0;
    return POET_OK;
}

poet_status poet_import(const char *folder, const char *out, const poet_import_options *options,
                        const poet_task *task, poet_import_report *report)
{
    poet_import_report ignored;
    importer im = {.what = folder, .out = out, .out_there = SIZE_MAX, .task = task};
    im.options = options ? *options : poet_import_defaults();
    im.report = report ? report : &ignored;
    *im.report = (poet_import_report){0};
    POET_TRY(check_options(&im.options));
    poet_status status = find_folder(&im);
    if (!status)
        status = run(&im);
    if (im.manifest.arena)
        fill_report(&im);
    poet_output_destroy(im.shard);
    if (status && !im.manifest.shards)
        poet_import_remove_output(out, im.out_there);
    poet_manifest_destroy(&im.manifest);
    poet_import_list_free(&im.list);
    poet_free(im.pixels);
    poet_free(im.packed);
    poet_free(im.folder);
    ZSTD_freeCCtx(im.zstd);
    return status;
}
