/*
 * The two functions of a kernel over 64 bytes a turn, included with NXE_WIDE,
 * a processor's target attribute, and nxe_wide(), the suffix of its vector
 * functions.
 */

/*
 * The whole analysis, from the first turn with an escape or a byte beyond
 * ASCII to the end of the string.
 */

static NXE_WIDE const unsigned char *
nxe_wide(nxe_string_blocks)(const unsigned char *p, const unsigned char *end,
    int *escaped)
{
    uint64_t              quote, slash, after, upto, faults;
    nxe_block_t           b, in;
    nxe_wide(nxe_vec_t)   v, prev;
    const unsigned char  *start;

    memset(&b, 0, sizeof(b));
    prev = nxe_wide(nxe_zero)();

    for (start = p; end - p >= 64; p += 64) {
        v = nxe_wide(nxe_load)(p);

        if (nxe_wide(nxe_special)(v) == 0 && !(b.escaped | b.hex | b.utf8)) {
            prev = v;
            continue;
        }

        in = b;

        slash = nxe_wide(nxe_eq)(v, '\\');
        after = nxe_block_escaped(slash, &b.escaped);
        quote = nxe_wide(nxe_eq)(v, '"') & ~after;
        upto = quote ^ (quote - 1);

        faults = nxe_wide(nxe_controls)(v);
        b.u = 0;

        if (after) {
            faults |= after & ~nxe_wide(nxe_escapable)(v);
            b.u = after & nxe_wide(nxe_eq)(v, 'u');
        }

        if (b.u | in.hex) {
            faults |= nxe_block_hex(&b, nxe_wide(nxe_hex)(v));
        }

        if (nxe_wide(nxe_high)(v) | in.utf8) {
            faults |= nxe_wide(nxe_utf8)(v, prev);
            b.utf8 = p[63] >= 0xc0 || p[62] >= 0xe0 || p[61] >= 0xf0;
        }

        if (faults & upto) {
            return p == start ? p : nxe_block_clean(p, &in);
        }

        if (slash & upto) {
            *escaped = 1;
        }

        if (quote) {
            return p + __builtin_ctzll(quote);
        }

        prev = v;
    }

    return p == start ? p : nxe_block_clean(p, &b);
}


static NXE_WIDE const unsigned char *
nxe_wide(nxe_string)(const unsigned char *p, const unsigned char *end,
    int *escaped)
{
    uint64_t  special;

    for ( /* void */ ; end - p >= 64; p += 64) {
        special = nxe_wide(nxe_special)(nxe_wide(nxe_load)(p));

        if (special == 0) {
            continue;
        }

        p += __builtin_ctzll(special);

        return *p == '"' || end - p < 64
               ? p : nxe_wide(nxe_string_blocks)(p, end, escaped);
    }

    return nxe_json_sse2(p, end, escaped);
}


static NXE_WIDE const unsigned char *
nxe_wide(nxe_numbers)(const unsigned char *p, const unsigned char *end)
{
    uint64_t              faults;
    nxe_numbers_t         n;
    nxe_numbers_carry_t   c;
    const unsigned char  *last;

    memset(&c, 0, sizeof(c));
    c.begin = 1;

    for (last = p; end - p >= 64; p += 64) {

        faults = ~nxe_wide(nxe_number_bytes)(nxe_wide(nxe_load)(p), &n);
        faults |= nxe_numbers_faults(&n, &c);

        if (faults) {
            n.comma &= (faults ^ (faults - 1)) >> 1;
        }

        if (n.comma) {
            last = p + 64 - __builtin_clzll(n.comma);
        }

        if (faults) {
            break;
        }
    }

    return last;
}
