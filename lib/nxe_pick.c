#include <string.h>

#include <nxe/pick.h>


enum {
    NXE_PICK_ROOT = 0,      /* the object */
    NXE_PICK_FIRST_KEY,     /* a key, or the end of an object */
    NXE_PICK_KEY,
    NXE_PICK_IN_KEY,
    NXE_PICK_COLON,
    NXE_PICK_FIRST,         /* a value, or the end of an array */
    NXE_PICK_VALUE,
    NXE_PICK_IN_VALUE,
    NXE_PICK_COMMA,         /* or the end of a container */
    NXE_PICK_END,
    NXE_PICK_BAD
};


static const char *nxe_pick_step(nxe_pick_t *k, const char *p);
static const char *nxe_pick_value(nxe_pick_t *k, const char *p);
static const char *nxe_pick_begin(nxe_pick_t *k, const char *p, int string,
    unsigned state);
static const char *nxe_pick_token(nxe_pick_t *k, const char *p,
    const char *end);
static const char *nxe_pick_string(nxe_pick_t *k, const char *p,
    const char *end);
static void nxe_pick_hold(nxe_pick_t *k, const char *p, const char *end);
static void nxe_pick_key(nxe_pick_t *k, nxe_str_t key);
static void nxe_pick_told(nxe_pick_t *k, nxe_str_t text);
static void nxe_pick_open(nxe_pick_t *k, int object);
static void nxe_pick_some(nxe_pick_t *k);
static void nxe_pick_close(nxe_pick_t *k, int object);
static int nxe_pick_object(const nxe_pick_t *k);
static const nxe_pick_node_t *nxe_pick_find(const nxe_pick_node_t *list,
    nxe_str_t key);


void
nxe_pick_init(nxe_pick_t *k, const nxe_pick_node_t *root, nxe_pick_pt tell,
    unsigned other, void *ctx)
{
    k->root = root;
    k->tell = tell;
    k->other = other;
    k->ctx = ctx;

    nxe_pick_reset(k);
}


void
nxe_pick_reset(nxe_pick_t *k)
{
    k->state = NXE_PICK_ROOT;
    k->depth = 0;
    k->node = NULL;
    k->escaped = 0;
    k->held = 0;
    k->len = 0;
}


void
nxe_pick_feed(nxe_pick_t *k, nxe_str_t bytes)
{
    const char  *p, *end;

    if (bytes.len == 0) {
        return;
    }

    p = bytes.data;
    end = p + bytes.len;
    k->token = p;
    k->key = NULL;

    while (p != end && k->state != NXE_PICK_BAD) {

        if (k->state == NXE_PICK_IN_KEY || k->state == NXE_PICK_IN_VALUE) {
            p = nxe_pick_token(k, p, end);

        } else if (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
            p++;

        } else {
            p = nxe_pick_step(k, p);
        }
    }

    /* what the end of the chunk cuts is kept for later */

    if (k->state == NXE_PICK_IN_KEY || k->state == NXE_PICK_IN_VALUE) {
        nxe_pick_hold(k, k->token, end);
    }
}


nxe_status_t
nxe_pick_done(const nxe_pick_t *k)
{
    return k->state == NXE_PICK_END ? NXE_OK : NXE_INVALID;
}


/* A byte outside of tokens, which is no white space. */

static const char *
nxe_pick_step(nxe_pick_t *k, const char *p)
{
    switch (k->state) {

    case NXE_PICK_ROOT:
        if (*p == '{') {
            nxe_pick_open(k, 1);
            return p + 1;
        }
        break;

    case NXE_PICK_FIRST_KEY:
        if (*p == '}') {
            nxe_pick_close(k, 1);
            return p + 1;
        }

        if (*p == '"') {
            nxe_pick_some(k);
            return nxe_pick_begin(k, p, 1, NXE_PICK_IN_KEY);
        }
        break;

    case NXE_PICK_KEY:
        if (*p == '"') {
            return nxe_pick_begin(k, p, 1, NXE_PICK_IN_KEY);
        }
        break;

    case NXE_PICK_COLON:
        if (*p == ':') {
            k->state = NXE_PICK_VALUE;
            return p + 1;
        }
        break;

    case NXE_PICK_FIRST:
        if (*p == ']') {
            nxe_pick_close(k, 0);
            return p + 1;
        }

        nxe_pick_some(k);
        return nxe_pick_value(k, p);

    case NXE_PICK_VALUE:
        return nxe_pick_value(k, p);

    case NXE_PICK_COMMA:
        if (*p == ',') {
            k->state = nxe_pick_object(k) ? NXE_PICK_KEY : NXE_PICK_VALUE;
            return p + 1;
        }

        if (*p == (nxe_pick_object(k) ? '}' : ']')) {
            nxe_pick_close(k, *p == '}');
            return p + 1;
        }
        break;
    }

    k->state = NXE_PICK_BAD;

    return p;
}


