/*
 * One line of the access log -> one record.
 *
 * Reading a line allocates nothing.  Slices of a record borrow from the line,
 * and none of them holds an escape: a name, a word or an id with one is no
 * name, word or id of ours, and makes the line a bad one.
 */

#ifndef NXE_LOGLINE_H
#define NXE_LOGLINE_H

#include <nxe/base.h>

NXE_BEGIN_DECLS


#define NXE_LOGLINE_MAX      1048576    /* no longer line is read */
#define NXE_LOGLINE_MEMBERS  256        /* of one object */
#define NXE_LOGLINE_ENTRIES  256        /* experiments of one request */
#define NXE_LOGLINE_ID       16         /* bytes */
#define NXE_LOGLINE_UNKNOWN  INT64_MIN  /* a number that was not measured */

typedef enum {
    NXE_LOGLINE_NONE = 0,
    NXE_LOGLINE_REQUEST,
    NXE_LOGLINE_FEEDBACK,
    NXE_LOGLINE_OTHER           /* any other kind */
} nxe_logline_kind_t;

/* Words that decide where an entry is counted. */

typedef enum {
    NXE_ENTRY_ASSIGNED = 0,     /* assigned, pinned: the variant's */
    NXE_ENTRY_NOT_EXPOSED,
    NXE_ENTRY_LEFT_OUT          /* any other reason */
} nxe_entry_class_t;

typedef struct {
    int                 set;            /* 0: absent */
    unsigned char       bytes[NXE_LOGLINE_ID];
} nxe_log_id_t;

/* What is absent is empty, or 0. */

typedef struct {
    nxe_str_t           name;
    nxe_str_t           stage;
    nxe_str_t           variant;
    nxe_str_t           reason;
    nxe_entry_class_t   cls;
    int                 exposed;
    int64_t             phase;
    int64_t             revision;
    double              p;
    nxe_log_id_t        unit;
} nxe_log_entry_t;

typedef enum {
    NXE_LOG_ABSENT = 0,
    NXE_LOG_FALSE,
    NXE_LOG_TRUE
} nxe_log_flag_t;

/* An outcome.  Of one that was refused nothing else means anything. */

typedef struct {
    nxe_str_t           experiment;
    nxe_str_t           metric;
    nxe_str_t           trust;          /* key, token, open */
    int                 refused;        /* by the edge */
    nxe_log_id_t        unit;
    nxe_log_id_t        request;        /* whose unit it is; or unit */
    int64_t             n;              /* its place in the POST */
    int64_t             value;          /* of 10^-9 */
} nxe_log_feedback_t;

/* Numbers that were not measured are NXE_LOGLINE_UNKNOWN. */

typedef struct {
    nxe_logline_kind_t  kind;
    int                 aborted;        /* 499, or "aborted":true */
    nxe_log_id_t        id;
    int64_t             time;           /* microseconds since the epoch */
    nxe_str_t           key_id;
    nxe_str_t           role;
    int64_t             status;
    int64_t             upstream_status;
    int64_t             response_us;

    int                 metered;        /* some member of an answer is there */
    int                 has_model;      /* of the answer */
    nxe_log_flag_t      stream;
    nxe_log_flag_t      refusal;
    nxe_log_flag_t      empty;
    nxe_log_flag_t      truncated;
    nxe_log_flag_t      stream_error;
    nxe_log_flag_t      cold;
    nxe_str_t           unmetered;      /* why there are no figures */
    int64_t             ttft_us;
    int64_t             tpot_us;
    int64_t             itl_max_us;
    int64_t             input_tokens;
    int64_t             output_tokens;
    int64_t             cached_tokens;
    int64_t             tool_calls;
    int64_t             cost;           /* of 10^-9 */
    nxe_str_t           currency;       /* where there is a cost */

    nxe_log_feedback_t  feedback;       /* where kind says so */
    nxe_str_t           list;           /* the array that entries come from */
    uint32_t            nentries;
    nxe_log_entry_t     entries[NXE_LOGLINE_ENTRIES];
} nxe_logline_t;

/* What is wrong with a line, and what would put it right (NULL: unknown). */

typedef struct {
    const char         *why;            /* static text: "two members ..." */
    const char         *next;
} nxe_logline_fault_t;

/*
 * Reads one line, without its newline.  Of a line whose kind is neither
 * "request" nor "feedback", only kind and time mean something.  NXE_INVALID:
 * the line is bad, fault says why; the record is then undefined.
 *
 * An id of 32 lower-case hex digits is taken as those 16 bytes, any other one
 * as the first 16 of its SHA-256.
 */
nxe_status_t nxe_logline_read(nxe_str_t line, nxe_logline_t *record,
    nxe_logline_fault_t *fault);

/* A plain decimal of milliseconds below 10^9, rounded to the microsecond. */
nxe_status_t nxe_logline_ms(nxe_str_t s, int64_t *us);


NXE_END_DECLS

#endif /* NXE_LOGLINE_H */
