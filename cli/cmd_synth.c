/* synth: the built-in captioned clips, as a folder of files or as a contact sheet. */
#include "cli/command.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/video.h"
#include "datasets/synth.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { SHEET_COLUMNS = 6, SHEET_MAX_ROWS = 64, MAX_COUNT = 10000000, CLIP_NAME = 64 };

typedef struct synth_run {
    const char *folder, *sheet, *mnist, *format;
    int count, heldout, frames, enlarge, n_digits, format_index;
    bool overwrite;
    cli_size size;
    double fps;
    uint64_t seed;
    poet_synth_set set;
    poet_synth_options options;
    poet_glyphs glyphs;
    const poet_task *task;
    char *captions, *request; /* files in the folder */
    int done;
    json_t *counts; /* of clips by split */
} synth_run;

static const char *const formats[] = {"mp4", "webm", "gif", "png", NULL};

/* ---- MNIST ---- */

/* The file of a folder under any of the names it is given out with; *path stays NULL otherwise. */
static poet_status find_idx(const char *folder, const char *what, char **path)
{
    static const char *const prefixes[] = {"", "train-", "t10k-"};
    static const char *const suffixes[] = {"-ubyte.gz", "-ubyte"};
    for (size_t i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", prefixes[i / 2], what, suffixes[i % 2]);
        char *candidate = poet_path_join(folder, name);
        if (!candidate)
            return POET_ERR_NOMEM;
        if (poet_is_file(candidate)) {
            *path = candidate;
            return POET_OK;
        }
        poet_free(candidate);
    }
    return POET_FAIL(POET_ERR_IO, "%s: has no file %s-ubyte or %s-ubyte.gz", folder, what, what);
}

static poet_status open_glyphs(synth_run *run)
{
    char *images = NULL, *labels = NULL;
    poet_status status;
    if (run->set != POET_SYNTH_DIGITS)
        return POET_FAIL(POET_ERR_ARG, "--mnist: only the set digits draws digits");
    POET_TRY_DONE(find_idx(run->mnist, "images-idx3", &images));
    POET_TRY_DONE(find_idx(run->mnist, "labels-idx1", &labels));
    POET_TRY_DONE(poet_glyphs_open(images, labels, &run->glyphs));
    run->options.glyphs = &run->glyphs;
done:
    poet_free(images);
    poet_free(labels);
    return status;
}

/* ---- a folder of clips ---- */

/* One line of captions.jsonl; NULL when memory ran out. */
static char *caption_line(const poet_synth_scene *scene, const char *file)
{
    const poet_synth_options *o = &scene->options;
    char *attributes = poet_synth_json(scene);
    json_t *parsed = attributes ? json_loads(attributes, 0, NULL) : NULL;
    json_t *row = json_pack("{s:s, s:s, s:s, s:i, s:f, s:[i, i], s:o}", "file", file, "split",
                            poet_split_name(scene->split), "caption", scene->caption, "frames",
                            o->t, "fps", o->fps, "size", o->w, o->h, "attributes", parsed);
    char *line = row ? json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(row);
    poet_free(attributes);
    return line;
}

static poet_status write_caption(poet_output *captions, const poet_synth_scene *scene,
                                 const char *file)
{
    char *line = caption_line(scene, file);
    if (!line)
        return POET_FAIL(POET_ERR_NOMEM, "out of memory: the caption of %s could not be written",
                         file);
    poet_status status = poet_output_write(captions, line, strlen(line));
    if (!status)
        status = poet_output_write(captions, "\n", 1);
    free(line);
    return status;
}

/* Where clip `index` of a split is, relative to the folder. */
static void clip_name(poet_split split, int index, const char *format, char file[CLIP_NAME])
{
    snprintf(file, CLIP_NAME, "%s/%06d.%s", poet_split_name(split), index, format);
}

