/* encode and decode: clips to token files and back. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/data_options.h"
#include "cli/device.h"
#include "cli/output.h"
#include "codec/tokfile.h"
#include "codec/video.h"
#include "tokenizer/tokenizer.h"

#include <string.h>

static const char *const splits[] = {"train", "heldout-seen", "heldout-unseen", NULL};

typedef struct encode_run {
    const char *output, *model;
    int split, pictures;
    int64_t limit;
    cli_data data;
    poet_tokenizer *tokenizer;
    poet_tokfile_writer *writer;
    int64_t written;
} encode_run;

static poet_status create_file(encode_run *run, double fps)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->tokenizer);
    uint64_t fingerprint;
    POET_TRY(poet_tokenizer_fingerprint(run->tokenizer, &fingerprint));
    poet_tokfile_header header = {.codes = (uint32_t)c->codes,
                                  .levels = (uint32_t)c->levels,
                                  .patch_t = POET_PATCH_FRAMES,
                                  .patch_h = (uint32_t)c->patch,
                                  .patch_w = (uint32_t)c->patch,
                                  .fps = fps,
                                  .tokenizer = fingerprint};
    return poet_tokfile_create(run->output, &header, &run->writer);
}

static poet_status encode_clip(encode_run *run, const poet_clip *clip, const char *caption,
                               const char *source)
{
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(poet_tokenizer_get_config(run->tokenizer), clip->t, clip->h,
                                 clip->w, &grid));
    int32_t *codes = poet_alloc((size_t)poet_grid_codes(&grid) * sizeof *codes);
    if (!codes)
        return POET_ERR_NOMEM;
    poet_status status =
        poet_tokenizer_encode(run->tokenizer, clip->pixels, clip->t, clip->h, clip->w, codes);
    poet_tokfile_clip info = {.t = (uint32_t)grid.t,
                              .h = (uint32_t)grid.h,
                              .w = (uint32_t)grid.w,
                              .caption = caption,
                              .source = source};
    if (!status)
        status = poet_tokfile_add(run->writer, &info, (const uint32_t *)codes);
    run->written += !status;
    poet_free(codes);
    return status;
}

/* Frames spread evenly over a clip, each as a clip of one frame. */
static poet_status encode_pictures(encode_run *run, const poet_clip *clip, const char *caption,
                                   const char *source)
{
    int n = run->pictures < clip->t ? run->pictures : clip->t;
    for (int i = 0; i < n; i++) {
        poet_clip picture = *clip;
        picture.t = 1;
        picture.pixels += (int64_t)(i * clip->t / n) * clip->h * clip->w * 3;
        POET_TRY(encode_clip(run, &picture, caption, source));
    }
    return POET_OK;
}

/* A single video loses what does not fill a patch: up to three frames at its end and a few rows and columns. */
static poet_status encode_video(encode_run *run, const char *path)
{
    poet_clip clip;
    poet_video_info info;
    int patch = poet_tokenizer_get_config(run->tokenizer)->patch;
    POET_TRY(poet_video_probe(path, &info));
    poet_video_options options = {.width = info.width / patch * patch,
                                  .height = info.height / patch * patch,
                                  .fit = POET_FIT_CROP};
    if (options.width < patch || options.height < patch)
        return POET_FAIL(POET_ERR_FORMAT, "%s: %dx%d pixels are smaller than one token of %dx%d",
                         path, info.width, info.height, patch, patch);
    POET_TRY(poet_video_read(path, &options, &clip));
    clip.t -= (clip.t - 1) % POET_PATCH_FRAMES;
    poet_status status = create_file(run, clip.fps);
    if (!status)
        status = encode_clip(run, &clip, "", path);
    poet_clip_free(&clip);
    return status;
}

static poet_status encode_dataset(cli_context *context, encode_run *run)
{
    poet_dataset *dataset;
    poet_split split = (poet_split)run->split;
    POET_TRY(cli_data_open(context->operands[0], &run->data, &dataset));
    uint64_t count = poet_dataset_count(dataset, split);
    if (run->limit && (uint64_t)run->limit < count)
        count = (uint64_t)run->limit;
    poet_status status = count ? create_file(run, poet_dataset_geometry(dataset).fps)
                               : POET_FAIL(POET_ERR_ARG, "%s: has no clips in the split %s",
                                           context->operands[0], splits[run->split]);
    for (uint64_t i = 0; i < count && !status; i++) {
        poet_example example;
        char source[32];
        snprintf(source, sizeof source, "%s/%llu", splits[run->split], (unsigned long long)i);
        status = poet_dataset_read(dataset, split, i, &example);
        if (status)
            break;
        status = (run->pictures ? encode_pictures : encode_clip)(run, &example.clip,
                                                                 example.caption, source);
        poet_example_free(&example);
        poet_task_progress(&context->task, &(poet_progress){.what = "encode",
                                                            .done = (double)i + 1,
                                                            .total = (double)count,
                                                            .unit = "clips"});
        if (!status && i + 1 < count && poet_task_stopped(&context->task))
            status = POET_FAIL(POET_ERR_INTERRUPTED,
                               "stopped after %lld clips; nothing was written to %s",
                               (long long)run->written, run->output);
    }
    poet_dataset_close(dataset);
    return status;
}

static poet_status encode(cli_context *context, encode_run *run, poet_device *device)
{
    const char *input = context->operands[0];
    POET_TRY(poet_tokenizer_load(device, run->model, &run->tokenizer));
    POET_TRY(poet_is_file(input) ? encode_video(run, input) : encode_dataset(context, run));
    POET_TRY(poet_tokfile_commit(run->writer));
    return cli_print_result(context->json, json_pack("{s:s, s:I}", "tokens", run->output, "clips",
                                                     (json_int_t)run->written));
}

