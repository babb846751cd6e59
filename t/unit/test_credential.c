/*
 * base64url, and what a request says of who sends it.
 */

#include "unit.h"

#include <nxe/base64.h>
#include <nxe/credential.h>


static void
test_base64url(void **state)
{
    char          out[64];
    size_t        i, len;
    nxe_str_t     s;
    nxe_status_t  rc;

    static const struct {
        const char  *in;
        const char  *out;           /* NULL: refused */
        const char  *why;
    } rows[] = {
        /* RFC 4648, section 10, without the padding */
        { "", "", "nothing" },
        { "Zg", "f", "one byte" },
        { "Zm8", "fo", "two" },
        { "Zm9v", "foo", "three" },
        { "Zm9vYg", "foob", "four" },
        { "Zm9vYmE", "fooba", "five" },
        { "Zm9vYmFy", "foobar", "six" },
        { "-_-_", "\xfb\xff\xbf", "62 and 63" },

        { "Z", NULL, "a character of no byte" },
        { "Zm9vZ", NULL, "a character of no byte behind others" },
        { "Zg==", NULL, "padding" },
        { "Zm8=", NULL, "padding of one" },
        { "Zh", NULL, "bits behind the last byte" },
        { "Zm9", NULL, "bits behind the last byte, two characters on" },
        { "+/+/", NULL, "the other alphabet" },
        { "Zm 9v", NULL, "a blank" },
        { "Zm9v\n", NULL, "a line feed" },
        { "Zm9\x80", NULL, "a byte above 127" },
        { "Zm.v", NULL, "a dot" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        s = nxe_str_of(rows[i].in);
        len = 99;
        rc = nxe_base64url_decode(s, out, &len);

        if (rows[i].out == NULL) {
            unit_row(rc == NXE_INVALID && len == 99, rows[i].why);
            continue;
        }

        unit_row(rc == NXE_OK, rows[i].why);
        unit_row(nxe_str_eq((nxe_str_t) { out, len },
                            nxe_str_of(rows[i].out)), rows[i].why);
        unit_row(len <= nxe_base64url_room(s.len), rows[i].why);
    }
}


/* Each byte at each place: written by another hand, read back. */

static void
test_base64url_all(void **state)
{
    char       text[16], out[16];
    size_t     n, i, len, bits;
    uint32_t   acc;
    unsigned   b;

    static const char  set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    (void) state;

    for (b = 0; b < 256 * 4; b++) {
        unsigned char  in[4] = { 0xa5, 0x5a, 0xff, 0 };

        in[b / 256] = (unsigned char) b;

        for (n = 0, i = 0, bits = 0, acc = 0; n < 4; n++) {
            acc = acc << 8 | in[n];
            bits += 8;

            while (bits >= 6) {
                bits -= 6;
                text[i++] = set[acc >> bits & 63];
            }
        }

        text[i++] = set[acc << (6 - bits) & 63];

        assert_int_equal(nxe_base64url_decode((nxe_str_t) { text, i }, out,
                                              &len), NXE_OK);
        assert_int_equal(len, 4);
        assert_memory_equal(out, in, 4);
    }
}


/* A request of headers "NAME", "VALUE", ... */

static void
request(nxe_credentials_t *c, const char *const *headers)
{
    memset(c, 0, sizeof(nxe_credentials_t));

    for ( /* void */ ; headers[0] != NULL; headers += 2) {
        nxe_credentials_add(c, nxe_str_of(headers[0]),
                            nxe_str_of(headers[1]));
    }
}


/*
 * Payloads by python3: base64.urlsafe_b64encode(b'...').rstrip(b'=').
 */

#define H   "eyJhbGciOiJub25lIn0."              /* {"alg":"none"} */
#define P   "eyJzdWIiOiJhbGljZSIsIm4iOjQyfQ"    /* {"sub":"alice","n":42} */

#define AUTH(value)  { "authorization", value, NULL }

static void
test_claim(void **state)
{
    char                long_token[NXE_JWT_MAX + 64];
    size_t              i, n;
    nxe_str_t           value;
    nxe_status_t        rc;
    nxe_credentials_t   c;

    static const struct {
        const char  *headers[7];
        const char  *claim;
        const char  *value;         /* NULL: not found */
        const char  *why;
    } rows[] = {
        { AUTH("Bearer " H P ".c2ln"), "sub", "alice", "a string" },
        { AUTH("Bearer " H P ".c2ln"), "n", "42", "an integer" },
        { AUTH("Bearer " H P ".c2ln"), "iss", NULL, "a claim not there" },
        { AUTH("bEARER " H P "."), "sub", "alice",
          "the scheme ignores case, a signature may be empty" },
        { AUTH("Bearer   " H P ".c2ln"), "sub", "alice", "several spaces" },
        { { "x-user", "bob", "authorization", "Bearer " H P ".s", NULL },
          "sub", "alice", "behind other headers" },

        { { NULL }, "sub", NULL, "no header" },
        { { "authorization", "Bearer " H P ".s", "authorization",
            "Bearer " H P ".s", NULL }, "sub", NULL, "twice" },
        { AUTH(""), "sub", NULL, "an empty header" },
        { AUTH("Bearer"), "sub", NULL, "the scheme alone" },
        { AUTH("Bearer "), "sub", NULL, "the scheme and a space" },
        { AUTH(H P ".s"), "sub", NULL, "no scheme" },
        { AUTH("Basic " H P ".s"), "sub", NULL, "another scheme" },
        { AUTH("Bearers " H P ".s"), "sub", NULL, "a longer scheme" },
        { AUTH("Bearer\t" H P ".s"), "sub", NULL, "a tab" },
        { AUTH("Bearer " H P), "sub", NULL, "two parts" },
        { AUTH("Bearer " P), "sub", NULL, "one part" },
        { AUTH("Bearer ." P ".s"), "sub", NULL, "no header part" },
        { AUTH("Bearer " H "." P), "sub", NULL, "an empty payload" },
        { AUTH("Bearer " H P ".s.t.u"), "sub", NULL, "five parts, a JWE" },
        { AUTH("Bearer " H P "==.s"), "sub", NULL, "padding" },
        { AUTH("Bearer " H "eyJzdWIiOiJhIn1.s"), "sub", NULL,
          "bits behind the last byte" },
        { AUTH("Bearer " H P ".s x"), "sub", NULL, "a blank behind it" },
        { AUTH("Bearer " H P ".s,Bearer"), "sub", NULL, "a list" },
        { AUTH("Bearer " H P ".+/"), "sub", NULL,
          "a signature in the other alphabet" },
        { AUTH("Bearer e\"e." P ".s"), "sub", NULL, "a quote" },

        /* ["sub"] and "sub" */
        { AUTH("Bearer " H "WyJzdWIiXQ.s"), "0", NULL, "a list" },
        { AUTH("Bearer " H "InN1YiI.s"), "sub", NULL, "a string" },
        /* {"sub":"a","sub":"a"} and {"sub":"a","s\u0075b":"b"} */
        { AUTH("Bearer " H "eyJzdWIiOiJhIiwic3ViIjoiYSJ9.s"), "sub", NULL,
          "a claim twice" },
        { AUTH("Bearer " H "eyJzdWIiOiJhIiwic1x1MDA3NWIiOiJiIn0.s"), "sub",
          NULL, "a claim twice, once escaped" },
        /* {"sub":"a","x":1,"x":2} */
        { AUTH("Bearer " H "eyJzdWIiOiJhIiwieCI6MSwieCI6Mn0.s"), "sub", "a",
          "another one twice" },
        /* {"sub":"a"}{ and {"sub":"a",} and BOM{"sub":"a"} */
        { AUTH("Bearer " H "eyJzdWIiOiJhIn17.s"), "sub", NULL,
          "text behind it" },
        { AUTH("Bearer " H "eyJzdWIiOiJhIix9.s"), "sub", NULL, "a comma" },
        { AUTH("Bearer " H "77u_eyJzdWIiOiJhIn0.s"), "sub", NULL, "a BOM" },
        /* {"sub":"<FF>"} and {"sub":"\ud800"} */
        { AUTH("Bearer " H "eyJzdWIiOiL_In0.s"), "sub", NULL, "no UTF-8" },
        { AUTH("Bearer " H "eyJzdWIiOiJcdWQ4MDAifQ.s"), "sub", NULL,
          "a lone surrogate" },
        /* {"sub":"\u00e9\"\/"} and {"a":{"sub":"x"}} */
        { AUTH("Bearer " H "eyJzdWIiOiJcdTAwZTlcIlwvIn0.s"), "sub",
          "\xc3\xa9\"/", "unescaped" },
        { AUTH("Bearer " H "eyJhIjp7InN1YiI6IngifX0.s"), "sub", NULL,
          "not at the top" },
        /* {"sub":""} {"sub":true} {"sub":null} {"sub":["a"]} {"sub":1.0} */
        { AUTH("Bearer " H "eyJzdWIiOiIifQ.s"), "sub", NULL, "empty" },
        { AUTH("Bearer " H "eyJzdWIiOnRydWV9.s"), "sub", NULL, "true" },
        { AUTH("Bearer " H "eyJzdWIiOm51bGx9.s"), "sub", NULL, "null" },
        { AUTH("Bearer " H "eyJzdWIiOlsiYSJdfQ.s"), "sub", NULL, "a list" },
        { AUTH("Bearer " H "eyJzdWIiOjEuMH0.s"), "sub", NULL, "1.0" },
        /* {"sub":123456789012345678} and a digit more */
        { AUTH("Bearer " H "eyJzdWIiOjEyMzQ1Njc4OTAxMjM0NTY3OH0.s"), "sub",
          "123456789012345678", "18 digits" },
        { AUTH("Bearer " H "eyJzdWIiOjEyMzQ1Njc4OTAxMjM0NTY3ODl9.s"), "sub",
          NULL, "19 digits" },
        /* {"https://example.com/id":"u"} */
        { AUTH("Bearer " H "eyJodHRwczovL2V4YW1wbGUuY29tL2lkIjoidSJ9.s"),
          "https://example.com/id", "u", "a claim with slashes" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        request(&c, rows[i].headers);

        for (n = 0; n < 2; n++) {
            rc = nxe_credentials_claim(&c, nxe_str_of(rows[i].claim),
                                       unit_mem, &value);

            if (rows[i].value == NULL) {
                unit_row(rc == NXE_DECLINED, rows[i].why);

            } else {
                unit_row(rc == NXE_OK, rows[i].why);
                unit_row(nxe_str_eq(value, nxe_str_of(rows[i].value)),
                         rows[i].why);
            }
        }
    }

    /* as long as it may be, and a byte more: the signature fills it up */

    for (n = NXE_JWT_MAX; n <= NXE_JWT_MAX + 1; n++) {
        memset(long_token, 'x', sizeof(long_token));
        memcpy(long_token, "Bearer " H P ".", sizeof("Bearer " H P ".") - 1);
        long_token[sizeof("Bearer ") - 1 + n] = '\0';

        request(&c, (const char *const []) { "authorization", long_token,
                                             NULL });
        assert_int_equal(nxe_credentials_claim(&c, nxe_str("sub"), unit_mem,
                                               &value),
                         n == NXE_JWT_MAX ? NXE_OK : NXE_DECLINED);
    }
}


/*
 * Digests by "printf %s CREDENTIAL | sha256sum".
 */

#define SECRET                                                                \
    "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

static void
test_hash(void **state)
{
    size_t              i, n;
    nxe_str_t           value;
    nxe_status_t        rc;
    nxe_credentials_t   c;

    static const struct {
        const char  *headers[7];
        const char  *hash;          /* NULL: not found */
        const char  *why;
    } rows[] = {
        { AUTH("Bearer secret"), SECRET, "behind Bearer" },
        { AUTH("bearer    secret"), SECRET, "behind several spaces" },
        { AUTH("Whatever secret"), SECRET, "behind any scheme" },
        { { "x-api-key", "secret", NULL }, SECRET, "X-API-Key" },
        { { "api-key", "secret", NULL }, SECRET, "API-Key" },
        { { "x-api-key", "other", "authorization", "Bearer secret", NULL },
          SECRET, "Authorization before X-API-Key" },

        { { NULL }, NULL, "none" },
        { { "authorization", "Bearer secret", "authorization",
            "Bearer secret", NULL }, NULL, "Authorization twice" },
        { { "x-api-key", "secret", "x-api-key", "secret", NULL }, NULL,
          "X-API-Key twice" },
        { { "x-api-key", "secret", "api-key", "secret", NULL }, NULL,
          "one of each" },
        { { "authorization", "Bearer secret", "x-api-key", "a", "api-key",
            "b" }, NULL, "a key twice beside Authorization" },
        { AUTH("secret"), NULL, "no scheme" },
        { AUTH("Bearer "), NULL, "nothing behind the scheme" },
        { AUTH(""), NULL, "an empty Authorization" },
        { { "authorization", "", "x-api-key", "secret", NULL }, NULL,
          "an empty Authorization hides no key" },
        { { "x-api-key", "", NULL }, NULL, "an empty key" },
        { { "cookie", "secret", NULL }, NULL, "another header" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        request(&c, rows[i].headers);

        for (n = 0; n < 2; n++) {
            rc = nxe_credentials_hash(&c, &value);

            if (rows[i].hash == NULL) {
                unit_row(rc == NXE_DECLINED, rows[i].why);

            } else {
                unit_row(rc == NXE_OK, rows[i].why);
                unit_row(nxe_str_eq(value, nxe_str_of(rows[i].hash)),
                         rows[i].why);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_base64url_all),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_hash),
    };

    return unit_main(tests);
}
