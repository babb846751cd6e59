/*
 * Tokens: what is signed comes back, and nothing else does.
 */

#include "unit.h"

#include <nxe/base64.h>
#include <nxe/token.h>


#define NOW  1764030000


static nxe_keys_t        root;
static nxe_token_keys_t  keys, other, preview;


static int
setup(void **state)
{
    size_t  i;

    (void) state;

    root.n = 2;
    memset(root.keys[0].key, 1, NXE_SHA256_LEN);
    memset(root.keys[1].key, 2, NXE_SHA256_LEN);

    for (i = 0; i < 2; i++) {
        nxe_keys_kid(root.keys[i].key, root.keys[i].kid);
    }

    assert_int_equal(nxe_token_keys(&root, nxe_str("feedback"), &keys),
                     NXE_OK);
    assert_int_equal(nxe_token_keys(&root, nxe_str("preview"), &preview),
                     NXE_OK);

    root.n = 1;
    root.keys[0] = root.keys[1];
    assert_int_equal(nxe_token_keys(&root, nxe_str("feedback"), &other),
                     NXE_OK);

    return 0;
}


static nxe_str_t
sign(const nxe_token_keys_t *k, int64_t from, int64_t to, const char *payload,
    size_t len, char *out)
{
    nxe_str_t    s;
    nxe_token_t  t;

    t.from = from;
    t.to = to;
    t.len = len;
    memcpy(t.payload, payload, len);

    s.data = out;
    s.len = nxe_token_sign(k, &t, out);

    return s;
}


static void
test_back(void **state)
{
    char         text[NXE_TOKEN_MAX], payload[NXE_TOKEN_PAYLOAD];
    size_t       len, i;
    nxe_str_t    s;
    nxe_token_t  t;

    (void) state;

    for (i = 0; i < sizeof(payload); i++) {
        payload[i] = (char) (i * 7);
    }

    for (len = 0; len <= NXE_TOKEN_PAYLOAD; len++) {
        s = sign(&keys, NOW, NOW + 10, payload, len, text);

        assert_in_range(s.len, 1, NXE_TOKEN_MAX);
        assert_memory_equal(text, "v1.", 3);
        assert_memory_equal(text + 3, keys.keys[0].kid, NXE_KID_LEN);
        assert_int_equal(nxe_token_verify(&keys, s, NOW, &t), NXE_TOKEN_OK);
        assert_int_equal(t.from, NOW);
        assert_int_equal(t.to, NOW + 10);
        assert_int_equal(t.len, len);
        assert_memory_equal(t.payload, payload, len);
    }

    /* the longest fills a token */
    assert_int_equal(s.len, NXE_TOKEN_MAX);
}


static void
test_keys(void **state)
{
    char          text[NXE_TOKEN_MAX];
    nxe_str_t     s;
    nxe_token_t   t;

    (void) state;

    /* of the second key, which verifies but does not sign */
    s = sign(&other, NOW, NOW + 10, "p", 1, text);
    assert_int_equal(nxe_token_verify(&keys, s, NOW, &t), NXE_TOKEN_OK);

    /* the first one's, where it is not there any more */
    s = sign(&keys, NOW, NOW + 10, "p", 1, text);
    assert_int_equal(nxe_token_verify(&other, s, NOW, &t), NXE_TOKEN_KEY);

    /* of another purpose */
    s = sign(&preview, NOW, NOW + 10, "p", 1, text);
    assert_int_equal(nxe_token_verify(&keys, s, NOW, &t), NXE_TOKEN_FORGED);

    /* under the KID of another key */
    s = sign(&other, NOW, NOW + 10, "p", 1, text);
    memcpy(text + 3, keys.keys[0].kid, NXE_KID_LEN);
    assert_int_equal(nxe_token_verify(&keys, s, NOW, &t), NXE_TOKEN_FORGED);
}


