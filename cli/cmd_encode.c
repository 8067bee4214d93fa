/* encode: clips to token files. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/clip_source.h"
#include "cli/device.h"
#include "cli/output.h"
#include "cli/video_options.h"
#include "codec/tokfile.h"
#include "codec/video.h"
#include "tokenizer/tokenizer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const splits[] = {"train", "heldout-seen", "heldout-unseen", NULL};

typedef struct encode_run {
    const char *output, *model;
    int split, pictures, fit;
    int64_t limit;
    double fps;
    cli_size size;
    cli_data data;
    bool video;
    poet_device *device;
    poet_tokenizer *tokenizer;
    poet_tokfile_writer *writer;
} encode_run;

/* journal: what the clips depend on besides the tokenizer; NULL: the file is made in one go. */
static poet_status create_file(encode_run *run, double fps, const char *journal)
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
    return journal ? poet_tokfile_resume(run->output, &header, journal, &run->writer)
                   : poet_tokfile_create(run->output, &header, &run->writer);
}

/* Tells what encoding such clips takes, if the device has so much. host: of what the clips come from. */
static poet_status plan(const encode_run *run, const poet_task *task, const poet_grid *grid,
                        size_t host)
{
    char text[192];
    poet_memory memory;
    POET_TRY(poet_tokenizer_plan_encoding(run->tokenizer, grid, &memory));
    memory.host += host + (size_t)fmin((double)poet_grid_codes(grid), POET_TOKFILE_MAX_CODES) *
                              sizeof(int32_t);
    POET_TRY(poet_memory_check(run->device, &memory, memory.params + memory.buffers, "encode"));
    poet_task_info(task, "memory to encode: %s", poet_memory_text(&memory, text));
    return POET_OK;
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
    poet_free(codes);
    return status;
}

/* ---- a single video ---- */

/* A file, a pattern, or a folder of PNG files that is no dataset, nor what one is made from. */
static poet_status is_video(const char *input, bool *out)
{
    bool videos;
    POET_TRY(cli_is_video_folder(input, &videos));
    if (poet_is_directory(input))
        *out = videos && !poet_video_is_collection(input) && poet_video_is_sequence(input);
    else
        *out = poet_is_file(input) || poet_video_is_sequence(input);
    return POET_OK;
}

/* Frames that are encoded as they come, and their codes. */
typedef struct video_stream {
    const char *path;
    poet_video *video;
    const poet_task *task;
    double read, expected; /* frames; 0: not known */
    int32_t *codes;
    size_t count, room, each; /* codes, and those of one position */
    uint32_t positions, most; /* most: that a token file can hold */
} video_stream;

static double frames_of(uint32_t positions)
{
    return 1 + (double)(positions - 1) * POET_PATCH_FRAMES;
}

static poet_status next_frame(void *opaque, uint8_t *frame, bool *got)
{
    video_stream *s = opaque;
    if (poet_task_stopped(s->task))
        return POET_FAIL(POET_ERR_INTERRUPTED, "stopped after %.0f frames; nothing was written",
                         s->read);
    POET_TRY(poet_video_next(s->video, frame, got));
    s->read += *got;
    return POET_OK;
}

static poet_status take_codes(void *opaque, const int32_t *codes, int positions)
{
    video_stream *s = opaque;
    size_t count = (size_t)positions * s->each;
    if (s->positions + (uint32_t)positions > s->most)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "%s: has more than the %.0f frames of this size that a token file can "
                         "hold; encode it in parts, or with a smaller --size",
                         s->path, frames_of(s->most));
    if (s->count + count > s->room) {
        size_t room = 2 * s->room > s->count + count ? 2 * s->room : s->count + count;
        int32_t *grown = poet_realloc(s->codes, room * sizeof *grown);
        if (!grown)
            return POET_ERR_NOMEM;
        s->codes = grown;
        s->room = room;
    }
    memcpy(s->codes + s->count, codes, count * sizeof *codes);
    s->count += count;
    s->positions += (uint32_t)positions;
    poet_task_progress(
        s->task, &(poet_progress){
                     .what = "encode", .done = s->read, .total = s->expected, .unit = "frames"});
    return POET_OK;
}

