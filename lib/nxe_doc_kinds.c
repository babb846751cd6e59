/*
 * Values of one kind, for the tables, and the nearest word to a slip.
 */

#include <stdio.h>
#include <string.h>

#include "nxe_doc_int.h"


#define NXE_NEAR_MAX   64           /* no longer words are compared */
#define NXE_WORDS_MAX  256

static size_t nxe_near_distance(const char *a, size_t an, const char *b,
    size_t bn);
static size_t nxe_near_min(size_t a, size_t b);
static char nxe_near_fold(char ch);


void
nxe_doc_text(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    if (!cJSON_IsString(value)) {
        nxe_doc_fault(c, at, value, "a string");
        return;
    }

    if (key->flags & NXE_KEY_KEPT) {
        *(nxe_str_t *) out = nxe_doc_copy(c, value->valuestring);
    }
}


void
nxe_doc_name(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    if (!cJSON_IsString(value)
        || !nxe_name_ok(nxe_str_of(value->valuestring)))
    {
        nxe_doc_fault(c, at, value, "a name: 1 to 64 of A-Z a-z 0-9 _ . -, "
                      "a letter or digit first");
        return;
    }

    if (key->flags & NXE_KEY_KEPT) {
        *(nxe_str_t *) out = nxe_doc_copy(c, value->valuestring);
    }
}


void
nxe_doc_names(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t         i;
    nxe_at_t       here;
    const cJSON   *name, *other;
    nxe_doc_key_t  one;

    (void) out;

    if (!nxe_doc_array(c, at, value, 1, NXE_LIST_MAX, "a list of names")) {
        return;
    }

    one = *key;
    one.flags &= ~NXE_KEY_KEPT;
    i = 0;

    for (name = value->child; name != NULL; name = name->next) {
        here = nxe_at_index(at, i++);
        nxe_doc_name(c, &here, name, &one, NULL);

        for (other = value->child; other != name; other = other->next) {
            if (cJSON_IsString(name) && cJSON_IsString(other)
                && strcmp(name->valuestring, other->valuestring) == 0)
            {
                nxe_doc_fault(c, &here, name, "a name that is not there yet");
                break;
            }
        }
    }
}


void
nxe_doc_bool(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    if (!cJSON_IsBool(value)) {
        nxe_doc_fault(c, at, value, "true or false");
        return;
    }

    if (key->flags & NXE_KEY_KEPT) {
        *(int *) out = cJSON_IsTrue(value) ? 1 : 0;
    }
}


void
nxe_doc_word(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    int                 i;
    const char *const  *words;

    words = key->arg;

    i = nxe_doc_one_of(c, at, value, words);

    if (i >= 0 && (key->flags & NXE_KEY_KEPT)) {
        *(nxe_str_t *) out = nxe_str_of(words[i]);
    }
}


int
nxe_doc_one_of(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const char *const *words)
{
    int         i;
    char        text[NXE_WORDS_MAX];
    size_t      n;
    nxe_near_t  near;

    nxe_near_init(&near, cJSON_IsString(value) ? value->valuestring : "");

    n = snprintf(text, sizeof(text), words[1] != NULL ? "one of" : "");

    for (i = 0; words[i] != NULL; i++) {

        if (strcmp(near.word, words[i]) == 0) {
            return i;
        }

        nxe_near_try(&near, words[i]);

        if (n < sizeof(text)) {
            n += snprintf(text + n, sizeof(text) - n,
                          n > 0 ? " %s" : "\"%s\"", words[i]);
        }
    }

    nxe_doc_fault_near(c, at, value, text, near.best);

    return -1;
}


void
nxe_doc_number(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    const nxe_doc_range_t  *range;

    (void) out;

    range = key->arg;

    if (!cJSON_IsNumber(value) || value->valuestring == NULL
        || !nxe_doc_in_range(nxe_str_of(value->valuestring), range))
    {
        nxe_doc_fault_number(c, at, value, range->expected);
    }
}


/* "0 to 2" says enough of a number; of what is none, that it is none. */

void
nxe_doc_fault_number(nxe_doc_ctx_t *c, const nxe_at_t *at,
    const cJSON *value, const char *expected)
{
    const char  *kind;

    kind = cJSON_IsNumber(value) ? ""
           : expected[0] >= '0' && expected[0] <= '9' ? "a number from "
           : strncmp(expected, "above ", 6) == 0 ? "a number " : "";

    nxe_doc_faultf(c, at, value, "%s%s", kind, expected);
}