poet_status cmd_encode(cli_context *context, int argc, char **argv)
{
    encode_run run = {0};
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &run.output, "FILE.ptok", NULL, "the token file to write"),
        CLI_PATH("tokenizer", 't', &run.model, "FILE", NULL, "the tokenizer's .safetensors file"),
        CLI_CHOICE("split", 0, &run.split, splits, "NAME", "train", "which clips of a dataset"),
        CLI_LONG("count", 'n', &run.limit, 0, 1000000000, "N", "0", "at most so many; 0: all"),
        CLI_INT(
            "pictures", 0, &run.pictures, 0, 1000000, "N", "0",
            "N frames of every clip instead, each as a clip of one frame: to train a generator on "
            "before clips; 0: clips"),
        CLI_DATA_ROWS(&run.data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA|VIDEO",
        .min_operands = 1,
        .max_operands = 1,
        .description = "Turns clips into the codes of a tokenizer, in a token file.\n"
                       "\n" CLI_DATA_HELP "A video file becomes a token file of one clip.",
        .examples = "encode synth:shapes -t tokenizer.safetensors -o train.ptok\n"
                    "encode holiday.mov -t tokenizer.safetensors -o holiday.ptok",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (run.pictures && poet_is_file(context->operands[0]))
        return POET_FAIL(POET_ERR_ARG, "--pictures is for datasets, and %s is a file",
                         context->operands[0]);
    if (!run.output || !run.model)
        return POET_FAIL(POET_ERR_ARG, "encode wants --tokenizer FILE and --output FILE.ptok");
    POET_TRY(cli_can_write(run.output, NULL));
    poet_device *device;
    POET_TRY(cli_device_open(context, &device));
    poet_status status = encode(context, &run, device);
    poet_tokfile_destroy(run.writer);
    poet_tokenizer_destroy(run.tokenizer);
    poet_device_close(device);
    return status;
}

/* ---- decode ---- */

typedef struct decode_run {
    const char *output, *model;
    int64_t index;
    int enlarge;
    poet_tokenizer *tokenizer;
    poet_tokfile *file;
} decode_run;

static poet_status decode_clip(const decode_run *run, int32_t *codes, const poet_tokfile_clip *info)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->tokenizer);
    const poet_tokfile_header *header = poet_tokfile_get_header(run->file);
    poet_grid grid = {(int)info->t, (int)info->h, (int)info->w, (int)header->levels};
    poet_clip clip;
    poet_video_tag tags[] = {{"prompt", info->caption}};
    poet_write_options options = {
        .tags = tags, .tag_count = *info->caption ? 1 : 0, .enlarge = run->enlarge};
    char notice[POET_NOTICE_BYTES];
    POET_TRY(poet_clip_create(1 + POET_PATCH_FRAMES * (grid.t - 1), grid.h * c->patch,
                              grid.w * c->patch, header->fps, &clip));
    poet_status status = poet_tokenizer_decode(run->tokenizer, codes, &grid, clip.pixels);
    if (!status)
        status = poet_video_write(run->output, &clip, &options, notice);
    if (!status && *notice)
        fprintf(stderr, "pocketpoet: %s\n", notice);
    poet_clip_free(&clip);
    return status;
}

static poet_status decode(cli_context *context, decode_run *run, poet_device *device)
{
    uint64_t fingerprint;
    const char *path = context->operands[0];
    POET_TRY(poet_tokfile_open(path, &run->file));
    POET_TRY(poet_tokenizer_load(device, run->model, &run->tokenizer));
    POET_TRY(poet_tokenizer_fingerprint(run->tokenizer, &fingerprint));
    POET_TRY(poet_tokfile_check_fingerprint(run->file, fingerprint));
    if ((uint64_t)run->index >= poet_tokfile_count(run->file))
        return POET_FAIL(POET_ERR_ARG, "--index: %s has %zu clips, no number %lld", path,
                         poet_tokfile_count(run->file), (long long)run->index);
    size_t i = (size_t)run->index;
    poet_tokfile_clip info = poet_tokfile_info(run->file, i);
    int32_t *codes = poet_alloc(poet_tokfile_code_count(run->file, i) * sizeof *codes);
    poet_status status =
        codes ? poet_tokfile_read(run->file, i, (uint32_t *)codes) : POET_ERR_NOMEM;
    if (!status)
        status = decode_clip(run, codes, &info);
    poet_free(codes);
    POET_TRY(status);
    return cli_print_result(context->json,
                            json_pack("{s:s, s:s}", "clip", run->output, "caption", info.caption));
}

poet_status cmd_decode(cli_context *context, int argc, char **argv)
{
    decode_run run = {0};
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &run.output, "FILE", NULL, "MP4, WebM, GIF or PNG by extension"),
        CLI_PATH("tokenizer", 't', &run.model, "FILE", NULL, "the tokenizer's .safetensors file"),
        CLI_LONG("index", 'i', &run.index, 0, 1000000000, "N", "0", "which clip of the file"),
        CLI_INT("enlarge", 0, &run.enlarge, 1, 32, "N", "1", "pixels of a pixel, a side"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "FILE.ptok",
        .min_operands = 1,
        .max_operands = 1,
        .description = "Turns a clip of a token file into a video.",
        .examples = "decode holiday.ptok -t tokenizer.safetensors -o holiday.mp4",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!run.output || !run.model)
        return POET_FAIL(POET_ERR_ARG, "decode wants --tokenizer FILE and --output FILE");
    POET_TRY(poet_video_can_write(run.output));
    poet_device *device;
    POET_TRY(cli_device_open(context, &device));
    poet_status status = decode(context, &run, device);
    poet_tokfile_close(run.file);
    poet_tokenizer_destroy(run.tokenizer);
    poet_device_close(device);
    return status;
}
