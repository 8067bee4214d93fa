#include "cli/device.h"

#include "cuda/plugin/plugin.h"

#ifdef POET_SIMT
#include "cuda/backend/cuda_table.h"
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static poet_status open_cpu(const cli_context *context, poet_device **out)
{
    return poet_device_open(poet_backend_cpu(), 0, context->threads, out);
}

static poet_status open_card(int index, poet_device **out)
{
    const poet_backend *backend;
    *out = NULL;
    POET_TRY(poet_cuda_load(&backend));
    return poet_device_open(backend, index, 0, out);
}

static void tell(cli_context *context, const char *what, const char *why)
{
    if (context->quiet || context->device_told)
        return;
    context->device_told = true;
    cli_progress_clear(&context->progress);
    fprintf(context->progress.out, "device: %s%s\n", what, why);
}

static void tell_card(cli_context *context, const poet_device *device)
{
    tell(context, device->name, "");
}

static poet_status open_auto(cli_context *context, poet_device **out)
{
    if (!poet_cuda_is_installed())
        return open_cpu(context, out);
    poet_status status = open_card(0, out);
    if (status == POET_OK)
        tell_card(context, *out);
    if (status == POET_OK || status == POET_ERR_ARG) /* POET_CUDA_WEIGHTS is no word it knows */
        return status;
    tell(context, "the processor, as there is no GPU to use: ", poet_error_message());
    return open_cpu(context, out);
}

/* "cuda" or "cuda:N"; -1: neither. */
static int card_of(const char *text)
{
    char *end;
    if (strcmp(text, "cuda") == 0)
        return 0;
    if (strncmp(text, "cuda:", 5) != 0 || text[5] < '0' || text[5] > '9')
        return -1;
    errno = 0;
    long index = strtol(text + 5, &end, 10);
    return *end || errno || index > 1024 ? -1 : (int)index;
}

poet_status cli_device_open(cli_context *context, poet_device **out)
{
    const char *name = context->device;
    int card = card_of(name);
    *out = NULL;
    if (strcmp(name, "auto") == 0)
        return open_auto(context, out);
    if (strcmp(name, "cpu") == 0)
        return open_cpu(context, out);
#ifdef POET_SIMT
    if (strcmp(name, "simt") == 0)
        return poet_device_open(poet_cuda_table(), 0, 0, out);
#endif
    if (card < 0)
        return POET_FAIL(POET_ERR_ARG, "--device: '%.40s' is not auto, cpu, cuda or cuda:N", name);
    POET_TRY(open_card(card, out));
    tell_card(context, *out);
    return POET_OK;
}
