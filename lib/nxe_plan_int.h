/*
 * The marks of a plan.
 */

#ifndef NXE_PLAN_INT_H
#define NXE_PLAN_INT_H

#include <nxe/dialect.h>

NXE_BEGIN_DECLS


typedef enum {
    NXE_MARK_SET = 0,
    NXE_MARK_REMOVE,
    NXE_MARK_INSERT     /* a system message in front of an array */
} nxe_mark_e;

typedef struct nxe_mark_s {
    nxe_mark_e          what;
    uint32_t            seq;        /* in the order of planning */
    nxe_str_t           bytes;
    unsigned            blocks:1;   /* an array with one block of text */
    nxe_str_t           cache;      /* its cache_control, or none */
} nxe_mark_t;


NXE_END_DECLS

#endif /* NXE_PLAN_INT_H */
