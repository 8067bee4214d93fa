/* Slots for registers, constants and addresses, and what the operands of a statement are. */
#include "tests/cuda/ptx/decode_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

poet_status ptx_wrong_at(const decoder *d)
{
    return poet_context(POET_ERR_FORMAT, "%s, line %d", d->kernel->name, d->line);
}

/* ---- slots ---- */

poet_status ptx_add_slot(decoder *d, uint64_t value, int *slot)
{
    ptx_kernel *k = d->kernel;
    *slot = k->n_slots;
    void *grown = ptx_append(k->slot, &k->n_slots, sizeof value, &value);
    if (!grown)
        return POET_ERR_NOMEM;
    k->slot = grown;
    return POET_OK;
}

/* What nobody has written is a NaN in both types, and no index. */
poet_status ptx_add_registers(decoder *d, const char *text)
{
    registers r = {.slot = d->kernel->n_slots};
    size_t n = ptx_name_length(text);
    int ignored;
    snprintf(r.name, sizeof r.name, "%.*s", (int)n, text);
    if (text[n] == '<')
        r.count = atoi(text + n + 1);
    for (int i = 0; i < (r.count ? r.count : 1); i++)
        POET_TRY(ptx_add_slot(d, 0x7FF77FF77FF77FF7U, &ignored));
    void *grown = ptx_append(d->range, &d->n_ranges, sizeof r, &r);
    if (!grown)
        return POET_ERR_NOMEM;
    d->range = grown;
    return POET_OK;
}

/* The latest of a name counts: blocks in braces may declare theirs again. */
static int find_register(const decoder *d, const char *name)
{
    for (int i = d->n_ranges - 1; i >= 0; i--) {
        const registers *r = &d->range[i];
        size_t n = strlen(r->name);
        if (!r->count && strcmp(name, r->name) == 0)
            return r->slot;
        if (!r->count || strncmp(name, r->name, n) != 0 || !name[n] ||
            strspn(name + n, "0123456789") != strlen(name + n))
            continue;
        int number = atoi(name + n);
        return number < r->count ? r->slot + number : -1;
    }
    return -1;
}

static int find_special(const char *name)
{
    static const struct {
        const char *name;
        int slot;
    } specials[] = {
        {"%tid.", PTX_TID}, {"%ntid.", PTX_NTID}, {"%ctaid.", PTX_CTAID}, {"%nctaid.", PTX_NCTAID}};

    for (int i = 0; i < 4; i++) {
        size_t n = strlen(specials[i].name);
        if (strncmp(name, specials[i].name, n) == 0 && name[n] >= 'x' && name[n] <= 'z')
            return specials[i].slot + (name[n] - 'x');
    }
    return strcmp(name, "%laneid") == 0 ? PTX_LANEID : -1;
}

/* ---- operands ---- */

poet_status ptx_add_variable(decoder *d, ptx_variable v)
{
    ptx_kernel *k = d->kernel;
    ptx_place(k, &v);
    void *grown = ptx_append(k->variable, &k->n_variables, sizeof v, &v);
    if (!grown) {
        poet_free(v.name);
        return POET_ERR_NOMEM;
    }
    k->variable = grown;
    return POET_OK;
}

/* The address of a variable; one of the module becomes one of the kernel where it is first named. */
static poet_status address_of(decoder *d, const char *name, uint64_t *out)
{
    ptx_kernel *k = d->kernel;
    for (int i = 0; i < k->n_variables; i++)
        if (strcmp(k->variable[i].name, name) == 0) {
            *out = k->variable[i].at;
            return POET_OK;
        }
    for (int i = 0; i < d->module->n_shared; i++) {
        ptx_variable v = d->module->shared[i];
        if (strcmp(v.name, name) != 0)
            continue;
        v.name = poet_strdup(name);
        if (!v.name)
            return POET_ERR_NOMEM;
        POET_TRY(ptx_add_variable(d, v));
        *out = k->variable[k->n_variables - 1].at;
        if (!v.bytes)
            k->dynamic = *out;
        return POET_OK;
    }
    return WRONG(d, "\"%s\" is not declared", name);
}

static bool is_number(const char *text, uint64_t *out)
{
    char *end;
    bool real = text[0] == '0' && text[1] && strchr("fFdD", text[1]);
    *out = real             ? strtoull(text + 2, &end, 16)
           : text[0] == '-' ? (uint64_t)strtoll(text, &end, 0)
                            : strtoull(text, &end, 0);
    return end != text && (!*end || strcmp(end, "U") == 0);
}

poet_status ptx_value(decoder *d, const char *text, int *slot)
{
    uint64_t constant;
    *slot = find_special(text);
    if (*slot < 0)
        *slot = find_register(d, text);
    if (*slot >= 0)
        return POET_OK;
    if (!is_number(text, &constant))
        POET_TRY(address_of(d, text, &constant));
    return ptx_add_slot(d, constant, slot);
}

poet_status ptx_register(decoder *d, const char *text, int *slot)
{
    *slot = find_register(d, text);
    if (*slot < 0)
        return WRONG(d, "\"%s\" is no register", text);
    return POET_OK;
}

poet_status ptx_address(decoder *d, char *text, ptx_instruction *out)
{
    char *plus = strchr(text, '+'), *close = strchr(text, ']');
    if (*text != '[' || !close)
        return WRONG(d, "\"%s\" is no address", text);
    *close = 0;
    if (plus) {
        *plus = 0;
        out->offset = strtoll(plus + 1, NULL, 0);
    }
    return ptx_value(d, text + 1, &out->src[0]);
}

poet_status ptx_list(decoder *d, char *text, poet_status (*each)(decoder *, const char *, int *),
                     int *slots, int *n)
{
    char *rest = text;
    *n = 0;
    if (*text != '{') {
        *n = 1;
        return each(d, text, slots);
    }
    for (char *item = strtok_r(text, "{}, \t", &rest); item;
         item = strtok_r(NULL, "{}, \t", &rest)) {
        if (*n == PTX_VECTOR)
            return WRONG(d, "more than %d in a vector", (int)PTX_VECTOR);
        POET_TRY(each(d, item, &slots[(*n)++]));
    }
    return POET_OK;
}

poet_status ptx_label(decoder *d, const char *name, int *out)
{
    label l = {.at = -1};
    for (*out = 0; *out < d->n_labels; ++*out)
        if (strcmp(d->label[*out].name, name) == 0)
            return POET_OK;
    if (strlen(name) >= sizeof l.name)
        return WRONG(d, "the label \"%s\" is too long", name);
    snprintf(l.name, sizeof l.name, "%s", name);
    void *grown = ptx_append(d->label, &d->n_labels, sizeof l, &l);
    if (!grown)
        return POET_ERR_NOMEM;
    d->label = grown;
    return POET_OK;
}
