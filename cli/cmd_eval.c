/* eval: figures of a model on held-out clips. */
#include "cli/cmd_eval_internal.h"
#include "cli/models.h"
#include "cli/output.h"

#include "base/memory.h"
#include "eval/reconstruction.h"

#include <string.h>

static poet_status eval_tokenizer(cli_eval_run *run, json_t *out)
{
    poet_reconstruction r;
    poet_status status = poet_measure_reconstruction(
        run->pair.tokenizer, run->dataset, POET_SPLIT_SEEN, (uint64_t)run->clips, run->task, &r);
    if (status)
        return poet_context(status, "%s", run->spec);
    json_object_set_new(out, "psnr", json_real(r.psnr.mean));
    json_object_set_new(out, "psnr_interval", cli_interval(&r.psnr));
    json_object_set_new(out, "ssim", json_real(r.ssim.mean));
    json_object_set_new(out, "ssim_interval", cli_interval(&r.ssim));
    json_object_set_new(out, "clips", json_integer(r.psnr.n));
    json_object_set_new(out, "codes", json_integer(r.codes));
    json_object_set_new(out, "codes_used", json_integer(r.usage.used));
    json_object_set_new(out, "perplexity", json_real(r.usage.perplexity));
    return POET_OK;
}

/* ---- bits per clip ---- */

enum { SCORE_CHUNK = 16 };

static poet_status score_chunk(cli_eval_run *run, uint64_t first, int n, poet_mean *bits)
{
    const poet_grid *grid = &poet_generator_get_config(run->pair.generator)->grid;
    int64_t per_clip = poet_grid_codes(grid);
    poet_example examples[SCORE_CHUNK] = {{.caption = NULL}};
    const char *captions[SCORE_CHUNK];
    double values[SCORE_CHUNK];
    int32_t *codes = poet_alloc((size_t)n * (size_t)per_clip * sizeof *codes);
    poet_status status = codes ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i++) {
        poet_clip *clip = &examples[i].clip;
        status =
            poet_dataset_read(run->dataset, POET_SPLIT_SEEN, first + (uint64_t)i, &examples[i]);
        if (!status)
            status = poet_tokenizer_encode(run->pair.tokenizer, clip->pixels, clip->t, clip->h,
                                           clip->w, codes + i * per_clip);
        captions[i] = examples[i].caption;
    }
    if (!status)
        status = poet_generator_score(run->pair.generator, n, codes, captions, values);
    for (int i = 0; i < n; i++) {
        if (!status)
            poet_mean_add(bits, values[i]);
        poet_example_free(&examples[i]);
    }
    poet_free(codes);
    return status;
}

static poet_status eval_bits(cli_eval_run *run, json_t *out)
{
    poet_mean bits = {0};
    uint64_t count = poet_dataset_count(run->dataset, POET_SPLIT_SEEN);
    count = (uint64_t)run->clips < count ? (uint64_t)run->clips : count;
    poet_clip shape = poet_dataset_geometry(run->dataset);
    poet_grid own;
    POET_TRY(poet_tokenizer_grid(poet_tokenizer_get_config(run->pair.tokenizer), shape.t, shape.h,
                                 shape.w, &own));
    POET_TRY(cli_pair_check_grid(&run->pair, run->spec, &own));
    for (uint64_t i = 0; i < count; i += SCORE_CHUNK) {
        uint64_t left = count - i;
        POET_TRY(score_chunk(run, i, left < SCORE_CHUNK ? (int)left : SCORE_CHUNK, &bits));
        POET_TRY(poet_task_advance(run->task, "score", bits.n, (int64_t)count, "clips"));
    }
    json_object_set_new(out, "bits_per_clip", json_real(bits.mean));
    json_object_set_new(out, "bits_per_clip_interval", cli_interval(&bits));
    return POET_OK;
}

static poet_status eval(cli_context *context, cli_eval_run *run, json_t *out)
{
    run->spec = context->operands[0];
    run->task = &context->task;
    if (run->tokenizer)
        POET_TRY(cli_pair_open_tokenizer(context, run->tokenizer, &run->pair));
    else
        POET_TRY(cli_pair_open(context, run->model, &run->pair));
    POET_TRY(cli_data_open(run->spec, &run->data, &run->dataset));
    POET_TRY(cli_eval_open_reader(run));
    POET_TRY(cli_eval_open_features(run));
    json_object_set_new(out, "model", json_string(run->tokenizer ? run->tokenizer : run->model));
    json_object_set_new(out, "data", json_string(run->spec));
    POET_TRY(eval_tokenizer(run, out));
    if (run->pair.generator)
        POET_TRY(eval_bits(run, out));
    POET_TRY(cli_eval_captions(run, out));
    POET_TRY(cli_eval_distribution(run, out));
    return cli_eval_speed(run, out);
}

