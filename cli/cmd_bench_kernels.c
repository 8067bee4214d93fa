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

static void set_real(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, json_real(rounded(value)));
}

static void add_times(json_t *out, const poet_work_row *row)
{
    set_real(out, "ms", 1e3 * row->seconds);
    set_real(out, "gb_per_s", row->bytes / row->seconds / 1e9);
    set_real(out, "gflop_per_s", row->flops / row->seconds / 1e9);
    if (row->least > 0)
        set_real(out, "percent_of_peak", 100 * row->least / row->seconds);
}

static json_t *row_of(const poet_work_row *row)
{
    json_t *out = json_pack("{s:s, s:f}", "operation", poet_op_name(row->op), "calls", row->calls);
    if (*row->implementation)
        json_object_set_new(out, "implementation", json_string(row->implementation));
    set_real(out, "mb", row->bytes / 1e6);
    set_real(out, "mflop", row->flops / 1e6);
    if (row->peak > 0) {
        set_real(out, "peak_gflop_per_s", row->peak / 1e9);
        set_real(out, "least_ms", 1e3 * row->least);
    }
    if (row->seconds > 0)
        add_times(out, row);
    return out;
}

static void add_rows(const poet_work *work, json_t *out)
{
    double least = 0, calls = 0;
    json_t *rows = json_array();
    for (int i = 0; i < work->n; i++) {
        const poet_work_row *row = &work->rows[i];
        if (row->op == POET_OP_RESHAPE)
            continue;
        json_array_append_new(rows, row_of(row));
        least += row->least;
        calls += row->calls;
    }
    json_object_set_new(out, "kernels", rows);
    json_object_set_new(out, "calls", json_real(calls));
    if (least > 0)
        set_real(out, "least_seconds", least);
}

/* The second time: what is made once is made by then. */
static poet_status measure(poet_generator *generator, int streams, poet_work *work)
{
    poet_profile profile = {.work = *work};
    POET_TRY(write_clips(generator, streams));
    poet_generator_profile_writing(generator, &profile);
    poet_status status = write_clips(generator, streams);
    poet_generator_profile_writing(generator, NULL);
    *work = profile.work;
    return status;
}

static poet_status count_or_measure(const cli_kernels *options, const poet_device *device,
                                    poet_generator *generator, json_t *out)
{
    poet_sampling sampling = poet_sampling_defaults();
    poet_work work = {.bandwidth = options->gb * 1e9, .peak = options->gflops * 1e9};
    double bandwidth = work.bandwidth > 0 ? work.bandwidth : device->peak_bandwidth;
    poet_status status =
        options->count ? poet_generator_count_writing(generator, options->streams, &sampling, &work)
                       : measure(generator, options->streams, &work);
    if (bandwidth > 0)
        set_real(out, "peak_gb_per_s", bandwidth / 1e9);
    add_rows(&work, out);
    return status;
}

poet_status cli_bench_kernels(cli_context *context, const char *model, const cli_kernels *options,
                              json_t *out)
{
    cli_pair pair;
    poet_status status = cli_pair_open(context, model, &pair);
    if (!status)
        status = count_or_measure(options, pair.device, pair.generator, out);
    json_object_set_new(out, "streams", json_integer(options->streams));
    cli_pair_close(&pair);
    return status;
}
