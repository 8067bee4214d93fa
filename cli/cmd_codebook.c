/* codebook: its commands; and remap, which needs no model. */
#include "cli/cmd_codebook_internal.h"
#include "cli/output.h"

#include "base/memory.h"
#include "codec/tokfile.h"
#include "compute/backend.h"
#include "tokenizer/shrink.h"

static const cli_command commands[] = {
    {"shrink", "fewer codes, for a domain: tokenizer, generator, remap file", cmd_codebook_shrink},
    {"inspect", "how clips use the codes, and what the codes look like", cmd_codebook_inspect},
    {"recommend", "how many codes are enough for clips", cmd_codebook_recommend},
    {"remap", "a token file in the codes of a shrunk codebook", cmd_codebook_remap},
};

poet_status cmd_codebook(cli_context *context, int argc, char **argv)
{
    const cli_group group = {
        .description =
            "Works on the codebook of a trained model. 'codebook COMMAND --help' explains\n"
            "a command.",
        .examples = "codebook shrink synth:shapes --model shapes -k 256,128 -o small\n"
                    "codebook inspect synth:shapes --model shapes --picture codes.png\n"
                    "codebook recommend my-clips --model shapes",
        .table = commands,
        .n = sizeof commands / sizeof *commands,
    };
    return cli_group_run(context, &group, argc, argv);
}

/* ---- remap ---- */

typedef struct remap_run {
    const char *output, *map;
    poet_remap remap;
    poet_tokfile *file;
    poet_tokfile_writer *writer;
} remap_run;

static poet_status remap_clip(remap_run *run, size_t i)
{
    poet_tokfile_clip info = poet_tokfile_info(run->file, i);
    size_t count = poet_tokfile_code_count(run->file, i);
    int32_t *codes = poet_alloc(count * sizeof *codes);
    poet_status status =
        codes ? poet_tokfile_read(run->file, i, (uint32_t *)codes) : POET_ERR_NOMEM;
    if (!status) {
        poet_shrink_map_codes(&run->remap.map, codes, (int64_t)count / run->remap.map.levels,
                              codes);
        status = poet_tokfile_add(run->writer, &info, (const uint32_t *)codes);
    }
    poet_free(codes);
    return status;
}

static poet_status remap(cli_context *context, remap_run *run)
{
    const char *path = context->operands[0];
    POET_TRY(poet_remap_load(run->map, &run->remap));
    POET_TRY(poet_tokfile_open(path, &run->file));
    POET_TRY(poet_tokfile_check_fingerprint(run->file, run->remap.from));
    poet_tokfile_header header = *poet_tokfile_get_header(run->file);
    if ((int)header.codes != run->remap.map.codes || (int)header.levels != run->remap.map.levels)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: has %u codes on %u levels, the map %d on %d", path,
                         header.codes, header.levels, run->remap.map.codes, run->remap.map.levels);
    header.codes = (uint32_t)run->remap.map.kept;
    header.tokenizer = run->remap.to;
    POET_TRY(poet_tokfile_create(run->output, &header, &run->writer));
    size_t clips = poet_tokfile_count(run->file);
    for (size_t i = 0; i < clips; i++) {
        POET_TRY(remap_clip(run, i));
        poet_task_progress(&context->task, &(poet_progress){.what = "remap",
                                                            .done = (double)i + 1,
                                                            .total = (double)clips,
                                                            .unit = "clips"});
        if (poet_task_stopped(&context->task) && i + 1 < clips)
            return POET_FAIL(POET_ERR_INTERRUPTED,
                             "stopped after %zu clips; nothing was written to %s", i + 1,
                             run->output);
    }
    POET_TRY(poet_tokfile_commit(run->writer));
    return cli_print_result(context->json,
                            json_pack("{s:s, s:I, s:i}", "tokens", run->output, "clips",
                                      (json_int_t)clips, "codes", run->remap.map.kept));
}

poet_status cmd_codebook_remap(cli_context *context, int argc, char **argv)
{
    remap_run run = {0};
    const cli_option options[] = {
        CLI_PATH("map", 'm', &run.map, "FILE", NULL,
                 "the remap file that codebook shrink wrote beside the smaller tokenizer"),
        CLI_OUTPUT("output", 'o', &run.output, "FILE.ptok", NULL, "the token file to write"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "FILE.ptok",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Turns a token file into the codes of a shrunk codebook, without the videos.\n"
            "Encoding the clips anew is a little better: a patch then goes to the nearest\n"
            "of the new codes, not to the one that its old code became.",
        .examples = "codebook remap train.ptok -m small-64/remap.safetensors -o new.ptok",
        .options = options,
        .json = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    if (!run.map || !run.output)
        return POET_FAIL(POET_ERR_ARG, "codebook remap wants --map FILE and --output FILE.ptok");
    POET_TRY(cli_can_write(run.output, NULL));
    poet_status status = remap(context, &run);
    poet_tokfile_destroy(run.writer);
    poet_tokfile_close(run.file);
    poet_remap_free(&run.remap);
    return status;
}
