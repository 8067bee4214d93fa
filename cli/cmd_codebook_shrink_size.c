/* One size of codebook shrink: its folder of models, and what they lose. */
#include "cli/cmd_codebook_shrink_internal.h"
#include "cli/coverage_file.h"
#include "cli/model_card.h"
#include "cli/training.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/reconstruction.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A model is made in FOLDER.tmp/model, which becomes FOLDER once it is whole; checkpoints of training are beside it. */
typedef struct result {
    char folder[PATH_MAX], work[PATH_MAX + 8], model[PATH_MAX + 16];
    poet_remap remap; /* its tree is the run's */
    poet_tokenizer *tokenizer;
    poet_generator *generator;
    int fitted_clips;                       /* by the decoder */
    double mse, mse_fitted;                 /* of the decoder; mse 0: not fitted */
    poet_fit_result head, keep;             /* rows 0: not fitted */
    int64_t decoder_steps, generator_steps; /* of fine-tuning */
} result;

/* The model is still of those whose the larger one is, on the same terms. */
static poet_status copy_texts(const cli_shrink *run, const char *folder)
{
    char *from = poet_path_folder(run->tokenizer_path);
    if (!from)
        return POET_ERR_NOMEM;
    poet_status status = cli_model_texts_copy(from, folder);
    poet_free(from);
    return status;
}

/* Weights are stored as they were: rounding them would make another tokenizer of the old encoder and decoder. */
static poet_status is_bf16(const char *path, bool *out)
{
    poet_checkpoint *file;
    POET_TRY(poet_checkpoint_open(path, &file));
    *out = false;
    for (int i = 0; i < poet_checkpoint_count(file); i++)
        *out |= poet_checkpoint_tensor(file, i)->dtype == POET_BF16;
    poet_checkpoint_close(file);
    return POET_OK;
}

typedef char file_name[PATH_MAX + 64];

static void name_file(const result *r, const char *what, file_name out)
{
    snprintf(out, sizeof(file_name), "%s/%s.safetensors", r->model, what);
}

static void name_checkpoint(const result *r, const char *what, file_name out)
{
    snprintf(out, sizeof(file_name), "%s/%s.checkpoint", r->work, what);
}

/* Training of another start or length is another training: it has another seed, by which a checkpoint that another command left
 * behind is refused. */
static cli_finetune training_of(const cli_shrink *run, uint64_t fingerprint, const char *checkpoint)
{
    cli_finetune finetune = run->finetune;
    finetune.seed ^= fingerprint;
    finetune.seed = poet_hash64(finetune.seed, &finetune.minutes, sizeof finetune.minutes);
    finetune.seed = poet_hash64(finetune.seed, &finetune.steps, sizeof finetune.steps);
    finetune.checkpoint = checkpoint;
    return finetune;
}

/* The tokenizer as it was stored, which may be rounded. */
static poet_status read_back(const cli_shrink *run, const char *path, result *r)
{
    poet_tokenizer_destroy(r->tokenizer);
    r->tokenizer = NULL;
    return poet_tokenizer_load(run->pair.device, path, &r->tokenizer);
}

/* The tokenizer's decoder, trained; where there is a generator, in half of the time. */
static poet_status finetune_decoder(const cli_shrink *run, const char *path, bool bf16, result *r)
{
    double share = run->pair.generator ? 0.5 : 1;
    uint64_t start;
    file_name checkpoint;
    name_checkpoint(r, "tokenizer", checkpoint);
    POET_TRY(poet_tokenizer_fingerprint(r->tokenizer, &start));
    cli_finetune finetune = training_of(run, start, checkpoint);
    return cli_finetune_decoder(&finetune, share, run->pair.device, run->pixels.dataset, path, bf16,
                                &r->decoder_steps);
}

/* What 'eval coverage' sets clips beside. Without pixels there are no latents, and it tells how to make one. */
static poet_status make_reference(const cli_shrink *run, const result *r, const char *tokenizer)
{
    enum { REFERENCE_CLIPS = 400 };

    if (!run->pixels.dataset)
        return POET_OK;
    char *path = cli_coverage_reference_name(tokenizer);
    int64_t clips = run->limit && run->limit < REFERENCE_CLIPS ? run->limit : REFERENCE_CLIPS;
    poet_status status = path ? cli_coverage_reference_make(r->tokenizer, run->pixels.dataset,
                                                            run->spec, clips, run->task, path)
                              : POET_ERR_NOMEM;
    poet_free(path);
    return status;
}

