#include "cli/sweep_steps.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add_word(sweep_steps *steps, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_word(sweep_steps *steps, const char *format, ...)
{
    char text[PATH_MAX + 64];
    va_list arguments;
    sweep_step *step = &steps->step[steps->n - 1];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *word = steps->failed ? NULL : poet_arena_strdup(steps->arena, text);
    steps->failed |= !word || step->n == SWEEP_MAX_WORDS;
    if (!steps->failed)
        step->words[step->n++] = word;
}

static void add_words(sweep_steps *steps, const char *text)
{
    static const char blanks[] = " \t\n";
    for (const char *at = text + strspn(text, blanks); *at; at += strspn(at, blanks)) {
        int length = (int)strcspn(at, blanks);
        add_word(steps, "%.*s", length, at);
        at += length;
    }
}

static void add_option(sweep_steps *steps, const char *name, int64_t value)
{
    add_word(steps, "--%s", name);
    add_word(steps, "%lld", (long long)value);
}

static void begin_step(sweep_steps *steps, const sweep_plan *plan, const char *name,
                       const char *command)
{
    steps->step[steps->n++] = (sweep_step){.name = name};
    add_words(steps, command);
    add_word(steps, "--json");
    add_option(steps, "threads", plan->threads);
    if (plan->quiet)
        add_word(steps, "--quiet");
}

static void add_data(sweep_steps *steps, const sweep_plan *plan)
{
    const cli_data *d = &plan->data;
    add_word(steps, "%s", plan->spec);
    add_word(steps, "--size");
    add_word(steps, "%dx%d", d->size.w, d->size.h);
    add_option(steps, "frames", d->frames);
    add_option(steps, "clips", d->clips);
    add_option(steps, "heldout-clips", d->heldout);
    add_word(steps, "--data-seed");
    add_word(steps, "%llu", (unsigned long long)d->seed);
}

/* What has a device: all but encode's and remap's files. */
static void add_device(sweep_steps *steps, const sweep_plan *plan)
{
    add_word(steps, "--device");
    add_word(steps, "%s", plan->device);
}

/* "8,8,4": steps of 8 and 4 whose product is a power of two, as few channels as can be. */
static void format_channels(int bits, char *text, size_t room)
{
    int fours = bits < 4 ? bits == 2 : (3 - bits % 3) % 3;
    size_t at = 0;
    for (bits -= 2 * fours; bits > 0; bits -= 3)
        at += (size_t)snprintf(text + at, room - at, at ? ",%d" : "%d", bits < 3 ? 1 << bits : 8);
    for (; fours > 0; fours--)
        at += (size_t)snprintf(text + at, room - at, at ? ",%d" : "%d", 4);
}

/* An even number of bits is the same channels twice, so that they can be two levels. */
static void add_fsq(sweep_steps *steps, const sweep_cell *cell)
{
    char text[64];
    int bits = sweep_whole_bits(cell->codes), halves = bits % 2 == 0 ? 2 : 1;
    format_channels(bits / halves, text, sizeof text);
    add_word(steps, "--quantizer");
    add_word(steps, "fsq");
    add_word(steps, "--fsq-levels");
    add_word(steps, halves == 2 ? "%s,%s" : "%s", text, text);
    add_option(steps, "levels", cell->levels);
}

static void train_tokenizer(sweep_steps *steps, const sweep_plan *plan, const sweep_cell *cell,
                            const char *folder)
{
    begin_step(steps, plan, "tokenizer", "train-tokenizer");
    add_device(steps, plan);
    add_data(steps, plan);
    add_words(steps, plan->tokenizer_options);
    add_option(steps, "steps", plan->tokenizer_steps);
    add_option(steps, "patch", cell->patch);
    add_option(steps, "seed", cell->seed);
    if (cell->method == SWEEP_NESTED)
        add_word(steps, "--nested");
    if (cell->method == SWEEP_FSQ || cell->method == SWEEP_FACTORISED) {
        add_fsq(steps, cell);
    } else {
        add_option(steps, "codes", cell->level_codes);
        add_option(steps, "levels", cell->levels);
    }
    add_word(steps, "--output");
    add_word(steps, "%s/tokenizer.safetensors", folder);

    begin_step(steps, plan, "tokens", "encode");
    add_device(steps, plan);
    add_data(steps, plan);
    add_option(steps, "count", plan->train_clips);
    add_word(steps, "--tokenizer");
    add_word(steps, "%s/tokenizer.safetensors", folder);
    add_word(steps, "--output");
    add_word(steps, "%s/train.ptok", folder);
}

static void train_generator(sweep_steps *steps, const sweep_plan *plan, const sweep_cell *cell,
                            const char *folder)
{
    if (!plan->generator_steps)
        return;
    begin_step(steps, plan, "generator", "train-generator");
    add_device(steps, plan);
    add_word(steps, "%s/train.ptok", folder);
    add_words(steps, plan->generator_options);
    add_option(steps, "steps", plan->generator_steps);
    add_option(steps, "seed", cell->seed);
    add_word(steps, "--tokenizer");
    add_word(steps, "%s/tokenizer.safetensors", folder);
    add_word(steps, "--output");
    add_word(steps, "%s/generator.safetensors", folder);
}

