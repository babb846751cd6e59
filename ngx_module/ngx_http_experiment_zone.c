
/*
 * The shared zone.
 *
 * The state of a row is 0, then the hash of its key over two bits: 01 while
 * one worker writes the key, 11 for ever after.  A row that a worker died over
 * stays at 01 and is passed by.  Two workers that claim rows for one key at
 * the same time may get two; who reads adds up what has the same key.
 */

#include "ngx_http_experiment_zone.h"


#define NGX_HTTP_EXPERIMENT_LAYOUT    0x6e786501      /* "nxe", version */
#define NGX_HTTP_EXPERIMENT_ZONE_MIN  (256 * 1024)
#define NGX_HTTP_EXPERIMENT_PROBES    32
#define NGX_HTTP_EXPERIMENT_WAYS      4

#define NGX_HTTP_EXPERIMENT_WRITING   1
#define NGX_HTTP_EXPERIMENT_READY     3


static ngx_int_t ngx_http_experiment_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static size_t ngx_http_experiment_make_key(u_char *p,
    const ngx_http_experiment_key_t *key);
static u_char *ngx_http_experiment_key_part(u_char *p, nxe_str_t s);
static ngx_uint_t ngx_http_experiment_power(size_t n);


char *
ngx_http_experiment_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_experiment_main_conf_t  *emcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (emcf->zone_size != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size < NGX_HTTP_EXPERIMENT_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\", expected 256k or more",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    emcf->zone_size = size;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_experiment_add_zone(ngx_conf_t *cf,
    ngx_http_experiment_main_conf_t *emcf)
{
    static ngx_str_t  name = ngx_string("ngx_http_experiment");

    if (emcf->zone_size == 0) {
        emcf->zone_size = 16 * 1024 * 1024;
    }

    emcf->shm = ngx_shared_memory_add(cf, &name, emcf->zone_size,
                                      &ngx_http_experiment_module);
    if (emcf->shm == NULL) {
        return NGX_ERROR;
    }

    emcf->shm->init = ngx_http_experiment_init_zone;

    return NGX_OK;
}


ngx_http_experiment_zone_t *
ngx_http_experiment_zone(ngx_http_experiment_main_conf_t *emcf)
{
    return emcf->shm->data;
}


/*
 * A copy, document or table of prices that cannot be used.  There is no zone
 * where nothing is bound and nobody would tell of it.
 */

void
ngx_http_experiment_snapshot_error(ngx_http_experiment_main_conf_t *emcf)
{
    ngx_http_experiment_zone_t  *zone;

    if (emcf->shm != NULL) {
        zone = ngx_http_experiment_zone(emcf);
        (void) ngx_atomic_fetch_add(&zone->snapshot_errors, 1);
    }
}


/* All of it in one allocation, the only one there is. */

static ngx_int_t
ngx_http_experiment_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char                      *p;
    size_t                       size, seen;
    ngx_slab_pool_t             *slab;
    ngx_http_experiment_zone_t  *zone;

    slab = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data != NULL || shm_zone->shm.exists) {
        zone = data != NULL ? data : slab->data;

        if (zone->layout != NGX_HTTP_EXPERIMENT_LAYOUT) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "experiment_zone was made by another version of the "
                          "module: restart nginx, or change its size");
            return NGX_ERROR;
        }

        shm_zone->data = zone;
        return NGX_OK;
    }

    size = slab->pfree << ngx_pagesize_shift;

    p = ngx_slab_calloc(slab, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    zone = (ngx_http_experiment_zone_t *) p;
    p += ngx_align(sizeof(ngx_http_experiment_zone_t), NGX_CPU_CACHE_LINE);

    /* a row with all its blocks takes some 17 KB, most have not all */

    zone->nrows = ngx_http_experiment_power(size / 8000);
    zone->rows = (ngx_http_experiment_row_t *) p;
    p += zone->nrows * sizeof(ngx_http_experiment_row_t);

    seen = size / 16 / sizeof(ngx_atomic_t);
    zone->nseen = ngx_http_experiment_power(seen);
    zone->seen = (ngx_atomic_t *) p;
    p += zone->nseen * sizeof(ngx_atomic_t);

    zone->blocks = (ngx_http_experiment_block_t *)
                   ngx_align_ptr(p, NGX_CPU_CACHE_LINE);
    zone->nblocks = ((u_char *) zone + size - (u_char *) zone->blocks)
                    / sizeof(ngx_http_experiment_block_t);

    zone->start = ngx_time();
    zone->layout = NGX_HTTP_EXPERIMENT_LAYOUT;

    slab->data = zone;
    shm_zone->data = zone;

    return NGX_OK;
}


/* The greatest power of two that is not above n. */

static ngx_uint_t
ngx_http_experiment_power(size_t n)
{
    ngx_uint_t  power;

    for (power = 1; power * 2 <= n; power *= 2) { /* void */ }

    return power;
}


/* The row of a key, NULL if there is no room for one more. */

