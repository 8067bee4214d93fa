/* The journal of a token file: what a run goes on from. */
#include "codec/tokfile_internal.h"

#include "base/bits.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { VERSION = 1, PREFIX = 16, MAX_RUN = 4096, CHECKSUM = 4 };

static const char magic[] = "\x89PTKJ\r\n\x1a";

struct poet_tokfile_journal {
    char *path;
    int file; /* -1: not open */
};

/* ---- the head ---- */

typedef struct head {
    unsigned char bytes[PREFIX + POET_TOKFILE_HEADER + MAX_RUN + CHECKSUM];
    size_t size;
} head;

static poet_status make_head(const char *path, const poet_tokfile_header *header, const char *run,
                             head *out)
{
    size_t length = strlen(run), checked = PREFIX + POET_TOKFILE_HEADER + length;
    if (length >= MAX_RUN)
        return POET_FAIL(POET_ERR_ARG, "%s: what the run is takes more than %d bytes to tell", path,
                         MAX_RUN);
    memcpy(out->bytes, magic, 8);
    poet_put_u32(out->bytes + 8, VERSION);
    poet_put_u32(out->bytes + 12, (uint32_t)length);
    poet_tokfile_put_header(header, out->bytes + PREFIX);
    memcpy(out->bytes + PREFIX + POET_TOKFILE_HEADER, run, length);
    poet_put_u32(out->bytes + checked, poet_crc32(0, out->bytes, checked));
    out->size = checked + CHECKSUM;
    return POET_OK;
}

/* That the file begins with a head, of whatever run; *length: of what tells the run. */
static poet_status check_head(const char *path, const poet_map *map, size_t *length)
{
    const unsigned char *b = map->bytes;
    if (map->size < PREFIX || memcmp(b, magic, 8) != 0)
        return POET_FAIL(POET_ERR_FORMAT,
                         "%s: is in the way of the journal that would be kept there; remove it, or "
                         "choose another name for the token file",
                         path);
    if (poet_get_u32(b + 8) != VERSION)
        return POET_FAIL(POET_ERR_FORMAT,
                         "%s: is a journal of version %u, and this program goes on with %d; remove "
                         "it to begin anew",
                         path, poet_get_u32(b + 8), VERSION);
    *length = poet_get_u32(b + 12);
    size_t checked = PREFIX + POET_TOKFILE_HEADER + *length;
    if (*length >= MAX_RUN || map->size < checked + CHECKSUM ||
        poet_crc32(0, b, checked) != poet_get_u32(b + checked))
        return POET_FAIL(POET_ERR_FORMAT,
                         "%s: the journal's head is damaged; remove it to begin anew", path);
    return POET_OK;
}

/* So much of what tells a run that a sentence has room for two. */
static int shown(size_t length)
{
    return length < 300 ? (int)length : 300;
}

/* That the head is the run's own. */
static poet_status compare_head(const char *path, const poet_map *map, const head *own)
{
    enum { FINGERPRINT = PREFIX + 36, RUN = PREFIX + POET_TOKFILE_HEADER };

    size_t length = 0;
    POET_TRY(check_head(path, map, &length));
    if (map->size >= own->size && memcmp(map->bytes, own->bytes, own->size) == 0)
        return POET_OK;
    uint64_t there = poet_get_u64(map->bytes + FINGERPRINT);
    uint64_t here = poet_get_u64(own->bytes + FINGERPRINT);
    if (there != here)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "%s: has clips in codes of the tokenizer %016llx, not of %016llx; remove "
                         "it to begin anew",
                         path, (unsigned long long)there, (unsigned long long)here);
    return POET_FAIL(
        POET_ERR_MISMATCH,
        "%s: was begun with %.*s, not %.*s; use the same options, or remove it to begin anew", path,
        shown(length), (const char *)map->bytes + RUN, shown(own->size - RUN - CHECKSUM),
        (const char *)own->bytes + RUN);
}

/* ---- records ---- */

static bool read_record(const unsigned char *at, const unsigned char *end, uint32_t levels,
                        uint64_t *offset, poet_tokfile_record *out)
{
    const unsigned char *frame = at;
    uint64_t next = *offset;
    if (!poet_tokfile_read_entry(&frame, end, levels, &next))
        return false;
    *out = (poet_tokfile_record){.entry = at,
                                 .frame = frame,
                                 .entry_bytes = (size_t)(frame - at),
                                 .frame_bytes = (size_t)(next - *offset)};
    *offset = next;
    size_t left = (size_t)(end - frame), bytes = out->entry_bytes + out->frame_bytes;
    return left >= CHECKSUM && out->frame_bytes <= left - CHECKSUM &&
           poet_crc32(0, at, bytes) == poet_get_u32(at + bytes);
}

