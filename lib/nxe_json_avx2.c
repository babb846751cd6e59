/*
 * A kernel for AVX2: two vectors of 32 bytes a turn.
 */

#if defined(__x86_64__)

#include "nxe_json_block.h"


#define NXE_AVX2  __attribute__((target("avx2,bmi,lzcnt")))

#define nxe_table(...)                                                        \
    _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

typedef struct {
    __m256i               a;
    __m256i               b;
} nxe_vec_t_avx2;


static inline NXE_AVX2 uint64_t
nxe_mask_avx2(__m256i a, __m256i b)
{
    return (uint32_t) _mm256_movemask_epi8(a)
           | (uint64_t) (uint32_t) _mm256_movemask_epi8(b) << 32;
}


static inline NXE_AVX2 nxe_vec_t_avx2
nxe_zero_avx2(void)
{
    nxe_vec_t_avx2  v;

    v.a = _mm256_setzero_si256();
    v.b = v.a;

    return v;
}


static inline NXE_AVX2 nxe_vec_t_avx2
nxe_load_avx2(const unsigned char *p)
{
    nxe_vec_t_avx2  v;

    v.a = _mm256_loadu_si256((const __m256i *) (const void *) p);
    v.b = _mm256_loadu_si256((const __m256i *) (const void *) (p + 32));

    return v;
}


/*
 * A quote or a backslash is what the table has at its own low nibble; as
 * signed bytes, those from 0x80 on are below 0x20, as controls are.
 */

static inline NXE_AVX2 __m256i
nxe_special_half(__m256i x)
{
    return _mm256_or_si256(
               _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), x),
               _mm256_cmpeq_epi8(x,
                   _mm256_shuffle_epi8(nxe_quotes(nxe_table), x)));
}


static inline NXE_AVX2 uint64_t
nxe_special_avx2(nxe_vec_t_avx2 v)
{
    __m256i  a, b;

    a = nxe_special_half(v.a);
    b = nxe_special_half(v.b);

    return _mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0
           ? 0 : nxe_mask_avx2(a, b);
}


static inline NXE_AVX2 uint64_t
nxe_eq_avx2(nxe_vec_t_avx2 v, char c)
{
    return nxe_mask_avx2(_mm256_cmpeq_epi8(v.a, _mm256_set1_epi8(c)),
                         _mm256_cmpeq_epi8(v.b, _mm256_set1_epi8(c)));
}


static inline NXE_AVX2 uint64_t
nxe_high_avx2(nxe_vec_t_avx2 v)
{
    return nxe_mask_avx2(v.a, v.b);
}


static inline NXE_AVX2 uint64_t
nxe_controls_avx2(nxe_vec_t_avx2 v)
{
    __m256i  top;

    top = _mm256_set1_epi8(0x1f);

    return nxe_mask_avx2(_mm256_cmpeq_epi8(_mm256_max_epu8(v.a, top), top),
                         _mm256_cmpeq_epi8(_mm256_max_epu8(v.b, top), top));
}


/* Bytes whose bits in two tables, by low and by high nibble, meet. */

static inline NXE_AVX2 __m256i
nxe_nibbles_half(__m256i x, __m256i low, __m256i high)
{
    return _mm256_and_si256(
               _mm256_shuffle_epi8(low, x),
               _mm256_shuffle_epi8(high,
                   _mm256_and_si256(_mm256_srli_epi16(x, 4),
                                    _mm256_set1_epi8(0x0f))));
}


static inline NXE_AVX2 uint64_t
nxe_nibbles_avx2(nxe_vec_t_avx2 v, __m256i low, __m256i high)
{
    __m256i  none;

    none = _mm256_setzero_si256();

    return ~nxe_mask_avx2(
               _mm256_cmpeq_epi8(nxe_nibbles_half(v.a, low, high), none),
               _mm256_cmpeq_epi8(nxe_nibbles_half(v.b, low, high), none));
}


static inline NXE_AVX2 uint64_t
nxe_escapable_avx2(nxe_vec_t_avx2 v)
{
    return nxe_nibbles_avx2(v, nxe_escapable_low(nxe_table),
                            nxe_escapable_high(nxe_table));
}


static inline NXE_AVX2 uint64_t
nxe_hex_avx2(nxe_vec_t_avx2 v)
{
    return nxe_nibbles_avx2(v, nxe_hex_low(nxe_table),
                            nxe_hex_high(nxe_table));
}


