/*
 * Segments: what of a request is logged beside its unit, to look at parts of
 * the traffic.  They never change what a unit gets.
 */

#include <string.h>

#include "nxe_doc_int.h"


static void nxe_doc_segment(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, nxe_segment_t *segment);
static void nxe_doc_segment_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static int nxe_doc_segment_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_segment_t *segment);
static void nxe_doc_segment_critical(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out);
static void nxe_doc_segment_secret(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_segment_t *segment);
static nxe_source_t nxe_segment_plain(nxe_source_t source);
static int nxe_segment_same(nxe_source_t a, nxe_source_t b);
static int nxe_segment_credential(nxe_doc_ctx_t *c, nxe_source_t source);
static char nxe_segment_fold(char ch);


static const nxe_doc_key_t  nxe_segment_keys[] = {

    nxe_key_kept("source", nxe_doc_source, NXE_KEY_REQUIRED|NXE_KEY_LIVE,
                 nxe_segment_t, source, NULL),
    { "values", nxe_doc_segment_values, NXE_KEY_LIVE, 0, NULL },
    { "critical", nxe_doc_segment_critical, 0, 0, NULL },
    { NULL, NULL, 0, 0, NULL }
};


void
nxe_doc_segments(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int             n;
    nxe_at_t        here;
    nxe_doc_t      *doc;
    const cJSON    *member;
    nxe_segment_t  *segment;

    (void) key;
    (void) out;

    doc = c->doc;
    n = cJSON_GetArraySize(value);

    if (!cJSON_IsObject(value) || n > NXE_SEGMENTS_MAX) {
        nxe_doc_faultf(c, at, value, "an object, {NAME: SOURCE}, at most %d",
                       NXE_SEGMENTS_MAX);
        return;
    }

    doc->segments = nxe_doc_calloc(c, (size_t) n, sizeof(nxe_segment_t));
    if (doc->segments == NULL) {
        return;
    }

    for (member = value->child; member != NULL; member = member->next) {
        here = nxe_at_key(at, member->string);

        if (!nxe_name_ok(nxe_str_of(member->string))) {
            nxe_doc_fault_key(c, &here, "a name for the segment", NULL);
            continue;
        }

        segment = &doc->segments[doc->nsegments++];
        segment->name = nxe_doc_copy(c, member->string);

        nxe_doc_segment(c, &here, member, segment);
    }
}


static void
nxe_doc_segment(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    nxe_segment_t *segment)
{
    if (cJSON_IsString(value)) {
        nxe_doc_source(c, at, value, NULL, &segment->source);

    } else if (cJSON_IsObject(value)) {
        (void) nxe_doc_object(c, at, value, nxe_segment_keys, "a segment",
                              segment);

    } else {
        nxe_doc_fault(c, at, value, "a source, or {\"source\", \"values\", "
                      "\"critical\"}");
        return;
    }

    nxe_doc_segment_secret(c, at, value, segment);
}


static void
nxe_doc_segment_values(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out)
{
    size_t          i;
    nxe_at_t        here;
    const cJSON    *element;
    nxe_segment_t  *segment;

    (void) key;

    segment = out;

    if (!nxe_doc_array(c, at, value, 1, NXE_SEGMENT_MAX, "a list of strings"))
    {
        return;
    }

    segment->values = nxe_doc_calloc(c, nxe_doc_count(value, 1,
                                                      NXE_SEGMENT_MAX),
                                     sizeof(nxe_str_t));
    if (segment->values == NULL) {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        if (nxe_doc_segment_value(c, &here, element, segment)) {
            segment->values[segment->nvalues++] =
                                        nxe_doc_copy(c, element->valuestring);
        }
    }
}


/* What no request can have, or what would be taken for something else. */

static int
nxe_doc_segment_value(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_segment_t *segment)
{
    uint32_t   i;
    nxe_str_t  s;

    s = nxe_str_of(cJSON_IsString(value) ? value->valuestring : "");

    if (s.len == 0 || s.len > NXE_UNIT_MAX) {
        nxe_doc_faultf(c, at, value, "a string of 1 to %d bytes",
                       NXE_UNIT_MAX);
        return 0;
    }

    if (nxe_str_eq(s, nxe_segment_other)) {
        nxe_doc_fault(c, at, value, "a value but \"other\", which stands for "
                      "all that are not listed");
        return 0;
    }

    for (i = 0; i < segment->nvalues; i++) {
        if (nxe_str_eq(s, segment->values[i])) {
            nxe_doc_fault(c, at, value, "a value that is not there yet");
            return 0;
        }
    }

    return 1;
}


