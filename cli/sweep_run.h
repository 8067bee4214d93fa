/* Making a cell of 'eval sweep': its commands as processes of their own, and their results as one JSON object.
 *
 * FOLDER/models/NAME has what the commands make, and STEP.json for each that is done; a killed cell goes on after the last of
 * them, and a training from its checkpoint. FOLDER/cells/NAME.json appears by rename when all are done, and the models go,
 * unless a later cell needs them. FOLDER/sweep.json has what all cells have in common. */
#ifndef POET_CLI_SWEEP_RUN_H
#define POET_CLI_SWEEP_RUN_H

#include "cli/sweep_steps.h"

#include <jansson.h>

/* Makes the folders, and writes what the cells have in common, or compares it with what is there: POET_ERR_MISMATCH
 * names what differs. What is there is replaced while nothing was made with it. */
poet_status sweep_open(const sweep_plan *plan);

/* Takes a lock of the folder, which goes with the process that holds it, however that ends; closing *file gives it back. One that another
 * process has is waited for, or with wait false left alone: *busy. */
poet_status sweep_lock(const sweep_plan *plan, const char *name, bool wait, int *file, bool *busy);

/* Makes a cell, if it is not done, and first what it needs. A cell that another process is at work on is waited for, or
 * with wait false left alone: *busy. POET_ERR_DEVICE when a command failed: it has said why. */
poet_status sweep_run(const sweep_plan *plan, int index, bool wait, const poet_task *task,
                      bool *busy);

/* The value at a path of names between dots, NULL where there is none. */
json_t *sweep_value(json_t *object, const char *path);

/* A JSON file; NULL and POET_ERR_FORMAT, or POET_ERR_IO. */
poet_status sweep_load(const char *path, json_t **out);

/* In one line by rename, or with indent > 0 in many. Takes the reference. */
poet_status sweep_save(const char *path, json_t *value, int indent);

#endif
