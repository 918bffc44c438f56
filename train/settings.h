/* A run's settings: given, remembered in config.json, and by default. */
#ifndef DOPPEL_TRAIN_SETTINGS_H
#define DOPPEL_TRAIN_SETTINGS_H

#include "doppel/train.h"
#include "net/init.h"
#include "train/augment.h"
#include "train/loss.h"
#include "train/optimizer.h"

typedef enum dpli_best {
    DPLI_BEST_ONESHOT,
    DPLI_BEST_AUC,
    DPLI_BEST_ACCURACY,
    DPLI_BEST_EER,
    DPLI_BEST_TAR,
    DPLI_BEST_CORRECT,
    DPLI_BEST_PEARSON,
    DPLI_BEST_SPEARMAN,
    DPLI_BEST_R1,
    DPLI_BEST_R5,
    DPLI_BEST_R10,
    DPLI_BEST_RANK
} dpli_best;

typedef struct dpli_settings {
    dpl_train_options o; /* nothing unset but texts, lists, margin, scale, and what data decides */
    struct json_t *root; /* owns the texts */
    dpli_loss_kind loss;
    dpli_init init;
    dpli_best best;
    dpli_optimizer_options optimizer;
    dpli_augment augment;
    dpli_layer_rule *rules;
    int32_t n_rules, n_teachers;
    int32_t n_towers;
    int32_t kinds[2];             /* that are said of the data's sides: a dpl_item_kind, -1 */
    bool batch_given, best_given; /* by who trains */
    bool narrow;                  /* products of bfloat16 are asked for */
    bool by_item;                 /* batches of random items, not of classes x items */
} dpli_settings;

/**
 * Settings of a run: as given; where not, as in config (the text of config.json, NULL for a new
 * run); where not, the default.
 * @retval DPL_E_ARGUMENT  unknown names, wrong combinations, or a fixed setting that differs
 * @retval DPL_E_INPUT     config is damaged
 */
dpl_status dpli_settings_read(dpli_settings *out, const dpl_train_options *given,
                              const char *config, dpl_error *err);
void dpli_settings_clear(dpli_settings *s);

/** The name of that tower's architecture, NULL where the run begins with a model; the architecture,
 * NULL also where none is named so; what its first weights are. */
const char *dpli_settings_arch_name(const dpli_settings *s, int32_t tower);
const struct dpli_arch *dpli_settings_arch(const dpli_settings *s, int32_t tower);
dpli_init dpli_settings_init(const dpli_settings *s, int32_t tower);

/* hold_classes by default until the classes are counted: a tenth of them. */
#define DPLI_HOLD_A_TENTH INT32_MAX

/** How many classes were held out, where that was left to the data: config.json says it. */
dpl_status dpli_settings_hold_classes(dpli_settings *s, int32_t n, dpl_error *err);

/** What is left to be decided where the data gives pairs: config.json says it, too.
 * @param n  of pairs
 * @retval DPL_E_ARGUMENT  settings that are not for given pairs */
dpl_status dpli_settings_for_pairs(dpli_settings *s, int32_t n, bool graded, dpl_error *err);

/** The same for pairs of a picture and a sentence.
 * @param dim  of the pictures' vectors */
dpl_status dpli_settings_for_captions(dpli_settings *s, int32_t dim, dpl_error *err);

/** Text of config.json, freed by free(). */
dpl_status dpli_settings_text(char **out, const dpli_settings *s, dpl_error *err);

/** Pictures that a tower sees in a step. */
int32_t dpli_settings_rows(const dpli_settings *s);

#endif
