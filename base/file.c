#include "base/file.h"

#include "base/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static poet_status io_error(const char *path, const char *what)
{
    return POET_FAIL(POET_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* Without O_NONBLOCK a pipe that nobody writes to would be waited for before it is refused. */
static poet_status open_regular(const char *path, int *fd, size_t *size)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return io_error(path, "cannot be opened");
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return POET_FAIL(POET_ERR_IO, "%s: is not a regular file", path);
    }
    *size = (size_t)st.st_size;
    return POET_OK;
}

static poet_status read_all(int fd, const char *path, unsigned char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(path, "cannot be read");
        if (n == 0)
            return POET_FAIL(POET_ERR_IO, "%s: became shorter while it was read", path);
        done += (size_t)n;
    }
    return POET_OK;
}

poet_status poet_file_read(const char *path, size_t limit, unsigned char **bytes, size_t *size)
{
    int fd;
    *bytes = NULL;
    POET_TRY(open_regular(path, &fd, size));
    poet_status status = POET_OK;
    if (*size > limit) {
        status = POET_FAIL(POET_ERR_FORMAT, "%s: is %zu bytes long; at most %zu are expected", path,
                           *size, limit);
    } else {
        *bytes = poet_alloc(*size + 1);
        status = *bytes ? read_all(fd, path, *bytes, *size) : POET_ERR_NOMEM;
    }
    close(fd);
    if (status) {
        poet_free(*bytes);
        *bytes = NULL;
        return status;
    }
    (*bytes)[*size] = 0;
    return POET_OK;
}

/* ---- pipes and devices ---- */

enum { FIRST_ROOM = 1 << 16, WRITER_WAIT_MS = 1000 };

static void await_bytes(int fd, int timeout_ms)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    (void)poll(&wanted, 1, timeout_ms); /* read tells what is wrong */
}

/* Bytes that come next; 0 at the end. */
static poet_status read_some(int fd, const char *path, unsigned char *bytes, size_t room, size_t *n)
{
    ssize_t got;
    while ((got = read(fd, bytes, room)) < 0) {
        if (errno == EAGAIN)
            await_bytes(fd, -1);
        else if (errno != EINTR)
            return io_error(path, "cannot be read");
    }
    *n = (size_t)got;
    return POET_OK;
}

/* There is always room for a byte more than the limit, which shows that it is passed, or for the 0. */
static poet_status read_to_end(int fd, const char *path, size_t limit, unsigned char **bytes,
                               size_t *size)
{
    size_t room = 0, n = 0;
    *size = 0;
    await_bytes(fd, WRITER_WAIT_MS);
    do {
        if (*size == room) {
            room = room ? 2 * room : FIRST_ROOM;
            room = room < limit + 1 ? room : limit + 1;
            unsigned char *grown = poet_realloc(*bytes, room);
            if (!grown)
                return POET_ERR_NOMEM;
            *bytes = grown;
        }
        POET_TRY(read_some(fd, path, *bytes + *size, room - *size, &n));
        *size += n;
        if (*size > limit)
            return POET_FAIL(POET_ERR_FORMAT, "%s: has more than the %zu bytes that are expected",
                             path, limit);
    } while (n);
    (*bytes)[*size] = 0;
    return POET_OK;
}

poet_status poet_stream_read(const char *path, size_t limit, unsigned char **bytes, size_t *size)
{
    struct stat st;
    *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return io_error(path, "cannot be opened");
    bool known = fstat(fd, &st) == 0;
    poet_status status = POET_OK;
    if (known && S_ISREG(st.st_mode))
        status = poet_file_read(path, limit, bytes, size);
    else if (known && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        status = read_to_end(fd, path, limit, bytes, size);
    else
        status = POET_FAIL(POET_ERR_IO, "%s: is neither a file nor a pipe", path);
    close(fd);
    if (status) {
        poet_free(*bytes);
        *bytes = NULL;
    }
    return status;
}

poet_status poet_map_open(const char *path, poet_map *out)
{
    int fd;
    *out = (poet_map){0};
    POET_TRY(open_regular(path, &fd, &out->size));
    poet_status status = POET_OK;
    if (out->size) {
        void *memory = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (memory == MAP_FAILED)
            status = io_error(path, "cannot be mapped");
        else
            out->bytes = memory;
    }
    close(fd);
    return status;
}

void poet_map_close(poet_map *map)
{
    if (map && map->bytes)
        munmap((void *)(uintptr_t)map->bytes, map->size);
    if (map)
        *map = (poet_map){0};
}

struct poet_output {
    char *path, *temporary;
    FILE *stream;
    bool committed;
};

poet_status poet_output_create(const char *path, poet_output **out)
{
    *out = NULL;
    poet_output *o = poet_calloc(1, sizeof *o);
    size_t room = strlen(path) + 32;
    if (!o)
        return POET_ERR_NOMEM;
    o->path = poet_strdup(path);
    o->temporary = poet_alloc(room);
    if (!o->path || !o->temporary) {
        poet_output_destroy(o);
        return POET_ERR_NOMEM;
    }
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        poet_output_destroy(o);
        return POET_FAIL(POET_ERR_IO,
                         S_ISDIR(there.st_mode)
                             ? "%s: is a directory; a file name is wanted"
                             : "%s: is a device or a pipe, which a file would take the place of",
                         path);
    }
    snprintf(o->temporary, room, "%s.%ld.tmp", path, (long)getpid());
    o->stream = fopen(o->temporary, "wb");
    if (!o->stream) {
        poet_status status = io_error(path, "cannot be created");
        poet_free(o->temporary);
        o->temporary = NULL;
        poet_output_destroy(o);
        return status;
    }
    *out = o;
    return POET_OK;
}

