#include <string.h>

#include <nxe/dialect.h>


static const char *const  nxe_code_names[] = {
    "", "applied", "equal", "kept", "unsupported", "bypassed", "not_sent"
};


/* "auto" goes by the ending of the path; json has none. */

typedef struct {
    const char         *name;
    const char         *ending;
    unsigned            built:1;
} nxe_dialect_def_t;

static const nxe_dialect_def_t  nxe_dialects[NXE_DIALECTS] = {
    { "json", NULL, 1 },
    { "openai_chat", "/chat/completions", 1 },
    { "openai_responses", "/responses", 1 },
    { "anthropic", "/messages", 1 },
    { "mcp", "/mcp", 0 }
};


const char *
nxe_code_name(nxe_code_t code)
{
    return nxe_code_names[code];
}


const char *
nxe_dialect_name(nxe_dialect_t dialect)
{
    return nxe_dialects[dialect].name;
}


nxe_status_t
nxe_dialect_parse(nxe_str_t s, nxe_dialect_t *dialect)
{
    unsigned  i;

    for (i = 0; i < NXE_DIALECTS; i++) {
        if (nxe_str_eq(s, nxe_str_of(nxe_dialects[i].name))) {
            *dialect = (nxe_dialect_t) i;
            return NXE_OK;
        }
    }

    return NXE_DECLINED;
}


int
nxe_dialect_built(nxe_dialect_t dialect)
{
    return nxe_dialects[dialect].built;
}


nxe_dialect_t
nxe_dialect_of_path(nxe_str_t path)
{
    unsigned   i;
    nxe_str_t  ending;

    for (i = 1; i < NXE_DIALECTS; i++) {
        ending = nxe_str_of(nxe_dialects[i].ending);

        if (path.len >= ending.len
            && memcmp(path.data + path.len - ending.len, ending.data,
                      ending.len) == 0)
        {
            return (nxe_dialect_t) i;
        }
    }

    return NXE_DIALECT_JSON;
}
