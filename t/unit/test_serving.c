/*
 * The serving copy: published, then opened, damaged, swept, raced for.
 */

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nxe/serving.h>


#define WORD "\",\"word\":\"0123456789abcdef\""
#define HEAD   "a1b2c3d4e5f60718"
#define FLIPS  200

#define TONE                                                                  \
    "{\"layer\":{\"name\":\"chat\",\"range\":[0.5,1]},\"name\":\"tone\","     \
    "\"unit\":\"header:X-Conversation-Id\",\"variants\":[{\"name\":"          \
    "\"control\"},{\"name\":\"concise\",\"overrides\":{\"default\":"          \
    "{\"system\":\"Be \\u00e9brief.\"}}}]}"

#define HELP                                                                  \
    "{\"layer\":{\"name\":\"chat\",\"range\":[0,0.25]},\"name\":\"help\","    \
    "\"unit\":\"header:X-Conversation-Id\",\"variants\":[{\"name\":\"a\"},"   \
    "{\"name\":\"b\",\"overrides\":{\"default\":{\"temperature\":0.30}}}]}"

#define IDLE                                                                  \
    "{\"baseline\":\"old\",\"name\":\"idle\",\"ofrep\":{\"members\":"           \
    "[\"model\"]},\"unit\":\"header:X\","                                      \
    "\"variants\":[{\"name\":\"new\"},{\"name\":\"old\"}]}"

#define TRIAGE                                                                \
    "{\"layer\":\"support\",\"name\":\"triage\",\"unit\":\"header:X\","       \
    "\"variants\":[{\"name\":\"control\"},{\"name\":\"small\",\"overrides\":" \
    "{\"default\":{\"model\":\"m\"}}}]}"


static char  dir[64];


static int
make_dir(void **state)
{
    (void) state;

    (void) snprintf(dir, sizeof(dir), "/tmp/nxe-serving-XXXXXX");

    return mkdtemp(dir) == NULL;
}


static int
remove_dir(void **state)
{
    DIR            *d;
    struct dirent  *e;

    (void) state;

    d = opendir(dir);
    if (d == NULL) {
        return 1;
    }

    while ((e = readdir(d)) != NULL) {
        (void) unlinkat(dirfd(d), e->d_name, 0);
    }

    (void) closedir(d);

    return rmdir(dir);
}


/* Two calls may stand in one expression. */

static char *
path_of(const char *name)
{
    static char      paths[2][128];
    static unsigned  n;

    n ^= 1;
    (void) snprintf(paths[n], sizeof(paths[n]), "%s/%s", dir, name);

    return paths[n];
}


static void
add(nxe_publish_t *p, const char *json, nxe_stage_t stage, uint64_t revision)
{
    cJSON              *tree;
    nxe_doc_t          *doc;
    nxe_error_t         err;
    nxe_state_t         st;
    nxe_faults_t        faults;
    nxe_json_result_t   r;

    assert_int_equal(nxe_tree_parse(nxe_str_of(json), &tree, &r), NXE_OK);
    nxe_faults_init(&faults, unit_mem);
    assert_int_equal(nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), unit_mem,
                                   &faults, &doc), NXE_OK);

    memset(&st, 0, sizeof(st));
    st.revision = revision;
    st.phase = 2;
    st.stage = stage;
    st.exposure = (nxe_frac_t) { 200000000, NXE_NANO };
    st.has_exposure = stage == NXE_STAGE_CANARY || stage == NXE_STAGE_AB;
    st.variant = stage == NXE_STAGE_ROLLOUT ? doc->variants[1].name
                                            : nxe_str("");

    if (nxe_publish_add(p, doc, tree, &st, &err) != NXE_OK) {
        fail_msg("%s", err.text);
    }

    cJSON_Delete(tree);
}


static nxe_status_t
publish(uint64_t txn, int full)
{
    nxe_error_t     err;
    nxe_status_t    rc;
    nxe_publish_t  *p;

    if (nxe_publish_begin(dir, (gid_t) -1, &p, &err) != NXE_OK) {
        return NXE_IO;
    }

    if (full) {
        add(p, HELP, NXE_STAGE_CANARY, 1);
        add(p, IDLE, NXE_STAGE_OFF, 3);
        add(p, TONE, NXE_STAGE_AB, txn);
        add(p, TRIAGE, NXE_STAGE_ROLLOUT, 9);
    }

    rc = nxe_publish_commit(p, txn, HEAD, &err);
    nxe_publish_free(p);

    return rc;
}


