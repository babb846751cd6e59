/*
 * Where each parameter lives in a body, and what an override does there.
 */

#ifndef NXE_DIALECT_H
#define NXE_DIALECT_H

#include <nxe/assign.h>
#include <nxe/base.h>
#include <nxe/doc.h>
#include <nxe/json.h>
#include <nxe/splice.h>

NXE_BEGIN_DECLS


typedef enum {
    NXE_DIALECT_JSON = 0,
    NXE_DIALECT_OPENAI_CHAT,
    NXE_DIALECT_OPENAI_RESPONSES,   /* this and what follows: named, not */
    NXE_DIALECT_ANTHROPIC,          /* built: every parameter unsupported */
    NXE_DIALECT_MCP,
    NXE_DIALECTS
} nxe_dialect_t;

const char *nxe_dialect_name(nxe_dialect_t dialect);
nxe_status_t nxe_dialect_parse(nxe_str_t s, nxe_dialect_t *dialect);

/* 1 if the dialect's parameters are known. */
int nxe_dialect_built(nxe_dialect_t dialect);

/* "auto": by the ending of a path. */
nxe_dialect_t nxe_dialect_of_path(nxe_str_t path);


typedef enum {
    NXE_CODE_NONE = 0,      /* not meant for this request */
    NXE_CODE_APPLIED,
    NXE_CODE_EQUAL,
    NXE_CODE_KEPT,
    NXE_CODE_UNSUPPORTED,
    NXE_CODE_BYPASSED,
    NXE_CODE_NOT_SENT
} nxe_code_t;

const char *nxe_code_name(nxe_code_t code);


/*
 * The places of a body, found by one scan.  The same object serves all
 * experiments of a request; targets are added before the scan, and members
 * are those of every arm, not only of the one that the unit is in.
 */

typedef struct {
    nxe_dialect_t       dialect;
    nxe_json_node_t     root;
    nxe_json_node_t    *model;
    nxe_json_node_t    *member[NXE_PARAMS];
    nxe_json_node_t    *completion;     /* max_completion_tokens */
    nxe_json_node_t    *messages;       /* openai_chat */
    nxe_json_node_t    *first;          /* messages[0] */
    nxe_json_node_t    *role;
    nxe_json_node_t    *content;
    unsigned            appended:1;     /* a planned edit appends a member */
} nxe_places_t;

void nxe_places_init(nxe_places_t *p, nxe_dialect_t dialect);

/* Targets for the parameters of a mask of 1 << nxe_param_t. */
nxe_status_t nxe_places_params(nxe_places_t *p, unsigned params,
    const nxe_mem_t *mem);

/* A target for $experiment_model. */
nxe_status_t nxe_places_model(nxe_places_t *p, const nxe_mem_t *mem);

/* A target for a source json:/pointer. */
nxe_status_t nxe_places_pointer(nxe_places_t *p, nxe_str_t pointer,
    const nxe_mem_t *mem, nxe_json_node_t **node);


/*
 * Plans the edits of one parameter on a scanned body.  bytes is the value,
 * JSON-encoded.  Adds 0 to NXE_PLAN_EDITS edits to edits[*n] and sets *code.
 * Edits borrow bytes and static text.  text is the scanned body.
 */
#define NXE_PLAN_EDITS  2

nxe_status_t nxe_places_plan(nxe_places_t *p, const nxe_text_t *text,
    nxe_param_t param, nxe_str_t bytes, int if_absent, const nxe_mem_t *mem,
    nxe_edit_t *edits, size_t *n, nxe_code_t *code);

/*
 * A JSON Pointer, for people, of where a planned parameter is: static text.
 */
const char *nxe_places_path(const nxe_places_t *p, nxe_param_t param);

/*
 * The value of a found member as a source gives it: a string unescaped, or
 * an integer of at most 18 digits as spelled; 1 to NXE_UNIT_MAX bytes.
 * NXE_DECLINED for anything else.
 */
nxe_status_t nxe_places_value(const nxe_text_t *text,
    const nxe_json_node_t *node, const nxe_mem_t *mem, nxe_str_t *value);


NXE_END_DECLS

#endif /* NXE_DIALECT_H */
