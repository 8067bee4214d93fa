/* The outside of a module: which kernels and variables it has. */
#include "tests/cuda/ptx/parse_internal.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Between shared variables, so that what runs out of one does not run into the next. */
enum { GAP = 256 };

/* ---- text ---- */

const char *ptx_skip(const char *at, int *line)
{
    for (;; at++) {
        if (at[0] == '/' && at[1] == '/')
            at += strcspn(at, "\n");
        if (!isspace((unsigned char)*at))
            return at;
        *line += *at == '\n';
    }
}

bool ptx_take(const char **at, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

size_t ptx_name_length(const char *at)
{
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || (at[n] && strchr("_$%", at[n])))
        n++;
    return n;
}

char *ptx_copy_name(const char *at, size_t length)
{
    char *name = poet_alloc(length + 1);
    if (name) {
        memcpy(name, at, length);
        name[length] = 0;
    }
    return name;
}

void *ptx_append(void *array, int *n, size_t size, const void *item)
{
    char *grown = array;
    if ((*n & (*n - 1)) == 0) /* room is a power of two */
        grown = poet_realloc(array, size * (size_t)(*n ? 2 * *n : 1));
    if (grown)
        memcpy(grown + size * (size_t)(*n)++, item, size);
    return grown;
}

int ptx_type_bytes(const char *type)
{
    int bits = *type && strchr("busf", *type) ? atoi(type + 1) : 0;
    return bits == 8 || bits == 16 || bits == 32 || bits == 64 ? bits / 8 : 0;
}

/* ---- variables ---- */

/* `.align 16 .b8 name[64]`, behind the space. Reads up to what ends it. */
poet_status ptx_parse_variable(const char **at, int *line, ptx_variable *out)
{
    size_t element = 0, count = 1;
    for (*at = ptx_skip(*at, line); **at == '.'; *at = ptx_skip(*at, line)) {
        size_t n = 1 + ptx_name_length(*at + 1);
        if (strncmp(*at, ".align", n) == 0)
            out->alignment = strtoul(*at + n, (char **)at, 10);
        else {
            element = element ? element : (size_t)ptx_type_bytes(*at + 1);
            *at += n;
        }
    }
    size_t n = ptx_name_length(*at);
    if (!n || !element)
        return POET_FAIL(POET_ERR_FORMAT, "line %d: a variable without a name or a type", *line);
    out->name = ptx_copy_name(*at, n);
    if (!out->name)
        return POET_ERR_NOMEM;
    *at = ptx_skip(*at + n, line);
    if (ptx_take(at, "[")) {
        count = strtoul(*at, (char **)at, 10);
        *at = ptx_skip(*at, line);
        if (!ptx_take(at, "]"))
            return POET_FAIL(POET_ERR_FORMAT, "line %d: \"]\" is missing", *line);
        *at = ptx_skip(*at, line);
    }
    out->bytes = element * count;
    out->alignment = out->alignment ? out->alignment : element;
    return POET_OK;
}

static size_t aligned(size_t offset, size_t alignment)
{
    return (offset + alignment - 1) / alignment * alignment;
}

void ptx_place(ptx_kernel *kernel, ptx_variable *v)
{
    size_t *end = v->space == PTX_SHARED  ? &kernel->shared
                  : v->space == PTX_LOCAL ? &kernel->local
                                          : &kernel->param;
    uint64_t base = v->space == PTX_SHARED  ? PTX_SHARED_BASE
                    : v->space == PTX_LOCAL ? PTX_LOCAL_BASE
                                            : PTX_PARAM_BASE;
    if (!v->bytes) { /* dynamic */
        v->at = base + PTX_DYNAMIC;
        return;
    }
    size_t offset = aligned(*end, v->alignment);
    v->at = base + offset;
    *end = offset + v->bytes;
    if (v->space == PTX_SHARED) {
        kernel->static_shared = aligned(kernel->static_shared, v->alignment) + v->bytes;
        *end = aligned(*end, 16) + GAP;
    }
}

/* ---- the module ---- */

