/*
 * HyperLogLog: its error over sizes, and what merging and order do.
 */

#include "unit.h"

#include <math.h>

#include <nxe/hash.h>
#include <nxe/hll.h>


/* SHA-256 of a number and a seed: hashes as good as those of units. */

static uint64_t
hash(uint64_t seed, uint64_t n)
{
    uint64_t       v;
    uint64_t       in[2];
    unsigned char  digest[NXE_SHA256_LEN];

    in[0] = seed;
    in[1] = n;
    nxe_sha256((nxe_str_t) { (char *) in, sizeof(in) }, digest);
    memcpy(&v, digest, sizeof(v));

    return v;
}


static void
fill(nxe_hll_t *h, uint64_t seed, uint64_t from, uint64_t to)
{
    uint64_t  i;

    for (i = from; i < to; i++) {
        nxe_hll_add(h, hash(seed, i));
    }
}


/*
 * Root mean square and mean of the relative error over 40 sketches a size:
 * the mean of 40 lies within 3.3 standard errors of 0.
 */

static void
test_error(void **state)
{
    size_t     i;
    double     e, sum, squares;
    uint64_t   seed;
    nxe_hll_t  h;

    static const uint64_t  sizes[] = { 1, 2, 10, 100, 1000, 5000, 20000,
                                       60000 };
    const int              runs = 40;

    (void) state;

    for (i = 0; i < unit_n(sizes); i++) {
        sum = 0;
        squares = 0;

        for (seed = 0; seed < (uint64_t) runs; seed++) {
            memset(&h, 0, sizeof(h));
            fill(&h, seed, 0, sizes[i]);

            e = nxe_hll_count(&h) / (double) sizes[i] - 1;
            sum += e;
            squares += e * e;
        }

        assert_true(fabs(sum / runs) < 3.3 * NXE_HLL_ERROR / sqrt(runs));
        assert_true(sqrt(squares / runs) < 1.35 * NXE_HLL_ERROR);
    }
}


static void
test_empty(void **state)
{
    nxe_hll_t  h;

    (void) state;

    memset(&h, 0, sizeof(h));
    assert_true(nxe_hll_count(&h) == 0);

    /* what no hash can make is not read beyond */

    memset(&h, 0xff, sizeof(h));
    assert_true(nxe_hll_count(&h) > 1e15);
}


static void
test_merge(void **state)
{
    nxe_hll_t  a, b, both;

    (void) state;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    memset(&both, 0, sizeof(both));

    fill(&a, 1, 0, 3000);
    fill(&b, 1, 2000, 5000);
    fill(&both, 1, 0, 5000);
    fill(&both, 1, 0, 5000);

    nxe_hll_merge(&b, &a);
    assert_memory_equal(&b, &both, sizeof(b));

    nxe_hll_add(&a, 0);
    assert_int_equal(a.registers[0], 64 - NXE_HLL_BITS + 1);
    nxe_hll_add(&a, 1);
    assert_int_equal(a.registers[0], 64 - NXE_HLL_BITS + 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_merge)
    };

    return unit_main(tests);
}