/* On training clips, before anything is trained; on none of them twice, which would pass for more than there are. */
static poet_status fit_decoder(const cli_shrink *run, result *r)
{
    int64_t clips = run->limit && run->limit < run->fit_decoder ? run->limit : run->fit_decoder;
    if (!clips || !run->pixels.dataset || r->remap.map.kept == r->remap.map.codes)
        return POET_OK;
    uint64_t there = poet_dataset_count(run->pixels.dataset, POET_SPLIT_TRAIN);
    clips = there < (uint64_t)clips ? (int64_t)there : clips;
    poet_clip shape = poet_dataset_geometry(run->pixels.dataset);
    cli_clips source = {.dataset = run->pixels.dataset, .seed = run->seed, .align = 1};
    poet_decoder_fit fit = {.t = shape.t,
                            .h = shape.h,
                            .w = shape.w,
                            .count = (int)clips,
                            .clips = cli_clips_next,
                            .opaque = &source,
                            .task = run->task};
    poet_status status = poet_tokenizer_fit_decoder(r->tokenizer, &fit);
    cli_clips_close(&source);
    r->fitted_clips = fit.count;
    r->mse = fit.before;
    r->mse_fitted = fit.after;
    return status;
}

static poet_status make_tokenizer(const cli_shrink *run, result *r)
{
    bool bf16;
    file_name path;
    POET_TRY(is_bf16(run->tokenizer_path, &bf16));
    POET_TRY(poet_make_directory(r->model));
    POET_TRY(copy_texts(run, r->model));
    POET_TRY(poet_tokenizer_shrink(run->pair.tokenizer, &r->remap.map, &r->tokenizer));
    POET_TRY(fit_decoder(run, r));
    name_file(r, "tokenizer", path);
    POET_TRY(poet_tokenizer_save(r->tokenizer, path, bf16, NULL, 0));
    if (run->pixels.dataset && cli_finetune_wanted(&run->finetune))
        POET_TRY(finetune_decoder(run, path, bf16, r));
    POET_TRY(read_back(run, path, r));
    POET_TRY(make_reference(run, r, path));
    POET_TRY(poet_tokenizer_fingerprint(r->tokenizer, &r->remap.to));
    name_file(r, "remap", path);
    return poet_remap_save(run->pair.device, path, &r->remap);
}

/* The domain's old codes, mapped. Counts and captions stay the domain's: free the codes alone. */
static poet_status remap_domain(const cli_domain *domain, const poet_shrink_map *map,
                                cli_domain *out)
{
    int64_t count = domain->n * poet_grid_codes(&domain->grid);
    *out = *domain;
    out->codes = poet_alloc((size_t)count * sizeof *out->codes);
    if (!out->codes)
        return POET_ERR_NOMEM;
    poet_shrink_map_codes(map, domain->codes, count / domain->grid.levels, out->codes);
    return POET_OK;
}

/* On what the generator will be asked for: the clips in the codes that the smaller tokenizer gives them. */
static poet_status train_encoded(const cli_shrink *run, const char *path, bool bf16, result *r)
{
    file_name checkpoint;
    name_checkpoint(r, "generator", checkpoint);
    cli_finetune finetune = training_of(run, r->remap.to, checkpoint);
    const cli_domain_options options = {
        .limit = run->limit, .whole = INT_MAX, .data = &run->data, .task = run->task};
    cli_domain clips;
    poet_status status =
        cli_domain_encode(run->spec, run->pixels.dataset, r->tokenizer, &options, &clips);
    if (!status)
        status = cli_finetune_generator(&finetune, 0.5, run->pair.device, &clips, path, bf16,
                                        &r->generator_steps);
    cli_domain_free(&clips);
    return status;
}

/* The same without pixels. */
static poet_status train_remapped(const cli_shrink *run, const char *path, bool bf16, result *r)
{
    file_name checkpoint;
    name_checkpoint(r, "generator", checkpoint);
    cli_finetune finetune = training_of(run, r->remap.to, checkpoint);
    cli_domain clips;
    POET_TRY(remap_domain(&run->domain, &r->remap.map, &clips));
    poet_status status = cli_finetune_generator(&finetune, 1, run->pair.device, &clips, path, bf16,
                                                &r->generator_steps);
    poet_free(clips.codes);
    return status;
}

static poet_status make_generator(const cli_shrink *run, result *r)
{
    bool bf16;
    file_name path;
    int clips = run->domain.n < run->fit_clips ? run->domain.n : run->fit_clips;
    const cli_domain *d = &run->domain;
    const poet_shrink_map *map = &r->remap.map;
    poet_generator *old = run->pair.generator;
    POET_TRY(is_bf16(run->generator_path, &bf16));
    POET_TRY(poet_generator_shrink(old, map, run->book.weights, r->remap.to, &r->generator));
    if (clips && map->kept < map->codes)
        POET_TRY(poet_generator_fit(old, map, r->generator, clips, d->codes,
                                    (const char *const *)d->captions, run->fit_rows, run->seed,
                                    run->task, &r->head, &r->keep));
    name_file(r, "generator", path);
    POET_TRY(poet_generator_save(r->generator, path, bf16, NULL, 0));
    if (cli_finetune_wanted(&run->finetune))
        POET_TRY(run->pixels.dataset ? train_encoded(run, path, bf16, r)
                                     : train_remapped(run, path, bf16, r));
    poet_generator_destroy(r->generator);
    r->generator = NULL; /* what is measured is what was stored */
    return poet_generator_load(run->pair.device, path, &r->generator);
}