/* Loses what does not fill a patch: up to three frames at the end and a few rows and columns. */
static poet_status open_video(const encode_run *run, const char *path, poet_video **out)
{
    poet_video_info info;
    int patch = poet_tokenizer_get_config(run->tokenizer)->patch;
    POET_TRY(poet_video_probe(path, &info));
    int w = run->size.w ? run->size.w : info.width, h = run->size.h ? run->size.h : info.height;
    poet_video_options options = {.fps = run->fps,
                                  .width = w / patch * patch,
                                  .height = h / patch * patch,
                                  .fit = (poet_fit)(run->fit < 0 ? POET_FIT_CROP : run->fit)};
    if (options.width < patch || options.height < patch)
        return POET_FAIL(POET_ERR_FORMAT, "%s: %dx%d pixels are smaller than one token of %dx%d",
                         path, w, h, patch, patch);
    return poet_video_open(path, &options, out);
}

/* What a decoder has of a video: about so many frames, of 8 or more bits. */
static size_t source_bytes(const poet_video_info *info)
{
    enum { SOURCE_FRAMES = 16 };

    return (size_t)SOURCE_FRAMES * (size_t)info->source_width * (size_t)info->source_height * 3;
}

static poet_status encode_stream(encode_run *run, video_stream *s)
{
    const poet_video_info *info = poet_video_get_info(s->video);
    const poet_tokenizer_config *c = poet_tokenizer_get_config(run->tokenizer);
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(c, 1, info->height, info->width, &grid));
    s->each = (size_t)poet_grid_codes(&grid);
    s->most =
        (uint32_t)fmin(POET_TOKFILE_MAX_SIDE, (double)POET_TOKFILE_MAX_CODES / (double)s->each);
    if (!s->most)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "%s: one frame of this size has more codes than a token file can hold",
                         s->path);
    s->expected = info->duration * info->fps;
    if (s->expected > frames_of(s->most))
        poet_task_message(s->task,
                          "%s: seems to have %.0f frames; a token file can hold %.0f of this size",
                          s->path, s->expected, frames_of(s->most));
    POET_TRY(create_file(run, info->fps, NULL));
    grid.t =
        s->expected > 0 ? (int)fmin(1 + s->expected / POET_PATCH_FRAMES, s->most) : (int)s->most;
    POET_TRY(plan(run, s->task, &grid, source_bytes(info)));
    POET_TRY(poet_tokenizer_encode_stream(run->tokenizer, info->height, info->width, next_frame,
                                          take_codes, s));
    const poet_tokfile_clip clip = {.t = s->positions,
                                    .h = (uint32_t)grid.h,
                                    .w = (uint32_t)grid.w,
                                    .caption = "",
                                    .source = s->path};
    return poet_tokfile_add(run->writer, &clip, (const uint32_t *)s->codes);
}

static poet_status encode_video(cli_context *context, encode_run *run)
{
    video_stream stream = {.path = context->operands[0], .task = &context->task};
    POET_TRY(open_video(run, stream.path, &stream.video));
    poet_status status = encode_stream(run, &stream);
    poet_free(stream.codes);
    poet_video_close(stream.video);
    return status;
}

/* ---- clips of a dataset ---- */

/* A split of a dataset, up to --count. */
typedef struct clip_list {
    poet_dataset *dataset;
    poet_split split;
    uint64_t count;
    int each; /* clips of the token file that come from one of the dataset */
} clip_list;

/* From the number `from` of what one clip of the dataset becomes: itself, or frames spread evenly over it, each as a clip of one
 * frame. */
static poet_status encode_example(encode_run *run, const clip_list *list,
                                  const poet_example *example, const char *source, int from)
{
    poet_clip part = example->clip;
    if (!run->pictures)
        return encode_clip(run, &part, example->caption, source);
    for (int i = from; i < list->each; i++) {
        int64_t frame = i * example->clip.t / list->each;
        part.t = 1;
        part.pixels = example->clip.pixels + frame * part.h * part.w * 3;
        POET_TRY(encode_clip(run, &part, example->caption, source));
    }
    return POET_OK;
}

