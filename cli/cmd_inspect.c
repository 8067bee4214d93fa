/* inspect: what a file is, by its contents, and what is in it. */
#include "cli/command.h"
#include "cli/model_card.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/video.h"

static poet_status inspect_model(const char *path, bool details, json_t **out)
{
    return cli_model_card(path, details, out);
}

static bool is_anything(const char *path)
{
    (void)path;
    return true;
}

/* Videos, pictures and folders of pictures. */
static poet_status inspect_video(const char *path, bool details, json_t **out)
{
    poet_video_info info;
    (void)details;
    POET_TRY(poet_video_probe(path, &info));
    *out = json_pack("{s:[i, i], s:I}", "size", info.source_width, info.source_height, "frames",
                     (json_int_t)info.source_frames);
    if (info.source_frames != 1) {
        json_object_set_new(*out, "fps", json_real(info.source_fps));
        json_object_set_new(*out, "seconds", json_real(info.duration));
    }
    return POET_OK;
}

typedef struct inspector {
    const char *kind;
    bool (*matches)(const char *path);
    poet_status (*inspect)(const char *path, bool details, json_t **out);
} inspector;

/* In order of trial. */
static const inspector inspectors[] = {
    {"model", cli_is_model_file, inspect_model},
    {"video or picture", is_anything, inspect_video},
};

static poet_status inspect(const char *path, bool details, json_t **out)
{
    const inspector *i = inspectors;
    json_t *inside = NULL;
    *out = NULL;
    while (!i->matches(path))
        i++;
    POET_TRY(i->inspect(path, details, &inside));
    *out = json_pack("{s:s, s:s}", "file", path, "kind", i->kind);
    json_object_update(*out, inside);
    json_decref(inside);
    return POET_OK;
}

poet_status cmd_inspect(cli_context *context, int argc, char **argv)
{
    bool details;
    const cli_option options[] = {
        CLI_FLAG("details", 'd', &details, "also list what may be long, such as a model's tensors"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "FILE",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Tells what a file is, by its contents, and what is in it: a model, a video,\n"
            "a picture, or a folder of pictures. The whole of a model is checked.",
        .examples = "inspect clip.mp4\n"
                    "inspect tokenizer.safetensors --details",
        .options = options,
        .json = true,
    };
    json_t *result;
    POET_TRY(cli_parse(context, &spec, argc, argv));
    POET_TRY(inspect(context->operands[0], details, &result));
    return cli_print_result(context->json, result);
}