static void add_steps(const result *r, json_t *row)
{
    if (r->decoder_steps)
        json_object_set_new(row, "decoder_steps", json_integer(r->decoder_steps));
    if (r->generator_steps)
        json_object_set_new(row, "generator_steps", json_integer(r->generator_steps));
}

/* How much of the domain would be left if the least used codes were not merged but dropped. */
static poet_status add_share(const cli_shrink *run, int kept, json_t *row)
{
    double share;
    POET_TRY(cli_domain_share_of(&run->domain, poet_tokenizer_get_config(run->pair.tokenizer), kept,
                                 &share));
    json_object_set_new(row, "most_used_share", json_real(share));
    return POET_OK;
}

static void add_fit(const result *r, json_t *row)
{
    if (r->mse > 0) {
        json_object_set_new(row, "decoder_clips", json_integer(r->fitted_clips));
        json_object_set_new(row, "decoder_mse_before", json_real(r->mse));
        json_object_set_new(row, "decoder_mse_fitted", json_real(r->mse_fitted));
    }
    if (!r->head.rows)
        return;
    json_object_set_new(row, "fit_rows", json_integer(r->head.rows));
    json_object_set_new(row, "nats_before", json_real(r->head.before));
    json_object_set_new(row, "nats_fitted", json_real(r->head.after));
    json_object_set_new(row, "nats_least", json_real(r->head.least));
    if (!r->keep.rows)
        return;
    json_object_set_new(row, "keep_nats_before", json_real(r->keep.before));
    json_object_set_new(row, "keep_nats_fitted", json_real(r->keep.after));
    json_object_set_new(row, "keep_nats_least", json_real(r->keep.least));
}

static poet_status mean_bits(const cli_shrink *run, poet_generator *generator,
                             const poet_shrink_map *exact, const cli_domain *clips,
                             const int32_t *codes, poet_mean *out)
{
    enum { CHUNK = 32 };

    *out = (poet_mean){0};
    for (int64_t at = 0; at < clips->n; at += CHUNK) {
        double bits[CHUNK];
        int n = clips->n - at < CHUNK ? (int)(clips->n - at) : CHUNK;
        const int32_t *some = codes + at * poet_grid_codes(&clips->grid);
        const char *const *captions = (const char *const *)clips->captions + at;
        POET_TRY(exact ? poet_generator_score_merged(generator, exact, n, some, captions, bits)
                       : poet_generator_score(generator, n, some, captions, bits));
        for (int i = 0; i < n; i++)
            poet_mean_add(out, bits[i]);
        POET_TRY(poet_task_advance(run->task, "score", at + n, clips->n, "clips"));
    }
    return POET_OK;
}

/* The held-out clips as they are remapped without their pixels. */
static poet_status measure_remapped(const cli_shrink *run, const result *r, json_t *row)
{
    const cli_domain *old = &run->heldout_clips;
    cli_domain clips;
    poet_mean bits, exact;
    POET_TRY(remap_domain(old, &r->remap.map, &clips));
    poet_status status = mean_bits(run, r->generator, NULL, &clips, clips.codes, &bits);
    if (!status)
        status = mean_bits(run, run->pair.generator, &r->remap.map, old, old->codes, &exact);
    poet_free(clips.codes);
    POET_TRY(status);
    json_object_set_new(row, "bits_per_clip", json_real(bits.mean));
    json_object_set_new(row, "bits_per_clip_exact", json_real(exact.mean));
    return POET_OK;
}

/* And as 'eval' has them. */
static poet_status measure_encoded(const cli_shrink *run, const result *r, json_t *row)
{
    cli_domain clips;
    poet_mean bits;
    poet_status status = cli_shrink_encode_heldout(run, r->tokenizer, &clips);
    if (!status)
        status = mean_bits(run, r->generator, NULL, &clips, clips.codes, &bits);
    cli_domain_free(&clips);
    POET_TRY(status);
    json_object_set_new(row, "bits_per_clip_anew", json_real(bits.mean));
    return POET_OK;
}

