/* What a calibration is made of: the gallery's own people, or pictures by class. */
#ifndef DOPPEL_APP_CALIBRATE_DATA_H
#define DOPPEL_APP_CALIBRATE_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/common.h"
#include "app/progress.h"
#include "doppel/doppel.h"

typedef struct calibrate_options {
    common common;
    const char *into, *review, *source, *cohort;
    double fmr, strata_within, quality, yaw_deg, too_poor;
    int seed;
    bool dry_run;
    bool text; /* the data are sentences */
} calibrate_options;

/* Samples, and what they point to. */
typedef struct sample_set {
    dpl_samples samples;
    size_t cap, people_cap;
    float *vectors;
    int32_t *people, *judged;
    dpl_quality *quality;
    uint64_t *strata;
    char **names, **people_names, *strata_names[DPL_CALIBRATE_MAX_STRATA];
} sample_set;

typedef struct calibration_run {
    const command *self;
    calibrate_options *o;
    const char *data; /* NULL: the gallery's own people */
    dpl_pipeline *pipeline;
    dpl_gallery *gallery; /* NULL: none is asked, nor written beside */
    dpl_dataset *dataset; /* NULL without data */
    const volatile int *cancel;
    progress progress;
    char *source;
    sample_set own, others; /* to calibrate with, and to make a cohort of */
    int64_t n_merged;
    size_t n_failed, n_told; /* with data */
    dpl_status worst;        /* of the pictures that failed */
} calibration_run;

/** Open models, gallery and data set. 0, or an exit code after a message; so of all here. */
int calibrate_open(calibration_run *r);

/** Fill the samples. Pictures that give no vector are told. */
int calibrate_read(calibration_run *r);

/** The cohort that --cohort asks for; the caller's. NULL when it asks for none. */
int calibrate_cohort(char **text, calibration_run *r);

void calibrate_close(calibration_run *r);

#endif