static poet_status parse_params(const char **at, int *line, ptx_kernel *kernel)
{
    *at = ptx_skip(*at, line);
    if (!ptx_take(at, "("))
        return POET_OK;
    for (*at = ptx_skip(*at, line); !ptx_take(at, ")"); *at = ptx_skip(*at, line)) {
        ptx_variable v = {.space = PTX_PARAM};
        if (!ptx_take(at, ".param"))
            return POET_FAIL(POET_ERR_FORMAT, "line %d: \".param\" is missing", *line);
        poet_status status = ptx_parse_variable(at, line, &v);
        ptx_place(kernel, &v);
        void *grown =
            status ? NULL : ptx_append(kernel->variable, &kernel->n_variables, sizeof v, &v);
        if (!grown) {
            poet_free(v.name);
            return status ? status : POET_ERR_NOMEM;
        }
        kernel->variable = grown;
        (void)ptx_take(at, ",");
    }
    kernel->n_params = kernel->n_variables;
    return POET_OK;
}

/* Behind the body, which is kept for later. */
static poet_status skip_body(const char **at, int *line, ptx_kernel *kernel)
{
    int depth = 0;
    for (; **at && **at != '{'; (*at)++) /* .maxntid and its like */
        *line += **at == '\n';
    kernel->body = *at;
    kernel->line = *line;
    do {
        *at = ptx_skip(*at, line);
        if (!**at)
            return POET_FAIL(POET_ERR_FORMAT, "line %d: the text ends in a kernel", *line);
        depth += (**at == '{') - (**at == '}');
        (*at)++;
    } while (depth > 0);
    return POET_OK;
}

static void kernel_free(ptx_kernel *kernel)
{
    for (int i = 0; i < kernel->n_variables; i++)
        poet_free(kernel->variable[i].name);
    poet_free(kernel->name);
    poet_free(kernel->variable);
    poet_free(kernel->code);
    poet_free(kernel->slot);
}

static poet_status parse_kernel(const char **at, int *line, ptx_module *out)
{
    ptx_kernel kernel = {0};
    *at = ptx_skip(*at, line);
    size_t n = ptx_name_length(*at);
    kernel.name = ptx_copy_name(*at, n);
    *at += n;
    poet_status status = kernel.name ? parse_params(at, line, &kernel) : POET_ERR_NOMEM;
    if (!status)
        status = skip_body(at, line, &kernel);
    void *grown = status ? NULL : ptx_append(out->kernel, &out->n_kernels, sizeof kernel, &kernel);
    if (!grown) {
        kernel_free(&kernel);
        return status ? status : POET_ERR_NOMEM;
    }
    out->kernel = grown;
    return POET_OK;
}

static poet_status parse_shared(const char **at, int *line, ptx_module *out)
{
    ptx_variable v = {.space = PTX_SHARED};
    poet_status status = ptx_parse_variable(at, line, &v);
    void *grown = status ? NULL : ptx_append(out->shared, &out->n_shared, sizeof v, &v);
    if (!grown) {
        poet_free(v.name);
        return status ? status : POET_ERR_NOMEM;
    }
    out->shared = grown;
    if (!ptx_take(at, ";"))
        return POET_FAIL(POET_ERR_FORMAT, "line %d: \";\" is missing", *line);
    return POET_OK;
}

poet_status ptx_parse(char *text, ptx_module *out)
{
    const char *at = text;
    int line = 1;
    *out = (ptx_module){.text = text};
    for (at = ptx_skip(at, &line); *at; at = ptx_skip(at, &line)) {
        bool header = true;
        if (ptx_take(&at, ".target"))
            out->target = atoi(at + strspn(at, " \tsm_"));
        else if (!ptx_take(&at, ".version") && !ptx_take(&at, ".address_size"))
            header = false;
        if (header)
            at += strcspn(at, "\n");
        else if (ptx_take(&at, ".entry"))
            POET_TRY(parse_kernel(&at, &line, out));
        else if (ptx_take(&at, ".shared"))
            POET_TRY(parse_shared(&at, &line, out));
        else if (!ptx_take(&at, ".visible") && !ptx_take(&at, ".weak") && !ptx_take(&at, ".extern"))
            return POET_FAIL(POET_ERR_FORMAT, "line %d: \"%.20s\" is not known to the machine",
                             line, at);
    }
    return POET_OK;
}

void ptx_module_free(ptx_module *module)
{
    for (int i = 0; i < module->n_kernels; i++)
        kernel_free(&module->kernel[i]);
    for (int i = 0; i < module->n_shared; i++)
        poet_free(module->shared[i].name);
    poet_free(module->kernel);
    poet_free(module->shared);
    poet_free(module->text);
}
