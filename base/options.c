/*
 * options.c - the options structs of the public API: read from a caller, and filled for one.
 */
#include "base/options.h"

#include <string.h>

#include "base/fail.h"
#include "doppel/doppel.h"

dpl_status dpli_options(void *ours, size_t ours_size, const void *given, const char *what,
                        dpl_error *err)
{
    size_t given_size;

    if (!given)
        return DPL_OK;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size)
        return dpli_fail(err, DPL_E_ARGUMENT, "%s options are not initialised: struct_size is %zu",
                         what, given_size);
    memcpy(ours, given, given_size < ours_size ? given_size : ours_size);
    memcpy(ours, &ours_size, sizeof ours_size);
    return DPL_OK;
}

/* What the caller's struct has beyond ours becomes zero. */
static void fill(void *theirs, size_t their_size, const void *ours, size_t our_size)
{
    if (their_size < sizeof their_size)
        return;
    memset(theirs, 0, their_size);
    memcpy(theirs, ours, their_size < our_size ? their_size : our_size);
    memcpy(theirs, &their_size, sizeof their_size);
}

#define OPTIONS_INIT(kind, DEFAULTS)                                                               \
    void dpl_##kind##_options_init(dpl_##kind##_options *options, size_t struct_size)              \
    {                                                                                              \
        const dpl_##kind##_options ours = DEFAULTS;                                                \
        fill(options, struct_size, &ours, sizeof ours);                                            \
    }

OPTIONS_INIT(calibrate, DPL_CALIBRATE_OPTIONS_INIT)
OPTIONS_INIT(copies, DPL_COPIES_OPTIONS_INIT)
OPTIONS_INIT(dataset, DPL_DATASET_OPTIONS_INIT)
OPTIONS_INIT(decode, DPL_DECODE_OPTIONS_INIT)
OPTIONS_INIT(detect, DPL_DETECT_OPTIONS_INIT)
OPTIONS_INIT(embed, DPL_EMBED_OPTIONS_INIT)
OPTIONS_INIT(enroll, DPL_ENROLL_OPTIONS_INIT)
OPTIONS_INIT(group, DPL_GROUP_OPTIONS_INIT)
OPTIONS_INIT(groups, DPL_GROUPS_OPTIONS_INIT)
OPTIONS_INIT(migrate, DPL_MIGRATE_OPTIONS_INIT)
OPTIONS_INIT(net, DPL_NET_OPTIONS_INIT)
OPTIONS_INIT(photos, DPL_PHOTOS_OPTIONS_INIT)
OPTIONS_INIT(pipeline, DPL_PIPELINE_OPTIONS_INIT)
OPTIONS_INIT(search, DPL_SEARCH_OPTIONS_INIT)
OPTIONS_INIT(text_encoder, DPL_TEXT_ENCODER_OPTIONS_INIT)
OPTIONS_INIT(text_pipeline, DPL_TEXT_PIPELINE_OPTIONS_INIT)
OPTIONS_INIT(tokenizer, DPL_TOKENIZER_OPTIONS_INIT)
OPTIONS_INIT(train, DPL_TRAIN_OPTIONS_INIT)
OPTIONS_INIT(verify, DPL_VERIFY_OPTIONS_INIT)
