/*
 * JWTs: a claim's name, a line feed, and a token or a payload.  What decodes
 * is the only text that decodes so; a claim found in a token is what the scan
 * finds in its payload; a hash is of what stands behind the scheme.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/arena.h>
#include <nxe/base64.h>
#include <nxe/credential.h>
#include <nxe/dialect.h>
#include <nxe/json.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Written by another hand than nxe_base64url_decode()'s. */

static size_t
encode(nxe_str_t s, char *out)
{
    size_t    i, n;
    unsigned  acc, bits;

    static const char  set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (i = 0, n = 0, acc = 0, bits = 0; i < s.len; i++) {
        acc = acc << 8 | (unsigned char) s.data[i];
        bits += 8;

        while (bits >= 6) {
            bits -= 6;
            out[n++] = set[acc >> bits & 63];
        }
    }

    if (bits != 0) {
        out[n++] = set[acc << (6 - bits) & 63];
    }

    return n;
}


static void
base64url(nxe_str_t s)
{
    char    *out, *again;
    size_t   len;

    out = malloc(nxe_base64url_room(s.len));
    again = malloc(s.len + 8);
    assert(out != NULL && again != NULL);

    if (nxe_base64url_decode(s, out, &len) == NXE_OK) {
        assert(nxe_base64url_ok(s) && len <= nxe_base64url_room(s.len));
        assert(encode((nxe_str_t) { out, len }, again) == s.len);
        assert(memcmp(again, s.data, s.len) == 0);
    }

    free(out);
    free(again);
}


static nxe_status_t
claim_of(const char *token, size_t len, nxe_str_t claim, const nxe_mem_t *mem,
    nxe_str_t *value)
{
    nxe_credentials_t  c;

    memset(&c, 0, sizeof(c));
    nxe_credentials_add(&c, nxe_str("authorization"),
                        (nxe_str_t) { token, len });

    return nxe_credentials_claim(&c, claim, mem, value);
}


/* The input as it stands, as a header. */

static void
header(nxe_str_t claim, nxe_str_t s, const nxe_mem_t *mem)
{
    nxe_str_t           value, again;
    nxe_status_t        rc;
    unsigned char       digest[NXE_SHA256_LEN];
    char                hex[2 * NXE_SHA256_LEN];
    nxe_credentials_t   c;

    memset(&c, 0, sizeof(c));
    nxe_credentials_add(&c, nxe_str("authorization"), s);

    rc = nxe_credentials_claim(&c, claim, mem, &value);

    if (rc == NXE_OK) {
        assert(value.len != 0 && value.len <= NXE_UNIT_MAX);
        assert(nxe_credentials_claim(&c, claim, mem, &again) == NXE_OK);
        assert(nxe_str_eq(value, again));

    } else {
        assert(rc == NXE_DECLINED);
    }

    if (nxe_credentials_hash(&c, &value) == NXE_OK) {
        assert(value.len == sizeof(hex));

        while (s.len != 0 && *s.data != ' ') {
            s.data++;
            s.len--;
        }

        while (s.len != 0 && *s.data == ' ') {
            s.data++;
            s.len--;
        }

        nxe_sha256(s, digest);
        nxe_hex(digest, sizeof(digest), hex);
        assert(memcmp(hex, value.data, sizeof(hex)) == 0);
    }
}


/* The input as a payload: the same by a token as by a scan of its own. */

static void
payload(nxe_str_t claim, nxe_str_t s, const nxe_mem_t *mem)
{
    char               *token;
    size_t              len;
    nxe_str_t           got, want;
    nxe_text_t          text;
    nxe_status_t        rc;
    nxe_json_node_t     root, *node;
    nxe_json_result_t   result;

    token = malloc(s.len * 2 + 32);
    assert(token != NULL);

    memcpy(token, "Bearer e30.", 11);
    len = 11 + encode(s, token + 11);
    memcpy(token + len, ".", 1);
    len++;

    memset(&root, 0, sizeof(root));
    node = nxe_json_child(&root, claim, mem);
    assert(node != NULL);

    text.segs = &s;
    text.n = 1;

    rc = NXE_DECLINED;

    if (len - 7 <= NXE_JWT_MAX
        && nxe_json_scan(&text, &root, NXE_JSON_ROOT_OBJECT, &result)
           == NXE_JSON_OK)
    {
        rc = nxe_places_value(&text, node, mem, &want);
    }

    assert(claim_of(token, len, claim, mem, &got) == rc);
    assert(rc != NXE_OK || nxe_str_eq(got, want));

    free(token);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nxe_str_t     claim, rest;
    const char   *lf;
    nxe_arena_t  *arena;

    arena = nxe_arena_new();
    assert(arena != NULL);

    claim.data = (const char *) data;
    lf = size != 0 ? memchr(data, '\n', size) : NULL;
    claim.len = lf != NULL ? (size_t) (lf - claim.data) : 0;

    rest.data = lf != NULL ? lf + 1 : claim.data;
    rest.len = size - (size_t) (rest.data - claim.data);

    base64url(rest);
    header(claim, rest, nxe_arena_mem(arena));
    payload(claim, rest, nxe_arena_mem(arena));

    nxe_arena_free(arena);

    return 0;
}