/* The path (poet_free) of the part of a clip that appears last: a sheet has a JSON file beside it. */
static char *last_path(const synth_run *run, const char *file)
{
    char name[CLIP_NAME];
    size_t stem = strlen(file) - 3;
    snprintf(name, sizeof name, "%s", file);
    if (strcmp(file + stem, "png") == 0)
        snprintf(name + stem, sizeof name - stem, "json");
    return poet_path_join(run->folder, name);
}

static poet_status draw_clip(const synth_run *run, const poet_synth_scene *scene, const char *file)
{
    poet_clip clip;
    const poet_video_tag tags[] = {{"prompt", scene->caption}};
    const poet_write_options options = {.tags = tags, .tag_count = 1};
    char *path = poet_path_join(run->folder, file);
    poet_status status = path ? poet_synth_render(scene, &clip) : POET_ERR_NOMEM;
    if (!status) {
        status = poet_video_write(path, &clip, &options, NULL);
        poet_clip_free(&clip);
    }
    poet_free(path);
    return status;
}

/* A clip that an earlier run of the same command has written is kept. */
static poet_status write_clip(const synth_run *run, poet_split split, int index,
                              poet_output *captions)
{
    poet_synth_scene scene;
    char file[CLIP_NAME];
    POET_TRY(
        poet_synth_scene_make(run->set, run->seed, (uint64_t)index, split, &run->options, &scene));
    clip_name(split, index, run->format, file);
    char *last = last_path(run, file);
    poet_status status = !last                ? POET_ERR_NOMEM
                         : poet_is_file(last) ? POET_OK
                                              : draw_clip(run, &scene, file);
    if (!status)
        status = write_caption(captions, &scene, file);
    poet_free(last);
    return status;
}

static poet_status write_split(synth_run *run, poet_split split, int count, poet_output *captions)
{
    const char *name = poet_split_name(split);
    int total = run->count + 2 * run->heldout;
    char *folder = poet_path_join(run->folder, name);
    poet_status status = !folder ? POET_ERR_NOMEM : count ? poet_make_directory(folder) : POET_OK;
    poet_free(folder);
    POET_TRY(status);
    for (int i = 0; i < count; i++) {
        if (poet_task_stopped(run->task))
            return POET_FAIL(POET_ERR_INTERRUPTED,
                             "stopped after %d of %d clips, before %s/captions.jsonl was written; "
                             "the same command goes on",
                             run->done, total, run->folder);
        POET_TRY(write_clip(run, split, i, captions));
        poet_task_progress(
            run->task, &(poet_progress){
                           .what = "synth", .done = ++run->done, .total = total, .unit = "clips"});
    }
    json_object_set_new(run->counts, name, json_integer(count));
    return POET_OK;
}

/* ---- a run that is not finished ----
 *
 * synth.json in the folder tells which clips the folder is being filled with. It appears before the
 * first of them, when no file has the name of any, and goes when captions.jsonl is there: while it
 * tells what a command asks for, the clips that exist are that command's, and complete. */

#define REQUEST_NAME "synth.json"

/* All that decides what is in the files; NULL when memory ran out. */
static char *request_text(const synth_run *run)
{
    const poet_synth_options *o = &run->options;
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, run->seed);
    json_t *request =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:s, s:i, s:s*}", "set",
                  poet_synth_name(run->set), "seed", seed, "count", run->count, "heldout",
                  run->heldout, "frames", o->t, "height", o->h, "width", o->w, "fps", o->fps,
                  "format", run->format, "digits", o->digits, "mnist", run->mnist);
    char *text = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(request);
    return text;
}

static bool holds_text(const char *path, const char *text)
{
    unsigned char *there;
    size_t size;
    if (!poet_is_file(path) || poet_file_read(path, 1 << 20, &there, &size) != POET_OK)
        return false;
    bool same = strcmp((const char *)there, text) == 0;
    poet_free(there);
    return same;
}

static poet_status write_text(const char *path, const char *text)
{
    poet_output *output;
    POET_TRY(poet_output_create(path, &output));
    poet_status status = poet_output_write(output, text, strlen(text));
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    return status;
}

