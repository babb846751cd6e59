
/*
 * Documents, compiled at their first use and kept while their bytes stay and
 * there is room.
 */

#include "ngx_http_experiment.h"


/* Pieces of a document's memory: most take two. */

#define NGX_HTTP_EXPERIMENT_DOC_POOL  1024


static void *ngx_http_experiment_compile_alloc(void *data, size_t size);
static nxe_doc_t *ngx_http_experiment_compile_doc(const nxe_mem_t *mem,
    nxe_entry_t *entry, nxe_error_t *err);
static void ngx_http_experiment_compiled_free(
    ngx_http_experiment_worker_t *worker, ngx_http_experiment_compiled_t *c);


/* The compiled document of these very bytes; its doc is NULL if invalid. */

ngx_http_experiment_compiled_t *
ngx_http_experiment_compile(ngx_http_experiment_worker_t *worker,
    nxe_str_t name, nxe_entry_t *entry)
{
    nxe_mem_t                        mem;
    ngx_pool_t                      *pool;
    nxe_error_t                      err;
    ngx_rbtree_key_t                 key;
    ngx_rbtree_node_t               *node;
    ngx_http_experiment_compiled_t  *c;

    /* the publisher hashed the document, and the copy's hash covers it */

    ngx_memcpy(&key, entry->digest, sizeof(ngx_rbtree_key_t));

    node = worker->compiled.root;

    while (node != &worker->sentinel) {

        if (key != node->key) {
            node = key < node->key ? node->left : node->right;
            continue;
        }

        c = (ngx_http_experiment_compiled_t *) node;

        if (ngx_memcmp(entry->digest, c->digest, NXE_SHA256_LEN) == 0) {

            if (c->refs++ == 0) {
                ngx_queue_remove(&c->queue);
                worker->memory -= c->counted;
            }

            return c;
        }

        node = node->right;     /* where an equal key is inserted */
    }

    pool = ngx_create_pool(NGX_HTTP_EXPERIMENT_DOC_POOL, worker->poll.log);
    if (pool == NULL) {
        return NULL;
    }

    c = ngx_pcalloc(pool, sizeof(ngx_http_experiment_compiled_t));
    if (c == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    c->pool = pool;
    c->refs = 1;

    mem.alloc = ngx_http_experiment_compile_alloc;
    mem.ctx = c;

    c->node.key = key;
    ngx_memcpy(c->digest, entry->digest, NXE_SHA256_LEN);

    err.status = NXE_INVALID;
    c->doc = ngx_http_experiment_compile_doc(&mem, entry, &err);

    if (c->doc == NULL) {

        if (err.status == NXE_NOMEM) {
            ngx_destroy_pool(pool);
            return NULL;
        }

        ngx_http_experiment_snapshot_error(worker->emcf);

        ngx_log_error(NGX_LOG_ERR, worker->poll.log, 0,
                      "experiment \"%*s\" is off: %s", name.len, name.data,
                      err.text);

    } else {
        c->targets = nxe_calloc(&mem, (c->doc->nsteps + 1) * NXE_DIALECTS * 4
                                     * sizeof(ngx_http_experiment_targets_t *));
        c->applied = nxe_calloc(&mem, c->doc->nvariants * c->doc->nsteps
                                      * sizeof(ngx_str_t));

        if (c->targets == NULL || c->applied == NULL) {
            ngx_destroy_pool(pool);
            return NULL;
        }
    }

    c->size = ngx_align(c->size + sizeof(ngx_pool_t)
                        + sizeof(ngx_http_experiment_compiled_t),
                        NGX_HTTP_EXPERIMENT_DOC_POOL);

    ngx_rbtree_insert(&worker->compiled, &c->node);

    return c;
}


static void *
ngx_http_experiment_compile_alloc(void *data, size_t size)
{
    ngx_http_experiment_compiled_t  *c = data;

    c->size += size;

    return ngx_palloc(c->pool, size);
}


static nxe_doc_t *
ngx_http_experiment_compile_doc(const nxe_mem_t *mem, nxe_entry_t *entry,
    nxe_error_t *err)
{
    cJSON              *tree;
    nxe_doc_t          *doc;
    nxe_status_t        rc;
    nxe_faults_t        faults;
    nxe_json_result_t   result;

    rc = nxe_tree_parse(entry->doc, &tree, &result);

    if (rc != NXE_OK) {
        (void) nxe_fail(err, rc, "its document is no JSON");
        return NULL;
    }

    nxe_faults_init(&faults, mem);

    rc = nxe_doc_build(tree, NXE_DOC_SERVING, entry->bytes, mem, &faults,
                       &doc);
    cJSON_Delete(tree);

    if (rc == NXE_INVALID) {
        (void) nxe_fail(err, rc, "%s: expected %s",
                        faults.n != 0 ? faults.fault[0].pointer : "",
                        faults.n != 0 ? faults.fault[0].expected : "");
        return NULL;
    }

    if (rc != NXE_OK) {
        (void) nxe_fail(err, rc, "no memory");
        return NULL;
    }

    if (doc->unbuilt != NULL) {
        (void) nxe_fail(err, NXE_INVALID, "\"%s\" is not built in this "
                        "version", doc->unbuilt);
        return NULL;
    }

    return doc;
}


/* The last handle that lets go of it leaves it to those of newer snapshots. */

void
ngx_http_experiment_compiled_release(ngx_http_experiment_worker_t *worker,
    ngx_http_experiment_compiled_t *c)
{
    if (--c->refs == 0) {
        c->swap = worker->swap;
        c->counted = c->size;
        worker->memory += c->counted;
        ngx_queue_insert_tail(&worker->idle, &c->queue);
    }
}


/* Drops the document that nobody has used for the longest time; 0: none. */

ngx_uint_t
ngx_http_experiment_compiled_oldest(ngx_http_experiment_worker_t *worker)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&worker->idle)) {
        return 0;
    }

    q = ngx_queue_head(&worker->idle);
    ngx_http_experiment_compiled_free(worker,
                    ngx_queue_data(q, ngx_http_experiment_compiled_t, queue));

    return 1;
}


/*
 * Drops what has been idle since before the last swap: a document that is
 * switched off and on again is kept.
 */

void
ngx_http_experiment_compiled_sweep(ngx_http_experiment_worker_t *worker,
    ngx_uint_t max)
{
    ngx_queue_t                     *q;
    ngx_http_experiment_compiled_t  *c;

    while (!ngx_queue_empty(&worker->idle)) {
        q = ngx_queue_head(&worker->idle);
        c = ngx_queue_data(q, ngx_http_experiment_compiled_t, queue);

        if (c->swap + 1 >= worker->swap) {
            break;
        }

        if (max-- == 0) {
            ngx_post_event(&worker->sweep, &ngx_posted_next_events);
            break;
        }

        ngx_http_experiment_compiled_free(worker, c);
    }
}


static void
ngx_http_experiment_compiled_free(ngx_http_experiment_worker_t *worker,
    ngx_http_experiment_compiled_t *c)
{
    worker->memory -= c->counted;
    ngx_rbtree_delete(&worker->compiled, &c->node);
    ngx_queue_remove(&c->queue);
    ngx_destroy_pool(c->pool);
}
