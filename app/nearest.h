/* Names like one that was typed. */
#ifndef DOPPEL_APP_NEAREST_H
#define DOPPEL_APP_NEAREST_H

#include <stddef.h>

enum { NEAREST_MAX = 3 };

/* The nearest seen so far, best first. */
typedef struct nearest {
    char *names[NEAREST_MAX]; /* freed by nearest_clear */
    double far[NEAREST_MAX];
    size_t n;
} nearest;

/** Weigh a name against what was typed: kept when it is like it and among the nearest. */
void nearest_see(nearest *n, const char *typed, const char *name);

void nearest_clear(nearest *n);

/** What is said of a word that is none, with the question whether the nearest is meant where there
 * is one. Frees the words it is given, and clears n; the caller frees what it gets. */
char *nearest_meant(char *words, nearest *n);

/**
 * How unlike two names are: edits (insert, remove, replace, swap of neighbours) between them,
 * whatever their case, accents and punctuation; less than the edits when one has the other in it,
 * or a word like it. INFINITY when so many that another name is meant.
 */
double nearest_distance(const char *typed, const char *name);

#endif
