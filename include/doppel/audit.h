/*
 * The audit of a gallery: who changed what in it, and when. One line a change, as JSON, in
 * audit.jsonl beside gallery.db; each line carries the SHA-256 of the one before, so that one that
 * was altered, taken out or cut off is noticed.
 *
 * A line says how many people, photos and templates came, changed or went; it holds no name, path,
 * vector or picture, so that forgetting has nothing to take out of it. A change is written when it
 * is over; one whose line a kill, or a full disk, has kept from being written gets it before the
 * next change begins. Whoever may write the gallery's folder can make all of it anew: keep a hash
 * elsewhere (a receipt has one) to notice that, too.
 */
#ifndef DOPPEL_AUDIT_H
#define DOPPEL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/gallery.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dpl_audit_line {
    int64_t n;      /* its number, from 1 */
    int64_t change; /* the number of the last change, which this line is of unless it is a query */
    int64_t unix_s;
    const char *user; /* who: by default the process's user */
    const char *what; /* "enroll", "rename", "forget", "query" … */
    const char *hash; /* SHA-256 of the line, hexadecimal */
    const char *text; /* the line as it stands, JSON, without the newline */
} dpl_audit_line;

typedef struct dpl_audit_report {
    int64_t n_lines;
    int64_t n_waiting; /* changes whose line is still to be written, by the next writer: 0 or 1 */
    int64_t broken_at; /* the first line, counted in the file from 1, that is not what was written
                          or not in its place; 0: none. One behind the last: lines are missing */
    char why[256];     /* what is wrong there, "" when nothing is */
    char hash[65];     /* of the last line, "" when there is none */
} dpl_audit_report;

/**
 * Read the audit from its beginning and check that it is unbroken.
 *
 * @param fn  called for each line, up to and without one that is broken; may be NULL. Its strings
 *            live until it returns; a status other than DPL_OK ends the reading and is passed on
 * @retval DPL_OK  it was read, also when it is broken: see out
 */
DPL_API dpl_status dpl_gallery_audit(dpl_audit_report *out, dpl_gallery *gallery,
                                     dpl_status (*fn)(void *ctx, const dpl_audit_line *line),
                                     void *ctx, dpl_error *err);

/**
 * Who makes the changes from here on, as lines name them; a server says whom it serves. UTF-8, at
 * most 255 bytes.
 */
DPL_API dpl_status dpl_gallery_set_user(dpl_gallery *gallery, const char *user, dpl_error *err);

/**
 * Write a line of a query, for those who have to know that they were asked. The handle may be a
 * reader's, which has to have the right to write the file.
 *
 * @param what     "query", "verify" … : letters, digits, blanks and hyphens
 * @param n_asked  how many photos or sentences
 */
DPL_API dpl_status dpl_gallery_audit_query(dpl_gallery *gallery, const char *what, int64_t n_asked,
                                           dpl_error *err);

/**
 * What is given to somebody who was forgotten: JSON ("doppel.receipt/1"), freed by free(). It says
 * who or what was forgotten, how much of it there was, what was searched to prove that nothing is
 * left, and number and hash of the audit's line, which holds the same numbers, and a hash of the
 * name and of a secret that only the receipt has.
 *
 * @param report  what dpl_gallery_forget has said of person, or of paths [n_paths]; not of a dry run
 */
DPL_API dpl_status dpl_forget_receipt(char **json, dpl_gallery *gallery,
                                      const dpl_forget_report *report, const char *person,
                                      const char *const *paths, size_t n_paths, dpl_error *err);

/**
 * Whether a receipt is of this gallery's audit: the audit is unbroken, has the line, and the line
 * says what the receipt says.
 *
 * @param[out] why  empty when it is so, else what is not, for people
 * @retval DPL_E_INPUT  it is no receipt; err says why
 */
DPL_API dpl_status dpl_gallery_check_receipt(char why[256], dpl_gallery *gallery,
                                             const char *receipt, size_t n_bytes, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
