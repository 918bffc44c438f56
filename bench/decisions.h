/* What the files of bench_decisions share. */
#ifndef DOPPEL_BENCH_DECISIONS_H
#define DOPPEL_BENCH_DECISIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "doppel/doppel.h"
#include "index/compare.h"

enum { N_RATES = 3, LINE = 4096 };

extern const double rates[N_RATES];
extern const char *galleries, *data; /* the folders */

typedef struct face {
    char *name; /* the photo's, without folders and suffix */
    int64_t photo;
    int person;  /* faces of one number are never strangers */
    bool main;   /* the face that its photo is of */
    bool listed; /* its photo is in decisions-same.txt */
    dpl_face face;
    float *vector;
    dpli_side side;
    double times; /* as strangers come so far against a person of several photos */
    int age, group;
} face;

typedef struct set {
    char name[32];
    size_t n, cap;
    face *at;
    int n_people;
    char **people; /* their names */
} set;

/* What judges: now, and the score alone before. */
struct judges {
    dpl_pipeline *pipeline;
    const dpl_calibration *calibration;
    int32_t dim;
    dpl_policy policy[N_RATES];
    dpli_judge judge[N_RATES];
    dpl_calibration *before;
    float bar_before[N_RATES];
};

extern struct judges judges;

typedef struct verdict {
    float score, evidence;
    bool before[N_RATES];
    dpl_decision now[N_RATES];
    bool too_poor;
} verdict;

/* Pairs of one kind. */
typedef struct cell {
    const char *name;
    double n, before[N_RATES], now[N_RATES], open[N_RATES], too_poor;
    int n_people;
    float *degree, *hits[N_RATES]; /* by person: pairs, and those declared a match */
} cell;

/* Genuine pairs accepted. */
typedef struct accepted {
    double n, missing, before[N_RATES], now[N_RATES], open[N_RATES], too_poor;
} accepted;

/* ------------------------------------------------------------------ faces: decisions_faces.c */

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void check(dpl_status status, const dpl_error *err);
/* Zeroed memory. */
void *get(size_t n, size_t size);
char *copy(const char *s);
/* 0 .. n - 1, the same numbers at each run. */
uint32_t draw(uint32_t n);

void judge(verdict *v, const face *a, const face *b);
/* Read the gallery of this name, with the photos that decisions-same.txt lists marked. */
void load(set *s, const char *name);
void load_celeba(set *s);
void load_utkface(set *s);
void unload(set *s);
void filter(set *s, bool (*keep)(face *f));
bool is_main(face *f);
/* Whether the list says that two photos show one person. */
bool is_same(const face *a, const face *b);
char *base_name(const char *path);
FILE *open_csv(const char *name);
/* The number of columns; 0 at the end, where the file is closed. */
int next_row(FILE *f, char line[LINE], char *columns[8]);
int by_name(const void *a, const void *b);

/* ------------------------------------------------------------------ pairs: decisions_pairs.c */

cell cell_new(const char *name, int n_people);
void cell_free(cell *c);
void count(cell *c, const verdict *v, int a, int b);
/* 95 % bounds of the rate of matches at rates[r]. */
void bounds(double *low, double *high, const cell *c, int r);
void add_genuine(accepted *g, const face *a, const face *b);

void part_lfw(void);
void part_utkface(void);
void part_celeba(void);
void part_turned(void);
void part_genuine(void);

/* ------------------------------------------------------------------ people: decisions_people.c */

void part_claim(void);
void part_query(void);
void part_sizes(void);

#endif
