/* What is told of a gallery's audit and of receipts. */
#ifndef DOPPEL_APP_ANSWER_AUDIT_H
#define DOPPEL_APP_ANSWER_AUDIT_H

#include <jansson.h>
#include <stdio.h>

#include "app/html.h"

/** doppel.audit_line/1: what stands in the audit. */
json_t *audit_line_json(const dpl_audit_line *line);

/** doppel.audit/1: all of it. */
json_t *audit_json(const dpl_audit_report *report);

/** doppel.audit/1: a receipt; why is empty when it is right. */
json_t *receipt_check_json(const char *path, const char *why);

/** ": 3 photos added, 6 templates added": what a line, or a receipt, counts. */
void audit_put_counts(FILE *f, const json_t *line);

/** A receipt for people, of its JSON text; person NULL: of photos. */
void receipt_put_html(const html *page, const char *person, const char *receipt);

#endif
