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
    NXE_DIALECT_OPENAI_RESPONSES,
    NXE_DIALECT_ANTHROPIC,
    NXE_DIALECT_MCP,                /* named, not built: every parameter is
                                       unsupported */
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

typedef enum {
    NXE_AT_READ_MODEL = NXE_PARAMS,     /* below it: the parameters */
    NXE_AT_COMPLETION,                  /* max_completion_tokens */
    NXE_AT_MESSAGES,                    /* of openai_chat */
    NXE_AT_FIRST,                       /* messages[0] */
    NXE_AT_ROLE,
    NXE_AT_STREAM,                      /* of openai_chat */
    NXE_AT_STREAM_OPTIONS,
    NXE_AT_INCLUDE_USAGE,
    NXE_PLACES
} nxe_at_e;

typedef struct {
    nxe_dialect_t       dialect;
    nxe_json_node_t     root;
    nxe_json_node_t    *at[NXE_PLACES]; /* NULL: nobody asks */
    uint32_t            marks;          /* planned edits */
    uint32_t            nnodes;         /* in nodes, once packed */
    nxe_json_node_t    *nodes;
} nxe_places_t;

void nxe_places_init(nxe_places_t *p, nxe_dialect_t dialect);

/* Targets for the parameters of a mask of 1 << nxe_param_t. */
nxe_status_t nxe_places_params(nxe_places_t *p, unsigned params,
    const nxe_mem_t *mem);

/* A target for $experiment_model. */
nxe_status_t nxe_places_model(nxe_places_t *p, const nxe_mem_t *mem);

/* Targets for nxe_places_plan_usage(). */
nxe_status_t nxe_places_usage(nxe_places_t *p, const nxe_mem_t *mem);

/* A target for a source json:/pointer. */
nxe_status_t nxe_places_pointer(nxe_places_t *p, nxe_str_t pointer,
    const nxe_mem_t *mem, nxe_json_node_t **node);

/* A target of a body operation. */
nxe_status_t nxe_places_op(nxe_places_t *p, nxe_str_t pointer,
    const nxe_mem_t *mem, nxe_json_node_t **node);

/*
 * Targets made once, for many bodies: pack() moves the nodes into one block,
 * copy() gives a body its own.  A node of the packed places is that of a copy
 * by nxe_places_node().
 */
nxe_status_t nxe_places_pack(nxe_places_t *p, const nxe_mem_t *mem);
nxe_status_t nxe_places_copy(const nxe_places_t *packed,
    const nxe_mem_t *mem, nxe_places_t *copy);
nxe_json_node_t *nxe_places_node(const nxe_places_t *packed,
    nxe_places_t *copy, const nxe_json_node_t *node);


/*
 * Plans the edit of one parameter on a scanned body.  bytes is the value,
 * JSON-encoded, and is borrowed.  *code says what becomes of it; not_sent: an
 * edit planned before covers the place.
 */
nxe_status_t nxe_places_plan(nxe_places_t *p, const nxe_text_t *text,
    nxe_param_t param, nxe_str_t bytes, int if_absent, const nxe_mem_t *mem,
    nxe_code_t *code);

/*
 * Plans a body operation at a target of nxe_places_op().  set: missing objects
 * on the way are made; an array's element is replaced, or appended by "-" and
 * by the index behind the last.  remove: what is not there is equal.
 * Unsupported: something on the way is no container, or would be an array.
 */
nxe_status_t nxe_places_plan_op(nxe_places_t *p, const nxe_text_t *text,
    nxe_json_node_t *node, int remove, nxe_str_t bytes, const nxe_mem_t *mem,
    nxe_code_t *code);

/*
 * Plans that a chat that streams asks for usage: stream_options is merged with
 * {"include_usage":true}.  *code: applied, or equal where the client asks for
 * it itself; none where it does not stream, where a member concerned occurs
 * twice or is of another type, or where a body operation has edited it.
 */
nxe_status_t nxe_places_plan_usage(nxe_places_t *p, const nxe_text_t *text,
    const nxe_mem_t *mem, nxe_code_t *code);

/*
 * The edits of all that is planned, in order and without overlap, in memory
 * of mem; *n may be 0.
 */
nxe_status_t nxe_places_edits(const nxe_places_t *p, const nxe_text_t *text,
    const nxe_mem_t *mem, nxe_edit_t **edits, size_t *n);

/*
 * A JSON Pointer, for people, of where a planned parameter is: static text,
 * "" where the dialect has no place for it.
 */
const char *nxe_places_path(const nxe_places_t *p, nxe_param_t param);

/*
 * The value of a found member as a source gives it: a string unescaped, or
 * an integer of at most 18 digits as spelled; 1 to NXE_UNIT_MAX bytes.
 * NXE_DECLINED for anything else, and for a member that occurs twice, or lies
 * in one that does.
 */
nxe_status_t nxe_places_value(const nxe_text_t *text,
    const nxe_json_node_t *node, const nxe_mem_t *mem, nxe_str_t *value);


NXE_END_DECLS

#endif /* NXE_DIALECT_H */
