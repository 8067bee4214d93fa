/* The inside of a kernel: its text becomes instructions over slots. */
#include "tests/cuda/ptx/decode_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static char *trimmed(char *text)
{
    size_t n;
    text += strspn(text, " \t\n");
    for (n = strlen(text); n && strchr(" \t\n", text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

/* Up to the ";", which is not part of it. */
static poet_status split(decoder *d, const char *text, size_t length, statement *s)
{
    int depth = 0;
    if (length >= sizeof s->text)
        return WRONG(d, "a statement of %zu characters", length);
    memcpy(s->text, text, length);
    s->text[length] = 0;
    s->n = 0;
    s->guard = NULL;
    char *at = s->text;
    if (*at == '@') {
        s->guard = at;
        at += strcspn(at, " \t\n");
        *at++ = 0;
    }
    s->name = at = trimmed(at);
    at += strcspn(at, " \t\n");
    if (!*at)
        return POET_OK;
    *at++ = 0;
    for (char *begin = at;; at++) {
        depth += (*at == '{') - (*at == '}');
        if (*at && (*at != ',' || depth))
            continue;
        bool last = !*at;
        *at = 0;
        if (s->n == PTX_OPERANDS)
            return WRONG(d, "%s has too many operands", s->name);
        s->operand[s->n++] = trimmed(begin);
        begin = at + 1;
        if (last)
            return POET_OK;
    }
}

/* `.reg .b32 %lhs, %rhs`, split as if .reg were an instruction. */
static poet_status declare_registers(decoder *d, const statement *s)
{
    for (int i = 0; i < s->n; i++) {
        const char *name = strchr(s->operand[i], '%');
        if (!name)
            return WRONG(d, "\"%s\" is no register", s->operand[i]);
        POET_TRY(ptx_add_registers(d, name));
    }
    return POET_OK;
}

static poet_status declare_variable(decoder *d, ptx_space space, const char *text)
{
    ptx_variable v = {.space = space};
    int line = d->line;
    poet_status status = ptx_parse_variable(&text, &line, &v);
    if (status) {
        poet_free(v.name);
        return status;
    }
    return ptx_add_variable(d, v);
}

static poet_status decode_statement(decoder *d, const char *text, size_t length)
{
    statement s;
    const char *rest = text;
    if (ptx_take(&rest, ".pragma"))
        return POET_OK;
    if (ptx_take(&rest, ".shared"))
        return declare_variable(d, PTX_SHARED, rest);
    if (ptx_take(&rest, ".local"))
        return declare_variable(d, PTX_LOCAL, rest);
    POET_TRY(split(d, text, length, &s));
    return strcmp(s.name, ".reg") == 0 ? declare_registers(d, &s) : ptx_decode_instruction(d, &s);
}

static poet_status set_label(decoder *d, const char *name, size_t length)
{
    char copy[64];
    int l;
    snprintf(copy, sizeof copy, "%.*s", (int)length, name);
    POET_TRY(ptx_label(d, copy, &l));
    d->label[l].at = d->kernel->n_code;
    return POET_OK;
}

static poet_status decode_body(decoder *d)
{
    int depth = 0;
    const char *at = d->kernel->body;
    d->line = d->kernel->line;
    do {
        at = ptx_skip(at, &d->line);
        size_t name = ptx_name_length(at);
        if (*at == '{' || *at == '}')
            depth += *at++ == '{' ? 1 : -1;
        else if (name && at[name] == ':') {
            POET_TRY(set_label(d, at, name));
            at += name + 1;
        } else {
            size_t length = strcspn(at, ";");
            POET_TRY(decode_statement(d, at, length));
            for (const char *end = at + length; at < end; at++)
                d->line += *at == '\n';
            at++;
        }
    } while (depth > 0);
    return POET_OK;
}

/* Branches know their labels until all of those have been seen. */
static poet_status resolve(decoder *d)
{
    ptx_kernel *k = d->kernel;
    for (int i = 0; i < k->n_code; i++) {
        if (k->code[i].kind != PTX_BRANCH)
            continue;
        const label *l = &d->label[k->code[i].target];
        d->line = k->code[i].line;
        if (l->at < 0)
            return WRONG(d, "there is no label %s", l->name);
        k->code[i].target = l->at;
    }
    return POET_OK;
}

/* A kernel may end without a `ret`. */
static poet_status finish(decoder *d)
{
    statement end = {.name = (char[]){"ret"}};
    poet_status status = ptx_decode_instruction(d, &end);
    return status ? status : resolve(d);
}

/* So that another launch says the same. */
static void undo(ptx_kernel *k)
{
    for (int i = k->n_params; i < k->n_variables; i++)
        poet_free(k->variable[i].name);
    k->n_variables = k->n_params;
    k->n_code = k->n_slots = 0;
    k->shared = k->static_shared = k->local = 0;
}

poet_status ptx_decode(const ptx_module *module, ptx_kernel *kernel)
{
    decoder d = {.module = module, .kernel = kernel};
    poet_status status = POET_OK;
    int ignored;
    for (int i = 0; i < PTX_SLOTS && !status; i++)
        status = ptx_add_slot(&d, 0, &ignored);
    if (!status)
        status = decode_body(&d);
    if (!status)
        status = finish(&d);
    if (status)
        undo(kernel);
    kernel->decoded = !status;
    poet_free(d.range);
    poet_free(d.label);
    return status;
}
