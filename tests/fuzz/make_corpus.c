/* make_corpus FOLDER: small valid files for the fuzz targets to begin with, in FOLDER/TARGET/. Those in
 * tests/fuzz/corpus were made by it; do so again when a format changes. */
#include "base/file.h"
#include "base/memory.h"
#include "codec/png.h"
#include "codec/tokfile.h"
#include "compute/backend.h"
#include "compute/checkpoint.h"
#include "eval/coverage_reference.h"
#include "generator/generator.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *root;

static const char *place(const char *target, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, target);
    FUZZ_CHECK(poet_make_directory(path) == POET_OK);
    snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    return path;
}

static void write_text(const char *target, const char *name, const char *text)
{
    FILE *file = fopen(place(target, name), "wb");
    FUZZ_CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void make_tokens(const char *name, uint32_t codes, uint32_t levels, int clips)
{
    const poet_tokfile_header header = {codes, levels, 4, 8, 8, 8, 0x0123456789abcdef};
    const poet_tokfile_clip clip = {2, 2, 3, "a red circle", "a.mp4"};
    uint32_t code[2 * 2 * 3 * 2];
    poet_tokfile_writer *writer;
    for (uint32_t i = 0; i < sizeof code / sizeof *code; i++)
        code[i] = i * 7 % codes;
    FUZZ_CHECK(poet_tokfile_create(place("tokfile", name), &header, &writer) == POET_OK);
    for (int i = 0; i < clips; i++)
        FUZZ_CHECK(poet_tokfile_add(writer, &clip, code) == POET_OK);
    FUZZ_CHECK(poet_tokfile_commit(writer) == POET_OK);
    poet_tokfile_destroy(writer);
}

/* The number of levels less one, and the records of a journal: what is behind the head, of 16 + 48 bytes, "run" and a checksum. */
static void make_journal(void)
{
    enum { HEAD = 16 + 48 + 3 + 4 };

    const poet_tokfile_header header = {1024, 2, 4, 8, 8, 8, 0x0123456789abcdef};
    const poet_tokfile_clip clip = {1, 2, 2, "a red circle", "train/0"};
    const uint32_t code[] = {1, 2, 3, 4, 5, 6, 7, 8};
    poet_tokfile_writer *writer;
    unsigned char *bytes;
    size_t size;
    FUZZ_CHECK(poet_tokfile_resume(place("journal", "two"), &header, "run", &writer) == POET_OK);
    for (int i = 0; i < 2; i++)
        FUZZ_CHECK(poet_tokfile_add(writer, &clip, code) == POET_OK);
    poet_tokfile_destroy(writer);
    const char *kept = place("journal", "two" POET_TOKFILE_JOURNAL);
    FUZZ_CHECK(poet_file_read(kept, 1 << 16, &bytes, &size) == POET_OK && remove(kept) == 0);
    FILE *file = fopen(place("journal", "two"), "wb");
    FUZZ_CHECK(file && fputc((int)header.levels - 1, file) == 1);
    FUZZ_CHECK(fwrite(bytes + HEAD, 1, size - HEAD, file) == size - HEAD && fclose(file) == 0);
    poet_free(bytes);
}

static void make_checkpoint(const char *name, bool bf16, bool moments)
{
    const poet_pair pairs[] = {{"generator.config", "{}"}, {"train.step", "7"}};
    const poet_save_options options = {moments, bf16, pairs, 2};
    const poet_shape matrix = {.ndim = 2, .dim = {2, 3}}, vector = {.ndim = 1, .dim = {4}};
    poet_device *device;
    poet_params *params;
    int index;
    FUZZ_CHECK(poet_device_open(poet_backend_ref(), 0, 1, &device) == POET_OK);
    FUZZ_CHECK(poet_params_create(device, 1, &params) == POET_OK);
    FUZZ_CHECK(poet_params_get(params, "w", POET_PARAM, POET_F32, &matrix, POET_NORMAL(1),
                               &index) == POET_OK);
    FUZZ_CHECK(poet_params_get(params, "codebook", POET_BUFFER, POET_F32, &vector, POET_ONES,
                               &index) == POET_OK);
    FUZZ_CHECK(poet_params_get(params, "w.m", POET_MOMENT, POET_F32, &matrix, POET_ZEROS, &index) ==
               POET_OK);
    FUZZ_CHECK(poet_checkpoint_save(place("checkpoint", name), params, &options) == POET_OK);
    poet_params_destroy(params);
    poet_device_close(device);
}

static void make_captions(void)
{
    write_text("captions", "lines",
               "{\"file\": \"a.mp4\", \"caption\": \" a  red\\tcircle \", \"split\": \"train\", "
               "\"attributes\": {\"source\": \"s\", \"n\": 1}}\n"
               "not json\n"
               "{\"file\": \"b.mp4\", \"caption\": \"\\u00e4\", \"split\": \"other\"}\n");
    write_text("captions", "rows",
               "cfile,caption,split\r\na.mp4,\"a \"\"red\"\"\ncircle\",train\r\nb.mp4,two,test\n");
}

static void make_vocabulary(void)
{
    const char *const captions[] = {"a red circle", "a red star", "the red circle moves"};
    const poet_bpe_options options = {POET_BPE_FIRST_MERGE + 8, true};
    poet_bpe *bpe;
    char *text;
    FUZZ_CHECK(poet_bpe_train(captions, 3, &options, &bpe) == POET_OK);
    FUZZ_CHECK(poet_bpe_to_text(bpe, &text) == POET_OK);
    write_text("vocabulary", "small", text);
    poet_free(text);
    poet_bpe_destroy(bpe);
}

static void make_configs(void)
{
    char text[513] = "t";
    poet_generator_config generator = poet_generator_defaults();
    generator.codes = 1024;
    generator.code_dim = 16;
    generator.grid = (poet_grid){5, 8, 8, 1};
    generator.vocabulary = 512;
    generator.fps = 8;
    FUZZ_CHECK(poet_generator_config_check(&generator) == POET_OK);
    poet_generator_config_text(&generator, text + 1);
    write_text("config", "generator", text + 1);
    poet_tokenizer_config tokenizer = poet_tokenizer_defaults();
    FUZZ_CHECK(poet_tokenizer_config_check(&tokenizer) == POET_OK);
    poet_tokenizer_config_text(&tokenizer, text + 1);
    write_text("config", "tokenizer_vq", text);
    tokenizer.quantizer = POET_QUANTIZER_FSQ;
    tokenizer.fsq_channels = 3;
    memcpy(tokenizer.fsq_levels, (int[]){8, 5, 5}, 3 * sizeof(int));
    FUZZ_CHECK(poet_tokenizer_config_check(&tokenizer) == POET_OK);
    poet_tokenizer_config_text(&tokenizer, text + 1);
    write_text("config", "tokenizer_fsq", text);
}

static void make_png(void)
{
    const poet_video_tag tags[] = {{"prompt", "a red circle"}, {"artist", "\xc3\xa4"}};
    uint8_t pixels[3 * 5 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 11);
    FUZZ_CHECK(poet_png_write(place("png", "small"), pixels, 3, 5, tags, 2) == POET_OK);
}

static void make_coverage(void)
{
    int64_t counts[2 * 3] = {5, 0, 2, 1, 1, 5};
    double quantiles[2 * POET_COVERAGE_QUANTILES];
    char data[] = "synth:shapes";
    const poet_coverage_reference reference = {0x0123456789abcdef, 2, 3, 7, data, 30.5, 0.9, counts,
                                               quantiles};
    for (int i = 0; i < 2 * POET_COVERAGE_QUANTILES; i++)
        quantiles[i] = i % POET_COVERAGE_QUANTILES / 4;
    FUZZ_CHECK(poet_coverage_reference_save(place("coverage", "levels"), &reference) == POET_OK);
}

int main(int argc, char **argv)
{
    FUZZ_CHECK(argc == 2);
    root = argv[1];
    make_tokens("one", 1024, 1, 1);
    make_tokens("levels", 5, 2, 3);
    make_journal();
    make_checkpoint("model", false, false);
    make_checkpoint("training", true, true);
    make_captions();
    make_vocabulary();
    make_configs();
    make_png();
    make_coverage();
    return 0;
}