poet_status poet_tokfile_journal_replay(const unsigned char *bytes, size_t size, uint32_t levels,
                                        poet_tokfile_take_fn take, void *opaque, size_t *end)
{
    uint64_t offset = POET_TOKFILE_HEADER;
    poet_tokfile_record record;
    *end = 0;
    while (read_record(bytes + *end, bytes + size, levels, &offset, &record)) {
        POET_TRY(take(opaque, &record));
        *end += record.entry_bytes + record.frame_bytes + CHECKSUM;
    }
    return POET_OK;
}

static poet_status write_error(const poet_tokfile_journal *j)
{
    return POET_FAIL(POET_ERR_IO, "%s: cannot be written: %s", j->path, strerror(errno));
}

static bool write_all(int file, const unsigned char *bytes, size_t count)
{
    while (count) {
        ssize_t n = write(file, bytes, count);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        count -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

poet_status poet_tokfile_journal_add(poet_tokfile_journal *journal,
                                     const poet_tokfile_record *record)
{
    unsigned char checksum[CHECKSUM];
    uint32_t crc = poet_crc32(0, record->entry, record->entry_bytes);
    poet_put_u32(checksum, poet_crc32(crc, record->frame, record->frame_bytes));
    if (write_all(journal->file, record->entry, record->entry_bytes) &&
        write_all(journal->file, record->frame, record->frame_bytes) &&
        write_all(journal->file, checksum, sizeof checksum))
        return POET_OK;
    return write_error(journal);
}

/* ---- the file ---- */

/* The head appears by rename: a journal has a whole one, or was damaged later. */
static poet_status begin(const char *path, const head *own)
{
    poet_output *output;
    POET_TRY(poet_output_create(path, &output));
    poet_status status = poet_output_write(output, own->bytes, own->size);
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    return status;
}

static poet_status open_locked(poet_tokfile_journal *j)
{
    j->file = open(j->path, O_RDWR | O_CLOEXEC | O_NONBLOCK); /* a pipe is not waited for */
    if (j->file < 0)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be opened: %s", j->path, strerror(errno));
    if (flock(j->file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return POET_FAIL(POET_ERR_IO, "%s: another process is writing it", j->path);
    return POET_OK; /* without locks where the file system has none */
}

static poet_status go_on(poet_tokfile_journal *j, const head *own, uint32_t levels,
                         poet_tokfile_take_fn take, void *opaque)
{
    poet_map map;
    size_t end = 0;
    POET_TRY(poet_map_open(j->path, &map));
    poet_status status = compare_head(j->path, &map, own);
    if (!status)
        status = poet_tokfile_journal_replay(map.bytes + own->size, map.size - own->size, levels,
                                             take, opaque, &end);
    poet_map_close(&map);
    POET_TRY(status);
    bool cut =
        ftruncate(j->file, (off_t)(own->size + end)) == 0 && lseek(j->file, 0, SEEK_END) >= 0;
    return cut ? POET_OK : write_error(j);
}

/* Between looking for a journal and having it locked no other process may begin one. The folder, locked; -1 where that cannot be. */
static int lock_folder(const char *path)
{
    char *folder = poet_path_folder(path);
    int file = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    poet_free(folder);
    if (file >= 0)
        flock(file, LOCK_EX);
    return file;
}

static poet_status open_journal(poet_tokfile_journal *j, const char *path, const head *own)
{
    size_t room = strlen(path) + sizeof POET_TOKFILE_JOURNAL;
    j->path = poet_alloc(room);
    if (!j->path)
        return POET_ERR_NOMEM;
    snprintf(j->path, room, "%s%s", path, POET_TOKFILE_JOURNAL);
    poet_output_clean(j->path);
    int folder = lock_folder(j->path);
    poet_status status = access(j->path, F_OK) != 0 ? begin(j->path, own) : POET_OK;
    if (!status)
        status = open_locked(j);
    if (folder >= 0)
        close(folder);
    return status;
}

poet_status poet_tokfile_journal_open(const char *path, const poet_tokfile_header *header,
                                      const char *run, poet_tokfile_take_fn take, void *opaque,
                                      poet_tokfile_journal **out)
{
    head own;
    *out = NULL;
    POET_TRY(make_head(path, header, run, &own));
    poet_tokfile_journal *j = poet_calloc(1, sizeof *j);
    if (!j)
        return POET_ERR_NOMEM;
    j->file = -1;
    poet_status status = open_journal(j, path, &own);
    if (!status)
        status = go_on(j, &own, header->levels, take, opaque);
    if (status) {
        poet_tokfile_journal_close(j, true);
        return status;
    }
    *out = j;
    return POET_OK;
}

/* Removed while it is locked: afterwards the name may be another process's. */
void poet_tokfile_journal_close(poet_tokfile_journal *journal, bool keep)
{
    if (!journal)
        return;
    if (!keep)
        unlink(journal->path);
    if (journal->file >= 0)
        close(journal->file);
    poet_free(journal->path);
    poet_free(journal);
}
