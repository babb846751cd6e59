/*
 * A kernel for AVX-512: one vector of 64 bytes a turn, whose compares give
 * the masks.
 */

#if defined(__x86_64__)

#include "nxe_json_block.h"


#define NXE_AVX512                                                            \
    __attribute__((target("avx2,avx512f,avx512bw,avx512vl,bmi,lzcnt")))

#define nxe_table512(...)                                                     \
    _mm512_broadcast_i32x4(_mm_setr_epi8(__VA_ARGS__))

typedef __m512i  nxe_vec_t_avx512;


static inline NXE_AVX512 __m512i
nxe_zero_avx512(void)
{
    return _mm512_setzero_si512();
}


static inline NXE_AVX512 __m512i
nxe_load_avx512(const unsigned char *p)
{
    return _mm512_loadu_si512((const void *) p);
}


static inline NXE_AVX512 uint64_t
nxe_eq_avx512(__m512i v, char c)
{
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(c));
}


static inline NXE_AVX512 uint64_t
nxe_special_avx512(__m512i v)
{
    return _mm512_cmplt_epi8_mask(v, _mm512_set1_epi8(0x20))
           | _mm512_cmpeq_epi8_mask(v,
                 _mm512_shuffle_epi8(nxe_quotes(nxe_table512), v));
}


static inline NXE_AVX512 uint64_t
nxe_high_avx512(__m512i v)
{
    return _mm512_movepi8_mask(v);
}


static inline NXE_AVX512 uint64_t
nxe_controls_avx512(__m512i v)
{
    return _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20));
}


static inline NXE_AVX512 __m512i
nxe_high_nibbles(__m512i v)
{
    return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(0x0f));
}


static inline NXE_AVX512 uint64_t
nxe_nibbles_avx512(__m512i v, __m512i low, __m512i high)
{
    return _mm512_test_epi8_mask(
               _mm512_shuffle_epi8(low, v),
               _mm512_shuffle_epi8(high, nxe_high_nibbles(v)));
}


static inline NXE_AVX512 uint64_t
nxe_escapable_avx512(__m512i v)
{
    return nxe_nibbles_avx512(v, nxe_escapable_low(nxe_table512),
                              nxe_escapable_high(nxe_table512));
}


static inline NXE_AVX512 uint64_t
nxe_hex_avx512(__m512i v)
{
    return nxe_nibbles_avx512(v, nxe_hex_low(nxe_table512),
                              nxe_hex_high(nxe_table512));
}


static inline NXE_AVX512 uint64_t
nxe_utf8_avx512(__m512i v, __m512i prev)
{
    __m512i  shifted, one, two, three, pairs, must;

    /* the 16 bytes before each lane of 16 */

    shifted = _mm512_alignr_epi64(v, prev, 6);
    one = _mm512_alignr_epi8(v, shifted, 15);
    two = _mm512_alignr_epi8(v, shifted, 14);
    three = _mm512_alignr_epi8(v, shifted, 13);

    pairs = _mm512_and_si512(
                _mm512_and_si512(
                    _mm512_shuffle_epi8(nxe_utf8_first_high(nxe_table512),
                                        nxe_high_nibbles(one)),
                    _mm512_shuffle_epi8(nxe_utf8_first_low(nxe_table512),
                        _mm512_and_si512(one, _mm512_set1_epi8(0x0f)))),
                _mm512_shuffle_epi8(nxe_utf8_second_high(nxe_table512),
                                    nxe_high_nibbles(v)));

    must = _mm512_or_si512(
               _mm512_subs_epu8(two, _mm512_set1_epi8(0xe0 - 0x80)),
               _mm512_subs_epu8(three, _mm512_set1_epi8(0xf0 - 0x80)));
    must = _mm512_and_si512(must, _mm512_set1_epi8(-0x80));

    return _mm512_cmpneq_epi8_mask(pairs, must);
}


static inline NXE_AVX512 uint64_t
nxe_number_bytes_avx512(__m512i v, nxe_numbers_t *n)
{
    n->digit = _mm512_cmplt_epu8_mask(
                   _mm512_sub_epi8(v, _mm512_set1_epi8('0')),
                   _mm512_set1_epi8(10));
    n->e = nxe_eq_avx512(_mm512_or_si512(v, _mm512_set1_epi8(0x20)), 'e');
    n->point = nxe_eq_avx512(v, '.');
    n->minus = nxe_eq_avx512(v, '-');
    n->comma = nxe_eq_avx512(v, ',');
    n->plus = nxe_eq_avx512(v, '+');
    n->zero = nxe_eq_avx512(v, '0');
    n->space = nxe_eq_avx512(v, ' ') | nxe_eq_avx512(v, '\n')
               | nxe_eq_avx512(v, '\r') | nxe_eq_avx512(v, '\t');

    return n->digit | n->e | n->point | n->minus | n->comma | n->plus
           | n->space;
}


#define NXE_WIDE        NXE_AVX512
#define nxe_wide(name)  name##_avx512
#include "nxe_json_wide.h"
#undef NXE_WIDE
#undef nxe_wide

const nxe_json_kernel_t  nxe_json_avx512 = {
    nxe_string_avx512, nxe_numbers_avx512, 1
};

#endif