static const char *
nxe_pick_value(nxe_pick_t *k, const char *p)
{
    const nxe_pick_node_t  *array;

    if (!nxe_pick_object(k)) {
        array = k->depth <= NXE_PICK_DEPTH ? k->at[k->depth] : NULL;
        k->node = array != NULL ? nxe_pick_find(array->in, nxe_str("*"))
                                : NULL;
    }

    if (*p == '"') {
        return nxe_pick_begin(k, p, 1, NXE_PICK_IN_VALUE);
    }

    if (*p == '{' || *p == '[') {
        nxe_pick_open(k, *p == '{');
        return p + 1;
    }

    if ((*p >= '0' && *p <= '9') || *p == '-' || *p == 't' || *p == 'f'
        || *p == 'n')
    {
        return nxe_pick_begin(k, p, 0, NXE_PICK_IN_VALUE);
    }

    k->state = NXE_PICK_BAD;

    return p;
}


static const char *
nxe_pick_begin(nxe_pick_t *k, const char *p, int string, unsigned state)
{
    k->state = state;
    k->token = p;
    k->string = string != 0;
    k->escaped = 0;
    k->held = 0;
    k->len = 0;

    return p + 1;
}


/* The rest of a token. */

static const char *
nxe_pick_token(nxe_pick_t *k, const char *p, const char *end)
{
    nxe_str_t    text;
    const char  *last;

    last = k->string ? nxe_pick_string(k, p, end) : nxe_pick_scalar(p, end);

    if (last == NULL) {
        return end;
    }

    text.data = k->token;
    text.len = (size_t) (last - k->token);

    if (k->held) {
        nxe_pick_hold(k, k->token, last);
        text.data = k->text;
        text.len = k->len;
    }

    if (k->state == NXE_PICK_IN_KEY) {
        nxe_pick_key(k, text);

    } else {
        nxe_pick_told(k, text);
    }

    return last;
}


/* Behind the quote that ends a string, NULL if it is not there. */

static const char *
nxe_pick_string(nxe_pick_t *k, const char *p, const char *end)
{
    const char  *quote, *s;

    if (k->escaped) {
        k->escaped = 0;
        p++;
    }

    quote = nxe_pick_quote(p, end);

    if (quote != NULL) {
        return quote + 1;
    }

    for (s = end; s != p && s[-1] == '\\'; s--) { /* void */ }

    k->escaped = (unsigned) (end - s) & 1;

    return NULL;
}


const char *
nxe_pick_quote(const char *p, const char *end)
{
    const char  *quote, *s;

    for ( ;; ) {
        quote = memchr(p, '"', (size_t) (end - p));

        if (quote == NULL) {
            return NULL;
        }

        for (s = quote; s != p && s[-1] == '\\'; s--) { /* void */ }

        if (((quote - s) & 1) == 0) {
            return quote;
        }

        p = quote + 1;
    }
}


const char *
nxe_pick_scalar(const char *p, const char *end)
{
    for ( /* void */ ; p != end; p++) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
              || *p == '-' || *p == '+' || *p == '.' || *p == 'E'))
        {
            return p;
        }
    }

    return NULL;
}


/* Of strings that nobody asks for the end alone matters. */

static void
nxe_pick_hold(nxe_pick_t *k, const char *p, const char *end)
{
    size_t  n;

    n = (size_t) (end - p);

    if (n > NXE_PICK_TEXT - 1 - k->len) {
        n = NXE_PICK_TEXT - 1 - k->len;

        /* it stays a string */

        if (k->string && k->len + n == NXE_PICK_TEXT - 1) {
            k->text[NXE_PICK_TEXT - 1] = '"';
            memcpy(k->text + k->len, p, n);
            k->len = NXE_PICK_TEXT;
            k->held = 1;
            return;
        }
    }

    if (k->len >= NXE_PICK_TEXT - 1) {
        return;
    }

    memcpy(k->text + k->len, p, n);
    k->len += n;
    k->held = 1;
}


static void
nxe_pick_key(nxe_pick_t *k, nxe_str_t key)
{
    const nxe_pick_node_t  *object;

    object = k->depth <= NXE_PICK_DEPTH ? k->at[k->depth] : NULL;

    k->node = object != NULL ? nxe_pick_find(object->in, key) : NULL;
    k->key = k->held ? NULL : key.data;
    k->state = NXE_PICK_COLON;
}


