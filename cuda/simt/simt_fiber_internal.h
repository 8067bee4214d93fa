/* Fibers: functions that give up the processor in the middle and go on later, on stacks of their own. One scheduler, the
 * thread that resumes them; a guard page under each stack ends a recursion that is too deep. */
#ifndef POET_CUDA_SIMT_FIBER_INTERNAL_H
#define POET_CUDA_SIMT_FIBER_INTERNAL_H

typedef struct poet_fiber poet_fiber;

/* entry(argument) starts at the first resume and must never return. NULL: no memory. */
poet_fiber *poet_fiber_create(void (*entry)(void *argument), void *argument);

/* Only while it is not running; what is on its stack is forgotten. */
void poet_fiber_destroy(poet_fiber *fiber);

/* Runs the fiber until it yields. Not from inside a fiber. */
void poet_fiber_resume(poet_fiber *fiber);

/* Back to whoever resumed the running fiber. */
void poet_fiber_yield(void);

#endif