static nxe_status_t
open_copy(nxe_serving_t **s, nxe_error_t *err)
{
    nxe_status_t   rc;
    nxe_current_t  current;

    rc = nxe_current_read(dir, &current, err);

    return rc == NXE_OK ? nxe_serving_open(dir, &current, s, err) : rc;
}


static nxe_doc_t *
built(const nxe_entry_t *e)
{
    cJSON              *tree;
    nxe_doc_t          *doc;
    nxe_faults_t        faults;
    nxe_json_result_t   r;

    assert_int_equal(nxe_tree_parse(e->doc, &tree, &r), NXE_OK);
    nxe_faults_init(&faults, unit_mem);

    if (nxe_doc_build(tree, NXE_DOC_SERVING, e->bytes, unit_mem, &faults,
                      &doc) != NXE_OK)
    {
        fail_msg("%s: %s", faults.fault[0].pointer, faults.fault[0].expected);
    }

    cJSON_Delete(tree);

    return doc;
}


static nxe_str_t
value(const nxe_doc_t *doc, const nxe_entry_t *e, nxe_param_t param)
{
    const nxe_override_t  *o;

    o = doc->effective[1].params[param];
    assert_non_null(o);

    return (nxe_str_t) { e->bytes.data + o->value.offset, o->value.len };
}


static void
test_round(void **state)
{
    size_t           n;
    nxe_doc_t       *doc;
    nxe_str_t       *names;
    nxe_entry_t      e;
    nxe_error_t      err;
    nxe_place_t     *places;
    nxe_state_t      st;
    nxe_serving_t   *s;

    (void) state;

    assert_int_equal(publish(812, 1), NXE_OK);
    assert_int_equal(open_copy(&s, &err), NXE_OK);

    assert_int_equal(nxe_serving_current(s)->txn, 812);
    assert_string_equal(nxe_serving_current(s)->head, HEAD);
    assert_string_equal(nxe_serving_current(s)->file, "812.mdb");

    /* a document with bytes of its own, in a place behind another's */

    assert_int_equal(nxe_serving_entry(s, nxe_str("tone"), &e, &err), NXE_OK);
    assert_true(nxe_str_eq(e.baseline, nxe_str("control")));
    doc = built(&e);
    assert_true(nxe_str_eq(doc->name, nxe_str("tone")));
    assert_true(nxe_str_eq(value(doc, &e, NXE_SYSTEM),
                           nxe_str("\"Be \xc3\xa9" "brief.\"")));

    assert_int_equal(nxe_state_parse(e.state, unit_mem, &st, &err), NXE_OK);
    assert_int_equal(st.stage, NXE_STAGE_AB);
    assert_int_equal(st.revision, 812);
    assert_int_equal(st.phase, 2);
    assert_int_equal(st.exposure.num, 200000000);

    assert_int_equal(nxe_serving_entry(s, nxe_str("help"), &e, &err), NXE_OK);
    doc = built(&e);
    assert_true(nxe_str_eq(value(doc, &e, NXE_TEMPERATURE),
                           nxe_str("0.30")));

    assert_int_equal(nxe_serving_entry(s, nxe_str("triage"), &e, &err),
                     NXE_OK);
    assert_int_equal(nxe_state_parse(e.state, unit_mem, &st, &err), NXE_OK);
    assert_int_equal(st.stage, NXE_STAGE_ROLLOUT);
    assert_true(nxe_str_eq(st.variant, nxe_str("small")));

    assert_int_equal(e.flag, 0);

    /* one that is off has a name, a phase, a baseline, and maybe a flag */

    assert_int_equal(nxe_serving_entry(s, nxe_str("idle"), &e, &err), NXE_OK);
    assert_int_equal(e.flag, 1);
    assert_int_equal(e.doc.len, 0);
    assert_int_equal(e.bytes.len, 0);
    assert_true(nxe_str_eq(e.baseline, nxe_str("old")));
    assert_int_equal(nxe_state_parse(e.state, unit_mem, &st, &err), NXE_OK);
    assert_int_equal(st.stage, NXE_STAGE_OFF);
    assert_int_equal(st.revision, 3);

    assert_int_equal(nxe_serving_entry(s, nxe_str("nobody"), &e, &err),
                     NXE_DECLINED);
    assert_int_equal(nxe_serving_entry(s, nxe_str(""), &e, &err),
                     NXE_DECLINED);

    /* layers, by the places in them */

    assert_int_equal(nxe_serving_layers(s, unit_mem, &names, &n, &err),
                     NXE_OK);
    assert_int_equal(n, 2);
    assert_true(nxe_str_eq(names[0], nxe_str("chat")));
    assert_true(nxe_str_eq(names[1], nxe_str("support")));

    assert_int_equal(nxe_serving_layer(s, nxe_str("chat"), unit_mem, &places,
                                       &n, &err), NXE_OK);
    assert_int_equal(n, 2);
    assert_true(nxe_str_eq(places[0].name, nxe_str("help")));
    assert_int_equal(places[0].lo, 0);
    assert_int_equal(places[0].hi, 1u << 30);
    assert_true(nxe_str_eq(places[1].name, nxe_str("tone")));
    assert_int_equal(places[1].lo, 1u << 31);
    assert_int_equal(places[1].hi, (uint64_t) 1 << 32);

    assert_int_equal(nxe_serving_layer(s, nxe_str("default"), unit_mem,
                                       &places, &n, &err), NXE_DECLINED);

    nxe_serving_close(s);
    nxe_serving_close(NULL);

    /* an empty registry publishes too */

    assert_int_equal(publish(813, 0), NXE_OK);
    assert_int_equal(open_copy(&s, &err), NXE_OK);
    assert_int_equal(nxe_serving_layers(s, unit_mem, &names, &n, &err),
                     NXE_OK);
    assert_int_equal(n, 0);
    nxe_serving_close(s);
}


