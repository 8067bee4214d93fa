/* info: what this build and this machine can do, and what comes with a model. */
#include "cli/command.h"
#include "cli/model_card.h"
#include "cli/models.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/video.h"
#include "compute/backend.h"

#include <omp.h>

/* ---- the program ---- */

/* Those features that decide which kernels run. */
static json_t *processor(void)
{
    json_t *out = json_pack("{s:i}", "threads", omp_get_max_threads());
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    json_object_set_new(out, "avx2", json_boolean(__builtin_cpu_supports("avx2")));
    json_object_set_new(out, "fma", json_boolean(__builtin_cpu_supports("fma")));
    json_object_set_new(out, "avx512f", json_boolean(__builtin_cpu_supports("avx512f")));
    json_object_set_new(out, "avx512_bf16", json_boolean(__builtin_cpu_supports("avx512bf16")));
#endif
    return out;
}

static json_t *backends(void)
{
    const poet_backend *const all[] = {poet_backend_cpu(), poet_backend_ref()};
    json_t *out = json_array();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        json_array_append_new(
            out, json_pack("{s:s, s:s}", "name", all[i]->name, "description", all[i]->description));
    return out;
}

static json_t *video(void)
{
    return json_pack("{s:s, s:s?, s:s?}", "ffmpeg", poet_ffmpeg_version(), "mp4_encoder",
                     poet_video_encoder("mp4"), "webm_encoder", poet_video_encoder("webm"));
}

static poet_status add_model(void *opaque, const char *name, const char *path)
{
    json_array_append_new(opaque, json_pack("{s:s, s:s}", "name", name, "path", path));
    return POET_OK;
}

static poet_status describe_program(json_t **out)
{
    json_t *models = json_array();
    poet_status status = cli_model_list(add_model, models);
    if (status) {
        json_decref(models);
        return status;
    }
    *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "version", POET_VERSION, "compiler",
                     __VERSION__, "processor", processor(), "backends", backends(), "video",
                     video(), "models", models);
    return POET_OK;
}

/* ---- a model ---- */

static poet_status add_text(json_t *out, const char *folder, const cli_model_text *text)
{
    char *read;
    POET_TRY(cli_model_text_read(folder, text, &read));
    if (read)
        json_object_set_new(out, text->key, json_string(read));
    poet_free(read);
    return POET_OK;
}

static poet_status add_card(json_t *out, const char *folder, const char *name, const char *key)
{
    json_t *card = NULL;
    char *path = poet_path_join(folder, name);
    poet_status status = !path                ? POET_ERR_NOMEM
                         : poet_is_file(path) ? cli_model_card(path, false, &card)
                                              : POET_OK;
    if (card)
        json_object_set_new(out, key, card);
    poet_free(path);
    return status;
}

static poet_status describe_folder(json_t *out, const char *folder)
{
    POET_TRY(add_card(out, folder, "tokenizer.safetensors", "tokenizer"));
    POET_TRY(add_card(out, folder, "generator.safetensors", "generator"));
    for (int i = 0; i < CLI_MODEL_TEXTS; i++)
        POET_TRY(add_text(out, folder, &cli_model_texts[i]));
    return POET_OK;
}

static poet_status describe_model(const char *name, json_t **out)
{
    char *path;
    POET_TRY(cli_model_find(name, &path));
    poet_status status = POET_OK;
    json_t *card = NULL;
    *out = json_pack("{s:s}", "model", path);
    if (poet_is_directory(path))
        status = describe_folder(*out, path);
    else
        status = cli_model_card(path, false, &card);
    json_object_update(*out, card);
    json_decref(card);
    poet_free(path);
    if (status) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

poet_status cmd_info(cli_context *context, int argc, char **argv)
{
    const cli_spec spec = {
        .operands = "[MODEL]",
        .max_operands = 1,
        .description =
            "What this build and this machine can do: version, processor features, video\n"
            "encoders, and the models that are found by name: in the folder\n"
            "$POCKETPOET_MODELS, and those that came with the program. Of a model, by name or\n"
            "path: its configuration, size, credits and licence.",
        .examples = "info\ninfo sprites\ninfo --json",
        .json = true,
    };
    json_t *result = NULL;
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (context->n_operands)
        POET_TRY(describe_model(context->operands[0], &result));
    else
        POET_TRY(describe_program(&result));
    return cli_print_result(context->json, result);
}