static poet_status measure(const cli_shrink *run, const result *r, json_t *row)
{
    poet_reconstruction anew, remapped;
    if (!run->heldout)
        return POET_OK;
    POET_TRY(poet_measure_reconstruction(r->tokenizer, run->heldout_pixels.dataset, POET_SPLIT_SEEN,
                                         (uint64_t)run->measure, run->task, &anew));
    POET_TRY(poet_measure_remapped(run->pair.tokenizer, &r->remap.map, r->tokenizer,
                                   run->heldout_pixels.dataset, POET_SPLIT_SEEN,
                                   (uint64_t)run->measure, run->task, &remapped));
    json_object_set_new(row, "psnr", json_real(anew.psnr.mean));
    json_object_set_new(row, "psnr_remapped", json_real(remapped.psnr.mean));
    json_object_set_new(row, "codes_used", json_integer(anew.usage.used));
    json_object_set_new(row, "perplexity", json_real(anew.usage.perplexity));
    if (!r->generator)
        return POET_OK;
    POET_TRY(measure_remapped(run, r, row));
    return measure_encoded(run, r, row);
}

/* A model that was there goes as a whole: its generator is not this tokenizer's. What users have put beside it stays. */
static poet_status place(const result *r)
{
    const char *own[CLI_MODEL_TEXTS + 3] = {"generator.safetensors", "tokenizer.coverage.json"};
    for (int i = 0; i < CLI_MODEL_TEXTS; i++)
        own[2 + i] = cli_model_texts[i].file;
    return poet_place_directory(r->model, r->folder, own);
}

static poet_status make_size(cli_shrink *run, int kept, result *r, json_t *row)
{
    double distortion;
    poet_shrink_method method = (poet_shrink_method)run->method;
    double begin = poet_seconds();
    r->remap = (poet_remap){.from = run->fingerprint, .tree = run->tree};
    POET_TRY(
        poet_shrink_map_create(&run->book, method, &run->tree, run->seed, kept, &r->remap.map));
    POET_TRY(poet_shrink_map_distortion(&run->book, &r->remap.map, &distortion));
    POET_TRY(make_tokenizer(run, r));
    if (run->pair.generator)
        POET_TRY(make_generator(run, r));
    json_object_set_new(row, "folder", json_string(r->folder));
    json_object_set_new(row, "distortion", json_real(distortion));
    json_object_set_new(row, "seconds", json_real(poet_seconds() - begin));
    POET_TRY(add_share(run, kept, row));
    add_fit(r, row);
    add_steps(r, row);
    POET_TRY(measure(run, r, row));
    return place(r);
}

static void name_folder(const cli_shrink *run, int kept, result *r)
{
    snprintf(r->folder, sizeof r->folder, "%s-%d", run->output, kept);
    snprintf(r->work, sizeof r->work, "%s.tmp", r->folder);
    snprintf(r->model, sizeof r->model, "%s/model", r->work);
}

poet_status cli_shrink_encode_heldout(const cli_shrink *run, poet_tokenizer *tokenizer,
                                      cli_domain *out)
{
    const cli_domain_options options = {.limit = run->measure,
                                        .whole = run->measure,
                                        .split = POET_SPLIT_SEEN,
                                        .data = &run->data,
                                        .task = run->task};
    return cli_domain_encode(run->heldout, run->heldout_pixels.dataset, tokenizer, &options, out);
}

static void remove_checkpoints(const result *r)
{
    static const char *const names[] = {"tokenizer", "generator"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        file_name path;
        name_checkpoint(r, names[i], path);
        unlink(path);
    }
    rmdir(r->work);
}

void cli_shrink_forget(const cli_shrink *run, int kept)
{
    result r = {.tokenizer = NULL};
    name_folder(run, kept, &r);
    remove_checkpoints(&r);
}

poet_status cli_shrink_can_write(const cli_shrink *run)
{
    for (int i = 0; i < run->n_sizes; i++) {
        result r = {.tokenizer = NULL};
        name_folder(run, run->sizes[i], &r);
        POET_TRY(poet_can_make_directory(r.folder));
        POET_TRY(poet_can_make_directory(r.work));
    }
    return POET_OK;
}

poet_status cli_shrink_size(cli_shrink *run, int kept, json_t *sizes)
{
    result r = {.tokenizer = NULL};
    json_t *row = json_object();
    name_folder(run, kept, &r);
    bool there = poet_is_directory(r.work);
    poet_remove_directory(r.model); /* of a run that was killed */
    poet_status status = make_size(run, kept, &r, row);
    poet_remove_directory(r.model);
    if (status && status != POET_ERR_INTERRUPTED && !there)
        remove_checkpoints(&r);
    rmdir(r.work); /* where there are no checkpoints to go on from */
    json_object_set_new(sizes, strrchr(r.folder, '-') + 1, row);
    poet_shrink_map_free(&r.remap.map);
    poet_generator_destroy(r.generator);
    poet_tokenizer_destroy(r.tokenizer);
    return status;
}
