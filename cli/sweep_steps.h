/* The commands that make a cell of 'eval sweep', as a user would type them; a method is the options it gives to them. */
#ifndef POET_CLI_SWEEP_STEPS_H
#define POET_CLI_SWEEP_STEPS_H

#include "cli/sweep_cells.h"

#include "base/memory.h"

enum { SWEEP_MAX_STEPS = 6, SWEEP_MAX_WORDS = 96 };

/* One command: its name in the cell, and the words after "pocketpoet", NULL at the end. */
typedef struct sweep_step {
    const char *name;
    char *words[SWEEP_MAX_WORDS + 1];
    int n;
} sweep_step;

typedef struct sweep_steps {
    sweep_step step[SWEEP_MAX_STEPS];
    int n;
    poet_arena *arena;
    bool failed;
} sweep_steps;

/* The commands of the cell of that index, in order. Free also after a failure. */
poet_status sweep_steps_create(const sweep_plan *plan, int index, sweep_steps *out);
void sweep_steps_free(sweep_steps *steps);

#endif