ngx_http_experiment_row_t *
ngx_http_experiment_row(ngx_http_experiment_zone_t *zone,
    const ngx_http_experiment_key_t *key)
{
    u_char                      text[NGX_HTTP_EXPERIMENT_KEY];
    size_t                      len;
    ngx_uint_t                  i, hash;
    ngx_atomic_uint_t           state, ready;
    ngx_http_experiment_row_t  *row;

    len = ngx_http_experiment_make_key(text, key);
    hash = ngx_murmur_hash2(text, len);
    ready = (ngx_atomic_uint_t) hash << 2 | NGX_HTTP_EXPERIMENT_READY;

    for (i = 0; i < NGX_HTTP_EXPERIMENT_PROBES; i++) {
        row = &zone->rows[(hash + i) & (zone->nrows - 1)];
        state = __atomic_load_n(&row->state, __ATOMIC_ACQUIRE);

        if (state == 0
            && ngx_atomic_cmp_set(&row->state, 0,
                                  (ngx_atomic_uint_t) hash << 2
                                  | NGX_HTTP_EXPERIMENT_WRITING))
        {
            ngx_memcpy(row->key, text, len);
            row->len = len;
            __atomic_store_n(&row->state, ready, __ATOMIC_RELEASE);

            (void) ngx_atomic_fetch_add(&zone->used_rows, 1);

            return row;
        }

        if (state == ready && row->len == len
            && ngx_memcmp(row->key, text, len) == 0)
        {
            return row;
        }
    }

    return NULL;
}


static size_t
ngx_http_experiment_make_key(u_char *p, const ngx_http_experiment_key_t *key)
{
    u_char  *start;

    start = p;
    p = ngx_cpymem(p, &key->phase, sizeof(uint64_t));
    p = ngx_http_experiment_key_part(p, key->experiment);
    p = ngx_http_experiment_key_part(p, key->variant);
    p = ngx_http_experiment_key_part(p, key->step);

    return p - start;
}


static u_char *
ngx_http_experiment_key_part(u_char *p, nxe_str_t s)
{
    s.len = ngx_min(s.len, NGX_HTTP_EXPERIMENT_NAME);
    *p++ = (u_char) s.len;

    return ngx_cpymem(p, s.data, s.len);
}


/* 1 if the row is in use; its key then, which stays. */

ngx_uint_t
ngx_http_experiment_row_key(ngx_http_experiment_row_t *row,
    ngx_http_experiment_key_t *key)
{
    u_char  *p;

    if ((__atomic_load_n(&row->state, __ATOMIC_ACQUIRE)
         & NGX_HTTP_EXPERIMENT_READY)
        != NGX_HTTP_EXPERIMENT_READY)
    {
        return 0;
    }

    p = row->key;
    ngx_memcpy(&key->phase, p, sizeof(uint64_t));
    p += sizeof(uint64_t);

    key->experiment.len = *p++;
    key->experiment.data = (char *) p;
    p += key->experiment.len;

    key->variant.len = *p++;
    key->variant.data = (char *) p;
    p += key->variant.len;

    key->step.len = *p++;
    key->step.data = (char *) p;

    return 1;
}


/*
 * A block of a row, NULL if it has none; must: it is given one, unless there
 * are no more.
 */

ngx_http_experiment_block_t *
ngx_http_experiment_block(ngx_http_experiment_zone_t *zone,
    ngx_http_experiment_row_t *row, ngx_http_experiment_block_e what,
    ngx_uint_t must)
{
    ngx_atomic_uint_t  i;

    i = row->blocks[what];

    if (i == 0) {

        if (!must || zone->used_blocks >= zone->nblocks) {
            return NULL;
        }

        i = ngx_atomic_fetch_add(&zone->used_blocks, 1) + 1;

        if (i > zone->nblocks) {
            return NULL;
        }

        /* where another worker was faster, this block stays unused */

        if (!ngx_atomic_cmp_set(&row->blocks[what], 0, i)) {
            i = row->blocks[what];
        }
    }

    return &zone->blocks[i - 1];
}


/*
 * 1 if this hash was seen before and is not forgotten yet; else it is noted,
 * in place of another of its set where that is full.  Of two workers that note
 * one hash at once, both want the same slot, and the second looks again.
 */

ngx_uint_t
ngx_http_experiment_zone_seen(ngx_http_experiment_main_conf_t *emcf,
    const u_char hash[16])
{
    uint64_t                     which, tag;
    ngx_uint_t                   i, slot;
    ngx_atomic_t                *set;
    ngx_atomic_uint_t            old[NGX_HTTP_EXPERIMENT_WAYS];
    ngx_http_experiment_zone_t  *zone;

    zone = ngx_http_experiment_zone(emcf);

    ngx_memcpy(&which, hash, sizeof(uint64_t));
    ngx_memcpy(&tag, hash + sizeof(uint64_t), sizeof(uint64_t));

    if (tag == 0) {
        tag = 1;
    }

    set = &zone->seen[which & (zone->nseen - NGX_HTTP_EXPERIMENT_WAYS)];

    do {
        slot = tag % NGX_HTTP_EXPERIMENT_WAYS;

        for (i = 0; i < NGX_HTTP_EXPERIMENT_WAYS; i++) {
            old[i] = set[i];

            if (old[i] == tag) {
                return 1;
            }

        }

        for (i = 0; i < NGX_HTTP_EXPERIMENT_WAYS; i++) {
            if (old[i] == 0) {
                slot = i;
                break;
            }
        }

    } while (!ngx_atomic_cmp_set(&set[slot], old[slot], tag));

    return 0;
}
