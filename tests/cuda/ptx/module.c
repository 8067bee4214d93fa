/* What is loaded, and who asks for it by name. */
#include "tests/cuda/ptx/machine_internal.h"

#include "base/file.h"
#include "base/memory.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SHARED = 48 << 10, MAX_TEXT = 64 << 20 };

static ptx_module *modules;
static int n_modules;

void ptx_unload(void)
{
    for (int i = 0; i < n_modules; i++)
        ptx_module_free(&modules[i]);
    poet_free(modules);
    modules = NULL;
    n_modules = 0;
    ptx_free_all();
}

static poet_status add_module(char *text)
{
    ptx_module m = {0};
    poet_status status = ptx_parse(text, &m);
    ptx_module *grown = status ? NULL : poet_realloc(modules, sizeof m * (size_t)(n_modules + 1));
    if (!grown) {
        ptx_module_free(&m);
        return status ? status : POET_ERR_NOMEM;
    }
    modules = grown;
    modules[n_modules++] = m;
    return POET_OK;
}

poet_status ptx_load_text(const char *text)
{
    char *copy = poet_strdup(text);
    return copy ? add_module(copy) : POET_ERR_NOMEM;
}

static poet_status load_file(const char *path)
{
    unsigned char *text;
    size_t size;
    POET_TRY(poet_file_read(path, MAX_TEXT, &text, &size));
    poet_status status = add_module((char *)text);
    return status ? poet_context(status, "%s", path) : POET_OK;
}

poet_status ptx_load(const char *folder)
{
    glob_t found = {0};
    poet_status status = POET_OK;
    char *pattern = poet_path_join(folder, "*.ptx");
    if (!pattern)
        return POET_ERR_NOMEM;
    ptx_unload();
    if (glob(pattern, 0, NULL, &found) != 0)
        status = POET_FAIL(POET_ERR_IO, "%s: there is no PTX", folder);
    for (size_t i = 0; i < found.gl_pathc && !status; i++)
        status = load_file(found.gl_pathv[i]);
    globfree(&found);
    poet_free(pattern);
    return status;
}

int ptx_target(void)
{
    return n_modules ? modules[n_modules - 1].target : 0;
}

/* ---- launches ---- */

static poet_status find_kernel(const char *name, ptx_kernel **out)
{
    for (int m = 0; m < n_modules; m++)
        for (int k = 0; k < modules[m].n_kernels; k++)
            if (strcmp(modules[m].kernel[k].name, name) == 0) {
                *out = &modules[m].kernel[k];
                return (*out)->decoded ? POET_OK : ptx_decode(&modules[m], *out);
            }
    return POET_FAIL(POET_ERR_ARG, "there is no kernel %s", name);
}

static poet_status check_sizes(const ptx_kernel *k, ptx_size grid, ptx_size block, size_t shared)
{
    uint64_t threads = (uint64_t)block.x * block.y * block.z;
    if (!threads || threads > PTX_THREADS || !grid.x || !grid.y || !grid.z || grid.y > UINT16_MAX ||
        grid.z > UINT16_MAX)
        return POET_FAIL(POET_ERR_ARG, "%s: a grid of (%u,%u,%u) blocks of (%u,%u,%u)", k->name,
                         grid.x, grid.y, grid.z, block.x, block.y, block.z);
    if (k->static_shared + shared > MAX_SHARED)
        return POET_FAIL(POET_ERR_ARG, "%s: %zu bytes of shared memory", k->name,
                         k->static_shared + shared);
    return POET_OK;
}

poet_status ptx_launch(const char *kernel, ptx_size grid, ptx_size block, size_t shared_bytes,
                       void *const *argument)
{
    ptx_kernel *k = NULL;
    POET_TRY(find_kernel(kernel, &k));
    POET_TRY(check_sizes(k, grid, block, shared_bytes));
    return ptx_run(k, grid, block, shared_bytes, argument);
}
