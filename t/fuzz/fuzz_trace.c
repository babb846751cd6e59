/*
 * traceparent and baggage: what is read is what another hand's pattern
 * matches; members are what is left between commas.
 */

#include <assert.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include <nxe/trace.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* The header of version 00, or a higher one's first part, by POSIX regex. */

static int
matches(const char *text)
{
    int             ok;
    static regex_t  any, v0, bad;
    static int      ready;

    if (!ready) {
        ready = 1;
        assert(regcomp(&any, "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-"
                             "[0-9a-f]{2}(-|$)", REG_EXTENDED|REG_NOSUB)
               == 0);
        assert(regcomp(&v0, "^00.{54,}$", REG_EXTENDED|REG_NOSUB) == 0);
        assert(regcomp(&bad, "^(ff|..-0{32}|.{36}0{16})",
                       REG_EXTENDED|REG_NOSUB)
               == 0);
    }

    ok = regexec(&any, text, 0, NULL, 0) == 0
         && regexec(&v0, text, 0, NULL, 0) != 0
         && regexec(&bad, text, 0, NULL, 0) != 0;

    return ok;
}


static size_t
members(char *text)
{
    size_t   n;
    char    *one;

    n = 0;

    while ((one = strsep(&text, ",")) != NULL) {
        n += strspn(one, " \t") != strlen(one);
    }

    return n;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       *text;
    nxe_str_t   value, id;

    value.data = (const char *) data;
    value.len = size;

    text = malloc(size + 1);
    assert(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';

    if (nxe_traceparent_parse(value, &id) == NXE_OK) {
        assert(id.data == value.data + 3 && id.len == NXE_TRACE_ID_LEN);
        assert(strlen(text) != size || matches(text));

    } else {
        assert(strlen(text) != size || !matches(text));
    }

    if (strlen(text) == size) {
        assert(nxe_baggage_members(value) == members(text));
    }

    free(text);

    return 0;
}
