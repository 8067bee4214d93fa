/* decode: a clip of a token file to a video. */
#include "base/memory.h"
#include "cli/device.h"
#include "cli/output.h"
#include "cli/video_options.h"
#include "codec/tokfile.h"
#include "codec/video.h"
#include "tokenizer/tokenizer.h"

typedef struct decode_run {
    const char *output, *model;
    int64_t index;
    int enlarge, crf;
    poet_device *device;
    poet_tokenizer *tokenizer;
    poet_tokfile *file;
} decode_run;

/* Frames that are written as they come. */
typedef struct frame_sink {
    poet_video_writer *writer;
    const poet_task *task;
    int64_t written, total;
} frame_sink;

static poet_status take_frames(void *opaque, const uint8_t *frames, int n)
{
    frame_sink *sink = opaque;
    POET_TRY(poet_video_add(sink->writer, frames, n));
    sink->written += n;
    return poet_task_advance(sink->task, "decode", sink->written, sink->total, "frames");
}

/* Tells what decoding takes, if the device has so much. */
static poet_status plan(const decode_run *run, const poet_task *task, const poet_grid *grid)
{
    char text[192];
    poet_memory memory;
    int patch = poet_tokenizer_get_config(run->tokenizer)->patch;
    const poet_clip shape = {
        .t = 1 + POET_PATCH_FRAMES * (grid->t - 1), .h = grid->h * patch, .w = grid->w * patch};
    POET_TRY(poet_tokenizer_plan_decoding(run->tokenizer, grid, &memory));
    memory.host += (size_t)poet_grid_codes(grid) * sizeof(int32_t) +
                   poet_video_write_bytes(run->output, &shape, run->enlarge);
    POET_TRY(poet_memory_check(run->device, &memory, memory.params + memory.buffers, "decode"));
    poet_task_info(task, "memory to decode: %s", poet_memory_text(&memory, text));
    return POET_OK;
}

static poet_status decode_clip(const decode_run *run, const poet_task *task, const int32_t *codes,
                               const poet_tokfile_clip *info)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->tokenizer);
    const poet_tokfile_header *header = poet_tokfile_get_header(run->file);
    poet_grid grid = {(int)info->t, (int)info->h, (int)info->w, (int)header->levels};
    char k[16], notice[POET_NOTICE_BYTES];
    snprintf(k, sizeof k, "%d", c->codes);
    const poet_video_tag tags[] = {
        {"codes", k}, {"tokenizer", run->model}, {"prompt", info->caption}};
    poet_write_options options = {.tags = tags,
                                  .tag_count = *info->caption ? 3 : 2,
                                  .enlarge = run->enlarge,
                                  .crf = run->crf};
    POET_TRY(plan(run, task, &grid));
    frame_sink sink = {.task = task, .total = 1 + POET_PATCH_FRAMES * (grid.t - 1)};
    POET_TRY(poet_video_create(run->output, grid.h * c->patch, grid.w * c->patch, header->fps,
                               &options, &sink.writer));
    poet_status status =
        poet_tokenizer_decode_stream(run->tokenizer, codes, &grid, take_frames, &sink);
    if (!status)
        status = poet_video_commit(sink.writer, notice);
    if (!status && *notice)
        fprintf(stderr, "pocketpoet: %s\n", notice);
    poet_video_destroy(sink.writer);
    return status;
}

static poet_status decode(cli_context *context, decode_run *run)
{
    uint64_t fingerprint;
    const char *path = context->operands[0];
    POET_TRY(poet_tokfile_open(path, &run->file));
    POET_TRY(poet_tokenizer_load(run->device, run->model, &run->tokenizer));
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
        status = decode_clip(run, &context->task, codes, &info);
    poet_free(codes);
    POET_TRY(status);
    return cli_print_result(context->json,
                            json_pack("{s:s, s:s}", "clip", run->output, "caption", info.caption));
}

poet_status cmd_decode(cli_context *context, int argc, char **argv)
{
    decode_run run = {0};
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &run.output, "FILE", NULL,
                   "MP4, MOV, WebM, GIF or PNG by extension"),
        CLI_PATH("tokenizer", 't', &run.model, "FILE", NULL, "the tokenizer's .safetensors file"),
        CLI_LONG("index", 'i', &run.index, 0, 1000000000, "N", "0", "which clip of the file"),
        CLI_INT("enlarge", 0, &run.enlarge, 1, 32, "N", "1", "pixels of a pixel, a side"),
        CLI_CRF(&run.crf),
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
    POET_TRY(cli_device_open(context, &run.device));
    poet_status status = decode(context, &run);
    poet_tokfile_close(run.file);
    poet_tokenizer_destroy(run.tokenizer);
    poet_device_close(run.device);
    return status;
}
