/* A device, a store of tensors, one graph and its program: what a test of a few operations
 * needs. */
#ifndef POET_TESTS_SUPPORT_RIG_H
#define POET_TESTS_SUPPORT_RIG_H

#include "compute/program.h"
#include "tests/support/check.h"

typedef struct rig {
    poet_device *device;
    poet_params *params;
    poet_graph *g; /* until rig_ready */
    poet_program *program;
} rig;

static inline rig rig_open(const poet_backend *backend)
{
    rig r = {0};
    CHECK_OK(poet_device_open(backend, 0, 2, &r.device));
    CHECK_OK(poet_params_create(r.device, 1, &r.params));
    r.g = poet_graph_create(r.params);
    return r;
}

static inline void rig_ready(rig *r)
{
    CHECK_OK(poet_program_create(r->g, &r->program));
    r->g = NULL;
}

static inline void rig_close(rig *r)
{
    poet_graph_destroy(r->g);
    poet_program_destroy(r->program);
    poet_params_destroy(r->params);
    poet_device_close(r->device);
}

/* Arrays only: the size is that of the type. */
#define RIG_SET(r, name, array)                                                                    \
    CHECK_OK(poet_program_set_by_name((r)->program, name, array, sizeof(array)))
#define RIG_GET(r, name, array)                                                                    \
    CHECK_OK(poet_program_get_by_name((r)->program, name, array, sizeof(array)))
#define RIG_RUN(r) CHECK_OK(poet_program_run((r)->program))

/* A state's contents. */
#define RIG_WRITE(r, name, array)                                                                  \
    CHECK_OK(                                                                                      \
        poet_params_write((r)->params, poet_params_find((r)->params, name), array, sizeof(array)))
#define RIG_READ(r, name, array)                                                                   \
    CHECK_OK(                                                                                      \
        poet_params_read((r)->params, poet_params_find((r)->params, name), array, sizeof(array)))

#endif
