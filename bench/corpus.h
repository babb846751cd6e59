/*
 * The named corpora of the bench: bodies of a wanted size, the same bytes at
 * every run.
 */

#ifndef NXE_BENCH_CORPUS_H
#define NXE_BENCH_CORPUS_H

#include <stddef.h>


#define CORPUS_MIN         512      /* bytes of the smallest body */
#define CORPUS_MIN_ANSWER  1024

/* What a body is made of, counted in its bytes. */

typedef struct {
    double              strings;    /* share of bytes in string values */
    double              numbers;    /* share of bytes in numbers */
    double              escapes;    /* share of bytes in escapes */
    double              beyond;     /* share of characters beyond ASCII */
} corpus_share_t;

/*
 * A body of exactly size bytes, from malloc(); NULL: no such corpus, or too
 * small.  "answer" is what a chat answers.
 */
char *corpus_make(const char *name, size_t size);

/* Names of bodies that clients send, by index; NULL behind the last one. */
const char *corpus_name(size_t i);

void corpus_measure(const char *body, size_t size, corpus_share_t *share);


#endif /* NXE_BENCH_CORPUS_H */
