#include <string.h>

#include <nxe/base64.h>
#include <nxe/credential.h>
#include <nxe/dialect.h>
#include <nxe/json.h>


static nxe_status_t nxe_credentials_decode(nxe_credentials_t *c,
    const nxe_mem_t *mem);
static int nxe_credentials_split(nxe_str_t header, nxe_str_t *scheme,
    nxe_str_t *credential);
static int nxe_credentials_bearer(nxe_str_t scheme);
static int nxe_jwt_payload(nxe_str_t token, nxe_str_t *payload);


void
nxe_credentials_add(nxe_credentials_t *c, nxe_str_t lower, nxe_str_t value)
{
    if (nxe_str_eq(lower, nxe_str("authorization"))) {
        c->authorization = value;
        c->nauthorization++;

    } else if (nxe_str_eq(lower, nxe_str("x-api-key"))
               || nxe_str_eq(lower, nxe_str("api-key")))
    {
        c->key = value;
        c->nkeys++;
    }
}


nxe_status_t
nxe_credentials_claim(nxe_credentials_t *c, nxe_str_t claim,
    const nxe_mem_t *mem, nxe_str_t *value)
{
    nxe_text_t          text;
    nxe_status_t        rc;
    nxe_json_node_t     root, *node;
    nxe_json_result_t   result;

    if (!c->decoded) {
        rc = nxe_credentials_decode(c, mem);
        if (rc != NXE_OK) {
            return rc;
        }

        c->decoded = 1;
    }

    if (c->payload.data == NULL) {
        return NXE_DECLINED;
    }

    memset(&root, 0, sizeof(root));

    node = nxe_json_child(&root, claim, mem);
    if (node == NULL) {
        return NXE_NOMEM;
    }

    text.segs = &c->payload;
    text.n = 1;

    if (nxe_json_scan(&text, &root, NXE_JSON_ROOT_OBJECT, &result)
        != NXE_JSON_OK)
    {
        return NXE_DECLINED;
    }

    return nxe_places_value(&text, node, mem, value);
}


/* Whatever is no JWT leaves no payload, and is no failure. */

static nxe_status_t
nxe_credentials_decode(nxe_credentials_t *c, const nxe_mem_t *mem)
{
    char       *p;
    size_t      len;
    nxe_str_t   scheme, token, part;

    if (c->nauthorization != 1
        || !nxe_credentials_split(c->authorization, &scheme, &token)
        || !nxe_credentials_bearer(scheme) || !nxe_jwt_payload(token, &part))
    {
        return NXE_OK;
    }

    p = nxe_alloc(mem, nxe_base64url_room(part.len));
    if (p == NULL) {
        return NXE_NOMEM;
    }

    if (nxe_base64url_decode(part, p, &len) == NXE_OK) {
        c->payload.data = p;
        c->payload.len = len;
    }

    return NXE_OK;
}


nxe_status_t
nxe_credentials_hash(nxe_credentials_t *c, nxe_str_t *value)
{
    nxe_str_t      scheme, credential;
    unsigned char  digest[NXE_SHA256_LEN];

    if (!c->hashed) {

        if (c->nauthorization > 1 || c->nkeys > 1) {
            return NXE_DECLINED;
        }

        /* one that is there and says nothing gives way to no other */

        if (c->nauthorization == 0) {
            credential = c->key;

        } else if (!nxe_credentials_split(c->authorization, &scheme,
                                          &credential))
        {
            return NXE_DECLINED;
        }

        if (credential.len == 0) {
            return NXE_DECLINED;
        }

        nxe_sha256(credential, digest);
        nxe_hex(digest, sizeof(digest), c->hash);
        c->hashed = 1;
    }

    value->data = c->hash;
    value->len = sizeof(c->hash);

    return NXE_OK;
}


/* SCHEME, spaces, CREDENTIAL; 0 unless both are there. */

static int
nxe_credentials_split(nxe_str_t header, nxe_str_t *scheme,
    nxe_str_t *credential)
{
    size_t  i;

    for (i = 0; i < header.len && header.data[i] != ' '; i++) { /* void */ }

    scheme->data = header.data;
    scheme->len = i;

    while (i < header.len && header.data[i] == ' ') {
        i++;
    }

    credential->data = header.data + i;
    credential->len = header.len - i;

    return scheme->len != 0 && credential->len != 0;
}


static int
nxe_credentials_bearer(nxe_str_t scheme)
{
    size_t  i;

    static const char  bearer[] = "bearer";

    if (scheme.len != sizeof(bearer) - 1) {
        return 0;
    }

    for (i = 0; i < scheme.len; i++) {
        if ((scheme.data[i] | 0x20) != bearer[i]) {
            return 0;
        }
    }

    return 1;
}


/*
 * The second of three parts; the third, a signature, may be empty.  Nothing
 * else may stand there, lest who verifies it reads another token than we do.
 */

static int
nxe_jwt_payload(nxe_str_t token, nxe_str_t *payload)
{
    size_t       i;
    nxe_str_t    parts[3];
    const char  *p, *dot, *last;

    if (token.len > NXE_JWT_MAX) {
        return 0;
    }

    p = token.data;
    last = p + token.len;

    for (i = 0; i < 3; i++) {
        dot = i < 2 ? memchr(p, '.', (size_t) (last - p)) : last;
        if (dot == NULL) {
            return 0;
        }

        parts[i].data = p;
        parts[i].len = (size_t) (dot - p);

        if (!nxe_base64url_ok(parts[i])) {
            return 0;
        }

        p = dot + 1;
    }

    *payload = parts[1];

    return parts[0].len != 0;
}