/* A copy with prices, without, and with what cannot be read. */

static nxe_status_t
publish_prices(uint64_t txn, const char *json)
{
    nxe_error_t     err;
    nxe_status_t    rc;
    nxe_publish_t  *p;

    assert_int_equal(nxe_publish_begin(dir, (gid_t) -1, &p, &err), NXE_OK);
    add(p, HELP, NXE_STAGE_CANARY, 1);

    rc = nxe_publish_prices(p, nxe_str_of(json), &err);

    if (rc == NXE_OK) {
        rc = nxe_publish_commit(p, txn, HEAD, &err);
    }

    nxe_publish_free(p);

    return rc;
}


static void
test_prices(void **state)
{
    size_t          n;
    nxe_entry_t     e;
    nxe_error_t     err;
    nxe_price_t    *prices;
    nxe_serving_t  *s;

    (void) state;

    assert_int_equal(publish_prices(20,
        "[{\"model\":\"gpt-4o\",\"input\":2.5,\"output\":10,\"cached\":1.25,"
        "\"cache_write\":2.5,\"currency\":\"USD\"}]"), NXE_OK);
    assert_int_equal(open_copy(&s, &err), NXE_OK);
    assert_int_equal(nxe_serving_prices(s, unit_mem, &prices, &n, &err),
                     NXE_OK);
    assert_int_equal(n, 1);
    assert_true(nxe_str_eq(prices[0].model, nxe_str("gpt-4o")));
    assert_true(prices[0].cached == 1250000000u);
    assert_int_equal(nxe_serving_entry(s, nxe_str("help"), &e, &err), NXE_OK);
    nxe_serving_close(s);

    assert_int_equal(publish(21, 1), NXE_OK);
    assert_int_equal(open_copy(&s, &err), NXE_OK);
    n = 7;
    assert_int_equal(nxe_serving_prices(s, unit_mem, &prices, &n, &err),
                     NXE_OK);
    assert_int_equal(n, 0);
    nxe_serving_close(s);

    assert_int_equal(publish_prices(22, "[{\"model\":\"gpt-4o\"}]"), NXE_OK);
    assert_int_equal(open_copy(&s, &err), NXE_OK);
    assert_int_equal(nxe_serving_prices(s, unit_mem, &prices, &n, &err),
                     NXE_INVALID);
    assert_non_null(strstr(err.text, "price 1"));
    assert_int_equal(nxe_serving_entry(s, nxe_str("help"), &e, &err), NXE_OK);
    nxe_serving_close(s);
}


/* The hash comes in slices, and only the last one opens the copy. */

