/* bench --only kernels: what each operation of writing has to do, how long that takes at least, and how long it took. */
#include "base/memory.h"
#include "cli/cmd_bench_internal.h"
#include "cli/pair.h"

#include <math.h>

/* Clips of one sentence, with the usual settings. */
static poet_status write_clips(poet_generator *generator, int n)
{
    int64_t per_clip = poet_grid_codes(&poet_generator_get_config(generator)->grid);
    poet_sampling sampling = poet_sampling_defaults();
    const char **prompts = poet_calloc((size_t)n, sizeof *prompts);
    uint64_t *seeds = poet_calloc((size_t)n, sizeof *seeds);
    int32_t *codes = poet_calloc((size_t)(n * per_clip), sizeof *codes);
    poet_status status = prompts && seeds && codes ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i++) {
        prompts[i] = "a small red circle moves left quickly";
        seeds[i] = (uint64_t)i;
    }
    if (!status)
        status = poet_generator_write(generator, n, prompts, seeds, &sampling, NULL, codes, NULL);
    poet_free(codes);
    poet_free(seeds);
    poet_free(prompts);
    return status;
}

static double rounded(double value)
{
    return round(value * 1000) / 1000;
}

static json_t *row_of(const poet_work *work, int op)
{
    json_t *row = json_pack("{s:s, s:f, s:f, s:f}", "operation", poet_op_name((poet_op)op), "calls",
                            work->calls[op], "mb", rounded(work->bytes[op] / 1e6), "mflop",
                            rounded(work->flops[op] / 1e6));
    if (work->peak > 0)
        json_object_set_new(row, "least_ms", json_real(rounded(1e3 * work->seconds[op])));
    return row;
}

/* Groups that are kept make calls fewer than were counted: speed is of what was done. */
static void add_times(json_t *row, const poet_profile *profile, const poet_work *work, int op)
{
    double seconds = profile->seconds[op];
    if (seconds <= 0)
        return;
    json_object_set_new(row, "ms", json_real(rounded(1e3 * seconds)));
    json_object_set_new(row, "gb_per_s", json_real(rounded(profile->bytes[op] / seconds / 1e9)));
    json_object_set_new(row, "gflop_per_s", json_real(rounded(profile->flops[op] / seconds / 1e9)));
    if (work->peak <= 0)
        return;
    double share = fmax(profile->bytes[op] / work->bandwidth, profile->flops[op] / work->peak);
    json_object_set_new(row, "percent_of_peak", json_real(rounded(100 * share / seconds)));
}

static void add_rows(const poet_work *work, const poet_profile *profile, json_t *out)
{
    double least = 0, calls = 0;
    json_t *rows = json_array();
    for (int op = 0; op < POET_OP_COUNT; op++) {
        if (work->calls[op] <= 0 || op == POET_OP_RESHAPE)
            continue;
        json_t *row = row_of(work, op);
        add_times(row, profile, work, op);
        json_array_append_new(rows, row);
        least += work->seconds[op];
        calls += work->calls[op];
    }
    json_object_set_new(out, "kernels", rows);
    json_object_set_new(out, "calls", json_real(calls));
    if (work->peak > 0)
        json_object_set_new(out, "least_seconds", json_real(least));
}

static poet_status measure(const cli_kernels *options, const poet_device *device,
                           poet_generator *generator, json_t *out)
{
    poet_sampling sampling = poet_sampling_defaults();
    poet_work work = {.bandwidth = options->gb > 0 ? options->gb * 1e9 : device->peak_bandwidth,
                      .peak = options->gflops > 0 ? options->gflops * 1e9 : device->peak_flops};
    poet_profile profile = {0};
    POET_TRY(poet_generator_count_writing(generator, options->streams, &sampling, &work));
    if (!options->count) {
        POET_TRY(write_clips(generator, options->streams)); /* what is made once is made now */
        poet_generator_profile_writing(generator, &profile);
        POET_TRY(write_clips(generator, options->streams));
        poet_generator_profile_writing(generator, NULL);
    }
    if (work.peak > 0) {
        json_object_set_new(out, "peak_gflop_per_s", json_real(rounded(work.peak / 1e9)));
        json_object_set_new(out, "peak_gb_per_s", json_real(rounded(work.bandwidth / 1e9)));
    }
    add_rows(&work, &profile, out);
    return POET_OK;
}

poet_status cli_bench_kernels(cli_context *context, const char *model, const cli_kernels *options,
                              json_t *out)
{
    cli_pair pair;
    poet_status status = cli_pair_open(context, model, &pair);
    if (!status)
        status = measure(options, pair.device, pair.generator, out);
    json_object_set_new(out, "streams", json_integer(options->streams));
    cli_pair_close(&pair);
    return status;
}
