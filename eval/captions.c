#include "eval/captions.h"

#include "base/memory.h"

/* What is judged, and by whom. */
typedef struct judging {
    const poet_reader *reader;
    const poet_synth_scene *scenes;
    poet_reading *reading;
    poet_attribute_score *out;
} judging;

static poet_status judge(void *opaque, int i, const poet_clip *clip)
{
    judging *j = opaque;
    POET_TRY(poet_reader_read(j->reader, clip, j->reading));
    poet_attribute_score_add(j->out, j->reading, &j->scenes[i]);
    return POET_OK;
}

static poet_status write_and_judge(const poet_caption_run *run, judging *j)
{
    const char **prompts = poet_calloc((size_t)run->n, sizeof *prompts);
    j->reading = poet_alloc(sizeof *j->reading);
    poet_status status = prompts && j->reading ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < run->n && !status; i++)
        prompts[i] = j->scenes[i].caption;
    if (!status)
        status = poet_clip_writer_run(&run->writer, run->n, prompts, judge, j);
    poet_free(j->reading);
    poet_free(prompts);
    return status;
}

poet_status poet_measure_captions(const poet_caption_run *run, poet_attribute_score *out)
{
    poet_reader *reader = NULL;
    *out = (poet_attribute_score){0};
    poet_synth_scene *scenes = poet_calloc((size_t)run->n, sizeof *scenes);
    poet_status status = scenes ? poet_synth_prompts(run->set, run->writer.seed, run->split,
                                                     &run->options, run->n, scenes)
                                : POET_ERR_NOMEM;
    if (!status)
        status = poet_reader_create(run->set, &run->options, &reader);
    if (!status)
        status = write_and_judge(run, &(judging){.reader = reader, .scenes = scenes, .out = out});
    poet_reader_destroy(reader);
    poet_free(scenes);
    return status;
}

poet_status poet_measure_reader(const poet_caption_run *run, poet_attribute_score *drawn,
                                poet_attribute_score *reconstructed)
{
    poet_reader *reader;
    poet_clip_writer writer = run->writer;
    POET_TRY(poet_reader_create(run->set, &run->options, &reader));
    poet_status status = poet_attributes_accuracy(reader, writer.seed, run->split, (uint64_t)run->n,
                                                  NULL, NULL, writer.task, drawn);
    if (!status)
        status = poet_attributes_accuracy(reader, writer.seed, run->split, (uint64_t)run->n,
                                          poet_clip_writer_reconstruct, &writer, writer.task,
                                          reconstructed);
    poet_reader_destroy(reader);
    return status;
}