static poet_status encode_listed(encode_run *run, const clip_list *list, uint64_t i, int from)
{
    poet_example example;
    char source[32];
    snprintf(source, sizeof source, "%s/%llu", splits[run->split], (unsigned long long)i);
    POET_TRY(poet_dataset_read(list->dataset, list->split, i, &example));
    poet_status status = encode_example(run, list, &example, source, from);
    poet_example_free(&example);
    return status;
}

/* From where a run that was ended has come to. */
static poet_status encode_list(const poet_task *task, encode_run *run, const clip_list *list)
{
    uint32_t there = poet_tokfile_written(run->writer), each = (uint32_t)list->each;
    int from = (int)(there % each);
    if (there)
        poet_task_info(task, "encode goes on behind %u of %llu clips", there,
                       (unsigned long long)list->count * each);
    for (uint64_t i = there / each; i < list->count; i++) {
        POET_TRY(encode_listed(run, list, i, from));
        POET_TRY(poet_task_advance(task, "encode", (int64_t)i + 1, (int64_t)list->count, "clips"));
        from = 0;
    }
    return POET_OK;
}

static poet_status open_file(encode_run *run, const clip_list *list)
{
    char journal[256];
    snprintf(journal, sizeof journal, "%llu clips of %s of the data %016llx, --pictures %d, on %s",
             (unsigned long long)list->count, splits[run->split],
             (unsigned long long)poet_dataset_fingerprint(list->dataset), run->pictures,
             run->device->backend->name);
    return create_file(run, poet_dataset_geometry(list->dataset).fps, journal);
}

static poet_status open_list(const cli_context *context, encode_run *run, clip_list *list)
{
    const char *data = context->operands[0];
    *list = (clip_list){.split = (poet_split)run->split, .each = 1};
    POET_TRY(cli_data_open(data, &run->data, &list->dataset));
    list->count = poet_dataset_count(list->dataset, list->split);
    if (run->limit && (uint64_t)run->limit < list->count)
        list->count = (uint64_t)run->limit;
    int frames = poet_dataset_geometry(list->dataset).t;
    if (run->pictures)
        list->each = run->pictures < frames ? run->pictures : frames;
    return list->count ? POET_OK
                       : POET_FAIL(POET_ERR_ARG, "%s: has no clips in the split %s", data,
                                   splits[run->split]);
}

/* The sentence also says what is kept of a run that came to an end before its time. */
static poet_status tell_kept(const encode_run *run, poet_status status)
{
    uint32_t kept = run->writer && !run->video ? poet_tokfile_written(run->writer) : 0;
    if (!status || !kept)
        return status;
    return POET_FAIL(status, "%s; %u clips are kept in %s%s, and the same command goes on",
                     poet_error_message(), kept, run->output, POET_TOKFILE_JOURNAL);
}

static poet_status plan_list(const poet_task *task, const encode_run *run, const clip_list *list)
{
    poet_grid grid;
    poet_clip shape = poet_dataset_geometry(list->dataset);
    POET_TRY(poet_tokenizer_grid(poet_tokenizer_get_config(run->tokenizer),
                                 run->pictures ? 1 : shape.t, shape.h, shape.w, &grid));
    return plan(run, task, &grid, (size_t)shape.t * (size_t)shape.h * (size_t)shape.w * 3);
}

static poet_status encode_dataset(cli_context *context, encode_run *run)
{
    clip_list list;
    poet_status status = open_list(context, run, &list);
    if (!status)
        status = open_file(run, &list);
    if (!status)
        status = plan_list(&context->task, run, &list);
    if (!status)
        status = encode_list(&context->task, run, &list);
    poet_dataset_close(list.dataset);
    return status;
}

static poet_status encode(cli_context *context, encode_run *run, poet_device *device)
{
    run->device = device;
    POET_TRY(poet_tokenizer_load(device, run->model, &run->tokenizer));
    poet_status status = run->video ? encode_video(context, run) : encode_dataset(context, run);
    if (!status)
        status = poet_tokfile_commit(run->writer);
    POET_TRY(tell_kept(run, status));
    return cli_print_result(context->json,
                            json_pack("{s:s, s:I}", "tokens", run->output, "clips",
                                      (json_int_t)poet_tokfile_written(run->writer)));
}

