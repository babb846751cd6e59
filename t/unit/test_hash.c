/*
 * Hashes against the vectors of their standards and against OpenSSL's own
 * EVP calls; the key file; unit ids.
 */

#include "unit.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <nxe/hash.h>
#include <nxe/keys.h>


/* Of the bytes 0 to 31, and of 32 times 0xff. */

#define KEY_A   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b"   \
                "1c1d1e1f"
#define LINE_A  "630dcd29 " KEY_A
#define KEY_B   "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"   \
                "ffffffff"
#define LINE_B  "af961376 " KEY_B


static void
test_sha256(void **state)
{
    int            i;
    char           hex[2 * NXE_SHA256_LEN + 1];
    size_t         n, k;
    nxe_str_t      s;
    nxe_sha256_t   c;
    unsigned char  md[NXE_SHA256_LEN], one[NXE_SHA256_LEN];

    /* FIPS 180-4, the examples of NIST's cryptographic toolkit */

    static const struct {
        const char  *in;
        const char  *md;
    } rows[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"
              "55" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20"
                 "015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };

    (void) state;

    hex[2 * NXE_SHA256_LEN] = '\0';

    for (n = 0; n < unit_n(rows); n++) {
        s = nxe_str_of(rows[n].in);
        nxe_sha256(s, md);
        nxe_hex(md, sizeof(md), hex);
        assert_string_equal(hex, rows[n].md);

        /* in two parts, at every place */

        for (k = 0; k <= s.len; k++) {
            nxe_sha256_init(&c);
            nxe_sha256_update(&c, s.data, k);
            nxe_sha256_update(&c, s.data + k, s.len - k);
            nxe_sha256_final(&c, one);
            assert_memory_equal(one, md, sizeof(md));
        }
    }

    nxe_sha256_init(&c);
    for (i = 0; i < 100000; i++) {
        nxe_sha256_update(&c, "aaaaaaaaaa", 10);
    }
    nxe_sha256_final(&c, md);
    nxe_hex(md, sizeof(md), hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e"
                             "046d39ccc7112cd0");

    nxe_sha256(nxe_null_str, md);
    nxe_hex(md, sizeof(md), hex);
    assert_string_equal(hex, rows[0].md);
}


static void
fill(unsigned char *key, int from, int step, int n)
{
    int  i;

    memset(key, 0, NXE_SHA256_LEN);

    for (i = 0; i < n; i++) {
        key[i] = (unsigned char) (from + i * step);
    }
}


static void
test_hmac(void **state)
{
    char            hex[2 * NXE_SHA256_LEN + 1], data[51], longkey[131];
    size_t          i;
    nxe_str_t       parts[3], whole;
    nxe_hmac_key_t  k;
    unsigned char   key[NXE_SHA256_LEN], md[NXE_SHA256_LEN];

    /*
     * RFC 4231, 4.2 to 4.7.  A shorter key is the same with zeros behind it;
     * one of 131 bytes counts by its hash, of 32.
     */

    static const struct {
        int          test;
        const char  *md;
    } rows[] = {
        { 1, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff"
             "7" },
        { 2, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec384"
             "3" },
        { 3, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565f"
             "e" },
        { 4, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665"
             "b" },
        { 6, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f5"
             "4" },
    };

    (void) state;

    hex[2 * NXE_SHA256_LEN] = '\0';

    for (i = 0; i < unit_n(rows); i++) {
        switch (rows[i].test) {
        case 1:
            fill(key, 0x0b, 0, 20);
            whole = nxe_str("Hi There");
            break;
        case 2:
            fill(key, 0, 0, 0);
            memcpy(key, "Jefe", 4);
            whole = nxe_str("what do ya want for nothing?");
            break;
        case 3:
            fill(key, 0xaa, 0, 20);
            memset(data, 0xdd, sizeof(data));
            whole = (nxe_str_t) { data, 50 };
            break;
        case 4:
            fill(key, 1, 1, 25);
            memset(data, 0xcd, sizeof(data));
            whole = (nxe_str_t) { data, 50 };
            break;
        default:
            memset(longkey, 0xaa, sizeof(longkey));
            nxe_sha256((nxe_str_t) { longkey, sizeof(longkey) }, key);
            whole = nxe_str("Test Using Larger Than Block-Size Key - Hash "
                            "Key First");
        }

        nxe_hmac_key(&k, key);

        parts[0] = (nxe_str_t) { whole.data, 3 };
        parts[1] = nxe_null_str;
        parts[2] = (nxe_str_t) { whole.data + 3, whole.len - 3 };
        nxe_hmac(&k, parts, 3, md);
        nxe_hex(md, sizeof(md), hex);
        assert_string_equal(hex, rows[i].md);

        /* the key is not used up */

        nxe_hmac(&k, &whole, 1, md);
        nxe_hex(md, sizeof(md), hex);
        assert_string_equal(hex, rows[i].md);
    }
}


/* HKDF as OpenSSL's EVP_KDF does it: no salt, 32 bytes. */

static void
evp_hkdf(const unsigned char *root, const char *info, unsigned char *out)
{
    EVP_KDF      *kdf;
    OSSL_PARAM    params[4];
    EVP_KDF_CTX  *ctx;

    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    assert_non_null(kdf);
    ctx = EVP_KDF_CTX_new(kdf);
    assert_non_null(ctx);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 "SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                  (void *) (uintptr_t) root,
                                                  NXE_SHA256_LEN);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                  (void *) (uintptr_t) info,
                                                  strlen(info));
    params[3] = OSSL_PARAM_construct_end();

    assert_int_equal(EVP_KDF_derive(ctx, out, NXE_SHA256_LEN, params), 1);

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}


