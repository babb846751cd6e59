/*
 * Kernels of the scan.  What every processor of an architecture has (SSE2,
 * NEON) is the default; AVX2 and AVX-512 are chosen at run time; portable is
 * plain C.
 */

#include "nxe_json_int.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#define NXE_X86  1

#elif defined(__aarch64__)
#include <arm_neon.h>
#define NXE_NEON  1
#endif


/*
 * ASCII, no control, no quote, no backslash: eight bytes at a time, then one.
 */

static const unsigned char *
nxe_plain_portable(const unsigned char *p, const unsigned char *end,
    int *escaped)
{
    uint64_t               v, q, b, special;
    static const uint64_t  ones = 0x0101010101010101u;
    static const uint64_t  highs = 0x8080808080808080u;

    (void) escaped;

    while (end - p >= 8) {
        memcpy(&v, p, 8);

        q = v ^ (ones * '"');
        b = v ^ (ones * '\\');

        special = (v | (v - ones * 0x20) | (q - ones) | (b - ones)) & highs;

        if (special != 0) {
            break;
        }

        p += 8;
    }

    while (p != end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


static const unsigned char *
nxe_digits_portable(const unsigned char *p, const unsigned char *end)
{
    uint64_t               v;
    static const uint64_t  highs = 0xf0f0f0f0f0f0f0f0u;
    static const uint64_t  zeros = 0x3030303030303030u;

    for ( /* void */ ; end - p >= 8; p += 8) {
        memcpy(&v, p, 8);

        /* 0x3a to 0x3f become 0x40 and more */

        if ((v & highs) != zeros
            || ((v + 0x0606060606060606u) & highs) != zeros)
        {
            break;
        }
    }

    while (p != end && (unsigned char) (*p - '0') <= 9) {
        p++;
    }

    return p;
}


static const unsigned char *
nxe_space_portable(const unsigned char *p, const unsigned char *end)
{
    while (p != end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
    {
        p++;
    }

    return p;
}


/* One number, NULL if there is none or it is not whole in this segment. */

static const unsigned char *
nxe_number_portable(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *digits;

    if (p != end && *p == '-') {
        p++;
    }

    digits = p;
    p = p != end && *p == '0' ? p + 1 : nxe_digits_portable(p, end);

    if (p == digits) {
        return NULL;
    }

    if (p != end && *p == '.') {
        digits = p + 1;
        p = nxe_digits_portable(digits, end);

        if (p == digits) {
            return NULL;
        }
    }

    if (p != end && (*p | 0x20) == 'e') {
        p++;

        if (p != end && (*p == '+' || *p == '-')) {
            p++;
        }

        digits = p;
        p = nxe_digits_portable(digits, end);

        if (p == digits) {
            return NULL;
        }
    }

    return p;
}


static const unsigned char *
nxe_numbers_portable(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *begin;

    for ( ;; ) {
        begin = p;
        p = nxe_number_portable(nxe_space_portable(p, end), end);

        if (p == NULL) {
            return begin;
        }

        p = nxe_space_portable(p, end);

        if (p == end || *p != ',') {
            return begin;
        }

        p++;
    }
}


static const nxe_json_kernel_t  nxe_kernel_portable = {
    nxe_plain_portable, nxe_numbers_portable, 0
};


#if (NXE_X86)

const unsigned char *
nxe_json_sse2(const unsigned char *p, const unsigned char *end, int *escaped)
{
    int      mask;
    __m128i  x;

    for ( /* void */ ; end - p >= 16; p += 16) {
        x = _mm_loadu_si128((const __m128i *) (const void *) p);

        /* as signed bytes, those from 0x80 on are below 0x20 too */

        mask = _mm_movemask_epi8(
                   _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(0x20)),
                       _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')),
                                    _mm_cmpeq_epi8(x,
                                                   _mm_set1_epi8('\\')))));

        if (mask != 0) {
            return p + __builtin_ctz((unsigned) mask);
        }
    }

    return nxe_plain_portable(p, end, escaped);
}


static const nxe_json_kernel_t  nxe_kernel_base = {
    nxe_json_sse2, nxe_numbers_portable, 1
};

#elif (NXE_NEON)

static const unsigned char *
nxe_plain_neon(const unsigned char *p, const unsigned char *end, int *escaped)
{
    uint64_t    mask;
    uint8x16_t  x, special;

    for ( /* void */ ; end - p >= 16; p += 16) {
        x = vld1q_u8(p);

        special = vorrq_u8(vorrq_u8(vceqq_u8(x, vdupq_n_u8('"')),
                                    vceqq_u8(x, vdupq_n_u8('\\'))),
                           vcgeq_u8(vsubq_u8(x, vdupq_n_u8(0x20)),
                                    vdupq_n_u8(0x60)));

        /* four bits a byte */

        mask = vget_lane_u64(vreinterpret_u64_u8(
                   vshrn_n_u16(vreinterpretq_u16_u8(special), 4)), 0);

        if (mask != 0) {
            return p + (__builtin_ctzll(mask) >> 2);
        }
    }

    return nxe_plain_portable(p, end, escaped);
}


static const nxe_json_kernel_t  nxe_kernel_base = {
    nxe_plain_neon, nxe_numbers_portable, 0
};

#else

#define nxe_kernel_base  nxe_kernel_portable

#endif


/* What the flags say; 0 is what every processor of the architecture has. */

const nxe_json_kernel_t *
nxe_json_kernel(unsigned flags)
{
    switch (flags & NXE_JSON_CPU) {

    case NXE_JSON_PORTABLE:
        return &nxe_kernel_portable;

#if (NXE_X86)
    case NXE_JSON_AVX2:
        return &nxe_json_avx2;

    case NXE_JSON_AVX512:
        return &nxe_json_avx512;
#endif

    default:
        return &nxe_kernel_base;
    }
}


nxe_status_t
nxe_json_cpu(const char *name, unsigned *flag)
{
    size_t  i;

    static const struct {
        const char         *name;
        unsigned            flag;
    } cpus[] = {
#if (NXE_X86)
        { "avx512", NXE_JSON_AVX512 },
        { "avx2", NXE_JSON_AVX2 },
        { "sse2", 0 },
#elif (NXE_NEON)
        { "neon", 0 },
#endif
        { "portable", NXE_JSON_PORTABLE }
    };

    for (i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {

        if (name != NULL && strcmp(name, cpus[i].name) != 0) {
            continue;
        }

#if (NXE_X86)
        if (cpus[i].flag == NXE_JSON_AVX512
            && !(__builtin_cpu_supports("avx512bw")
                 && __builtin_cpu_supports("avx512vl")
                 && __builtin_cpu_supports("bmi")))
        {
            continue;
        }

        if (cpus[i].flag == NXE_JSON_AVX2
            && !(__builtin_cpu_supports("avx2")
                 && __builtin_cpu_supports("bmi")))
        {
            continue;
        }
#endif

        *flag = cpus[i].flag;
        return NXE_OK;
    }

    return NXE_DECLINED;
}
