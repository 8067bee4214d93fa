#include "cli/data_options.h"

#include <string.h>

poet_status cli_data_open(const char *spec, const cli_data *data, poet_dataset **out)
{
    poet_dataset_options synth = {.t = data->frames,
                                  .h = data->size.h,
                                  .w = data->size.w,
                                  .seed = data->seed,
                                  .train_clips = (uint64_t)data->clips,
                                  .heldout_clips = (uint64_t)data->heldout};
    bool built_in = strncmp(spec, "synth:", 6) == 0;
    return poet_dataset_open(spec, built_in ? &synth : NULL, out);
}