/* Bytes that are 0 where all is well; before are the 32 bytes in front. */

static inline NXE_AVX2 __m256i
nxe_utf8_half(__m256i x, __m256i before)
{
    __m256i  shifted, one, two, three, pairs, must, nibble;

    shifted = _mm256_permute2x128_si256(before, x, 0x21);
    one = _mm256_alignr_epi8(x, shifted, 15);
    two = _mm256_alignr_epi8(x, shifted, 14);
    three = _mm256_alignr_epi8(x, shifted, 13);
    nibble = _mm256_set1_epi8(0x0f);

    pairs = _mm256_and_si256(
                _mm256_and_si256(
                    _mm256_shuffle_epi8(nxe_utf8_first_high(nxe_table),
                        _mm256_and_si256(_mm256_srli_epi16(one, 4), nibble)),
                    _mm256_shuffle_epi8(nxe_utf8_first_low(nxe_table),
                        _mm256_and_si256(one, nibble))),
                _mm256_shuffle_epi8(nxe_utf8_second_high(nxe_table),
                    _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble)));

    /* the third byte of three, the third and fourth of four */

    must = _mm256_or_si256(
               _mm256_subs_epu8(two, _mm256_set1_epi8(0xe0 - 0x80)),
               _mm256_subs_epu8(three, _mm256_set1_epi8(0xf0 - 0x80)));

    return _mm256_xor_si256(pairs,
                            _mm256_and_si256(must, _mm256_set1_epi8(-0x80)));
}


static inline NXE_AVX2 uint64_t
nxe_utf8_avx2(nxe_vec_t_avx2 v, nxe_vec_t_avx2 prev)
{
    __m256i  none;

    none = _mm256_setzero_si256();

    return ~nxe_mask_avx2(
               _mm256_cmpeq_epi8(nxe_utf8_half(v.a, prev.b), none),
               _mm256_cmpeq_epi8(nxe_utf8_half(v.b, v.a), none));
}


/* A bit a kind, by nibbles: see nxe_number_bytes_avx2(). */

static inline NXE_AVX2 uint64_t
nxe_kind_avx2(__m256i a, __m256i b, int bit)
{
    return nxe_mask_avx2(_mm256_slli_epi16(a, 7 - bit),
                         _mm256_slli_epi16(b, 7 - bit));
}


static inline NXE_AVX2 uint64_t
nxe_number_bytes_avx2(nxe_vec_t_avx2 v, nxe_numbers_t *n)
{
    __m256i  a, b, none, low, high;

    /* 0: tab, LF, CR; 1: space; 2: +; 3: comma; 4: -; 5: point; 6: digit;
       7: e and E */

    low = nxe_table(0x42, 0x40, 0x40, 0x40, 0x40, -0x40, 0x40, 0x40,
                    0x40, 0x41, 0x01, 0x04, 0x08, 0x11, 0x20, 0);
    high = nxe_table(0x01, 0, 0x3e, 0x40, -0x80, 0, -0x80, 0,
                     0, 0, 0, 0, 0, 0, 0, 0);
    none = _mm256_setzero_si256();

    a = nxe_nibbles_half(v.a, low, high);
    b = nxe_nibbles_half(v.b, low, high);

    n->e = nxe_kind_avx2(a, b, 7);
    n->digit = nxe_kind_avx2(a, b, 6);
    n->point = nxe_kind_avx2(a, b, 5);
    n->minus = nxe_kind_avx2(a, b, 4);
    n->comma = nxe_kind_avx2(a, b, 3);
    n->plus = nxe_kind_avx2(a, b, 2);
    n->space = nxe_kind_avx2(a, b, 1) | nxe_kind_avx2(a, b, 0);
    n->zero = nxe_eq_avx2(v, '0');

    return ~nxe_mask_avx2(_mm256_cmpeq_epi8(a, none),
                          _mm256_cmpeq_epi8(b, none));
}


#define NXE_WIDE        NXE_AVX2
#define nxe_wide(name)  name##_avx2
#include "nxe_json_wide.h"
#undef NXE_WIDE
#undef nxe_wide

const nxe_json_kernel_t  nxe_json_avx2 = {
    nxe_string_avx2, nxe_numbers_avx2, 1
};

#endif
