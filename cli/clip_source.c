#include "cli/clip_source.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/output.h"
#include "codec/tokfile.h"
#include "codec/video.h"
#include "datasets/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

poet_status cli_is_video_folder(const char *spec, bool *out)
{
    static const char *const names[] = {"manifest.json", "import.json"};
    *out = poet_is_directory(spec);
    for (int i = 0; i < 2 && *out; i++) {
        char *path = poet_path_join(spec, names[i]);
        if (!path)
            return POET_ERR_NOMEM;
        *out = !poet_is_file(path);
        poet_free(path);
    }
    return POET_OK;
}

static poet_status make_temporary(char **out)
{
    *out = poet_path_join(cli_temporary_folder(), "pocketpoet-XXXXXX");
    if (!*out)
        return POET_ERR_NOMEM;
    if (mkdtemp(*out))
        return POET_OK;
    poet_status status = POET_FAIL(POET_ERR_IO, "%s: cannot be created: %s", *out, strerror(errno));
    poet_free(*out);
    *out = NULL;
    return status;
}

static poet_status import_videos(const char *spec, const cli_data *data, double heldout,
                                 const poet_task *task, cli_clip_source *out)
{
    poet_import_options options = poet_import_defaults();
    options.t = data->frames;
    options.h = data->size.h;
    options.w = data->size.w;
    options.heldout = heldout;
    options.uncaptioned = true;
    options.level = 1; /* they are soon gone */
    out->videos = true;
    POET_TRY(make_temporary(&out->temporary));
    poet_status status = poet_import(spec, out->temporary, &options, task, NULL);
    if (status == POET_ERR_INTERRUPTED)
        return POET_FAIL(status, "stopped while the clips of %s were read", spec);
    POET_TRY(status);
    return poet_dataset_open(out->temporary, NULL, &out->dataset);
}

/* A folder of videos or PNG files, a file, or a pattern. */
static poet_status is_videos(const char *spec, bool *out)
{
    POET_TRY(cli_is_video_folder(spec, out));
    if (poet_is_file(spec))
        *out = !poet_tokfile_is(spec);
    else if (!poet_is_directory(spec))
        *out = poet_video_is_sequence(spec);
    return POET_OK;
}

poet_status cli_clip_source_open(const char *spec, const cli_data *data, double heldout,
                                 const poet_task *task, cli_clip_source *out)
{
    bool videos;
    *out = (cli_clip_source){0};
    POET_TRY(is_videos(spec, &videos));
    return videos ? import_videos(spec, data, heldout, task, out)
                  : cli_data_open(spec, data, &out->dataset);
}

void cli_clip_source_close(cli_clip_source *source)
{
    poet_dataset_close(source->dataset);
    if (source->temporary)
        poet_remove_directory(source->temporary);
    poet_free(source->temporary);
    *source = (cli_clip_source){0};
}
