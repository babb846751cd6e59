
/*
 * The directives' setters.
 */

#include "ngx_http_experiment.h"


static ngx_int_t ngx_http_experiment_read_keys(ngx_conf_t *cf,
    ngx_str_t *file, nxe_keys_t *keys);


char *
ngx_http_experiment_set_registry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_experiment_main_conf_t  *emcf = conf;

    u_char     *p;
    ngx_str_t  *value;

    if (emcf->registry.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "required") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected "
                               "\"required\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        emcf->required = 1;
    }

    emcf->registry = value[1];

    if (ngx_conf_full_name(cf->cycle, &emcf->registry, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    emcf->serving.len = emcf->registry.len + sizeof("/serving") - 1;

    p = ngx_pnalloc(cf->pool, emcf->serving.len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    emcf->serving.data = p;
    (void) ngx_sprintf(p, "%V/serving%Z", &emcf->registry);

    return NGX_CONF_OK;
}


/* Of the keys, workers get what they need and no more. */

char *
ngx_http_experiment_set_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_experiment_main_conf_t  *emcf = conf;

    ngx_str_t      *value;
    nxe_keys_t      keys;
    unsigned char   subkey[NXE_SHA256_LEN];

    if (emcf->unit_key != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK
        || ngx_http_experiment_read_keys(cf, &value[1], &keys) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    emcf->unit_key = ngx_pmemalign(cf->pool, sizeof(nxe_hmac_key_t),
                                   NGX_CPU_CACHE_LINE);
    emcf->feedback_keys = ngx_pmemalign(cf->pool, sizeof(nxe_token_keys_t),
                                        NGX_CPU_CACHE_LINE);

    if (emcf->unit_key != NULL && emcf->feedback_keys != NULL) {
        (void) nxe_token_keys(&keys, nxe_str("feedback"),
                              emcf->feedback_keys);

        ngx_memcpy(emcf->kid, keys.keys[0].kid, NXE_KID_LEN);

        (void) nxe_hkdf(keys.keys[0].key, nxe_str("unit"), subkey);
        nxe_hmac_key(emcf->unit_key, subkey);
        nxe_erase(subkey, sizeof(subkey));
    }

    nxe_erase(&keys, sizeof(keys));

    return emcf->unit_key != NULL && emcf->feedback_keys != NULL
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_experiment_read_keys(ngx_conf_t *cf, ngx_str_t *file,
    nxe_keys_t *keys)
{
    u_char        buf[NXE_KEYS_FILE];
    nxe_str_t     text;
    nxe_error_t   err;
    nxe_status_t  rc;

    if (ngx_http_experiment_read_secret(cf, file, buf, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = nxe_keys_parse(text, keys, &err);
    nxe_erase(buf, text.len);

    if (rc != NXE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "key file \"%V\", %s", file,
                           err.text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A file of secrets into buf, of NXE_KEYS_FILE bytes, which the caller erases.
 * It has to be one that nobody but root and this user can have written.
 */

ngx_int_t
ngx_http_experiment_read_secret(ngx_conf_t *cf, ngx_str_t *file, u_char *buf,
    nxe_str_t *text)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = open((char *) file->data, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open the key file \"%V\"", file);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || (fi.st_mode & 022) != 0
        || (fi.st_uid != 0 && fi.st_uid != geteuid()))
    {
        (void) ngx_close_file(fd);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key file \"%V\" must be a file of root or of "
                           "this user that others cannot write", file);
        return NGX_ERROR;
    }

    n = read(fd, buf, NXE_KEYS_FILE);
    (void) ngx_close_file(fd);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot read the key file \"%V\"", file);
        return NGX_ERROR;
    }

    if (n == NXE_KEYS_FILE) {
        nxe_erase(buf, n);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key file \"%V\" is too large: expected less "
                           "than %d bytes", file, NXE_KEYS_FILE);
        return NGX_ERROR;
    }

    text->data = (char *) buf;
    text->len = n;

    return NGX_OK;
}


/* on | off | layer=NAME ... | NAME ... */

char *
ngx_http_experiment_set_bind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    ngx_str_t   *value, *name;
    nxe_str_t    s;
    ngx_uint_t   i, bind;

    if (elcf->bind != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "on") == 0) {
        elcf->bind = NGX_HTTP_EXPERIMENT_ON;
        elcf->names = NULL;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        elcf->bind = NGX_HTTP_EXPERIMENT_OFF;
        elcf->names = NULL;
        return NGX_CONF_OK;
    }

    elcf->names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                   sizeof(ngx_str_t));
    if (elcf->names == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        bind = NGX_HTTP_EXPERIMENT_NAMES;
        s.data = (char *) value[i].data;
        s.len = value[i].len;

        if (ngx_strncmp(value[i].data, "layer=", 6) == 0) {
            bind = NGX_HTTP_EXPERIMENT_LAYERS;
            s.data += 6;
            s.len -= 6;
        }

        if (!nxe_name_ok(s) || nxe_str_eq(s, nxe_str("on"))
            || nxe_str_eq(s, nxe_str("off")))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected \"on\", "
                               "\"off\", \"layer=NAME\" or the name of an "
                               "experiment", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (i != 1 && bind != elcf->bind) {
            return "takes layers or names of experiments, not both";
        }

        elcf->bind = bind;

        name = elcf->names->elts;

        while (name < (ngx_str_t *) elcf->names->elts + elcf->names->nelts) {
            if (name->len == s.len
                && ngx_strncmp(name->data, s.data, s.len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" occurs twice", &value[i]);
                return NGX_CONF_ERROR;
            }

            name++;
        }

        name = ngx_array_push(elcf->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        name->data = (u_char *) s.data;
        name->len = s.len;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_experiment_set_step(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    char       *rv;
    nxe_str_t   s;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || elcf->step->lengths != NULL) {
        return rv;
    }

    s.data = (char *) elcf->step->value.data;
    s.len = elcf->step->value.len;

    if (!nxe_name_ok(s)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid step \"%V\", expected a name or a "
                           "variable", &elcf->step->value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_experiment_set_dialect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    ngx_str_t      *value;
    nxe_dialect_t   dialect;

    if (elcf->dialect != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        elcf->dialect = NGX_HTTP_EXPERIMENT_AUTO;
        return NGX_CONF_OK;
    }

    if (nxe_dialect_parse((nxe_str_t) { (char *) value[1].data,
                                        value[1].len }, &dialect)
        != NXE_OK || !nxe_dialect_built(dialect))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid dialect \"%V\", expected \"auto\", "
                           "\"openai_chat\", \"openai_responses\", "
                           "\"anthropic\" or \"json\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    elcf->dialect = dialect;

    return NGX_CONF_OK;
}


char *
ngx_http_experiment_set_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    ngx_str_t                        *value, *name;
    ngx_uint_t                        i;
    ngx_http_experiment_main_conf_t  *emcf;

    if (elcf->upstreams != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_experiment_module);
    value = cf->args->elts;

    elcf->upstreams = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                       sizeof(ngx_str_t));
    if (elcf->upstreams == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        name = ngx_array_push(elcf->upstreams);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];

        /* all of them are looked up once every upstream block is known */

        name = ngx_array_push(&emcf->upstreams);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


/* NAME ... | auth */

char *
ngx_http_experiment_set_trusted(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    ngx_str_t      *value;
    ngx_uint_t      i;
    nxe_status_t    rc;
    nxe_trusted_t  *trusted;

    if (elcf->trusted != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    trusted = ngx_pcalloc(cf->pool, sizeof(nxe_trusted_t));
    if (trusted == NULL) {
        return NGX_CONF_ERROR;
    }

    trusted->names = ngx_palloc(cf->pool,
                                cf->args->nelts * sizeof(nxe_str_t));
    if (trusted->names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = nxe_trusted_add(trusted, (nxe_str_t) { (char *) value[i].data,
                                                    value[i].len });
        if (rc == NXE_CONFLICT) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" occurs twice", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc != NXE_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected \"auth\" "
                               "or the name of a variable", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    elcf->trusted = trusted;

    return NGX_CONF_OK;
}


/* NAME | off */

char *
ngx_http_experiment_set_response_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_experiment_loc_conf_t  *elcf = conf;

    u_char        *p;
    nxe_str_t      name;
    ngx_str_t     *value;
    const char    *refused;
    nxe_header_t  *header;

    if (elcf->response_header != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        elcf->response_header = NULL;
        return NGX_CONF_OK;
    }

    name.data = (char *) value[1].data;
    name.len = value[1].len;

    if (!nxe_header_name_ok(name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", expected \"off\" or "
                           "the name of a header, letters digits and -",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    header = ngx_pcalloc(cf->pool, sizeof(nxe_header_t));
    p = ngx_pnalloc(cf->pool, name.len);

    if (header == NULL || p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_strlow(p, value[1].data, name.len);

    header->step = NXE_NONE;
    header->response = 1;
    header->name = name;
    header->lower.data = (char *) p;
    header->lower.len = name.len;

    /* what a document may not touch, but for what is the edge's own */

    refused = nxe_header_ours(name) ? NULL
                                    : nxe_header_refused(header->lower, 1);

    if (nxe_str_eq(header->lower, nxe_str("x-experiment-request-id"))) {
        refused = "the request's id";
    }

    if (refused != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", expected another "
                           "header: this one is for %s", &value[1], refused);
        return NGX_CONF_ERROR;
    }

    elcf->response_header = header;

    return NGX_CONF_OK;
}
