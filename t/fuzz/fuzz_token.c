/*
 * Tokens.  A text that a key has not signed is none; one that it has gives
 * back what was signed, whatever that is; and of feedback's payloads only
 * those are read that are written in the same way.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <nxe/feedback.h>
#include <nxe/token.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define NOW  1764030000


static void
make_keys(nxe_token_keys_t *keys)
{
    nxe_keys_t  root;

    root.n = 1;
    memset(root.keys[0].key, 7, NXE_SHA256_LEN);
    nxe_keys_kid(root.keys[0].key, root.keys[0].kid);
    assert(nxe_token_keys(&root, nxe_str("feedback"), keys) == NXE_OK);
}


static void
payload(const nxe_token_keys_t *keys, nxe_str_t bytes)
{
    char                  text[NXE_TOKEN_MAX];
    nxe_str_t             s;
    nxe_token_t           t, back, again;
    nxe_feedback_bound_t  bound;

    t.from = NOW;
    t.to = NOW + 1;
    t.len = bytes.len;
    memcpy(t.payload, bytes.data, bytes.len);

    s.data = text;
    s.len = nxe_token_sign(keys, &t, text);
    assert(s.len != 0 && s.len <= NXE_TOKEN_MAX);
    assert(nxe_token_verify(keys, s, NOW, &back) == NXE_TOKEN_OK);
    assert(back.len == t.len && memcmp(back.payload, t.payload, t.len) == 0);

    if (nxe_feedback_unpack(&back, &bound) == NXE_OK) {
        assert(nxe_feedback_pack(&bound, &again) == NXE_OK);
        assert(again.len == t.len
               && memcmp(again.payload, t.payload, t.len) == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nxe_str_t                s;
    nxe_token_t              t;
    nxe_token_cause_t        cause;
    static nxe_token_keys_t  keys;

    if (keys.n == 0) {
        make_keys(&keys);
    }

    s.data = (const char *) data;
    s.len = size;

    cause = nxe_token_verify(&keys, s, NOW, &t);
    assert(cause == NXE_TOKEN_FORM || cause == NXE_TOKEN_KEY
           || cause == NXE_TOKEN_FORGED);
    assert(nxe_token_cause_name(cause)[0] != '\0');

    if (size <= NXE_TOKEN_PAYLOAD) {
        payload(&keys, s);
    }

    return 0;
}
