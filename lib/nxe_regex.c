/*
 * PCRE2, without its JIT, whose memory cannot come from a pool.
 *
 * PCRE2 10.42 keeps the vector of backtracking frames in the match data,
 * starts it at 20 KB and doubles it up to the heap limit; each time it takes a
 * new one before it gives the old one back.  Before 10.41 it did the same
 * within each match.  So every match takes its memory from the front of one
 * block anew, and "free" has nothing to do.
 */

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

#include <nxe/regex.h>


#define NXE_SCRATCH_ALIGN   16

/*
 * The frames at their limit, the ones before, which are less than twice that
 * in all, and the match data itself.
 */

#define NXE_SCRATCH_SIZE    (3 * 1024 * NXE_REGEX_HEAP_LIMIT + 4096)


struct nxe_scratch_s {
    char                   *block;
    size_t                  used;
    size_t                  kept;       /* what outlives a match */
    pcre2_general_context  *memory;
    pcre2_match_context    *limits;
};


static void *nxe_regex_alloc(PCRE2_SIZE size, void *data);
static void *nxe_scratch_alloc(PCRE2_SIZE size, void *data);
static void nxe_regex_free(void *p, void *data);
static int nxe_regex_callout(pcre2_callout_enumerate_block *block,
    void *data);


nxe_status_t
nxe_regex_compile(nxe_str_t pattern, const nxe_mem_t *mem,
    nxe_regex_t **regex, nxe_error_t *err)
{
    int                     rc;
    char                    text[256];
    nxe_mem_t               m;
    PCRE2_SIZE              at;
    pcre2_code             *code;
    pcre2_general_context  *memory;
    pcre2_compile_context  *context;

    m = *mem;
    memory = pcre2_general_context_create(nxe_regex_alloc, nxe_regex_free,
                                          &m);
    context = memory != NULL ? pcre2_compile_context_create(memory) : NULL;

    if (context == NULL) {
        return nxe_fail(err, NXE_NOMEM, "no memory");
    }

    (void) pcre2_set_max_pattern_length(context, NXE_PATTERN_MAX);

    code = pcre2_compile((PCRE2_SPTR) pattern.data, pattern.len,
                         PCRE2_UTF|PCRE2_MATCH_INVALID_UTF
                         |PCRE2_NEVER_BACKSLASH_C|PCRE2_DOLLAR_ENDONLY,
                         &rc, &at, context);

    if (code == NULL) {

        if (rc == PCRE2_ERROR_HEAP_FAILED) {
            return nxe_fail(err, NXE_NOMEM, "no memory");
        }

        if (pcre2_get_error_message(rc, (PCRE2_UCHAR *) text, sizeof(text))
            < 0)
        {
            text[0] = '\0';
        }

        return nxe_fail(err, NXE_INVALID, "%s, at byte %zu", text,
                        (size_t) at);
    }

    /* nobody would call them, and they cost a match each time */

    if (pcre2_callout_enumerate(code, nxe_regex_callout, NULL) != 0) {
        return nxe_fail(err, NXE_INVALID, "callouts are not taken");
    }

    *regex = (nxe_regex_t *) code;

    return NXE_OK;
}


/*
 * The pattern keeps a copy of these two and of "data" to free itself by,
 * which nobody asks it to: its memory goes with all of the document's.
 */

static void *
nxe_regex_alloc(PCRE2_SIZE size, void *data)
{
    const nxe_mem_t  *mem;

    mem = data;

    return nxe_alloc(mem, size);
}


static void
nxe_regex_free(void *p, void *data)
{
    (void) p;
    (void) data;
}


static int
nxe_regex_callout(pcre2_callout_enumerate_block *block, void *data)
{
    (void) block;
    (void) data;

    return 1;
}


nxe_scratch_t *
nxe_scratch_new(const nxe_mem_t *mem)
{
    nxe_scratch_t  *s;

    s = nxe_calloc(mem, sizeof(nxe_scratch_t));
    if (s == NULL) {
        return NULL;
    }

    s->block = nxe_alloc(mem, NXE_SCRATCH_SIZE);
    if (s->block == NULL) {
        return NULL;
    }

    s->memory = pcre2_general_context_create(nxe_scratch_alloc,
                                             nxe_regex_free, s);
    if (s->memory == NULL) {
        return NULL;
    }

    s->limits = pcre2_match_context_create(s->memory);
    if (s->limits == NULL) {
        return NULL;
    }

    (void) pcre2_set_match_limit(s->limits, NXE_REGEX_MATCH_LIMIT);
    (void) pcre2_set_depth_limit(s->limits, NXE_REGEX_DEPTH_LIMIT);
    (void) pcre2_set_heap_limit(s->limits, NXE_REGEX_HEAP_LIMIT);

    s->kept = s->used;

    return s;
}


static void *
nxe_scratch_alloc(PCRE2_SIZE size, void *data)
{
    char           *p;
    nxe_scratch_t  *s;

    s = data;

    if (size > NXE_SCRATCH_SIZE - s->used) {
        return NULL;
    }

    p = s->block + s->used;

    s->used += size + NXE_SCRATCH_ALIGN - 1;
    s->used -= s->used % NXE_SCRATCH_ALIGN;

    if (s->used > NXE_SCRATCH_SIZE) {
        s->used = NXE_SCRATCH_SIZE;
    }

    return p;
}


nxe_status_t
nxe_regex_match(const nxe_regex_t *regex, nxe_scratch_t *s, nxe_str_t value)
{
    int                rc;
    pcre2_match_data  *data;

    s->used = s->kept;

    data = pcre2_match_data_create(1, s->memory);
    if (data == NULL) {
        return NXE_INVALID;
    }

    rc = pcre2_match((const pcre2_code *) regex, (PCRE2_SPTR) value.data,
                     value.len, 0, 0, data, s->limits);

    if (rc >= 0) {
        return NXE_OK;
    }

    return rc == PCRE2_ERROR_NOMATCH ? NXE_DECLINED : NXE_INVALID;
}
