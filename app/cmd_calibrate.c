/*
 * cmd_calibrate.c - `doppel calibrate`: from known people to the tables that decisions are made by.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_calibrate.h"
#include "app/calibrate_data.h"
#include "app/calibrate_text.h"
#include "app/commands.h"
#include "app/json_print.h"
#include "app/text.h"

#define AT(member) offsetof(calibrate_options, member)

static const option_spec own[] = {
    {.name = "into",
     .kind = OPTION_TEXT,
     .offset = AT(into),
     .value = "FILE",
     .once = true,
     .help = "write the calibration into this model's metadata, which is the encoder's file "
             "(default without DATA: beside the gallery)"},
    {.name = "dry-run",
     .letter = 'n',
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .once = true,
     .help = "only tell the calibration"},
    {.name = "fmr",
     .kind = OPTION_REAL,
     .offset = AT(fmr),
     .value = "RATE",
     .help = "the lowest false match rate that it has to support (default 1e-4; of --text 1e-2)",
     .low = 1e-12,
     .high = 0.5},
    {.name = "text",
     .kind = OPTION_FLAG,
     .offset = AT(text),
     .once = true,
     .help = "DATA is a list of pairs of sentences (CSV or TSV: a, b, label), for a --text-model"},
    {.name = "review",
     .kind = OPTION_TEXT,
     .offset = AT(review),
     .value = "FILE",
     .once = true,
     .help = "who was found to be the same person: lines \"same A B\", \"unsure A B\", \"alike A "
             "B\""},
    {.name = "cohort",
     .kind = OPTION_TEXT,
     .offset = AT(cohort),
     .value = "N|NAME=N,…",
     .once = true,
     .help = "with DATA and --into: also make a cohort of so many centres, by which scores are "
             "normalised, from the pictures of role \"cohort\" (NAME: their stratum; without "
             "roles from half of the classes)"},
    {.name = "source",
     .kind = OPTION_TEXT,
     .offset = AT(source),
     .value = "TEXT",
     .once = true,
     .help = "what the calibration says of its data (default the data's name)"},
    {.name = "strata-within",
     .kind = OPTION_REAL,
     .offset = AT(strata_within),
     .value = "TIMES",
     .help = "a stratum may come to so many times the rate asked for (default 3; 1: no more than "
             "all)",
     .low = 1,
     .high = 100},
    {.name = "quality",
     .kind = OPTION_REAL,
     .offset = AT(quality),
     .value = "Q",
     .help = "faces are fair from this quality on (default 0.5)",
     .low = 0,
     .high = 1},
    {.name = "yaw",
     .kind = OPTION_REAL,
     .offset = AT(yaw_deg),
     .value = "DEG",
     .help = "and turned sideways by no more than this (default 45)",
     .low = 0,
     .high = 180},
    {.name = "too-poor",
     .kind = OPTION_REAL,
     .offset = AT(too_poor),
     .value = "Q",
     .help = "below this quality nothing is claimed of a face (default 0.3)",
     .low = 0,
     .high = 1},
    {.name = "seed",
     .kind = OPTION_INT,
     .offset = AT(seed),
     .value = "N",
     .help = "what the bootstrap starts from (default 1)",
     .low = 0,
     .high = 2147483647},
    {0}};

const option_spec *const options_of_calibrate[] = {own,
                                                   options_text,
                                                   options_sides,
                                                   options_threads,
                                                   options_gallery,
                                                   options_models,
                                                   options_output,
                                                   NULL};

static int check_arguments(const command *self, const calibrate_options *o, int n)
{
    if (o->text && (o->common.gallery || o->cohort || o->review))
        return options_usage(self, "--gallery, --cohort and --review are of photos, not of --text");
    if (o->text && n != 1)
        return options_usage(self, "with --text it takes one list of pairs");
    if (!o->text && (o->common.text_model || o->common.merges || o->common.second_text_model))
        return options_usage(self, "--text-model and --merges are of --text");
    if (n > 1)
        return options_usage(self, "it takes one DATA, or none for the gallery's own people");
    if (n == 1 && !o->into && !o->common.gallery && !o->dry_run)
        return options_usage(self, "where is it to be kept? --into MODEL, --gallery DIR (beside "
                                   "it), or --dry-run");
    if (o->into && o->common.gallery && n == 1)
        return options_usage(self, "--into and --gallery are two places: one of them");
    if (o->cohort && (n == 0 || (!o->into && !o->dry_run)))
        return options_usage(self,
                             "--cohort makes a part of the model: with DATA and --into MODEL");
    if (o->too_poor > o->quality)
        return options_usage(self, "--too-poor %g is above --quality %g", o->too_poor, o->quality);
    return 0;
}

/* ------------------------------------------------------------------ keeping it */

