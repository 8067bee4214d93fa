/* What work takes, as a sentence, and whether there is so much. */
#include "base/limits.h"
#include "compute/program.h"

#include <stdio.h>

size_t poet_memory_total(const poet_memory *m)
{
    return m->params + m->buffers + m->packed + m->moments + m->caches + m->activations +
           m->inputs + m->host;
}

void poet_memory_add(poet_memory *m, const poet_program *program)
{
    poet_memory of = poet_program_memory(program);
    of.packed += m->packed;
    of.activations += m->activations;
    of.inputs += m->inputs;
    of.host = m->host;
    *m = of;
}

void poet_memory_join(poet_memory *m, const poet_memory *other)
{
    m->params += other->params;
    m->buffers += other->buffers;
    m->packed += other->packed;
    m->moments += other->moments;
    m->caches += other->caches;
    m->activations += other->activations;
    m->inputs += other->inputs;
    m->host += other->host;
}

void poet_memory_most(poet_memory *m, const poet_memory *other)
{
    size_t host = other->host > m->host ? other->host : m->host;
    if (poet_memory_total(other) - other->host > poet_memory_total(m) - m->host)
        *m = *other;
    m->host = host;
}

const char *poet_memory_text(const poet_memory *m, char out[192])
{
    const double mb = 1e6;
    snprintf(out, 192,
             "weights %.1f, optimizer %.1f, caches %.1f, activations %.1f, staging %.1f, batches "
             "%.1f: %.1f MB",
             (double)(m->params + m->buffers + m->packed) / mb, (double)m->moments / mb,
             (double)m->caches / mb, (double)m->activations / mb, (double)m->inputs / mb,
             (double)m->host / mb, (double)poet_memory_total(m) / mb);
    return out;
}

poet_status poet_memory_check(poet_device *device, const poet_memory *m, size_t held,
                              const char *what)
{
    char text[192];
    size_t left, most, wanted = poet_memory_total(m);
    if (!device->backend->memory) {
        most = poet_machine_memory();
        return wanted <= most
                   ? POET_OK
                   : POET_FAIL(POET_ERR_NOMEM, "%s: %s are needed, and the machine has %.1f MB",
                               what, poet_memory_text(m, text), (double)most / 1e6);
    }
    POET_TRY(device->backend->memory(device, &left, &most));
    if (wanted - m->host <= left + held)
        return POET_OK;
    return POET_FAIL(POET_ERR_NOMEM, "%s: %s are needed, and %s has %.1f of %.1f MB free", what,
                     poet_memory_text(m, text), device->name, (double)(left + held) / 1e6,
                     (double)most / 1e6);
}