int
nxe_doc_in_range(nxe_str_t s, const nxe_doc_range_t *range)
{
    int     rc;
    size_t  i;

    if (s.len > NXE_NUMBER_MAX) {
        return 0;
    }

    if (range->integer) {
        for (i = 0; i < s.len; i++) {
            if (s.data[i] < '0' || s.data[i] > '9') {
                return 0;
            }
        }
    }

    if (range->lo != NULL) {
        rc = nxe_decimal_cmp(s, nxe_str_of(range->lo));

        if (rc < 0 || (rc == 0 && range->above)) {
            return 0;
        }
    }

    if (range->hi != NULL) {
        rc = nxe_decimal_cmp(s, nxe_str_of(range->hi));

        if (rc > 0 || (rc == 0 && range->below)) {
            return 0;
        }
    }

    return 1;
}


void
nxe_doc_share(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    nxe_frac_t  f;

    if (!cJSON_IsNumber(value) || value->valuestring == NULL
        || nxe_frac_parse(nxe_str_of(value->valuestring), &f) != NXE_OK)
    {
        nxe_doc_fault_number(c, at, value, "0 to 1, at most nine digits");
        return;
    }

    if (key->flags & NXE_KEY_KEPT) {
        *(nxe_frac_t *) out = f;
    }
}


/* Digits and a unit: 90s, 5m, 24h, 14d. */

void
nxe_doc_duration(nxe_doc_ctx_t *c, const nxe_at_t *at, const cJSON *value,
    const nxe_doc_key_t *key, void *out)
{
    size_t       n;
    const char  *s;

    (void) key;
    (void) out;

    if (cJSON_IsString(value)) {
        s = value->valuestring;
        n = strspn(s, "0123456789");

        if (n >= 1 && n <= 6 && strspn(s, "0") != n
            && s[n] != '\0' && strchr("smhd", s[n]) != NULL
            && s[n + 1] == '\0')
        {
            return;
        }
    }

    nxe_doc_fault(c, at, value, "a duration such as \"5m\" \"24h\" \"14d\"");
}


void
nxe_near_init(nxe_near_t *near, const char *word)
{
    near->word = word;
    near->best = NULL;
    near->distance = SIZE_MAX;
}


/*
 * A slip is two letters, or one in three of a long word; one of a short word,
 * where two would make anything of it; or the word cut short.
 */

void
nxe_near_try(nxe_near_t *near, const char *candidate)
{
    size_t  n, len, limit, distance;

    n = strlen(near->word);
    len = strlen(candidate);

    if (n == 0 || n > NXE_NEAR_MAX || len > NXE_NEAR_MAX) {
        return;
    }

    limit = n / 3 > 2 ? n / 3 : 2;

    if (n < 4) {
        limit = 1;
    }

    distance = nxe_near_distance(near->word, n, candidate, len);

    if (distance > limit && n >= 3
        && strncmp(near->word, candidate, n) == 0)
    {
        distance = limit;
    }

    if (distance <= limit && distance < near->distance && distance < len) {
        near->distance = distance;
        near->best = candidate;
    }
}


/*
 * Damerau's distance in its restricted form: letters in another case, added,
 * left out, replaced, or two neighbours swapped.
 */

static size_t
nxe_near_distance(const char *a, size_t an, const char *b, size_t bn)
{
    size_t  i, j, d, row[3][NXE_NEAR_MAX + 1], *now, *last, *before, *t;

    before = row[0];
    last = row[1];
    now = row[2];

    for (j = 0; j <= bn; j++) {
        last[j] = j;
    }

    for (i = 1; i <= an; i++) {
        now[0] = i;

        for (j = 1; j <= bn; j++) {
            d = nxe_near_fold(a[i - 1]) != nxe_near_fold(b[j - 1]);

            now[j] = nxe_near_min(last[j - 1] + d,
                                  nxe_near_min(last[j], now[j - 1]) + 1);

            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1])
            {
                now[j] = nxe_near_min(now[j], before[j - 2] + 1);
            }
        }

        t = before;
        before = last;
        last = now;
        now = t;
    }

    return last[bn];
}


static size_t
nxe_near_min(size_t a, size_t b)
{
    return a < b ? a : b;
}


static char
nxe_near_fold(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char) (ch | 0x20) : ch;
}
