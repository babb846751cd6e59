#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nxe/base.h>


static int nxe_name_char(char c);


nxe_status_t
nxe_fail(nxe_error_t *err, nxe_status_t status, const char *fmt, ...)
{
    va_list  args;

    if (err != NULL) {
        err->status = status;

        va_start(args, fmt);
        (void) vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }

    return status;
}


void *
nxe_calloc(const nxe_mem_t *mem, size_t size)
{
    void  *p;

    p = nxe_alloc(mem, size);
    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


nxe_status_t
nxe_str_copy(const nxe_mem_t *mem, nxe_str_t s, nxe_str_t *copy)
{
    char  *p;

    p = nxe_alloc(mem, s.len + 1);
    if (p == NULL) {
        return NXE_NOMEM;
    }

    if (s.len != 0) {
        memcpy(p, s.data, s.len);
    }

    p[s.len] = '\0';

    copy->data = p;
    copy->len = s.len;

    return NXE_OK;
}


nxe_str_t
nxe_str_of(const char *s)
{
    nxe_str_t  str;

    str.data = s;
    str.len = strlen(s);

    return str;
}


int
nxe_str_eq(nxe_str_t a, nxe_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


int
nxe_str_cmp(nxe_str_t a, nxe_str_t b)
{
    int     rc;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    rc = len != 0 ? memcmp(a.data, b.data, len) : 0;

    if (rc != 0) {
        return rc;
    }

    return (a.len > b.len) - (a.len < b.len);
}


int
nxe_name_ok(nxe_str_t s)
{
    size_t  i;

    if (s.len == 0 || s.len > 64 || nxe_name_char(s.data[0]) != 1) {
        return 0;
    }

    for (i = 1; i < s.len; i++) {
        if (nxe_name_char(s.data[i]) == 0) {
            return 0;
        }
    }

    return 1;
}


/* 1: may begin a name; 2: may stand in one. */

static int
nxe_name_char(char c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
        || (c >= '0' && c <= '9'))
    {
        return 1;
    }

    return (c == '_' || c == '.' || c == '-') ? 2 : 0;
}