static void
nxe_doc_segment_critical(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_doc_key_t *key, void *out)
{
    size_t                i;
    uint32_t              j;
    nxe_at_t              here;
    nxe_near_t            near;
    const cJSON          *element;
    const nxe_segment_t  *segment;

    (void) key;

    segment = out;

    if (!nxe_doc_array(c, at, value, 1, NXE_SEGMENT_MAX, "a list of strings"))
    {
        return;
    }

    i = 0;

    for (element = value->child; element != NULL; element = element->next) {
        here = nxe_at_index(at, i++);

        nxe_near_init(&near, cJSON_IsString(element) ? element->valuestring
                                                     : "");

        for (j = 0; j < segment->nvalues; j++) {
            if (strcmp(segment->values[j].data, near.word) == 0) {
                break;
            }

            nxe_near_try(&near, segment->values[j].data);
        }

        if (j == segment->nvalues) {
            nxe_doc_fault_near(c, &here, element, "one of \"values\"",
                               near.best);
        }
    }
}


/*
 * Without a list of values a segment logs what the client sent: that must be
 * no id of a unit, of which only a keyed hash is logged, and no credential.
 */

static void
nxe_doc_segment_secret(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const nxe_segment_t *segment)
{
    uint32_t     i;
    nxe_at_t     here;
    const char  *why;

    if (segment->source.name.data == NULL
        || nxe_tree_get(value, "values") != NULL)
    {
        return;
    }

    why = nxe_segment_credential(c, segment->source)
          ? "its source is a credential" : NULL;

    for (i = 0; i < c->doc->nsources && why == NULL; i++) {
        if (nxe_segment_same(c->doc->sources[i], segment->source)) {
            why = "its source is the unit's";
        }
    }

    if (why == NULL) {
        return;
    }

    here = cJSON_IsObject(value) ? nxe_at_key(at, "values") : *at;

    nxe_doc_faultf(c, &here, cJSON_IsObject(value) ? NULL : value,
                   "a list of \"values\", as %s: all of it would be logged",
                   why);
}


/* nginx's own name for a header is $http_NAME, and so on. */

static nxe_source_t
nxe_segment_plain(nxe_source_t source)
{
    size_t  i, j;

    static const struct {
        nxe_str_t          prefix;
        nxe_source_type_t  type;
    } aliases[] = {
        { { "http-", 5 }, NXE_SOURCE_HEADER },
        { { "cookie-", 7 }, NXE_SOURCE_COOKIE },
        { { "arg-", 4 }, NXE_SOURCE_ARG }
    };

    if (source.type != NXE_SOURCE_VAR) {
        return source;
    }

    for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {

        if (source.name.len <= aliases[i].prefix.len) {
            continue;
        }

        for (j = 0; j < aliases[i].prefix.len; j++) {
            if (nxe_segment_fold(source.name.data[j])
                != aliases[i].prefix.data[j])
            {
                break;
            }
        }

        if (j == aliases[i].prefix.len) {
            source.type = aliases[i].type;
            source.name.data += j;
            source.name.len -= j;
            break;
        }
    }

    return source;
}


/* Where nginx tells cases or "-" from "_", too much is refused. */

static int
nxe_segment_same(nxe_source_t a, nxe_source_t b)
{
    size_t  i;

    if (a.name.data == NULL) {
        return 0;
    }

    a = nxe_segment_plain(a);
    b = nxe_segment_plain(b);

    if (a.type != b.type || a.name.len != b.name.len) {
        return 0;
    }

    if (a.type == NXE_SOURCE_JSON) {
        return nxe_str_eq(a.name, b.name);
    }

    for (i = 0; i < a.name.len; i++) {
        if (nxe_segment_fold(a.name.data[i])
            != nxe_segment_fold(b.name.data[i]))
        {
            return 0;
        }
    }

    return 1;
}


static int
nxe_segment_credential(nxe_doc_ctx_t *c, nxe_source_t source)
{
    const char  *what;

    source = nxe_segment_plain(source);

    if (source.type == NXE_SOURCE_AUTH || source.type == NXE_SOURCE_MCP) {
        return 1;
    }

    if (source.type != NXE_SOURCE_HEADER) {
        return 0;
    }

    what = nxe_header_refused(nxe_doc_lower(c, source.name), 0);

    return what != NULL && (strcmp(what, "credentials") == 0
                            || strcmp(what, "the proxy") == 0);
}


static char
nxe_segment_fold(char ch)
{
    return ch == '_' ? '-'
           : ch >= 'A' && ch <= 'Z' ? (char) (ch | 0x20) : ch;
}
