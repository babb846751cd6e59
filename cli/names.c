#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/names.h"


typedef struct {
    nxe_str_t           name;
    char               *variable;
} name_t;

struct names_s {
    const nxe_mem_t    *mem;
    size_t              n;
    name_t              list[];
};


names_t *
names_new(const nxe_mem_t *mem, size_t size)
{
    names_t  *names;

    names = nxe_calloc(mem, sizeof(names_t) + size * sizeof(name_t));

    if (names != NULL) {
        names->mem = mem;
    }

    return names;
}


static nxe_status_t
fold(const nxe_mem_t *mem, nxe_str_t name, name_t *to)
{
    char    *p;
    size_t   i;

    p = nxe_alloc(mem, name.len + 1);
    if (p == NULL) {
        return NXE_NOMEM;
    }

    for (i = 0; i < name.len; i++) {
        p[i] = (char) tolower((unsigned char) name.data[i]);
        p[i] = p[i] == '-' || p[i] == '.' ? '_' : p[i];
    }

    p[i] = '\0';
    to->name = name;
    to->variable = p;

    return NXE_OK;
}


nxe_status_t
names_add(names_t *names, nxe_str_t name)
{
    nxe_status_t  rc;

    rc = fold(names->mem, name, &names->list[names->n]);

    if (rc == NXE_OK) {
        names->n++;
    }

    return rc;
}


static int
by_variable(const void *one, const void *two)
{
    const name_t  *a, *b;

    a = one;
    b = two;

    return strcmp(a->variable, b->variable);
}


void
names_sort(names_t *names)
{
    qsort(names->list, names->n, sizeof(name_t), by_variable);
}


nxe_status_t
names_clash(const names_t *names, nxe_str_t name, nxe_str_t *other)
{
    name_t         key;
    const name_t  *p, *end;

    if (fold(names->mem, name, &key) != NXE_OK) {
        return NXE_NOMEM;
    }

    p = bsearch(&key, names->list, names->n, sizeof(name_t), by_variable);
    end = names->list + names->n;

    while (p != NULL && p > names->list && by_variable(p - 1, &key) == 0) {
        p--;
    }

    for ( /* void */ ;
         p != NULL && p < end && by_variable(p, &key) == 0;
         p++)
    {
        if (!nxe_str_eq(p->name, name)) {
            *other = p->name;
            return NXE_CONFLICT;
        }
    }

    return NXE_OK;
}
