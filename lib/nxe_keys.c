#include <string.h>

#include <nxe/keys.h>


static nxe_status_t nxe_keys_line(nxe_str_t line, unsigned n,
    nxe_keys_t *keys, nxe_error_t *err);
static nxe_str_t nxe_keys_trim(nxe_str_t s);
static int nxe_keys_space(char c);


nxe_status_t
nxe_keys_parse(nxe_str_t text, nxe_keys_t *keys, nxe_error_t *err)
{
    unsigned     n;
    const char  *p, *end, *eol;
    nxe_str_t    line;

    keys->n = 0;
    end = text.len != 0 ? text.data + text.len : text.data;

    for (p = text.data, n = 1; p < end; p = eol + 1, n++) {

        eol = memchr(p, '\n', (size_t) (end - p));
        if (eol == NULL) {
            eol = end;
        }

        line.data = p;
        line.len = (size_t) (eol - p);
        line = nxe_keys_trim(line);

        if (line.len == 0) {
            continue;
        }

        if (nxe_keys_line(line, n, keys, err) != NXE_OK) {
            nxe_erase(keys, sizeof(nxe_keys_t));
            return NXE_INVALID;
        }
    }

    if (keys->n == 0) {
        return nxe_fail(err, NXE_INVALID,
                        "no key: expected a line \"KID HEX64\"");
    }

    return NXE_OK;
}


static nxe_status_t
nxe_keys_line(nxe_str_t line, unsigned n, nxe_keys_t *keys, nxe_error_t *err)
{
    char        kid[NXE_KID_LEN + 1];
    size_t      i;
    nxe_key_t  *key;
    nxe_str_t   hex;

    if (keys->n == NXE_KEYS_MAX) {
        return nxe_fail(err, NXE_INVALID, "line %u: more than %d keys", n,
                        NXE_KEYS_MAX);
    }

    key = &keys->keys[keys->n];

    hex = nxe_null_str;

    if (line.len == NXE_KID_LEN + 1 + 2 * NXE_SHA256_LEN
        && line.data[NXE_KID_LEN] == ' ')
    {
        hex.data = line.data + NXE_KID_LEN + 1;
        hex.len = 2 * NXE_SHA256_LEN;
    }

    if (nxe_unhex(hex, key->key, NXE_SHA256_LEN) != NXE_OK) {
        return nxe_fail(err, NXE_INVALID,
                        "line %u: expected \"KID HEX64\"", n);
    }

    nxe_keys_kid(key->key, kid);

    if (memcmp(kid, line.data, NXE_KID_LEN) != 0) {
        return nxe_fail(err, NXE_INVALID,
                        "line %u: the key's id is %s, not \"%.*s\"", n, kid,
                        NXE_KID_LEN, line.data);
    }

    memcpy(key->kid, kid, sizeof(kid));

    for (i = 0; i < keys->n; i++) {
        if (strcmp(keys->keys[i].kid, kid) == 0) {
            return nxe_fail(err, NXE_INVALID, "line %u: key %s occurs twice",
                            n, kid);
        }
    }

    keys->n++;

    return NXE_OK;
}


/* Without a comment and white space around. */

static nxe_str_t
nxe_keys_trim(nxe_str_t s)
{
    const char  *hash;

    hash = s.len != 0 ? memchr(s.data, '#', s.len) : NULL;
    if (hash != NULL) {
        s.len = (size_t) (hash - s.data);
    }

    while (s.len != 0 && nxe_keys_space(s.data[s.len - 1])) {
        s.len--;
    }

    while (s.len != 0 && nxe_keys_space(s.data[0])) {
        s.data++;
        s.len--;
    }

    return s;
}


static int
nxe_keys_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}


void
nxe_keys_kid(const unsigned char key[NXE_SHA256_LEN],
    char kid[NXE_KID_LEN + 1])
{
    nxe_str_t      s;
    unsigned char  digest[NXE_SHA256_LEN];

    s.data = (const char *) key;
    s.len = NXE_SHA256_LEN;

    nxe_sha256(s, digest);
    nxe_hex(digest, NXE_KID_LEN / 2, kid);
    kid[NXE_KID_LEN] = '\0';
}


void
nxe_unit_id(const nxe_hmac_key_t *unit_key, nxe_str_t type, nxe_str_t value,
    char out[NXE_UNIT_ID_LEN])
{
    nxe_str_t      parts[3];
    unsigned char  mac[NXE_SHA256_LEN];

    parts[0] = type;
    parts[1].data = "";
    parts[1].len = 1;
    parts[2] = value;

    nxe_hmac(unit_key, parts, 3, mac);
    nxe_hex(mac, NXE_UNIT_ID_LEN / 2, out);
}
