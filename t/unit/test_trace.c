/*
 * traceparent: what is read, what is refused, what is made; members of
 * baggage.
 */

#include "unit.h"

#include <nxe/trace.h>


#define ID      "0af7651916cd43dd8448eb211c80319c"
#define PARENT  "b7ad6b7169203331"
#define ZEROS   "00000000000000000000000000000000"

#define VALID   "00-" ID "-" PARENT "-01"


static void
test_parse(void **state)
{
    char          *value;
    size_t         i, len;
    nxe_str_t      id;
    nxe_status_t   rc;

    static const struct {
        const char  *value;
        const char  *id;        /* NULL: declined */
        const char  *why;
    } rows[] = {
        { VALID, ID, "the example of the specification" },
        { "00-" ID "-" PARENT "-00", ID, "not sampled" },
        { "00-" ID "-" PARENT "-ff", ID, "all flags" },
        { "00-00000000000000000000000000000001-0000000000000001-00",
          "00000000000000000000000000000001", "ids of one bit" },
        { "01-" ID "-" PARENT "-01", ID, "a higher version" },
        { "fe-" ID "-" PARENT "-01", ID, "the highest version" },
        { "cc-" ID "-" PARENT "-01-what", ID, "that goes on" },
        { "cc-" ID "-" PARENT "-01-", ID, "with nothing" },
        { "cc-" ID "-" PARENT "-01-\xff\x01", ID, "with any bytes" },
        { "cc-" ID "-" PARENT "-01.what", NULL, "behind another byte" },
        { "cc-" ID "-" PARENT "-011", NULL, "behind a digit" },
        { "", NULL, "nothing" },
        { "00", NULL, "a version" },
        { "00-" ID "-" PARENT "-0", NULL, "a digit short" },
        { "00-" ID "-" PARENT "-011", NULL, "a digit long" },
        { VALID "-", NULL, "version 00 goes on" },
        { VALID " ", NULL, "a blank behind" },
        { VALID "," VALID, NULL, "two in one" },
        { " " VALID, NULL, "a blank before" },
        { "ff-" ID "-" PARENT "-01", NULL, "version ff" },
        { "0f-" ID "-" PARENT "-01", ID, "version 0f" },
        { "f0-" ID "-" PARENT "-01", ID, "version f0" },
        { "FE-" ID "-" PARENT "-01", NULL, "a version in upper case" },
        { "0g-" ID "-" PARENT "-01", NULL, "a version of no hex" },
        { "-0-" ID "-" PARENT "-01", NULL, "a version of a dash" },
        { "00-" ZEROS "-" PARENT "-01", NULL, "a trace of zeros" },
        { "00-" ID "-0000000000000000-01", NULL, "a parent of zeros" },
        { "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", NULL,
          "a trace in upper case" },
        { "00-" ID "-B7AD6B7169203331-01", NULL, "a parent in upper case" },
        { "00-" ID "-" PARENT "-0A", NULL, "flags in upper case" },
        { "00-" ID "-" PARENT "-0x", NULL, "flags of no hex" },
        { "00_" ID "-" PARENT "-01", NULL, "the first delimiter" },
        { "00-" ID "_" PARENT "-01", NULL, "the second" },
        { "00-" ID "-" PARENT "_01", NULL, "the third" },
        { "00-0af7651916cd43dd8448eb211c80319/-" PARENT "-01", NULL,
          "the byte before 0" },
        { "00-0af7651916cd43dd8448eb211c80319:-" PARENT "-01", NULL,
          "the byte behind 9" },
        { "00-0af7651916cd43dd8448eb211c80319`-" PARENT "-01", NULL,
          "the byte before a" },
        { "00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01", NULL,
          "the byte behind f" },
        { "00-0af7651916cd43dd8448eb211c80319\xe6-" PARENT "-01", NULL,
          "a byte above 127" },
        { "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033319-01", NULL,
          "a digit of the one in the other" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        len = strlen(rows[i].value);
        value = unit_copy(rows[i].value, len);

        id = nxe_null_str;
        rc = nxe_traceparent_parse((nxe_str_t) { value, len }, &id);

        if (rows[i].id == NULL) {
            unit_row(rc == NXE_DECLINED && id.data == NULL, rows[i].why);

        } else {
            unit_row(rc == NXE_OK && nxe_str_eq(id, nxe_str_of(rows[i].id)),
                     rows[i].why);
        }

        free(value);
    }
}


static void
test_parse_zero_byte(void **state)
{
    char       value[] = VALID;
    nxe_str_t  id;

    (void) state;

    value[10] = '\0';

    assert_int_equal(nxe_traceparent_parse((nxe_str_t) { value,
                                                         sizeof(value) - 1 },
                                           &id),
                     NXE_DECLINED);
}


/* hmac.new(bytes(range(32)), n.to_bytes(8, 'big'), 'sha256') of Python 3.11 */

static void
test_make(void **state)
{
    char            out[NXE_TRACEPARENT_LEN];
    size_t          i;
    nxe_str_t       id;
    unsigned char   key[NXE_SHA256_LEN];
    nxe_hmac_key_t  k;

    static const struct {
        uint64_t     n;
        const char  *value;
    } rows[] = {
        { 0, "00-9f0cd9b94097fe4929918d2b8942b344-39574261a35dc501-01" },
        { 1, "00-c432e059c378eef7fe2f1181a4050836-f51e0856fd74937b-01" },
        { 0x0102030405060708,
          "00-5ea9633fb4bd1788197520638af1f7a6-f31ebe0ab983ff0f-01" },
    };

    (void) state;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = (unsigned char) i;
    }

    nxe_hmac_key(&k, key);

    for (i = 0; i < unit_n(rows); i++) {
        nxe_traceparent_make(&k, rows[i].n, out);
        assert_memory_equal(out, rows[i].value, NXE_TRACEPARENT_LEN);

        assert_int_equal(nxe_traceparent_parse((nxe_str_t) { out,
                                                             sizeof(out) },
                                               &id),
                         NXE_OK);
    }
}


static void
test_members(void **state)
{
    size_t  i;

    static const struct {
        const char  *value;
        size_t       n;
        const char  *why;
    } rows[] = {
        { "", 0, "nothing" },
        { " \t ", 0, "blanks" },
        { ",", 0, "a comma" },
        { " , ,\t,", 0, "commas and blanks" },
        { "a=1", 1, "one" },
        { " a=1 ", 1, "between blanks" },
        { "a=1,", 1, "and a comma" },
        { ",a=1", 1, "behind a comma" },
        { "a=1,b=2", 2, "two" },
        { "a=1 , b = 2;p;q=3", 2, "with properties" },
        { "a=1,,b=2", 2, "an empty one between" },
        { "a=1,a=1,a=1", 3, "the same is not one" },
        { "x", 1, "what has no value is one" },
        { "\x0b", 1, "another blank is no blank" },
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        unit_row(nxe_baggage_members(nxe_str_of(rows[i].value)) == rows[i].n,
                 rows[i].why);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_zero_byte),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_members),
    };

    return unit_main(tests);
}