/* The model that --into names must be the one that made the vectors. */
static int check_into(const calibration_run *r)
{
    const char *wanted = dpl_net_hash(dpl_encoder_net(dpl_pipeline_encoder(r->pipeline)));
    const calibrate_options *o = r->o;
    dpl_net_options limits = common_model_limits(&o->common);
    dpl_net *net;
    dpl_error err;
    int code = 0;

    if (!o->into)
        return 0;
    if (dpl_net_open(&net, o->into, &limits, &err) != DPL_OK)
        return common_fail(r->self, &o->common, &err);
    if (strcmp(dpl_net_hash(net), wanted) != 0)
        code = common_refuse(r->self, &o->common, DPL_E_MISMATCH,
                             "--into \"%.200s\" is another model than the one that made the "
                             "vectors (--model)",
                             o->into);
    dpl_net_close(net);
    return code;
}

static int keep(const calibration_run *r, const dpl_calibrated *c, const char *cohort,
                char **written)
{
    const calibrate_options *o = r->o;
    dpl_status status;
    dpl_error err;

    if (o->dry_run)
        return 0;
    if (o->into) {
        *written = text_format("%s", o->into);
        status = dpl_calibration_into_model(o->into, c->json, cohort, &err);
    } else {
        *written = text_format("%s/calibration.json", dpl_gallery_folder(r->gallery));
        status = dpl_calibration_beside(r->gallery, c->json, &err);
    }
    return status == DPL_OK ? 0 : common_fail(r->self, &o->common, &err);
}

/* ------------------------------------------------------------------ the command */

static void step(void *ctx, int64_t n_done, int64_t n_total)
{
    progress_step(ctx, n_done, n_total);
}

static int measure(calibration_run *r)
{
    const calibrate_options *o = r->o;
    dpl_calibrate_options options = DPL_CALIBRATE_OPTIONS_INIT;
    const dpl_encoder *encoder = dpl_pipeline_encoder(r->pipeline);
    dpl_calibrated c = {0};
    char *written = NULL, *cohort = NULL;
    dpl_status status;
    dpl_error err;
    int code = calibrate_cohort(&cohort, r);

    if (code)
        return code;
    options.cohort = cohort ? cohort : dpl_encoder_fact(encoder, "cohort");
    if (!o->into)
        options.model = dpl_encoder_hash(encoder);
    options.fmr = o->fmr;
    options.strata_within = o->strata_within;
    options.range = (dpl_range){(float)o->quality, (float)o->yaw_deg, (float)o->too_poor};
    options.source = r->source;
    options.seed = (uint64_t)o->seed;
    options.n_threads = o->common.n_threads;
    options.cancel = r->cancel;
    options.on_progress = step;
    options.ctx = &r->progress;
    progress_start(&r->progress, "pairs", o->common.quiet);
    status = dpl_calibrate(&c, &r->own.samples, dpl_pipeline_head(r->pipeline), &options, &err);
    progress_wipe(&r->progress);
    code =
        status == DPL_OK ? keep(r, &c, cohort, &written) : common_fail(r->self, &o->common, &err);
    if (!code && o->common.json)
        json_print(calibrate_json(r, &c, written));
    else if (!code)
        calibrate_tell(r, &c, written);
    free(written);
    dpl_bytes_free(cohort);
    dpl_calibrated_clear(&c);
    return code;
}

int cmd_calibrate(const command *self, int argc, char **argv)
{
    calibrate_options o = {.common = COMMON_INIT,
                           .fmr = NAN,
                           .strata_within = 3,
                           .quality = 0.5,
                           .yaw_deg = 45,
                           .too_poor = 0.3,
                           .seed = 1};
    calibration_run r = {.self = self, .o = &o};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code)
        code = check_arguments(self, &o, n);
    if (code)
        return code;
    if (isnan(o.fmr))
        o.fmr = o.text ? DPL_DEFAULT_TEXT_FMR : DPL_DEFAULT_FMR;
    if (o.text)
        return calibrate_text(self, &o, argv[1]);
    r.data = n > 0 ? argv[1] : NULL;
    r.cancel = common_watch_signals();
    code = calibrate_open(&r);
    if (!code)
        code = check_into(&r);
    if (!code)
        code = calibrate_read(&r);
    if (!code)
        code = measure(&r);
    if (!code)
        code = dpl_status_exit_code(r.worst);
    calibrate_close(&r);
    return code;
}