static const nxe_pick_node_t *
nxe_pick_find(const nxe_pick_node_t *list, nxe_str_t key)
{
    const nxe_pick_node_t  *node;

    if (list == NULL) {
        return NULL;
    }

    if (list->name.data[0] == '*') {
        return key.data[0] == '*' ? list : NULL;
    }

    for (node = list; node->name.data != NULL; node++) {

        if (key.len == node->name.len + 2
            && memcmp(key.data + 1, node->name.data, node->name.len) == 0)
        {
            return node;
        }
    }

    if (memchr(key.data, '\\', key.len) == NULL
        || !nxe_pick_escapes_ok(key))
    {
        return NULL;
    }

    for (node = list; node->name.data != NULL; node++) {

        if (nxe_json_string_eq(key, node->name)) {
            return node;
        }
    }

    return NULL;
}


int
nxe_pick_escapes_ok(nxe_str_t quoted)
{
    int          i;
    const char  *p, *end;

    p = quoted.data + 1;
    end = quoted.data + quoted.len - 1;

    while ((p = memchr(p, '\\', (size_t) (end - p))) != NULL) {

        if (end - p < 2 || p[1] == '\0'
            || strchr("\"\\/bfnrtu", p[1]) == NULL)
        {
            return 0;
        }

        if (p[1] == 'u') {

            if (end - p < 6) {
                return 0;
            }

            for (i = 2; i < 6; i++) {
                if (strchr("0123456789abcdefABCDEF", p[i]) == NULL
                    || p[i] == '\0')
                {
                    return 0;
                }
            }
        }

        p += 2;
    }

    return 1;
}


static void
nxe_pick_told(nxe_pick_t *k, nxe_str_t text)
{
    nxe_json_type_t  type;

    k->state = NXE_PICK_COMMA;

    if (k->string) {
        type = NXE_JSON_STRING;

    } else if (nxe_str_eq(text, nxe_str("null"))) {
        type = NXE_JSON_NULL;

    } else if (nxe_str_eq(text, nxe_str("true"))
               || nxe_str_eq(text, nxe_str("false")))
    {
        type = NXE_JSON_BOOL;

    } else if (text.data[0] >= 'a') {
        k->state = NXE_PICK_BAD;
        return;

    } else {
        type = NXE_JSON_NUMBER;
    }

    if (k->node != NULL && k->node->field != 0) {
        k->tell(k->ctx, k->node->field, type, text);

    } else if (k->other != 0) {
        k->tell(k->ctx, k->other, type, text);
    }
}


static void
nxe_pick_open(nxe_pick_t *k, int object)
{
    static const nxe_pick_node_t  none = nxe_pick_end_of_list;

    if (k->depth == NXE_JSON_DEPTH) {
        k->state = NXE_PICK_BAD;
        return;
    }

    if (k->depth == 0) {
        k->node = k->root;

    } else if (k->node != NULL && k->node->field != 0) {
        k->tell(k->ctx, k->node->field,
                object ? NXE_JSON_OBJECT : NXE_JSON_ARRAY, nxe_null_str);
    }

    if (object) {
        k->objects[k->depth / 64] |= (uint64_t) 1 << k->depth % 64;

    } else {
        k->objects[k->depth / 64] &= ~((uint64_t) 1 << k->depth % 64);
    }

    k->depth++;

    if (k->depth <= NXE_PICK_DEPTH) {
        k->at[k->depth] = k->node != NULL ? k->node : &none;
    }

    k->state = object ? NXE_PICK_FIRST_KEY : NXE_PICK_FIRST;
}


/* The container is not empty. */

static void
nxe_pick_some(nxe_pick_t *k)
{
    const nxe_pick_node_t  *node;

    node = k->depth <= NXE_PICK_DEPTH ? k->at[k->depth] : NULL;

    if (node != NULL && node->field != 0) {
        k->tell(k->ctx, node->field,
                nxe_pick_object(k) ? NXE_JSON_OBJECT : NXE_JSON_ARRAY,
                nxe_str("..."));
    }
}


static void
nxe_pick_close(nxe_pick_t *k, int object)
{
    if (nxe_pick_object(k) != object) {
        k->state = NXE_PICK_BAD;
        return;
    }

    k->depth--;
    k->state = k->depth == 0 ? NXE_PICK_END : NXE_PICK_COMMA;
}


/* 1 in an object, 0 in an array. */

static int
nxe_pick_object(const nxe_pick_t *k)
{
    unsigned  i;

    i = k->depth - 1;

    return (int) (k->objects[i / 64] >> i % 64 & 1);
}
