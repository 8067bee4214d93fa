/* import: a folder of captioned videos becomes a dataset. */
#include "cli/command.h"
#include "cli/output.h"
#include "cli/video_options.h"

#include "datasets/import.h"

static json_t *result_json(const char *folder, const poet_import_report *report)
{
    json_t *skipped = json_object();
    for (int r = 0; r < POET_IMPORT_REASONS; r++)
        if (report->skipped[r])
            json_object_set_new(skipped, poet_import_reason_name((poet_import_reason)r),
                                json_integer((json_int_t)report->skipped[r]));
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "dataset", folder, "videos",
                     (json_int_t)report->sources, "clips", (json_int_t)report->clips, "heldout",
                     (json_int_t)report->heldout, "padded", (json_int_t)report->padded, "moved",
                     (json_int_t)report->moved, "unknown_splits",
                     (json_int_t)report->unknown_splits, "bytes", (json_int_t)report->bytes,
                     "skipped", skipped);
}

typedef struct arguments {
    const char *folder;
    cli_size size;
    int fit, filter;
    poet_import_options options;
} arguments;

static poet_status parse(cli_context *context, arguments *a, int argc, char **argv)
{
    static const char *const filters[] = {"smooth", "nearest", NULL};
    a->options = poet_import_defaults();
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &a->folder, "FOLDER", NULL, "where the dataset goes (required)"),
        CLI_SIZE("size", 0, &a->size, 8, 4096, "64x64", "of the frames, in pixels"),
        CLI_INT("frames", 'f', &a->options.t, 1, 1025, "N", "17", "frames of a clip"),
        CLI_DOUBLE("fps", 'r', &a->options.fps, 0, 240, "N", "8",
                   "frames per second that videos are resampled to; 0: every frame is kept, and "
                   "the dataset has the rate of the first clip"),
        CLI_CHOICE("fit", 0, &a->fit, cli_fits, "NAME", "crop", "frames of another shape"),
        CLI_CHOICE("filter", 0, &a->filter, filters, "NAME", "smooth",
                   "scaling; nearest keeps the colours of pixel art"),
        CLI_DOUBLE("heldout", 0, &a->options.heldout, 0, 0.9, "X", "0.1",
                   "share of the videos to hold out of training, where no split is given"),
        CLI_FLAG("uncaptioned", 0, &a->options.uncaptioned,
                 "take videos without a caption too: enough for a tokenizer, not for a generator"),
        CLI_INT("level", 0, &a->options.level, 1, 19, "N", "6", "zstd: higher is smaller, slower"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "FOLDER|VIDEO",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Turns a folder of captioned videos into a dataset: decoded once, cut into clips\n"
            "of one size, compressed. In place of the folder there may be one video, with\n"
            "clip.txt beside it. Captions come from the first of these in the folder:\n"
            "  captions.jsonl   one object a line: {\"file\", \"caption\", \"split\", "
            "\"attributes\"}\n"
            "  captions.csv     a header line: file,caption,split\n"
            "  clip.txt         beside clip.mp4, or beside clip of any other kind\n"
            "A file in captions may also be a folder of PNG files, or walk/%03d.png.\n"
            "\n"
            "Files that can not be used are named, counted and left out. All clips of one\n"
            "video are on the same side of the split. After Ctrl-C the same command goes on.",
        .examples = "import my-clips -o data/mine\n"
                    "import sprites -o data/sprites --fit pad --filter nearest",
        .options = options,
        .json = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!a->folder)
        return POET_FAIL(POET_ERR_ARG, "import wants --output FOLDER");
    a->options.w = a->size.w;
    a->options.h = a->size.h;
    a->options.fit = (poet_fit)a->fit;
    a->options.filter = (poet_filter)a->filter;
    return POET_OK;
}

poet_status cmd_import(cli_context *context, int argc, char **argv)
{
    arguments a = {0};
    poet_import_report report;
    POET_TRY(parse(context, &a, argc, argv));
    poet_status status =
        poet_import(context->operands[0], a.folder, &a.options, &context->task, &report);
    POET_TRY(status);
    return cli_print_result(context->json, result_json(a.folder, &report));
}
