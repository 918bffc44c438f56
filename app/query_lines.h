/*
 * query_lines.h - the answer of `query` as lines for programs: a face a line, five fields parted by
 * tabs.
 *
 *     file  face  name  score  rate
 *
 * A field of which there is nothing is "-".
 */
#ifndef DOPPEL_APP_QUERY_LINES_H
#define DOPPEL_APP_QUERY_LINES_H

#include "app/answer_query.h"

/** Print a photo's lines. @param nul  paths as they are, and lines that end with NUL */
void query_lines(const query_facts *facts, bool nul);

/** The line of a photo without a face. */
void query_line_of_none(const char *path, bool nul);

/** A line that is only a path. */
void query_line_of_path(const char *path, bool nul);

#endif
