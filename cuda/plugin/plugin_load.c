#include "cuda/plugin/plugin.h"

#include "base/file.h"
#include "cuda/plugin/entry_internal.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Relative to the program's folder. */
static const char *const places[] = {"", "../" POET_LIB_FOLDER "/pocketpoet/"};

enum { PLACES = sizeof places / sizeof *places, ROOM = PATH_MAX + 128 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const poet_backend *loaded;

/* The folder of the program, with a slash; "./" where the system does not say. */
static void program_folder(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (slash)
        slash[1] = 0;
    else
        snprintf(out, PATH_MAX, "./");
}

/* False: there is none. */
static bool find_file(char path[ROOM])
{
    char folder[PATH_MAX];
    program_folder(folder);
    for (int i = 0; i < PLACES; i++) {
        snprintf(path, ROOM, "%s%s" POET_CUDA_PLUGIN_FILE, folder, places[i]);
        if (poet_is_file(path))
            return true;
    }
    return false;
}

bool poet_cuda_is_installed(void)
{
    char path[ROOM];
    return find_file(path);
}

static bool is_of_this_build(const poet_cuda_plugin_entry *entry)
{
    const poet_cuda_plugin_entry own = POET_CUDA_PLUGIN_ENTRY(NULL);
    return strcmp(entry->version, own.version) == 0 && entry->ops == own.ops &&
           entry->backend_bytes == own.backend_bytes && entry->call_bytes == own.call_bytes &&
           entry->device_bytes == own.device_bytes && entry->attr_bytes == own.attr_bytes &&
           entry->tensor_bytes == own.tensor_bytes;
}

static poet_status load(void)
{
    char path[ROOM];
    if (!find_file(path))
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         POET_CUDA_PLUGIN_FILE ": is neither beside the program nor in "
                                               "../" POET_LIB_FOLDER "/pocketpoet");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return POET_FAIL(POET_ERR_UNSUPPORTED, "%s", dlerror());
    const poet_cuda_plugin_entry *entry = dlsym(library, POET_CUDA_PLUGIN_SYMBOL);
    if (!entry || !is_of_this_build(entry)) {
        dlclose(library);
        return POET_FAIL(POET_ERR_UNSUPPORTED, "%s: belongs to another build of the program", path);
    }
    loaded = entry->table();
    return POET_OK;
}

poet_status poet_cuda_load(const poet_backend **out)
{
    pthread_mutex_lock(&mutex);
    poet_status status = loaded ? POET_OK : load();
    *out = loaded;
    pthread_mutex_unlock(&mutex);
    return status;
}