static void
test_hkdf(void **state)
{
    char           info[64];
    size_t         i;
    uint64_t       seed;
    unsigned char  root[NXE_SHA256_LEN], a[NXE_SHA256_LEN], b[NXE_SHA256_LEN];

    static const char *const  purposes[] = {
        "unit", "preview", "feedback", "sticky", "session", "shadow", "audit",
        "sketch", "", "12345678901234567890123456789012"
    };

    (void) state;

    seed = 99;

    for (i = 0; i < 100; i++) {
        memset(root, (int) unit_random(&seed), sizeof(root));
        root[i % 32] ^= (unsigned char) i;

        (void) snprintf(info, sizeof(info), "nxe/v1/%s",
                        purposes[i % unit_n(purposes)]);
        evp_hkdf(root, info, a);

        assert_int_equal(nxe_hkdf(root,
                                  nxe_str_of(purposes[i % unit_n(purposes)]),
                                  b), NXE_OK);
        assert_memory_equal(a, b, sizeof(a));
    }

    memset(b, 7, sizeof(b));
    assert_int_equal(nxe_hkdf(root,
                              nxe_str("123456789012345678901234567890123"), b),
                     NXE_INVALID);
    assert_int_equal(b[0], 7);
}


static void
test_unhex(void **state)
{
    size_t         i;
    unsigned char  out[2];

    static const struct {
        const char    *in;
        nxe_status_t   rc;
        const char    *why;
    } rows[] = {
        { "0aFf", NXE_OK, "both cases" },
        { "0aF", NXE_INVALID, "an odd number of digits" },
        { "0aFf0", NXE_INVALID, "too long" },
        { "", NXE_INVALID, "empty" },
        { "0aFg", NXE_INVALID, "g" },
        { "0a F", NXE_INVALID, "white space" },
        { "0x0a", NXE_INVALID, "a prefix" },
        { "/:@G", NXE_INVALID, "the neighbours of the digits" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_unhex(nxe_str_of(rows[i].in), out, 2) == rows[i].rc,
                 rows[i].why);
    }

    assert_int_equal(nxe_unhex(nxe_str("0aFf"), out, 2), NXE_OK);
    assert_int_equal(out[0], 0x0a);
    assert_int_equal(out[1], 0xff);

    nxe_erase(out, 2);
    assert_int_equal(out[0] | out[1], 0);
}


