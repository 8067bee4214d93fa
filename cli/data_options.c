#include "cli/data_options.h"

#include "base/file.h"
#include "base/memory.h"

#include <string.h>

static const char prefix[] = "synth:";

bool cli_data_is_built_in(const char *spec)
{
    return strncmp(spec, prefix, sizeof prefix - 1) == 0 && !strchr(spec, '+');
}

static poet_status open_one(const char *spec, const cli_data *data, poet_dataset **out)
{
    poet_dataset_options synth = {.t = data->frames,
                                  .h = data->size.h,
                                  .w = data->size.w,
                                  .seed = data->seed,
                                  .train_clips = (uint64_t)data->clips,
                                  .heldout_clips = (uint64_t)data->heldout};
    return poet_dataset_open(spec, cli_data_is_built_in(spec) ? &synth : NULL, out);
}

/* The text is cut at every plus. */
static poet_status open_sources(char *text, const cli_data *data, poet_dataset **source, int *n)
{
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, '+');
        if (next)
            *next++ = 0;
        if (*n == POET_MAX_SOURCES)
            return POET_FAIL(POET_ERR_ARG, "more than %d sets of clips are to be mixed",
                             POET_MAX_SOURCES);
        POET_TRY(open_one(at, data, &source[*n]));
        ++*n;
    }
    return POET_OK;
}

poet_status cli_data_open(const char *spec, const cli_data *data, poet_dataset **out)
{
    poet_dataset *source[POET_MAX_SOURCES];
    int n = 0;
    if (!strchr(spec, '+') || poet_is_directory(spec))
        return open_one(spec, data, out);
    char *text = poet_strdup(spec);
    poet_status status = text ? open_sources(text, data, source, &n) : POET_ERR_NOMEM;
    poet_free(text);
    if (!status) {
        status = poet_dataset_mix(source, n, out);
        return status ? poet_context(status, "%s", spec) : POET_OK;
    }
    while (n > 0)
        poet_dataset_close(source[--n]);
    return status;
}
