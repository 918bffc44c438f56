/* The answers of `group` and `name` as JSON. Each is NULL when there is no memory. */
#ifndef DOPPEL_APP_ANSWER_GROUP_H
#define DOPPEL_APP_ANSWER_GROUP_H

#include <jansson.h>
#include <stdbool.h>

#include "doppel/doppel.h"

/** doppel.group/1, a group. @param calibration  NULL: none */
json_t *group_json(const dpl_group_row *row, const dpl_calibration *calibration);

/** doppel.group/1, the whole; report NULL: as they were made last, n_groups of them. */
json_t *groups_json(const dpl_group_report *report, int64_t n_groups, double precision,
                    bool dry_run);

/** doppel.name/1. */
json_t *name_json(int64_t number, const char *name, const dpl_name_report *report, bool dry_run);

#endif
