/* The weights of one model as the start of another, for clips of another length or rate. */
#include "generator/generator_internal.h"

#include <string.h>

/* Rows that the old table has are copied; later ones begin as its last. A tensor without a row for
 * each time has equal bytes in both. */
static void copy_rows(const poet_tensor_pair *p)
{
    size_t row = (size_t)p->c * sizeof *p->old, last = p->old_bytes - row;
    for (size_t at = 0; at < p->new_bytes; at += row)
        memcpy((char *)p->new + at, (const char *)p->old + (at < last ? at : last), row);
}

static poet_status copy_tensor(poet_generator *from, poet_generator *to, const char *name)
{
    poet_tensor_pair p;
    poet_status status = poet_tensor_pair_open(from, to, name, &p);
    if (!status) {
        copy_rows(&p);
        status = poet_tensor_pair_write(&p);
    }
    poet_tensor_pair_free(&p);
    return status;
}

poet_status poet_generator_extend(poet_generator *generator, int t, double fps,
                                  poet_generator **out)
{
    poet_generator_config config = generator->config;
    *out = NULL;
    config.grid.t = t;
    config.fps = fps;
    POET_TRY(poet_derived_create(generator, generator->device, &config, NULL,
                                 generator->fingerprint, out));
    poet_status status = POET_OK;
    for (int i = 0; !status && i < poet_params_count((*out)->params); i++)
        status = copy_tensor(generator, *out, poet_params_name((*out)->params, i));
    if (status) {
        poet_generator_destroy(*out);
        *out = NULL;
    }
    return status;
}