FILE *poet_output_stream(poet_output *output)
{
    return output->stream;
}

const char *poet_output_path(const poet_output *output)
{
    return output->temporary;
}

poet_status poet_output_write(poet_output *output, const void *bytes, size_t count)
{
    if (fwrite(bytes, 1, count, output->stream) != count)
        return io_error(output->path, "cannot be written");
    return POET_OK;
}

/* Another library may have replaced the file behind the stream's back, so the sync goes by name. */
static bool sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL;
    return close(fd) == 0 && ok;
}

poet_status poet_output_commit(poet_output *output)
{
    FILE *stream = output->stream;
    output->stream = NULL;
    bool flushed = fflush(stream) == 0 && !ferror(stream);
    if (fclose(stream) != 0 || !flushed || !sync_file(output->temporary))
        return io_error(output->path, "cannot be written");
    if (rename(output->temporary, output->path) != 0)
        return io_error(output->path, "cannot be put in place");
    output->committed = true;
    return POET_OK;
}

void poet_output_destroy(poet_output *output)
{
    if (!output)
        return;
    if (output->stream)
        fclose(output->stream);
    if (output->temporary && !output->committed)
        unlink(output->temporary);
    poet_free(output->temporary);
    poet_free(output->path);
    poet_free(output);
}

/* The process of "NAME.PID.tmp"; 0 where a name is none of these. */
static pid_t writer_of(const char *file, const char *name)
{
    char *end;
    size_t length = strlen(name);
    if (strncmp(file, name, length) != 0 || file[length] != '.')
        return 0;
    long process = strtol(file + length + 1, &end, 10);
    return process > 0 && process <= INT_MAX && strcmp(end, ".tmp") == 0 ? (pid_t)process : 0;
}

void poet_output_clean(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = poet_path_folder(path);
    DIR *open = folder ? opendir(folder) : NULL;
    for (struct dirent *entry; open && (entry = readdir(open));) {
        pid_t process = writer_of(entry->d_name, name);
        if (process && kill(process, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(open), entry->d_name, 0);
    }
    if (open)
        closedir(open);
    poet_free(folder);
}

poet_status poet_make_directory(const char *path)
{
    char *copy = poet_strdup(path);
    if (!copy)
        return POET_ERR_NOMEM;
    poet_status status = POET_OK;
    for (char *p = copy; !status; p++) {
        char *slash = strchr(p, '/');
        p = slash ? slash : p + strlen(p);
        *p = 0;
        if (*copy && mkdir(copy, 0777) != 0 && errno != EEXIST)
            status = io_error(copy, "cannot be made a directory");
        if (!slash)
            break;
        *p = '/';
    }
    poet_free(copy);
    if (!status && !poet_is_directory(path))
        status = POET_FAIL(POET_ERR_IO, "%s: exists and is not a directory", path);
    return status;
}

poet_status poet_can_make_directory(const char *path)
{
    char *there = poet_strdup(path);
    size_t length = there ? strlen(there) : 0;
    if (!there)
        return POET_ERR_NOMEM;
    while (length && access(there, F_OK) != 0) {
        while (length && there[length - 1] != '/')
            length--;
        while (length && there[length - 1] == '/')
            length--;
        there[length] = 0;
    }
    const char *nearest = length ? there : path[0] == '/' ? "/" : ".";
    poet_status status = POET_OK;
    if (!poet_is_directory(nearest))
        status = POET_FAIL(POET_ERR_IO, "%s: exists and is not a directory", nearest);
    else if (access(nearest, W_OK | X_OK) != 0)
        status = io_error(path, "cannot be written");
    poet_free(there);
    return status;
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    (void)info;
    (void)flag;
    (void)walk;
    return remove(path);
}

void poet_remove_directory(const char *path)
{
    enum { OPEN_DIRECTORIES = 16 };

    nftw(path, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
}

static bool is_listed(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list;
}

/* Moves the entries of a directory into another, as far as that has none of the same name and it can be done. */
static void move_others(const char *from, const char *to, const char *const *own)
{
    DIR *open = opendir(from);
    for (struct dirent *entry; open && (entry = readdir(open));) {
        char *old = poet_path_join(from, entry->d_name);
        char *other = poet_path_join(to, entry->d_name);
        if (old && other && access(other, F_OK) != 0 && !is_listed(entry->d_name, own))
            (void)rename(old, other);
        poet_free(old);
        poet_free(other);
    }
    if (open)
        closedir(open);
}

poet_status poet_place_directory(const char *from, const char *to, const char *const *own)
{
    if (rename(from, to) == 0)
        return POET_OK;
    if ((errno != ENOTEMPTY && errno != EEXIST) ||
        renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) != 0)
        return io_error(to, "cannot be put in place");
    move_others(from, to, own);
    poet_remove_directory(from);
    return POET_OK;
}

bool poet_is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool poet_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *poet_path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    if (name[0] == '/' || length == 0 || strcmp(directory, ".") == 0)
        return poet_strdup(name);
    size_t room = length + strlen(name) + 2;
    char *joined = poet_alloc(room);
    if (joined)
        snprintf(joined, room, "%s%s%s", directory, directory[length - 1] == '/' ? "" : "/", name);
    return joined;
}

bool poet_path_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

char *poet_path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = poet_strdup(slash ? path : ".");
    if (folder && slash)
        folder[slash - path + 1] = 0;
    return folder;
}

void poet_path_extension(const char *path, char out[16])
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash + 1 : path, '.');
    out[0] = 0;
    if (!dot || strlen(dot + 1) >= 16)
        return;
    size_t n = strlen(dot + 1);
    for (size_t i = 0; i <= n; i++)
        out[i] = (char)tolower((unsigned char)dot[1 + i]);
}
