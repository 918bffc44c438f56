/*
 * text.h - words for people: names made safe to print, tables, colours, rates in plain words.
 */
#ifndef DOPPEL_APP_TEXT_H
#define DOPPEL_APP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "doppel/score.h"

/* What a colour says; every tone is also said in words beside it. */
typedef enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_FAINT } tone;

typedef enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color_when;

/** Widths of characters come from the locale; numbers stay with the point. Call once, first. */
void text_start(void);

/**
 * Print bytes that came from outside (names, paths, messages with them): what could drive the
 * terminal or mislead the reader (control characters, bytes that are not UTF-8, marks that turn the
 * direction of writing) is printed as \xNN or \u{NNNN}.
 */
void text_put(FILE *f, const char *bytes);

/**
 * Print the same bytes as a field of a line for programs: tab, newline and backslash as \t, \n and
 * \\, each byte of the others as \xNN, so that bash's printf %b gives back what was there.
 */
void text_put_field(FILE *f, const char *bytes);

/** Whether a character is one of those: moves the cursor, ends a line, or turns the direction of
 * the text after it. */
bool text_is_unsafe(uint32_t c);

/** The same as a string, freed by free(). */
char *text_shown(const char *bytes);

/** Columns that shown text takes on a terminal. */
int text_width(const char *shown);

/** Whether f takes colours: asked for, or a terminal without NO_COLOR. */
bool text_has_color(FILE *f, color_when when);

/** Print shown text in a tone. */
void text_tone(FILE *f, color_when when, tone t, const char *shown);

/** What was decided, in words and in the tone of it. */
void text_put_decision(FILE *f, color_when when, dpl_decision decision);

/** A line below an answer, indented; freed here. NULL: nothing. */
void text_put_note(FILE *f, char *line);

/** A text with each address of a database in it (postgresql://…) without its password, freed by
 * free(); NULL when there is none in it. What this header prints is so already. */
char *text_public(const char *bytes);

/** printf to memory, freed by free(). */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The same; NULL when there is no memory, for who goes on without: a server. */
char *text_try_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** p, or the end of the program with exit code 5: the command has no memory to go on with. */
void *text_need(void *p);

/** Local date and time to the second; "" of no time. */
char *text_when(char buffer[32], int64_t unix_s);

/** "120,000". */
char *text_count(char buffer[32], int64_t n);

/** "1 photo", "1,200 photos": words ends in "s" when n is not 1. */
char *text_counted(char buffer[64], int64_t n, const char *word);

/** How often strangers score this high: "once in 120,000 pairs", "less than once in …", "in 12 % of
 * pairs"; "" when the rate is not known. */
const char *text_rate(char buffer[64], dpl_rate rate);

/** A bare false match rate in the same words. */
const char *text_fmr(char buffer[64], double fmr);

/* ------------------------------------------------------------------ tables */

/* Columns aligned by display width; 'l' or 'r' a column. Cells are copied and made safe. */
typedef struct table {
    const char *align;
    size_t n_rows, cap;
    char **cells; /* [n_rows, columns] */
    tone *tones;  /* [n_rows] */
} table;

void table_add(table *t, tone row_tone, const char *const *cells);
void table_print(const table *t, FILE *f, color_when when, int indent);
void table_clear(table *t);

#endif