static const cli_command parts[] = {
    {"coverage", "whether a codebook is enough for clips", cmd_eval_coverage},
    {"sweep", "quality against codebook size, as a report", cmd_eval_sweep},
};

static poet_status eval_model(cli_context *context, int argc, char **argv)
{
    cli_eval_run run = {0};
    const cli_option options[] = {
        CLI_MODEL(&run.model),
        CLI_PATH("tokenizer", 't', &run.tokenizer, "FILE", NULL,
                 "a tokenizer alone, instead of a model: what no generator is needed for"),
        CLI_INT("count", 'n', &run.clips, 1, 1000000, "N", "256",
                "held-out clips for PSNR, SSIM, codes and bits"),
        CLI_INT("captions", 0, &run.captions, 0, 1000000, "N", "500",
                "clips to write: for captions of seen and of held-out combinations each "
                "(built-in sets), or for held-out captions (with --reader); 0: none"),
        CLI_PATH("reader", 'r', &run.reader_path, "FILE", NULL,
                 "what tells the attributes of a dataset's clips: made by train-reader"),
        CLI_TEXT("reader-attributes", 0, &run.reader_attributes, "LIST", NULL,
                 "those of the reader that must be right all together, e.g. subject,action; "
                 "without it, all"),
        CLI_INT("distribution", 0, &run.compared, 0, 1000000, "N", "0",
                "compare so many reconstructed and generated clips with held-out ones as sets: "
                "Fréchet distance, precision, recall, density, coverage of their features"),
        CLI_PATH("features", 0, &run.features_path, "FILE", NULL,
                 "a reader (train-reader) whose features these are; without it, those of a network "
                 "with random weights"),
        CLI_DOUBLE("speed", 0, &run.speed_seconds, 0, 3600, "SECONDS", "0",
                   "write clips one by one for so long, and take the time of training steps"),
        CLI_INT("batch", 'b', &run.batch, 1, 256, "N", "16", "clips written together"),
        CLI_FLOAT("guidance", 0, &run.sampling.guidance, 0, 100, "G", "1.5", "as for generate"),
        CLI_FLOAT("temperature", 0, &run.sampling.temperature, 0, 100, "T", "0.9",
                  "as for generate"),
        CLI_INT("top-k", 0, &run.sampling.top_k, 0, POET_MAX_CODES, "K", "0", "as for generate"),
        CLI_FLOAT("top-p", 0, &run.sampling.top_p, 0, 1, "P", "1", "as for generate"),
        CLI_INT("best-of", 0, &run.sampling.best_of, 1, POET_MAX_BEST_OF, "N", "1",
                "as for generate"),
        CLI_FLOAT("min-p", 0, &run.sampling.min_p, 0, 1, "P", "0", "as for generate"),
        CLI_SEED("seed", 's', &run.seed, "7", "of prompts and generated clips"),
        CLI_DATA_ROWS(&run.data),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "DATA",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Measures a model on held-out clips: reconstruction (PSNR, SSIM), use of the\n"
            "codebook, bits per clip, and for built-in sets, or with --reader, caption\n"
            "accuracy: a clip counts as right when every attribute that was asked for is\n"
            "found in it. The reader that finds them is judged first, on clips as they are\n"
            "and on reconstructions.\n"
            "\n"
            "'eval coverage' and 'eval sweep' are commands of their own: whether a codebook\n"
            "is enough for clips, and quality against codebook size.\n"
            "\n" CLI_DATA_HELP,
        .examples = "eval synth:shapes --model shapes --json\n"
                    "eval my-data --tokenizer tokenizer.safetensors\n"
                    "eval my-data --model ./model --reader reader.safetensors",
        .options = options,
        .json = true,
        .device = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    json_t *out = json_object();
    poet_status status = eval(context, &run, out);
    poet_classifier_destroy(run.features);
    poet_classifier_destroy(run.reader);
    poet_dataset_close(run.dataset);
    cli_pair_close(&run.pair);
    return cli_print_outcome(context->json, status, out);
}

poet_status cmd_eval(cli_context *context, int argc, char **argv)
{
    const cli_group group = {.table = parts, .n = sizeof parts / sizeof *parts};
    for (int i = 0; i < group.n && argc > 1; i++)
        if (strcmp(argv[1], parts[i].name) == 0)
            return cli_group_run(context, &group, argc, argv);
    return eval_model(context, argc, argv);
}