/* Whether an option's value is not its default; whether it was given with that is not known, nor of any effect. */
static bool is_changed(const cli_option *option)
{
    char text[24] = "";
    switch (option->type) {
    case CLI_TYPE_INT: snprintf(text, sizeof text, "%d", *option->target.whole); break;
    case CLI_TYPE_LONG: snprintf(text, sizeof text, "%" PRId64, *option->target.wide); break;
    case CLI_TYPE_SEED: snprintf(text, sizeof text, "%" PRIu64, *option->target.seed); break;
    case CLI_TYPE_CHOICE:
        snprintf(text, sizeof text, "%s", option->choices[*option->target.whole]);
        break;
    default: return false;
    }
    return strcmp(text, option->fallback) != 0;
}

/* A video would leave them out without a word. */
static poet_status check_video_options(const char *input, const cli_option *options)
{
    static const char *const of_datasets[] = {"split", "count",         "pictures", "frames",
                                              "clips", "heldout-clips", "data-seed"};
    for (const cli_option *o = options; o->type; o++)
        for (size_t i = 0; i < sizeof of_datasets / sizeof *of_datasets; i++)
            if (strcmp(o->name, of_datasets[i]) == 0 && is_changed(o))
                return POET_FAIL(POET_ERR_ARG, "--%s is for datasets, and %s is a video", o->name,
                                 input);
    return POET_OK;
}

/* Which of the two the input is, and that no option is for the other. */
static poet_status check_input(const cli_context *context, encode_run *run,
                               const cli_option *options)
{
    const char *input = context->operands[0];
    POET_TRY(is_video(input, &run->video));
    if (run->video)
        POET_TRY(check_video_options(input, options));
    if (!run->video && (run->fps > 0 || run->fit >= 0))
        return POET_FAIL(POET_ERR_ARG, "--fps and --fit are for a video, and %s is none", input);
    run->data.size = run->size.w ? run->size : (cli_size){64, 64};
    return POET_OK;
}

poet_status cmd_encode(cli_context *context, int argc, char **argv)
{
    encode_run run = {.fit = -1};
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &run.output, "FILE.ptok", NULL, "the token file to write"),
        CLI_PATH("tokenizer", 't', &run.model, "FILE", NULL, "the tokenizer's .safetensors file"),
        CLI_CHOICE("split", 0, &run.split, splits, "NAME", "train", "which clips of a dataset"),
        CLI_LONG("count", 'n', &run.limit, 0, 1000000000, "N", "0", "at most so many; 0: all"),
        CLI_INT(
            "pictures", 0, &run.pictures, 0, 1000000, "N", "0",
            "N frames of every clip instead, each as a clip of one frame: to train a generator on "
            "before clips; 0: clips"),
        CLI_DOUBLE("fps", 'r', &run.fps, 0, 240, "N", "0",
                   "frames per second that a video is resampled to; 0: its own"),
        CLI_SIZE("size", 0, &run.size, 4, 4096, NULL,
                 "of built-in clips, in pixels (default 64x64), or what a video is scaled to "
                 "(default: its own)"),
        CLI_CHOICE("fit", 0, &run.fit, cli_fits, "NAME", NULL,
                   "a video's frames of another shape (default crop)"),
        CLI_DATA_ROWS_BUT_SIZE(&run.data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA|VIDEO",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Turns clips into the codes of a tokenizer, in a token file.\n"
            "Ctrl-C keeps the clips of DATA that are done in FILE.ptok.partial; the same\n"
            "command goes on where it stopped, also after a crash.\n"
            "\n" CLI_DATA_HELP
            "A video file, a folder of PNG files or a pattern of them (walk/%03d.png)\n"
            "becomes a token file of one clip in one go, of up to 67 million codes: ten\n"
            "minutes of 640x360 pixels at 30 frames a second, with patches of 4 x 4.",
        .examples = "encode synth:shapes -t tokenizer.safetensors -o train.ptok\n"
                    "encode holiday.mov -t tok.safetensors -o holiday.ptok --size 160x90",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    POET_TRY(check_input(context, &run, options));
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
