/* info: what this build and this machine can do. */
#include "cli/command.h"
#include "cli/models.h"

#include <omp.h>
#include <stdio.h>

typedef struct cpu_feature {
    const char *name;
    bool present;
} cpu_feature;

/* Those that decide which kernels run. */
static int cpu_features(cpu_feature out[8])
{
    int n = 0;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    out[n++] = (cpu_feature){"avx2", __builtin_cpu_supports("avx2")};
    out[n++] = (cpu_feature){"fma", __builtin_cpu_supports("fma")};
    out[n++] = (cpu_feature){"avx512f", __builtin_cpu_supports("avx512f")};
    out[n++] = (cpu_feature){"avx512bf16", __builtin_cpu_supports("avx512bf16")};
#endif
    return n;
}

static poet_status add_model(void *opaque, const char *name, const char *path)
{
    json_t *models = opaque;
    json_array_append_new(models, json_pack("{s:s, s:s}", "name", name, "path", path));
    return POET_OK;
}

/* NULL when memory ran out. */
static json_t *describe(void)
{
    cpu_feature features[8];
    int n = cpu_features(features);
    json_t *cpu = json_object(), *models = json_array();
    for (int i = 0; i < n; i++)
        json_object_set_new(cpu, features[i].name, json_boolean(features[i].present));
    if (cli_model_list(add_model, models)) {
        json_decref(cpu);
        json_decref(models);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:i, s:o, s:o}", "version", POET_VERSION, "compiler", __VERSION__,
                     "threads", omp_get_max_threads(), "cpu", cpu, "models", models);
}

static void print_text(const json_t *info)
{
    const char *key;
    json_t *value;
    size_t i;
    printf("pocketpoet %s\n", json_string_value(json_object_get(info, "version")));
    printf("compiler   %s\n", json_string_value(json_object_get(info, "compiler")));
    printf("processor  %" JSON_INTEGER_FORMAT " threads:",
           json_integer_value(json_object_get(info, "threads")));
    json_object_foreach(json_object_get(info, "cpu"), key, value)
        printf(" %s%s", json_is_true(value) ? "" : "no-", key);
    printf("\nmodels    ");
    json_array_foreach(json_object_get(info, "models"), i, value)
        printf(" %s", json_string_value(json_object_get(value, "name")));
    putchar('\n');
}

poet_status cmd_info(cli_context *context, int argc, char **argv)
{
    const cli_spec spec = {
        .description = "What this build and this machine can do: version, processor features, and\n"
                       "the models that are found by name.",
        .examples = "info\ninfo --json",
        .json = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    json_t *info = describe();
    if (context->json || !info)
        return cli_print_json(info);
    print_text(info);
    json_decref(info);
    return POET_OK;
}
