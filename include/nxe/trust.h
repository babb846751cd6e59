/*
 * Who chooses what a source yields (SECURITY 2).  Whoever chooses the unit
 * chooses the variant.
 *
 * header: cookie: arg: json: are always the client's.  var: jwt: auth: are
 * too, unless nginx.conf says with experiment_trusted that an access-phase
 * module has verified them.
 */

#ifndef NXE_TRUST_H
#define NXE_TRUST_H

#include <nxe/base.h>
#include <nxe/doc.h>

NXE_BEGIN_DECLS


/* An experiment_trusted; the caller gives names room for all its words. */

typedef struct {
    nxe_str_t          *names;      /* of variables, without "$" */
    uint32_t            n;
    unsigned            auth:1;     /* jwt: and auth: */
} nxe_trusted_t;

/*
 * Adds a word of the directive: "auth", NAME or $NAME, which it borrows.
 * NXE_INVALID: no name of a variable; NXE_CONFLICT: it is there already.
 */
nxe_status_t nxe_trusted_add(nxe_trusted_t *trusted, nxe_str_t word);

/* 1 if a source is verified; trusted may be NULL. */
int nxe_source_verified(const nxe_trusted_t *trusted,
    const nxe_source_t *source);

/* 1 if a source is the client's, whatever nginx.conf says. */
int nxe_source_client(const nxe_source_t *source);

/*
 * 1 if units have to come from verified sources: the risk is high, and the
 * document does not say "trust": "client".
 */
int nxe_doc_wants_verified(const nxe_doc_t *doc);


/*
 * What apply warns of.
 */

/*
 * The first source of the unit that is the client's and stands before one
 * that may be verified, or NXE_NONE.
 */
uint32_t nxe_trust_order(const nxe_doc_t *doc);

/*
 * What a client chooses together with its unit, where the document does not
 * say "trust": "client": static text, "a route"; NULL: nothing that matters.
 * *source and *variant are the first of each.
 */
const char *nxe_trust_carries(const nxe_doc_t *doc, uint32_t *source,
    uint32_t *variant);


NXE_END_DECLS

#endif /* NXE_TRUST_H */
