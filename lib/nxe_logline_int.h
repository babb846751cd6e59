/*
 * What the files of the log reader share: the members that are read.
 */

#ifndef NXE_LOGLINE_INT_H
#define NXE_LOGLINE_INT_H

#include <nxe/json.h>
#include <nxe/logline.h>

NXE_BEGIN_DECLS


/* A member that we read: how, to where, and what it is if that fails. */

typedef struct {
    nxe_str_t           name;
    int               (*read)(const nxe_json_walk_t *w, void *field);
    size_t              offset;
    const char         *why;
} nxe_log_member_t;

/* Of a line, of one of its experiments, and of a line that is feedback. */

extern const nxe_log_member_t  nxe_log_line_members[];
extern const nxe_log_member_t  nxe_log_entry_members[];
extern const nxe_log_member_t  nxe_log_feedback_members[];

extern const size_t  nxe_log_line_nmembers;
extern const size_t  nxe_log_entry_nmembers;
extern const size_t  nxe_log_feedback_nmembers;


NXE_END_DECLS

#endif /* NXE_LOGLINE_INT_H */