static void
test_slices(void **state)
{
    size_t          steps;
    nxe_error_t     err;
    nxe_status_t    rc;
    nxe_current_t   current;
    nxe_serving_t  *s;

    (void) state;

    assert_int_equal(publish(5, 1), NXE_OK);
    assert_int_equal(nxe_current_read(dir, &current, &err), NXE_OK);
    assert_int_equal(nxe_serving_start(dir, &current, &s, &err), NXE_OK);

    for (steps = 1; (rc = nxe_serving_step(s, 1000, &err)) == NXE_AGAIN; ) {
        steps++;
    }

    assert_int_equal(rc, NXE_OK);
    assert_int_equal(steps, (current.size + 999) / 1000);
    assert_int_equal(nxe_serving_step(s, 1000, &err), NXE_OK);
    nxe_serving_close(s);

    /* one that is given up half way */

    assert_int_equal(nxe_serving_start(dir, &current, &s, &err), NXE_OK);
    assert_int_equal(nxe_serving_step(s, 1, &err), NXE_AGAIN);
    nxe_serving_close(s);
}


static void
rewrite(const char *name, const void *data, size_t len)
{
    int  fd;

    fd = open(path_of(name), O_WRONLY|O_CREAT|O_TRUNC, 0640);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, data, len), len);
    (void) close(fd);
}


static size_t
whole(const char *name, char *buf, size_t size)
{
    int      fd;
    ssize_t  n;

    fd = open(path_of(name), O_RDONLY);
    assert_int_not_equal(fd, -1);
    n = read(fd, buf, size);
    (void) close(fd);
    assert_true(n > 0 && (size_t) n < size);

    return (size_t) n;
}


/* What happens to the file between its first slice and its last. */

static void
test_slices_moved(void **state)
{
    char            bytes[65536];
    size_t          len;
    nxe_error_t     err;
    nxe_status_t    rc;
    nxe_current_t   current;
    nxe_serving_t  *s;

    (void) state;

    assert_int_equal(publish(6, 1), NXE_OK);
    assert_int_equal(nxe_current_read(dir, &current, &err), NXE_OK);

    /* another one of the same bytes is not the one that was hashed */

    assert_int_equal(nxe_serving_start(dir, &current, &s, &err), NXE_OK);
    assert_int_equal(nxe_serving_step(s, 1000, &err), NXE_AGAIN);
    len = whole(current.file, bytes, sizeof(bytes));
    assert_int_equal(unlink(path_of(current.file)), 0);
    rewrite(current.file, bytes, len);

    while ((rc = nxe_serving_step(s, 1000, &err)) == NXE_AGAIN) { /* void */ }

    assert_int_equal(rc, NXE_INVALID);
    assert_non_null(strstr(err.text, "was replaced"));
    nxe_serving_close(s);

    /* one that is cut is an error, not SIGBUS */

    assert_int_equal(nxe_serving_start(dir, &current, &s, &err), NXE_OK);
    assert_int_equal(nxe_serving_step(s, 1000, &err), NXE_AGAIN);
    assert_int_equal(truncate(path_of(current.file), 5000), 0);

    while ((rc = nxe_serving_step(s, 1000, &err)) == NXE_AGAIN) { /* void */ }

    assert_int_equal(rc, NXE_INVALID);
    assert_non_null(strstr(err.text, "published size"));
    nxe_serving_close(s);
}


static void
test_damage(void **state)
{
    char            *bytes;
    size_t           i, at, len;
    uint64_t         seed;
    nxe_error_t      err;
    nxe_serving_t   *s;

    static const double  cuts[] = { 0, 0.1, 0.5, 0.9 };

    (void) state;

    assert_int_equal(publish(7, 1), NXE_OK);

    bytes = malloc(1 << 20);
    assert_non_null(bytes);
    len = whole("7.mdb", bytes, 1 << 20);

    for (i = 0, seed = 3; i < FLIPS; i++) {
        at = i < 50 ? i * 3 : unit_random(&seed) % len;
        bytes[at] ^= (char) (1 << (i % 8));
        rewrite("7.mdb", bytes, len);

        assert_int_equal(open_copy(&s, &err), NXE_INVALID);
        assert_non_null(strstr(err.text, "SHA-256"));

        bytes[at] ^= (char) (1 << (i % 8));
    }

    for (i = 0; i < unit_n(cuts); i++) {
        rewrite("7.mdb", bytes, (size_t) (len * cuts[i]));
        assert_int_equal(open_copy(&s, &err), NXE_INVALID);
    }

    rewrite("7.mdb", bytes, len - 1);
    assert_int_equal(open_copy(&s, &err), NXE_INVALID);
    assert_non_null(strstr(err.text, "size"));

    bytes[len] = 0;
    rewrite("7.mdb", bytes, len + 1);
    assert_int_equal(open_copy(&s, &err), NXE_INVALID);

    rewrite("7.mdb", bytes, len);
    assert_int_equal(open_copy(&s, &err), NXE_OK);
    nxe_serving_close(s);

    assert_int_equal(unlink(path_of("7.mdb")), 0);
    assert_int_equal(open_copy(&s, &err), NXE_IO);

    free(bytes);
}


