/* inspect: what a file is, by its contents, and what is in it. */
#include "cli/command.h"
#include "cli/model_card.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/tokfile.h"
#include "codec/video.h"
#include "datasets/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct request {
    const char *path;
    bool details;
    const poet_task *task;
} request;

static poet_status inspect_model(const request *r, json_t **out)
{
    return cli_model_card(r->path, r->details, out);
}

/* ---- token files ---- */

static json_t *token_rows(const poet_tokfile *file)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < poet_tokfile_count(file); i++) {
        poet_tokfile_clip clip = poet_tokfile_info(file, i);
        json_array_append_new(rows, json_pack("{s:[I, I, I], s:s, s:s}", "grid", (json_int_t)clip.t,
                                              (json_int_t)clip.h, (json_int_t)clip.w, "source",
                                              clip.source, "caption", clip.caption));
    }
    return rows;
}

/* Opening has checked everything but the clips. */
static poet_status check_clips(const poet_tokfile *file)
{
    poet_status status = POET_OK;
    for (size_t i = 0; i < poet_tokfile_count(file) && !status; i++) {
        uint32_t *codes = poet_alloc(poet_tokfile_code_count(file, i) * sizeof *codes);
        status = codes ? poet_tokfile_read(file, i, codes) : POET_ERR_NOMEM;
        poet_free(codes);
    }
    return status;
}

static poet_status inspect_tokens(const request *r, json_t **out)
{
    poet_tokfile *file;
    POET_TRY(poet_tokfile_open(r->path, &file));
    poet_status status = r->details ? check_clips(file) : POET_OK;
    if (status) {
        poet_tokfile_close(file);
        return status;
    }
    const poet_tokfile_header *header = poet_tokfile_get_header(file);
    size_t tokens = 0, clips = poet_tokfile_count(file);
    char fingerprint[17];
    for (size_t i = 0; i < clips; i++)
        tokens += poet_tokfile_code_count(file, i);
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, header->tokenizer);
    *out = json_pack("{s:I, s:I, s:[I, I, I], s:f, s:s, s:I}", "codes", (json_int_t)header->codes,
                     "levels", (json_int_t)header->levels, "patch", (json_int_t)header->patch_t,
                     (json_int_t)header->patch_h, (json_int_t)header->patch_w, "fps", header->fps,
                     "tokenizer", fingerprint, "tokens", (json_int_t)tokens);
    json_object_set_new(*out, "clips",
                        r->details ? token_rows(file) : json_integer((json_int_t)clips));
    poet_tokfile_close(file);
    return POET_OK;
}

/* ---- datasets ---- */

/* Clips that wait to be imported are told to be that. */
static bool is_dataset(const char *path)
{
    char *manifest = poet_path_join(path, "manifest.json");
    bool found = (manifest && poet_is_file(manifest)) || poet_video_is_collection(path);
    poet_free(manifest);
    return found;
}

static poet_status inspect_dataset(const request *r, json_t **out)
{
    poet_dataset *data;
    POET_TRY(poet_dataset_open(r->path, NULL, &data));
    poet_status status = r->details ? poet_dataset_verify(data, r->task) : POET_OK;
    poet_clip clip = poet_dataset_geometry(data);
    *out = json_pack("{s:[i, i], s:i, s:f}", "size", clip.w, clip.h, "frames", clip.t, "fps",
                     clip.fps);
    for (int s = 0; s < POET_SPLITS; s++)
        json_object_set_new(*out, poet_split_name((poet_split)s),
                            json_integer((json_int_t)poet_dataset_count(data, (poet_split)s)));
    poet_dataset_close(data);
    if (status) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

/* ---- everything else ---- */

static bool is_anything(const char *path)
{
    (void)path;
    return true;
}

/* The file's texts; those that are not UTF-8 cannot be shown. */
static poet_status add_tags(const char *path, json_t *out)
{
    poet_tags tags;
    POET_TRY(poet_tags_read(path, &tags));
    json_t *texts = json_object();
    for (int i = 0; i < tags.count; i++)
        json_object_set_new(texts, tags.tag[i].key, json_string(tags.tag[i].value));
    if (json_object_size(texts))
        json_object_set(out, "tags", texts);
    json_decref(texts);
    poet_tags_free(&tags);
    return POET_OK;
}

/* Videos, pictures and folders of pictures. */
static poet_status inspect_video(const request *r, json_t **out)
{
    poet_video_info info;
    POET_TRY(poet_video_probe(r->path, &info));
    *out = json_pack("{s:[i, i]}", "size", info.source_width, info.source_height);
    if (info.source_frames > 0) /* not every file tells */
        json_object_set_new(*out, "frames", json_integer((json_int_t)info.source_frames));
    if (info.source_frames > 1) {
        json_object_set_new(*out, "fps", json_real(info.source_fps));
        json_object_set_new(*out, "seconds", json_real(info.duration));
    }
    poet_status status = poet_is_file(r->path) ? add_tags(r->path, *out) : POET_OK;
    if (status)
        json_decref(*out);
    return status;
}

typedef struct inspector {
    const char *kind;
    bool (*matches)(const char *path);
    poet_status (*inspect)(const request *r, json_t **out);
} inspector;

/* In order of trial. */
static const inspector inspectors[] = {
    {"dataset", is_dataset, inspect_dataset},
    {"model", cli_is_model_file, inspect_model},
    {"token file", poet_tokfile_is, inspect_tokens},
    {"video or picture", is_anything, inspect_video},
};

static poet_status inspect(const request *r, json_t **out)
{
    const inspector *i = inspectors;
    json_t *inside = NULL;
    *out = NULL;
    while (!i->matches(r->path))
        i++;
    POET_TRY(i->inspect(r, &inside));
    *out = json_pack("{s:s, s:s}", "file", r->path, "kind", i->kind);
    json_object_update(*out, inside);
    json_decref(inside);
    return POET_OK;
}

poet_status cmd_inspect(cli_context *context, int argc, char **argv)
{
    bool details;
    const cli_option options[] = {
        CLI_FLAG("details", 'd', &details,
                 "list a model's tensors or a token file's clips; check all of a token file or "
                 "a dataset"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "FILE",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Tells what a file is, by its contents, and what is in it: a model, a token file,\n"
            "a dataset, a video, a picture, or a folder of pictures. The whole of a model is\n"
            "checked. Videos and pictures show their texts: those that generate writes are\n"
            "prompt, seed, model and codes.",
        .examples = "inspect clip.mp4\n"
                    "inspect tokenizer.safetensors --details\n"
                    "inspect data/mine --details",
        .options = options,
        .json = true,
    };
    json_t *result;
    POET_TRY(cli_parse(context, &spec, argc, argv));
    const request r = {context->operands[0], details, &context->task};
    POET_TRY(inspect(&r, &result));
    return cli_print_result(context->json, result);
}