static void
test_keys(void **state)
{
    size_t       i, n, j;
    nxe_keys_t   keys, zero;
    nxe_error_t  err;

    static const struct {
        const char  *text;
        size_t       n;             /* 0: refused */
        const char  *says;
        const char  *why;
    } rows[] = {
        { LINE_A "\n", 1, NULL, "one key" },
        { LINE_A, 1, NULL, "no final newline" },
        { LINE_A "\r\n" LINE_B "\r\n", 2, NULL, "lines of DOS" },
        { "# made by init\n\n  \t" LINE_A "  # first\n#" LINE_B "\n" LINE_B,
          2, NULL, "comments, empty lines, white space around" },
        { "630dcd29 000102030405060708090A0B0C0D0E0F101112131415161718191a1b"
          "1C1D1E1F\n", 1, NULL, "a key in capitals" },
        { "", 0, "no key", "an empty file" },
        { "# nothing\n\n", 0, "no key", "comments alone" },
        { "\n" KEY_A "\n", 0, "line 2: expected \"KID HEX64\"", "no KID" },
        { "630dcd29\n", 0, "line 1: expected", "no key" },
        { "630dcd29 \n", 0, "line 1: expected", "no key, but a space" },
        { "x\n", 0, "line 1: expected", "one byte" },
        { "630dcd29\t" KEY_A, 0, "line 1: expected", "a tab between" },
        { "630dcd29  " KEY_A, 0, "line 1: expected", "two spaces" },
        { LINE_A "0", 0, "line 1: expected", "a digit too many" },
        { LINE_A " 1", 0, "line 1: expected", "something behind" },
        { "630dcd29 g00102030405060708090a0b0c0d0e0f101112131415161718191a1b"
          "1c1d1e1f", 0, "line 1: expected", "no hex digit" },
        { "630dcd2a " KEY_A, 0, "line 1: the key's id is 630dcd29",
          "another key's id" },
        { "630DCD29 " KEY_A, 0, "line 1: the key's id is 630dcd29",
          "an id in capitals: logs compare it bytewise" },
        { LINE_A "\n" LINE_B "\n" LINE_A "\n", 0,
          "line 3: key 630dcd29 occurs twice", "a key twice" },
        { LINE_A "\nx\n", 0, "line 2: expected", "a fault behind a key" },
    };

    (void) state;

    memset(&zero, 0, sizeof(zero));

    for (i = 0; i < unit_n(rows); i++) {

        if (rows[i].n != 0) {
            unit_row(nxe_keys_parse(nxe_str_of(rows[i].text), &keys, &err)
                     == NXE_OK, rows[i].why);
            unit_row(keys.n == rows[i].n, rows[i].why);
            unit_row(strcmp(keys.keys[0].kid, "630dcd29") == 0, rows[i].why);

            for (j = 0; j < NXE_SHA256_LEN; j++) {
                unit_row(keys.keys[0].key[j] == j, rows[i].why);
            }

            continue;
        }

        unit_row(nxe_keys_parse(nxe_str_of(rows[i].text), &keys, &err)
                 == NXE_INVALID, rows[i].why);
        unit_row(strncmp(err.text, rows[i].says, strlen(rows[i].says)) == 0,
                 rows[i].why);

        n = strncmp(rows[i].says, "line", 4) == 0
            ? sizeof(keys) : sizeof(keys.n);
        unit_row(memcmp(&keys, &zero, n) == 0, rows[i].why);
    }

    assert_int_equal(nxe_keys_parse(nxe_null_str, &keys, NULL), NXE_INVALID);
}


static void
test_keys_many(void **state)
{
    int            i;
    char           text[8192], kid[NXE_KID_LEN + 1], hex[65];
    size_t         len;
    nxe_keys_t     keys;
    nxe_error_t    err;
    unsigned char  key[NXE_SHA256_LEN];

    (void) state;

    hex[64] = '\0';

    for (i = 0, len = 0; i <= NXE_KEYS_MAX; i++) {

        if (i == NXE_KEYS_MAX) {
            assert_int_equal(nxe_keys_parse((nxe_str_t) { text, len }, &keys,
                                            &err), NXE_OK);
            assert_int_equal(keys.n, NXE_KEYS_MAX);
        }

        fill(key, i, 1, NXE_SHA256_LEN);
        nxe_keys_kid(key, kid);
        nxe_hex(key, sizeof(key), hex);
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s %s\n",
                                 kid, hex);
    }

    assert_int_equal(nxe_keys_parse((nxe_str_t) { text, len }, &keys, &err),
                     NXE_INVALID);
    assert_string_equal(err.text, "line 17: more than 16 keys");
}


static void
test_unit_id(void **state)
{
    char             id[NXE_UNIT_ID_LEN], hex[NXE_UNIT_ID_LEN], joined[64];
    size_t           i, n;
    unsigned int     len;
    unsigned char    root[NXE_SHA256_LEN], sub[NXE_SHA256_LEN];
    unsigned char    mac[EVP_MAX_MD_SIZE];
    nxe_hmac_key_t   k;

    static const struct {
        const char  *type;
        const char  *value;
    } rows[] = {
        { "conversation", "conv-1" }, { "user", "" }, { "", "user" },
        { "unit", "\xc3\xa9" }
    };

    (void) state;

    fill(root, 0, 1, NXE_SHA256_LEN);
    assert_int_equal(nxe_hkdf(root, nxe_str("unit"), sub), NXE_OK);
    nxe_hmac_key(&k, sub);

    for (i = 0; i < unit_n(rows); i++) {
        nxe_unit_id(&k, nxe_str_of(rows[i].type), nxe_str_of(rows[i].value),
                    id);

        n = (size_t) snprintf(joined, sizeof(joined), "%s%c%s", rows[i].type,
                              '\0', rows[i].value);
        assert_non_null(HMAC(EVP_sha256(), sub, sizeof(sub),
                             (unsigned char *) joined, n, mac, &len));
        nxe_hex(mac, NXE_UNIT_ID_LEN / 2, hex);
        assert_memory_equal(id, hex, sizeof(id));
    }

    /* hashlib and hmac of Python 3.11 */

    nxe_unit_id(&k, nxe_str("conversation"), nxe_str("conv-1"), id);
    assert_memory_equal(id, "ed458a956b21dc5e8c0cffc6830004cf", sizeof(id));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_unhex),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_many),
        cmocka_unit_test(test_unit_id),
    };

    return unit_main(tests);
}