static void
test_times(void **state)
{
    size_t       i;
    char         text[NXE_TOKEN_MAX];
    nxe_str_t    s;
    nxe_token_t  t;

    static const struct {
        int64_t            from;
        int64_t            to;
        nxe_token_cause_t  cause;
        const char        *why;
    } rows[] = {
        { NOW, NOW + 1, NXE_TOKEN_OK, "from now on" },
        { NOW + 60, NOW + 100, NXE_TOKEN_OK, "within the skew" },
        { NOW + 61, NOW + 100, NXE_TOKEN_EARLY, "beyond the skew" },
        { NOW - 100, NOW - 59, NXE_TOKEN_OK, "past, within the skew" },
        { NOW - 100, NOW - 60, NXE_TOKEN_EXPIRED, "past" },
        { NOW, INT64_MAX, NXE_TOKEN_OK, "no overflow of the end" },
        { INT64_MAX, INT64_MAX, NXE_TOKEN_EARLY, "nor of the start" },
        { -1, NOW + 1, NXE_TOKEN_EARLY, "before the epoch" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        s = sign(&keys, rows[i].from, rows[i].to, "p", 1, text);
        unit_row(nxe_token_verify(&keys, s, NOW, &t) == rows[i].cause,
                 rows[i].why);
    }
}


/* No other text is taken, whichever byte is another. */

static void
test_flipped(void **state)
{
    int          b;
    char         text[NXE_TOKEN_MAX];
    char        *copy;
    size_t       i;
    nxe_str_t    s, bad;
    nxe_token_t  t;

    (void) state;

    /* 17 bytes leave spare bits in the last character; so does a MAC */
    s = sign(&keys, NOW, NOW + 10, "p", 1, text);

    copy = malloc(s.len + 1);
    bad.data = copy;
    bad.len = s.len;

    for (i = 0; i < s.len; i++) {
        memcpy(copy, text, s.len);

        for (b = 0; b < 256; b++) {
            copy[i] = (char) b;

            if (copy[i] != text[i]) {
                assert_int_not_equal(nxe_token_verify(&keys, bad, NOW, &t),
                                     NXE_TOKEN_OK);
            }
        }
    }

    /* nor a byte more or less, nor one with padding */

    memcpy(copy, text, s.len);

    for (b = 0; b < 256; b++) {
        copy[s.len] = (char) b;
        bad.len = s.len + 1;
        assert_int_not_equal(nxe_token_verify(&keys, bad, NOW, &t),
                             NXE_TOKEN_OK);
    }

    for (bad.len = 0; bad.len < s.len; bad.len++) {
        assert_int_not_equal(nxe_token_verify(&keys, bad, NOW, &t),
                             NXE_TOKEN_OK);
    }

    free(copy);
}


/* What has a right MAC, but is not what a signer writes. */

static void
test_hostile(void **state)
{
    char           text[NXE_TOKEN_MAX + 64], payload[461];
    size_t         i;
    nxe_str_t      s;
    nxe_token_t    t;
    unsigned char  mac[NXE_SHA256_LEN];

    static const char *const  heads[] = {
        "AAAAAAAAAAAAAAAAAAAA",                     /* 15 bytes: no times */
        "AAAAAAAAAAAAAAAAAAAAAA=",                  /* padding */
        "AAAAAAAAAAAAAAAAAAAAAB",                   /* spare bits */
        "AAAAAAAAAAAAAAAAAAAAA",                    /* no encoder's length */
        "AAAAAAAAAAAAAAAAAAAAAA.",
        "AAAAAAAAAAAAAAAAAAAAAA AAA",
        "",
    };

    (void) state;

    for (i = 0; i <= unit_n(heads); i++) {
        memset(payload, 'A', sizeof(payload));
        payload[460] = '\0';

        s.data = text;
        s.len = (size_t) sprintf(text, "v1.%.8s.%s", keys.keys[0].kid,
                                 i < unit_n(heads) ? heads[i] : payload);
        nxe_hmac(&keys.keys[0].key, &s, 1, mac);
        text[s.len++] = '.';
        s.len += nxe_base64url_encode((nxe_str_t) { (char *) mac,
                                                    sizeof(mac) },
                                      text + s.len);

        assert_int_equal(nxe_token_verify(&keys, s, NOW, &t),
                         NXE_TOKEN_FORM);
    }

    assert_int_equal(nxe_token_verify(&keys, nxe_null_str, NOW, &t),
                     NXE_TOKEN_FORM);
}


static void
test_encode(void **state)
{
    char         text[400], back[400];
    size_t       n, len;
    nxe_str_t    s;

    (void) state;

    for (n = 0; n < 256; n++) {
        for (len = 0; len < n; len++) {
            text[len] = (char) (n * 31 + len);
        }

        s.data = back;
        s.len = nxe_base64url_encode((nxe_str_t) { text, n }, back);
        assert_int_equal(s.len, nxe_base64url_len(n));

        {
            char  out[nxe_base64url_room(400)];

            assert_int_equal(nxe_base64url_decode(s, out, &len), NXE_OK);
            assert_int_equal(len, n);
            assert_memory_equal(out, text, n);
        }
    }

    /* RFC 4648, section 10 */
    assert_int_equal(nxe_base64url_encode(nxe_str("foob"), back), 6);
    assert_memory_equal(back, "Zm9vYg", 6);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_back, setup),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_encode),
    };

    return unit_main(tests);
}
