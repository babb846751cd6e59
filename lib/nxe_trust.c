#include <nxe/trust.h>

#include "nxe_doc_int.h"


static int nxe_trusted_has(const nxe_trusted_t *trusted, nxe_str_t name);
static int nxe_trusted_same(nxe_str_t a, nxe_str_t b);
static const char *nxe_trust_variant(const nxe_variant_t *variant);


nxe_status_t
nxe_trusted_add(nxe_trusted_t *trusted, nxe_str_t word)
{
    if (nxe_str_eq(word, nxe_str("auth"))) {

        if (trusted->auth) {
            return NXE_CONFLICT;
        }

        trusted->auth = 1;
        return NXE_OK;
    }

    if (word.len != 0 && word.data[0] == '$') {
        word.data++;
        word.len--;
    }

    if (!nxe_variable_ok(word)) {
        return NXE_INVALID;
    }

    if (nxe_trusted_has(trusted, word)) {
        return NXE_CONFLICT;
    }

    trusted->names[trusted->n++] = word;

    return NXE_OK;
}


int
nxe_source_verified(const nxe_trusted_t *trusted, const nxe_source_t *source)
{
    if (trusted == NULL) {
        return 0;
    }

    switch (source->type) {

    case NXE_SOURCE_VAR:
        return nxe_trusted_has(trusted, source->name);

    case NXE_SOURCE_JWT:
    case NXE_SOURCE_AUTH:
        return trusted->auth;

    default:
        return 0;
    }
}


int
nxe_source_client(const nxe_source_t *source)
{
    return source->type == NXE_SOURCE_HEADER
           || source->type == NXE_SOURCE_COOKIE
           || source->type == NXE_SOURCE_ARG
           || source->type == NXE_SOURCE_JSON;
}


int
nxe_doc_wants_verified(const nxe_doc_t *doc)
{
    return doc->risk_high && !doc->trust_client;
}


static int
nxe_trusted_has(const nxe_trusted_t *trusted, nxe_str_t name)
{
    uint32_t  i;

    for (i = 0; i < trusted->n; i++) {
        if (nxe_trusted_same(trusted->names[i], name)) {
            return 1;
        }
    }

    return 0;
}


/* Names of variables, in which nginx ignores case; all of them are ASCII. */

static int
nxe_trusted_same(nxe_str_t a, nxe_str_t b)
{
    char    x, y;
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        x = a.data[i];
        y = b.data[i];

        if (x >= 'A' && x <= 'Z') {
            x = (char) (x | 0x20);
        }

        if (y >= 'A' && y <= 'Z') {
            y = (char) (y | 0x20);
        }

        if (x != y) {
            return 0;
        }
    }

    return 1;
}


uint32_t
nxe_trust_order(const nxe_doc_t *doc)
{
    uint32_t  i, client;

    client = NXE_NONE;

    for (i = 0; i < doc->nsources; i++) {

        if (!nxe_source_client(&doc->sources[i])) {

            if (client != NXE_NONE) {
                return client;
            }

        } else if (client == NXE_NONE) {
            client = i;
        }
    }

    return NXE_NONE;
}


const char *
nxe_trust_carries(const nxe_doc_t *doc, uint32_t *source, uint32_t *variant)
{
    uint32_t     i, v;
    const char  *what;

    if (doc->trust_client) {
        return NULL;
    }

    for (i = 0; i < doc->nsources; i++) {
        if (nxe_source_client(&doc->sources[i])) {
            break;
        }
    }

    if (i == doc->nsources) {
        return NULL;
    }

    for (v = 0; v < doc->nvariants; v++) {

        /* what the baseline does holds for all: there is nothing to choose */

        what = v == doc->baseline ? NULL
                                  : nxe_trust_variant(&doc->variants[v]);

        if (what != NULL) {
            *source = i;
            *variant = v;

            return what;
        }
    }

    return NULL;
}


static const char *
nxe_trust_variant(const nxe_variant_t *variant)
{
    uint32_t  i;

    if (variant->nroutes != 0) {
        return "a route";
    }

    if (variant->mcp) {
        return "an MCP server";
    }

    if (variant->tools) {
        return "tools";
    }

    for (i = 0; i < variant->nheaders; i++) {
        if (!variant->headers[i].response) {
            return "a request header";
        }
    }

    return NULL;
}
