
/*
 * The reading side of the zone: its rows in order of key, those of one key
 * added up.
 */

#include "ngx_http_experiment_log.h"
#include "ngx_http_experiment_status.h"


/* Slots, or groups, of one part. */

#define NGX_HTTP_EXPERIMENT_SLOTS  64


static ngx_int_t ngx_http_experiment_status_sum(
    ngx_http_experiment_status_t *s);
static ngx_http_experiment_group_t *ngx_http_experiment_status_add(
    ngx_http_experiment_status_t *s, ngx_http_experiment_row_t *row,
    ngx_http_experiment_key_t *key);
static void ngx_http_experiment_status_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static int ngx_http_experiment_status_cmp(ngx_http_experiment_key_t *a,
    ngx_http_experiment_key_t *b);
static void ngx_http_experiment_status_counters(
    ngx_http_experiment_group_t *g, ngx_http_experiment_row_t *row);


/* In the order of ngx_http_experiment_counter_e, and of nxe_tokens_t. */

const char  *ngx_http_experiment_error_names[] = {
    "5xx", "429", "stream", NULL
};


const char  *ngx_http_experiment_token_names[] = {
    "input", "output", "cached", "cache_write", "reasoning", NULL
};


/* Part: some rows. */

ngx_int_t
ngx_http_experiment_status_rows(ngx_http_experiment_status_t *s)
{
    ngx_uint_t                  n;
    ngx_http_experiment_key_t   key;
    ngx_http_experiment_row_t  *row;

    if (s->row == 0) {
        ngx_rbtree_init(&s->tree, &s->sentinel,
                        ngx_http_experiment_status_insert);
    }

    for (n = 0; n < NGX_HTTP_EXPERIMENT_SLOTS && s->row < s->zone->nrows; n++)
    {
        row = &s->zone->rows[s->row++];

        if (ngx_http_experiment_row_key(row, &key)
            && ngx_http_experiment_status_add(s, row, &key) == NULL)
        {
            return NGX_ERROR;
        }
    }

    if (s->row == s->zone->nrows) {
        s->part = ngx_http_experiment_status_live;
    }

    return NGX_AGAIN;
}


/* Part: the live experiments of a layer, or the list of layers. */

ngx_int_t
ngx_http_experiment_status_live(ngx_http_experiment_status_t *s)
{
    size_t                           i, n;
    nxe_error_t                      err;
    nxe_place_t                     *places;
    nxe_status_t                     rc;
    ngx_http_experiment_key_t        key;
    ngx_http_experiment_snapshot_t  *snapshot;

    snapshot = s->live ? s->ctx->snapshot : NULL;
    rc = NXE_OK;

    if (snapshot != NULL && s->layers == NULL) {
        rc = nxe_serving_layers(snapshot->serving, &s->ctx->mem, &s->layers,
                                &s->nlayers, &err);

    } else if (s->layer < s->nlayers) {
        n = 0;
        rc = nxe_serving_layer(snapshot->serving, s->layers[s->layer++],
                               &s->ctx->mem, &places, &n, &err);

        key.phase = 0;
        key.variant = nxe_str("");
        key.step = nxe_str("");

        for (i = 0; rc == NXE_OK && i < n; i++) {
            key.experiment = places[i].name;

            if (ngx_http_experiment_status_add(s, NULL, &key) == NULL) {
                return NGX_ERROR;
            }
        }
    }

    if (rc == NXE_NOMEM) {
        return NGX_ERROR;
    }

    /* what cannot be read has its line in the log where it is used */

    if (s->layer == s->nlayers) {
        s->node = s->tree.root == &s->sentinel
                  ? NULL : ngx_rbtree_min(s->tree.root, &s->sentinel);
        s->last = &s->groups;
        s->part = ngx_http_experiment_status_sum;
    }

    return NGX_AGAIN;
}


/* Part: some groups are made one of what has their key, and counted. */

static ngx_int_t
ngx_http_experiment_status_sum(ngx_http_experiment_status_t *s)
{
    ngx_uint_t                    n;
    ngx_http_experiment_group_t  *g, *sum;

    sum = NULL;

    for (n = 0; s->node != NULL; n++) {
        g = (ngx_http_experiment_group_t *) s->node;

        if (sum != NULL
            && ngx_http_experiment_status_cmp(&sum->key, &g->key) == 0)
        {
            g->same = sum->same;
            sum->same = g;

        } else if (n >= NGX_HTTP_EXPERIMENT_SLOTS) {
            return NGX_AGAIN;

        } else {
            sum = g;
            *s->last = g;
            s->last = &g->next;

            if (s->first == NULL
                || !nxe_str_eq(s->first->key.experiment, g->key.experiment))
            {
                s->first = g;
            }
        }

        if (g->row != NULL) {
            ngx_http_experiment_status_counters(sum, g->row);
            s->first->feedback
                           += g->row->counters[NGX_HTTP_EXPERIMENT_FEEDBACK];
        }

        s->node = ngx_rbtree_next(&s->tree, s->node);
    }

    s->group = s->groups;
    s->part = s->print;

    return NGX_AGAIN;
}