/* A file whose hash is right and which is none of LMDB, or a newer one. */

static void
test_foreign(void **state)
{
    char            line[512], hex[65], junk[8192];
    nxe_str_t       s;
    nxe_error_t     err;
    nxe_serving_t  *serving;
    unsigned char   md[NXE_SHA256_LEN];

    (void) state;

    memset(junk, 'x', sizeof(junk));
    s = (nxe_str_t) { junk, sizeof(junk) };
    nxe_sha256(s, md);
    nxe_hex(md, sizeof(md), hex);
    hex[64] = '\0';

    rewrite("9.mdb", junk, sizeof(junk));
    rewrite("current", line,
            (size_t) snprintf(line, sizeof(line), "{\"format\":1,\"file\":"
                              "\"9.mdb\",\"size\":8192,\"sha256\":\"%s\","
                              "\"txn\":9,\"head\":\"" HEAD WORD "}\n", hex));

    assert_int_equal(open_copy(&serving, &err), NXE_INVALID);
}


#define MD  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void
test_current(void **state)
{
    size_t         i;
    nxe_error_t    err;
    nxe_current_t  c;

    static const struct {
        const char    *text;        /* NULL: no file */
        nxe_status_t   rc;
        const char    *why;
    } rows[] = {
        { NULL, NXE_IO, "missing" },
        { "", NXE_INVALID, "empty" },
        { "garbage\n", NXE_INVALID, "garbage" },
        { "[]", NXE_INVALID, "no object" },
        { "{}", NXE_INVALID, "nothing in it" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_OK, "whole" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD ",\"new\":1}\n", NXE_OK,
          "members are only ever added" },
        { "{\"format\":2,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_INVALID,
          "a newer format" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":0,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_INVALID,
          "an empty copy" },
        { "{\"format\":1,\"file\":\"../8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_INVALID,
          "a file elsewhere" },
        { "{\"format\":1,\"file\":\".new.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_INVALID,
          "a file that is not done" },
        { "{\"format\":1,\"file\":\"0123456789012345678901234567.mdb\","
          "\"size\":1,\"sha256\":\"" MD "\",\"txn\":8,\"head\":\"" HEAD
          WORD "}\n", NXE_INVALID, "a file name that is too long" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":-1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_INVALID,
          "a negative size" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"00\","
          "\"txn\":8,\"head\":\"" HEAD WORD "}\n", NXE_INVALID,
          "a short hash" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"a1b2" WORD "}\n", NXE_INVALID, "a short head" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"\\\",\\\"x\\\":\\\"12345\"}\n",
          NXE_INVALID, "a head that would leave its quotes in the log" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"head\":\"" HEAD WORD "}\n", NXE_INVALID, "no transaction" },
        { "{\"format\":1,\"file\":\"8.mdb\",\"size\":1,\"sha256\":\"" MD
          "\",\"txn\":8,\"head\":\"" HEAD WORD, NXE_INVALID, "cut short" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        (void) unlink(path_of("current"));

        if (rows[i].text != NULL) {
            rewrite("current", rows[i].text, strlen(rows[i].text));
        }

        unit_row(nxe_current_read(dir, &c, &err) == rows[i].rc, rows[i].why);
        unit_row(rows[i].rc == NXE_OK || strstr(err.text, dir) != NULL,
                 rows[i].why);
    }
}


static void
test_generation(void **state)
{
    int                 i;
    uint64_t            before;
    struct stat         st;
    nxe_error_t         err;
    nxe_generation_t    g;

    (void) state;

    assert_int_equal(nxe_generation_map(dir, &g, &err), NXE_IO);
    assert_null(g.word);
    nxe_generation_unmap(&g);

    assert_int_equal(publish(1, 0), NXE_OK);
    assert_int_equal(nxe_generation_map(dir, &g, &err), NXE_OK);
    assert_int_equal(nxe_generation_stale(dir, &g), 0);

    /* the mapping sees each publication, of the same transaction too */

    for (i = 0; i < 20; i++) {
        before = *g.word;
        assert_int_equal(publish((uint64_t) i / 2 + 2, 0), NXE_OK);
        assert_true(*g.word > before);
        assert_int_equal(nxe_generation_stale(dir, &g), 0);
    }

    assert_int_equal(stat(path_of("generation"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);

    /* another file under the name, then none */

    assert_int_equal(rename(path_of("generation"), path_of("x")), 0);
    assert_int_equal(nxe_generation_stale(dir, &g), 1);
    assert_int_equal(publish(50, 0), NXE_OK);
    assert_int_equal(nxe_generation_stale(dir, &g), 1);
    nxe_generation_unmap(&g);
    nxe_generation_unmap(&g);

    rewrite("generation", "1234567", 7);
    assert_int_equal(nxe_generation_map(dir, &g, &err), NXE_IO);
}


/* The names in the folder, sorted, joined by spaces. */

static void
list(char *out, size_t size)
{
    int              i, n;
    size_t           len;
    struct dirent  **names;

    n = scandir(dir, &names, NULL, alphasort);
    assert_true(n >= 0);

    for (i = 0, len = 0; i < n; i++) {
        if (strcmp(names[i]->d_name, ".") != 0
            && strcmp(names[i]->d_name, "..") != 0)
        {
            len += (size_t) snprintf(out + len, size - len, "%s%s",
                                     len != 0 ? " " : "", names[i]->d_name);
        }

        free(names[i]);
    }

    free(names);
}


static void
test_sweep(void **state)
{
    char            out[1024];
    nxe_error_t     err;
    nxe_entry_t     e;
    struct stat     st;
    nxe_serving_t  *s;

    (void) state;

    assert_int_equal(publish(8, 1), NXE_OK);
    assert_int_equal(open_copy(&s, &err), NXE_OK);

    assert_int_equal(publish(9, 1), NXE_OK);
    list(out, sizeof(out));
    assert_string_equal(out, "8.mdb 9.mdb current generation");

    /* numbers, not names, decide; what is no copy stays */

    rewrite("notes.txt", "x", 1);
    rewrite("7.mdb.bak", "x", 1);
    assert_int_equal(publish(10, 1), NXE_OK);
    list(out, sizeof(out));
    assert_string_equal(out, "10.mdb 7.mdb.bak 9.mdb current generation "
                        "notes.txt");

    assert_int_equal(stat(path_of("10.mdb"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(stat(path_of("current"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);

    /* a snapshot of a copy that is gone goes on */

    assert_int_equal(nxe_serving_entry(s, nxe_str("tone"), &e, &err), NXE_OK);
    assert_int_equal(nxe_serving_current(s)->txn, 8);
    nxe_serving_close(s);
}


/* A copy that is removed while it is read failed; it is not a wrong one. */

static void
test_swept(void **state)
{
    nxe_error_t     err;
    nxe_current_t   current;
    nxe_serving_t  *s;

    (void) state;

    assert_int_equal(publish(8, 1), NXE_OK);
    assert_int_equal(nxe_current_read(dir, &current, &err), NXE_OK);
    assert_int_equal(nxe_serving_start(dir, &current, &s, &err), NXE_OK);
    assert_int_equal(unlink(path_of("8.mdb")), 0);
    assert_int_equal(nxe_serving_step(s, SIZE_MAX, &err), NXE_IO);
    nxe_serving_close(s);
}


static void
test_modes(void **state)
{
    size_t              i;
    nxe_error_t         err;
    nxe_serving_t      *s;
    nxe_generation_t    g;

    static const mode_t        bad[] = { 0660, 0646, 0602 };
    static const char *const   files[] = { "current", "4.mdb" };

    (void) state;

    assert_int_equal(publish(4, 1), NXE_OK);

    for (i = 0; i < unit_n(bad) * unit_n(files); i++) {
        assert_int_equal(chmod(path_of(files[i % 2]), bad[i / 2]), 0);
        assert_int_equal(open_copy(&s, &err), NXE_IO);
        assert_non_null(strstr(err.text, "others cannot write"));
        assert_int_equal(chmod(path_of(files[i % 2]), 0640), 0);
    }

    assert_int_equal(chmod(path_of("generation"), 0660), 0);
    assert_int_equal(nxe_generation_map(dir, &g, &err), NXE_IO);
    assert_int_equal(chmod(path_of("generation"), 0640), 0);

    /* a symlink to what would be right, and what is no file */

    assert_int_equal(rename(path_of("current"), path_of("x")), 0);
    assert_int_equal(symlink("x", path_of("current")), 0);
    assert_int_equal(open_copy(&s, &err), NXE_IO);

    assert_int_equal(unlink(path_of("current")), 0);
    assert_int_equal(mkfifo(path_of("current"), 0640), 0);
    assert_int_equal(open_copy(&s, &err), NXE_IO);

    assert_int_equal(unlink(path_of("current")), 0);
    assert_int_equal(rename(path_of("x"), path_of("current")), 0);
    assert_int_equal(open_copy(&s, &err), NXE_OK);
    nxe_serving_close(s);
}


static void
test_refused(void **state)
{
    nxe_error_t     err;
    nxe_publish_t  *p;

    (void) state;

    assert_int_equal(nxe_publish_begin(path_of("none"), (gid_t) -1, &p, &err),
                     NXE_IO);

    rewrite("file", "x", 1);
    assert_int_equal(nxe_publish_begin(path_of("file"), (gid_t) -1, &p, &err),
                     NXE_IO);

    assert_int_equal(symlink(dir, path_of("link")), 0);
    assert_int_equal(nxe_publish_begin(path_of("link"), (gid_t) -1, &p, &err),
                     NXE_IO);

    nxe_publish_free(NULL);
}


/* Four publish at once; what is there at any moment is one of theirs. */

static void
test_race(void **state)
{
    int             i, j, status;
    pid_t           pid[4];
    nxe_error_t     err;
    nxe_entry_t     e;
    nxe_state_t     st;
    nxe_serving_t  *s;

    (void) state;

    assert_int_equal(publish(1, 1), NXE_OK);

    for (i = 0; i < 4; i++) {
        pid[i] = fork();
        assert_int_not_equal(pid[i], -1);

        if (pid[i] == 0) {
            for (j = 0; j < 10; j++) {
                if (publish((uint64_t) (2 + j * 4 + i), 1) != NXE_OK) {
                    _exit(1);
                }
            }

            _exit(0);
        }
    }

    for (i = 0; i < 100; i++) {
        /* NXE_IO: swept between reading "current" and opening its file */

        switch (open_copy(&s, &err)) {
        case NXE_OK:
            assert_int_equal(nxe_serving_entry(s, nxe_str("tone"), &e, &err),
                             NXE_OK);
            assert_int_equal(nxe_state_parse(e.state, unit_mem, &st, &err),
                             NXE_OK);
            assert_int_equal(st.revision, nxe_serving_current(s)->txn);
            nxe_serving_close(s);
            break;

        case NXE_IO:
            break;

        default:
            fail_msg("%s", err.text);
        }
    }

    for (i = 0; i < 4; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }

    assert_int_equal(open_copy(&s, &err), NXE_OK);
    assert_int_equal(nxe_serving_entry(s, nxe_str("tone"), &e, &err), NXE_OK);
    assert_int_equal(nxe_state_parse(e.state, unit_mem, &st, &err), NXE_OK);
    assert_int_equal(st.revision, nxe_serving_current(s)->txn);
    nxe_serving_close(s);
}


#define serving_test(f)  cmocka_unit_test_setup_teardown(f, make_dir,         \
                                                         remove_dir)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        serving_test(test_round),
        serving_test(test_prices),
        serving_test(test_slices),
        serving_test(test_slices_moved),
        serving_test(test_damage),
        serving_test(test_foreign),
        serving_test(test_current),
        serving_test(test_generation),
        serving_test(test_sweep),
        serving_test(test_swept),
        serving_test(test_modes),
        serving_test(test_refused),
        serving_test(test_race),
    };

    return unit_main(tests);
}
