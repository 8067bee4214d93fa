#include "cli/coverage_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/coverage.h"

#include <string.h>

char *cli_coverage_reference_name(const char *tokenizer)
{
    static const char extension[] = ".safetensors", own[] = ".coverage.json";
    size_t length = strlen(tokenizer), cut = sizeof extension - 1;
    if (length > cut && strcmp(tokenizer + length - cut, extension) == 0)
        length -= cut;
    char *path = poet_alloc(length + sizeof own);
    if (path) {
        memcpy(path, tokenizer, length);
        memcpy(path + length, own, sizeof own);
    }
    return path;
}

static poet_status add_clip(const poet_clip_coder *coder, const poet_dataset *dataset,
                            uint64_t index, poet_token_sample *sample)
{
    poet_example example;
    poet_coded_clip coded;
    POET_TRY(poet_dataset_read(dataset, POET_SPLIT_TRAIN, index, &example));
    poet_status status = poet_coded_clip_make(coder, &example.clip, &coded);
    if (!status)
        status = poet_token_sample_add_clip(sample, &coded);
    poet_coded_clip_free(&coded);
    poet_example_free(&example);
    return status;
}

static poet_status add_clips(const poet_clip_coder *coder, const poet_dataset *dataset, int64_t n,
                             const poet_task *task, poet_token_sample *sample)
{
    uint64_t clips = poet_dataset_count(dataset, POET_SPLIT_TRAIN);
    clips = (uint64_t)n < clips ? (uint64_t)n : clips;
    for (uint64_t i = 0; i < clips; i++) {
        POET_TRY(add_clip(coder, dataset, i, sample));
        POET_TRY(poet_task_advance(task, "look at codes", (int64_t)i + 1, (int64_t)clips, "clips"));
    }
    return POET_OK;
}

static poet_status save(poet_tokenizer *tokenizer, poet_token_sample *sample, const char *data,
                        const char *path)
{
    uint64_t fingerprint;
    poet_coverage_reference reference;
    POET_TRY(poet_tokenizer_fingerprint(tokenizer, &fingerprint));
    poet_status status = poet_coverage_reference_make(sample, fingerprint, data, &reference);
    if (!status)
        status = poet_coverage_reference_save(path, &reference);
    poet_coverage_reference_free(&reference);
    return status;
}

poet_status cli_coverage_reference_make(poet_tokenizer *tokenizer, const poet_dataset *dataset,
                                        const char *data, int64_t n, const poet_task *task,
                                        const char *path)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(tokenizer);
    poet_clip_coder coder;
    poet_token_sample sample;
    poet_status status = poet_clip_coder_create(tokenizer, &coder);
    if (!status) {
        status = poet_token_sample_create(c->levels, c->codes, &sample);
        if (!status)
            status = add_clips(&coder, dataset, n, task, &sample);
        if (!status)
            status = save(tokenizer, &sample, data, path);
        poet_token_sample_free(&sample);
    }
    poet_clip_coder_free(&coder);
    return status;
}

poet_status cli_coverage_reference_psnr(poet_tokenizer *tokenizer, const char *file, double *out)
{
    poet_coverage_reference reference = {.levels = 0};
    uint64_t fingerprint;
    *out = 0;
    POET_TRY(poet_tokenizer_fingerprint(tokenizer, &fingerprint));
    char *path = cli_coverage_reference_name(file);
    if (!path)
        return POET_ERR_NOMEM;
    poet_status status =
        poet_is_file(path) ? poet_coverage_reference_load(path, &reference) : POET_OK;
    if (!status && reference.tokenizer == fingerprint)
        *out = reference.psnr;
    poet_coverage_reference_free(&reference);
    poet_free(path);
    return status;
}