static ngx_http_experiment_group_t *
ngx_http_experiment_status_add(ngx_http_experiment_status_t *s,
    ngx_http_experiment_row_t *row, ngx_http_experiment_key_t *key)
{
    ngx_http_experiment_group_t  *g;

    g = ngx_pcalloc(s->request->pool, sizeof(ngx_http_experiment_group_t));

    if (g != NULL) {
        g->key = *key;
        g->row = row;
        ngx_rbtree_insert(&s->tree, &g->node);
    }

    return g;
}


static void
ngx_http_experiment_status_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t            **p;
    ngx_http_experiment_group_t   *g;

    g = (ngx_http_experiment_group_t *) node;

    for ( ;; ) {
        p = ngx_http_experiment_status_cmp(&g->key,
                      &((ngx_http_experiment_group_t *) temp)->key)
            < 0 ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static int
ngx_http_experiment_status_cmp(ngx_http_experiment_key_t *a,
    ngx_http_experiment_key_t *b)
{
    int  rc;

    rc = nxe_str_cmp(a->experiment, b->experiment);

    if (rc == 0 && a->phase != b->phase) {
        rc = a->phase < b->phase ? -1 : 1;
    }

    if (rc == 0) {
        rc = nxe_str_cmp(a->variant, b->variant);
    }

    return rc != 0 ? rc : nxe_str_cmp(a->step, b->step);
}


/* Of two rows that have costs in two currencies, the first is told. */

static void
ngx_http_experiment_status_counters(ngx_http_experiment_group_t *g,
    ngx_http_experiment_row_t *row)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  currency;

    currency = row->currency;

    if (g->currency == 0) {
        g->currency = currency;
    }

    for (i = 0; i < NGX_HTTP_EXPERIMENT_COUNTERS; i++) {
        if (i != NGX_HTTP_EXPERIMENT_COST || currency == g->currency) {
            g->counters[i] += row->counters[i];
        }
    }
}


void
ngx_http_experiment_status_currency(ngx_http_experiment_line_t *l,
    ngx_http_experiment_group_t *g)
{
    u_char  letters[3];

    letters[0] = (u_char) (g->currency >> 16);
    letters[1] = (u_char) (g->currency >> 8);
    letters[2] = (u_char) g->currency;

    ngx_http_experiment_raw(l, letters, sizeof(letters));
}


/* How many different units there were, about. */

uint64_t
ngx_http_experiment_status_units(ngx_http_experiment_status_t *s,
    ngx_http_experiment_group_t *g)
{
    ngx_http_experiment_block_t  *block;

    ngx_memzero(&s->hll, sizeof(nxe_hll_t));

    for ( /* void */ ; g != NULL; g = g->same) {
        block = ngx_http_experiment_block(s->zone, g->row,
                                          NGX_HTTP_EXPERIMENT_UNITS, 0);
        if (block != NULL) {
            nxe_hll_merge(&s->hll, &block->units);
        }
    }

    return (uint64_t) (nxe_hll_count(&s->hll) + 0.5);
}


/*
 * A histogram into s->hist and s->sum; 0 if nothing is in it.  What lies
 * outside its bins is in the first and last, so that every value is within
 * them.
 */

ngx_uint_t
ngx_http_experiment_status_times(ngx_http_experiment_status_t *s,
    ngx_http_experiment_group_t *g, ngx_http_experiment_block_e what)
{
    ngx_uint_t                    i;
    ngx_http_experiment_block_t  *block;

    ngx_memzero(&s->hist, sizeof(nxe_hist_t));
    s->hist.max = UINT64_MAX;
    s->sum = 0;

    for ( /* void */ ; g != NULL; g = g->same) {

        block = ngx_http_experiment_block(s->zone, g->row, what, 0);
        if (block == NULL) {
            continue;
        }

        s->sum += block->times.sum;

        for (i = 0; i < NXE_HIST_BINS; i++) {
            s->hist.bins[i] += block->times.bins[i];
            s->hist.n += block->times.bins[i];
        }
    }

    return s->hist.n != 0;
}


/* Since the copy in force was published; NGX_DECLINED: it is not known. */

ngx_int_t
ngx_http_experiment_status_age(ngx_http_experiment_status_t *s, uint64_t *ms)
{
    int64_t                          age;
    ngx_http_experiment_snapshot_t  *snapshot;

    snapshot = s->ctx->snapshot;

    if (snapshot == NULL || snapshot->published.tv_sec == 0) {
        return NGX_DECLINED;
    }

    age = (int64_t) (s->now.tv_sec - snapshot->published.tv_sec) * 1000
          + (s->now.tv_nsec - snapshot->published.tv_nsec) / 1000000;

    /* a clock that goes back makes nothing younger than new */

    *ms = (uint64_t) ngx_max(age, 0);

    return NGX_OK;
}
