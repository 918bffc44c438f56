/* Photos into the gallery: what enroll and scan have in common, from their options to their answer.
 */
#ifndef DOPPEL_APP_ENROLL_RUN_H
#define DOPPEL_APP_ENROLL_RUN_H

#include "app/commands.h"
#include "app/common.h"

typedef struct enroll_options {
    common common;
    const char *name, *captions;
    double min_quality;
    int faces;
    bool prune, prune_absent, force, verbose, dry_run, yes;
    bool nobodys; /* a scan */
} enroll_options;

#define ENROLL_OPTIONS_INIT                                                                        \
    {                                                                                              \
        .common = COMMON_INIT, .min_quality = 0.1                                                  \
    }

extern const option_spec options_enroll_run[]; /* --prune … --verbose */

/** The whole command; returns its exit code. */
int enroll_command(const command *self, enroll_options *o, int argc, char **argv);

#endif