/* ---- files of older runs ---- */

static poet_status remove_file(const char *path)
{
    if (!path)
        return POET_ERR_NOMEM;
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return POET_OK;
    return POET_FAIL(POET_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
}

/* What appears last goes first: what is left of a clip is never taken for the whole. */
static poet_status remove_clip(const synth_run *run, const char *file)
{
    char *last = last_path(run, file), *path = poet_path_join(run->folder, file);
    poet_status status = remove_file(last);
    status = status ? status : remove_file(path);
    poet_free(last);
    poet_free(path);
    return status;
}

static poet_status remove_clips(const synth_run *run, const char *format, int count, int heldout)
{
    for (int split = 0; split < POET_SPLITS; split++)
        for (int i = 0; i < (split == POET_SPLIT_TRAIN ? count : heldout); i++) {
            char file[CLIP_NAME];
            clip_name((poet_split)split, i, format, file);
            POET_TRY(remove_clip(run, file));
        }
    return POET_OK;
}

static bool is_format(const char *name)
{
    for (int i = 0; formats[i]; i++)
        if (strcmp(name, formats[i]) == 0)
            return true;
    return false;
}

/* Whether synth itself gives files this name. Only those are removed: anybody can have written the list that they are in. */
static bool is_clip_name(const char *file)
{
    const char *slash = file ? strchr(file, '/') : NULL;
    size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;
    bool named =
        (digits == 6 || digits == 7) && slash[1 + digits] == '.' && is_format(slash + digits + 2);
    for (int split = 0; named && split < POET_SPLITS; split++) {
        const char *name = poet_split_name((poet_split)split);
        if (strlen(name) == (size_t)(slash - file) && memcmp(file, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

/* The clips that an older captions.jsonl lists, which itself goes first: there is none over half a folder. */
static poet_status remove_listed(const synth_run *run)
{
    char line[1 << 14]; /* longer ones are not of synth */
    poet_status status = POET_OK;
    FILE *list = poet_is_file(run->captions) ? fopen(run->captions, "rb") : NULL;
    unlink(run->captions);
    while (!status && list && fgets(line, sizeof line, list)) {
        json_t *row = json_loads(line, 0, NULL);
        const char *file = json_string_value(json_object_get(row, "file"));
        if (is_clip_name(file))
            status = remove_clip(run, file);
        json_decref(row);
    }
    if (list)
        fclose(list);
    return status;
}

/* The clips of another run that was not finished. */
static poet_status remove_unfinished(const synth_run *run)
{
    const char *format;
    int count, heldout;
    json_t *request = poet_is_file(run->request) ? json_load_file(run->request, 0, NULL) : NULL;
    poet_status status = POET_OK;
    if (json_unpack(request, "{s:s, s:i, s:i}", "format", &format, "count", &count, "heldout",
                    &heldout) == 0 &&
        is_format(format) && count <= MAX_COUNT && heldout <= MAX_COUNT)
        status = remove_clips(run, format, count, heldout);
    json_decref(request);
    return status;
}

/* Goes on with an unfinished run of the same request, or begins one; clips of an older run would be taken for its own. */
static poet_status begin_or_go_on(const synth_run *run)
{
    char *text = request_text(run);
    poet_status status = text ? POET_OK : POET_ERR_NOMEM;
    if (!status && !holds_text(run->request, text)) {
        POET_TRY_DONE(remove_listed(run));
        POET_TRY_DONE(remove_unfinished(run));
        POET_TRY_DONE(remove_clips(run, run->format, run->count, run->heldout));
        status = write_text(run->request, text);
    }
done:
    free(text);
    return status;
}

/* ---- the folder ---- */

/* Makes the folder, and finds out before the work whether it takes the files. */
static poet_status prepare_folder(synth_run *run)
{
    run->captions = poet_path_join(run->folder, "captions.jsonl");
    run->request = poet_path_join(run->folder, REQUEST_NAME);
    if (!run->captions || !run->request)
        return POET_ERR_NOMEM;
    if (poet_is_file(run->captions) && !run->overwrite)
        return POET_FAIL(POET_ERR_IO, "%s: is there already; --overwrite replaces it",
                         run->captions);
    POET_TRY(poet_make_directory(run->folder));
    return cli_can_write(run->captions, NULL);
}

/* captions.jsonl comes last, so a folder that has one is complete. */
static poet_status write_folder(synth_run *run)
{
    poet_output *captions = NULL;
    poet_status status = begin_or_go_on(run);
    if (status)
        return status;
    POET_TRY_DONE(poet_output_create(run->captions, &captions));
    POET_TRY_DONE(write_split(run, POET_SPLIT_TRAIN, run->count, captions));
    POET_TRY_DONE(write_split(run, POET_SPLIT_SEEN, run->heldout, captions));
    POET_TRY_DONE(write_split(run, POET_SPLIT_UNSEEN, run->heldout, captions));
    POET_TRY_DONE(poet_output_commit(captions));
    unlink(run->request);
done:
    poet_output_destroy(captions);
    return status;
}

/* ---- a contact sheet ---- */

static poet_status write_sheet(const synth_run *run, json_t *captions)
{
    poet_clip clips[SHEET_MAX_ROWS] = {{0}};
    poet_status status = POET_OK;
    for (int i = 0; i < run->count; i++) {
        poet_synth_scene scene;
        POET_TRY_DONE(poet_synth_clip(run->set, run->seed, (uint64_t)i, POET_SPLIT_TRAIN,
                                      &run->options, &clips[i], &scene));
        json_array_append_new(captions, json_string(scene.caption));
    }
    status = poet_contact_sheet_write(run->sheet, clips, run->count, SHEET_COLUMNS, run->enlarge);
done:
    for (int i = 0; i < run->count; i++)
        poet_clip_free(&clips[i]);
    return status;
}

static poet_status report(const cli_context *context, const synth_run *run, json_t *captions)
{
    if (context->json)
        return cli_print_json(json_pack("{s:s*, s:s*, s:O, s:O}", "folder", run->folder, "sheet",
                                        run->sheet, "clips", run->counts, "captions", captions));
    for (size_t i = 0; i < json_array_size(captions); i++)
        printf("%s\n", json_string_value(json_array_get(captions, i)));
    if (run->sheet)
        printf("sheet: %s\n", run->sheet);
    if (run->folder)
        printf("clips: %s (%d)\n", run->folder, run->done);
    return POET_OK;
}

/* ---- the command line ---- */

static poet_status check_options(const synth_run *run)
{
    if (!run->folder && !run->sheet)
        return POET_FAIL(POET_ERR_ARG, "synth wants --output FOLDER or --sheet FILE.png");
    if (run->sheet && run->count > SHEET_MAX_ROWS)
        return POET_FAIL(POET_ERR_ARG, "--sheet: shows at most %d clips, not --count %d",
                         SHEET_MAX_ROWS, run->count);
    if (run->n_digits && run->set != POET_SYNTH_DIGITS)
        return POET_FAIL(POET_ERR_ARG, "--digits: only the set digits draws digits");
    /* The file would have another rate than captions.jsonl tells. */
    if (run->folder && strcmp(run->format, "gif") == 0 && run->fps > POET_GIF_FPS)
        return POET_FAIL(POET_ERR_ARG, "--fps: a GIF has at most %d frames per second, not %g",
                         POET_GIF_FPS, run->fps);
    return POET_OK;
}

static poet_status parse(cli_context *context, synth_run *run, int argc, char **argv)
{
    const cli_option options[] = {
        CLI_OUTPUT("output", 'o', &run->folder, "FOLDER", NULL,
                   "write clips and captions.jsonl into this folder"),
        CLI_OUTPUT(
            "sheet", 0, &run->sheet, "FILE.png", NULL,
            "draw the first clips as a contact sheet, one row each, and print their captions"),
        CLI_INT("count", 'n', &run->count, 1, MAX_COUNT, "N", "16", "how many training clips"),
        CLI_INT("heldout", 0, &run->heldout, 0, MAX_COUNT, "N", "0",
                "how many more of each held-out split: seen and unseen combinations"),
        CLI_SEED("seed", 's', &run->seed, "1", "which clips; the same seed gives the same ones"),
        CLI_SIZE("size", 0, &run->size, 16, 1024, "64x64", "of the frames, in pixels"),
        CLI_INT("frames", 'f', &run->frames, 1, 1025, "N", "17", "frames of a clip"),
        CLI_DOUBLE("fps", 'r', &run->fps, 0.1, 240, "N", "8", "frames per second"),
        CLI_INT("enlarge", 0, &run->enlarge, 1, 16, "N", "2", "pixels of the sheet, a side"),
        CLI_CHOICE("format", 0, &run->format_index, formats, "NAME", "mp4",
                   "of the files (png is a sheet of frames, to look at, not to import)"),
        CLI_INT("digits", 0, &run->n_digits, 0, 2, "N", "0",
                "set digits: 1 or 2 of them; 0 means both kinds"),
        CLI_PATH("mnist", 0, &run->mnist, "FOLDER", NULL,
                 "set digits: draw with the handwriting in this folder of IDX files"),
        CLI_FLAG("overwrite", 0, &run->overwrite, "replace an older captions.jsonl and its clips"),
        CLI_END,
    };
    const cli_spec spec = {
        .operands = "SET",
        .min_operands = 1,
        .max_operands = 1,
        .description =
            "Draws captioned clips, without any download. SET is one of\n"
            "  shapes   a coloured shape that moves, on a plain or patterned ground\n"
            "  digits   one or two handwritten digits that move (the Sync-DRAW protocol)\n"
            "  street   a road: vehicles, a traffic light, a walker, day and night, weather\n"
            "\n"
            "captions.jsonl has one line for each clip: file, split, caption, and what is in\n"
            "it. Training never shows some combinations (for example one motion of each\n"
            "digit); those are the split heldout-unseen.\n"
            "\n"
            "After Ctrl-C the same command goes on.",
        .examples = "synth shapes --sheet shapes.png\n"
                    "synth shapes -o data/shapes --count 2000 --heldout 100\n"
                    "synth digits -o data/digits --digits 1 --format gif",
        .options = options,
        .json = true,
    };
    POET_TRY(cli_parse(context, &spec, argc, argv));
    POET_TRY(poet_synth_find(context->operands[0], &run->set));
    run->format = formats[run->format_index];
    run->options = poet_synth_defaults();
    run->options.t = run->frames;
    run->options.h = run->size.h;
    run->options.w = run->size.w;
    run->options.fps = run->fps;
    run->options.digits = run->n_digits;
    run->task = &context->task;
    return check_options(run);
}

poet_status cmd_synth(cli_context *context, int argc, char **argv)
{
    synth_run run = {0};
    poet_status status;
    POET_TRY(parse(context, &run, argc, argv));
    json_t *captions = json_array();
    run.counts = json_object();
    if (run.mnist)
        POET_TRY_DONE(open_glyphs(&run));
    if (run.sheet)
        POET_TRY_DONE(cli_can_write(run.sheet, "png"));
    if (run.folder)
        POET_TRY_DONE(prepare_folder(&run));
    if (run.sheet)
        POET_TRY_DONE(write_sheet(&run, captions));
    if (run.folder)
        POET_TRY_DONE(write_folder(&run));
    status = report(context, &run, captions);
done:
    json_decref(captions);
    json_decref(run.counts);
    poet_glyphs_close(&run.glyphs);
    poet_free(run.captions);
    poet_free(run.request);
    return status;
}
