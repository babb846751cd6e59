/*
 * The set of ids.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/idset.h>


#define MANY  50000


/* The same numbers in all orders of growth, for ids of several shapes. */

static void
test_numbers(void **state)
{
    int            added, shape;
    uint32_t       i, number;
    nxe_idset_t    set;
    unsigned char  id[NXE_IDSET_ID];

    (void) state;

    for (shape = 0; shape < 3; shape++) {
        nxe_idset_init(&set);

        for (i = 0; i < 2 * MANY; i++) {
            number = i % MANY;

            /* in the last bytes, in the first ones, spread */

            memset(id, shape == 0 ? 0xff : 0, sizeof(id));
            memcpy(id + (shape == 0 ? 12 : 0), &number, 4);

            if (shape == 2) {
                memcpy(id + 8, &number, 4);
            }

            assert_int_equal(nxe_idset_add(&set, id, &number, &added),
                             NXE_OK);
            assert_int_equal(number, i % MANY);
            assert_int_equal(added, i < MANY);
        }

        assert_int_equal(set.n, MANY);
        number = 0;
        assert_int_equal(nxe_idset_find(&set, id, &number), NXE_OK);
        assert_int_equal(number, MANY - 1);

        /* looking for one does not add it */

        id[5] ^= 0x80;
        assert_int_equal(nxe_idset_find(&set, id, &number), NXE_DECLINED);
        assert_int_equal(set.n, MANY);
        id[5] ^= 0x80;

        assert_true(set.nslots >= MANY + MANY / 3);
        assert_true(set.nslots <= 4 * MANY);

        nxe_idset_free(&set);
        assert_int_equal(set.n, 0);
        assert_int_equal(nxe_idset_find(&set, id, &number), NXE_DECLINED);
        assert_int_equal(nxe_idset_add(&set, id, &number, NULL), NXE_OK);
        assert_int_equal(number, 0);
        nxe_idset_free(&set);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_numbers),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
