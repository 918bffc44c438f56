/*
 * A gallery's audit from within: told of a change in the transaction that makes it, written when
 * the change is over.
 *
 * The row that the store keeps (dpli_audit_record) is part of the transaction, the line need not
 * be: so a change that was made and has no line is known by its row, and gets the line before the
 * next change begins, whoever makes that. docs/gallery.md says what a line holds.
 */
#ifndef DOPPEL_INDEX_AUDIT_H
#define DOPPEL_INDEX_AUDIT_H

#include <stdint.h>

#include "doppel/audit.h"
#include "index/gallery.h"

/**
 * Within a writing transaction: it makes a change, or is more of the one whose log_id was told
 * before.
 *
 * @param words   what the change is; what stands before the first quotation mark goes into the line
 * @param log_id  of the change in the log, whose rows are counted in the end; 0: facts says it all
 * @param facts   further members of the line: a JSON object; NULL: none
 */
dpl_status dpli_audit_tell(dpl_gallery *gallery, const char *words, int64_t log_id,
                           const char *facts, dpl_error *err);

/**
 * Write the line of the last change that was told, if it is over and has none: outside of a
 * transaction, or, where lines are part of it (a shared store), at its end. Costs nothing when
 * nothing was told.
 *
 * @param facts  more members, that came to be known since; NULL: none
 * @param line   if not NULL: number and hash of the line, when there is one; else untouched
 */
typedef struct dpli_audit_place {
    int64_t n;
    char hash[65];
} dpli_audit_place;
dpl_status dpli_audit_write(dpl_gallery *gallery, const char *facts, dpli_audit_place *line,
                            dpl_error *err);

/** Within a writing transaction, before it tells of a change: the change before has its line, if
 * that is over. What log_id is of is not. */
dpl_status dpli_audit_settle(dpl_gallery *gallery, int64_t log_id, dpl_error *err);
/** A change of these words is logged: settled before it, as log_id, and told. *log_id: as the
 * store's log_change has it. */
dpl_status dpli_audit_change(dpl_gallery *gallery, int64_t *log_id, const char *words,
                             dpl_error *err);
/** A transaction that may have told of a change has ended so. */
void dpli_audit_ended(dpl_gallery *gallery, dpl_status status);

/** The same where a failure is no failure of what was done: the gallery's notice tells it. */
void dpli_audit_write_or_tell(dpl_gallery *gallery);

/** Who has opened the gallery: by name, or by number; the caller's. */
char *dpli_audit_user(dpl_error *err);

#endif