/* --model FOLDER, or its tokenizer where no generator is trained. */
static void add_model(sweep_steps *steps, const sweep_plan *plan, const char *folder)
{
    add_word(steps, plan->generator_steps ? "--model" : "--tokenizer");
    add_word(steps, plan->generator_steps ? "%s" : "%s/tokenizer.safetensors", folder);
}

/* For the tokens of the greatest K; a decoder that is trained on wants the clips themselves, which have the same tokens. */
static void shrink(sweep_steps *steps, const sweep_plan *plan, const sweep_cell *cell,
                   const char *folder)
{
    char whole[PATH_MAX];
    sweep_cell_folder(plan, &plan->cells[cell->needs], whole, sizeof whole);
    begin_step(steps, plan, "shrink", "codebook shrink");
    add_device(steps, plan);
    if (sweep_methods[cell->method].finetune) {
        add_data(steps, plan);
        add_option(steps, "fit-decoder",
                   0); /* no other cell has it: the difference is the training */
        add_option(steps, "finetune-steps", plan->finetune_steps);
    } else {
        add_word(steps, "%s/train.ptok", whole);
    }
    add_model(steps, plan, whole);
    add_option(steps, "codes", cell->codes);
    add_words(steps, sweep_methods[cell->method].shrink);
    add_option(steps, "count", plan->train_clips);
    add_option(steps, "seed", cell->seed);
    add_word(steps, "--output");
    add_word(steps, "%s/model", folder);

    begin_step(steps, plan, "tokens", "codebook remap");
    add_word(steps, "%s/train.ptok", whole);
    add_word(steps, "--map");
    add_word(steps, "%s/model-%d/remap.safetensors", folder, cell->codes);
    add_word(steps, "--output");
    add_word(steps, "%s/train.ptok", folder);
}

/* An option with the file of the network that reads attributes. */
static void add_reader(sweep_steps *steps, const sweep_plan *plan, const char *option)
{
    add_word(steps, "%s", option);
    add_word(steps, "%s/models/%s/reader.safetensors", plan->folder,
             sweep_methods[SWEEP_FEATURES].name);
}

static void measure(sweep_steps *steps, const sweep_plan *plan, const char *folder,
                    const char *model)
{
    begin_step(steps, plan, "samples", "codebook inspect");
    add_device(steps, plan);
    add_word(steps, "%s/train.ptok", folder);
    add_word(steps, "--tokenizer");
    add_word(steps, "%s/tokenizer.safetensors", model);
    add_option(steps, "count", 0);

    bool built_in = cli_data_is_built_in(plan->spec);
    begin_step(steps, plan, "eval", "eval");
    add_device(steps, plan);
    add_data(steps, plan);
    add_model(steps, plan, model);
    add_option(steps, "count", plan->heldout);
    add_option(steps, "captions", plan->captions);
    add_option(steps, "distribution", plan->compared);
    add_word(steps, "--speed");
    add_word(steps, "%g", plan->speed_seconds);
    if (plan->feature_steps && plan->compared)
        add_reader(steps, plan, "--features");
    if (plan->feature_steps && plan->captions && plan->generator_steps && !built_in)
        add_reader(steps, plan, "--reader");
}

static void make_features(sweep_steps *steps, const sweep_plan *plan, const char *folder)
{
    begin_step(steps, plan, "features", "train-reader");
    add_device(steps, plan);
    add_data(steps, plan);
    add_option(steps, "steps", plan->feature_steps);
    add_word(steps, "--output");
    add_word(steps, "%s/reader.safetensors", folder);
}

poet_status sweep_steps_create(const sweep_plan *plan, int index, sweep_steps *out)
{
    const sweep_cell *cell = &plan->cells[index];
    char folder[PATH_MAX], model[PATH_MAX + 32];
    *out = (sweep_steps){.arena = poet_arena_create()};
    if (!out->arena)
        return POET_ERR_NOMEM;
    sweep_cell_folder(plan, cell, folder, sizeof folder);
    snprintf(model, sizeof model, cell->needs >= 0 ? "%s/model-%d" : "%s", folder, cell->codes);
    if (cell->method == SWEEP_FEATURES) {
        make_features(out, plan, folder);
    } else {
        if (cell->needs >= 0) {
            shrink(out, plan, cell, folder);
        } else {
            train_tokenizer(out, plan, cell, folder);
            train_generator(out, plan, cell, folder);
        }
        measure(out, plan, folder, model);
    }
    return out->failed
               ? POET_FAIL(POET_ERR_ARG,
                           "cell %s: its commands have more than %d words, or memory ran out",
                           cell->name, SWEEP_MAX_WORDS)
               : POET_OK;
}

void sweep_steps_free(sweep_steps *steps)
{
    poet_arena_destroy(steps->arena);
    *steps = (sweep_steps){0};
}
