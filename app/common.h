/*
 * common.h - what every command has: the options for gallery, models and output, and opening what
 * they name.
 */
#ifndef DOPPEL_APP_COMMON_H
#define DOPPEL_APP_COMMON_H

#include <stdbool.h>

#include "app/options.h"
#include "app/text.h"
#include "doppel/doppel.h"

#define COUNT_STATUS(number, name, words, exit_code) +1
enum { N_STATUSES = 0 DPL_STATUS_LIST(COUNT_STATUS) };

#define INCONCLUSIVE_EXIT 6 /* the evidence decides neither way */

#define POOR_QUALITY 0.35f /* a face below this gets a word of warning */

/* First member of every command's options, so that the shared tables fit each of them. */
typedef struct common {
    const char *gallery, *key_file, *passphrase_file, *model, *preset, *detector, *image_model,
        *html;
    const char *text_model, *second_text_model, *merges, *image_preset;
    int detect; /* index into faces, none; -1: not given */
    int detect_side_px, max_pixels, n_threads;
    double min_score;
    size_t max_memory_bytes, model_memory_bytes;
    double model_operations;
    int precision; /* a dpl_precision */
    int color;
    bool json, quiet, follow_links;
    bool audit; /* a line in the gallery's audit says that it was asked: of how many */
    size_t n_asked;
    bool going_over;    /* to another model: the preset and the calibration of the gallery's are not
                           its */
    bool faces_only;    /* the gallery's model of whole pictures has nothing to do here */
    bool stays;         /* for long: a database that was restarted is connected to again */
    bool adds_pictures; /* where the gallery has none, the one that comes with doppel is used */
    /* Photos and folders that the command reads; NULL: it has not said, and reads what it likes. */
    const char *const *inputs;
    size_t n_inputs;
    const char *beside[4];     /* more files that it reads, each NULL or a path */
    const char *const *writes; /* folders that it writes in, beside the gallery's, n_writes of them
                                */
    size_t n_writes;
    char *tidies; /* as of sandbox_paths: a gallery that is made for nothing goes again */
    char *typed;  /* the command as it was typed, for pages; NULL: not kept */
} common;

#define COMMON_INIT                                                                                \
    {                                                                                              \
        .detect = -1, .detect_side_px = 1280, .max_pixels = 256000000, .min_score = 0.6,           \
        .max_memory_bytes = (size_t)768 << 20, .model_memory_bytes = (size_t)256 << 20,            \
        .model_operations = 1e11, .precision = DPL_PRECISION_AUTO                                  \
    }

extern const option_spec options_gallery[]; /* --gallery, --key-file, --passphrase-file */
extern const option_spec options_models[];  /* --model … --max-memory */
extern const option_spec options_output[];  /* --json, --quiet, --color */
extern const option_spec options_html[];    /* --html */
extern const option_spec options_audit[];   /* --audit */
extern const option_spec options_threads[]; /* --threads */
extern const option_spec options_walk[];    /* --follow-links */
extern const option_spec options_text[];    /* --text-model --merges */
extern const option_spec options_sides[];   /* --second-text-model */

/** Print "doppel CMD: message" on stderr; returns the status's exit code. */
int common_say(const command *self, const dpl_error *err);

/** The same, and with --json the failure as the command's answer on stdout. */
int common_fail(const command *self, const common *o, const dpl_error *err);

/** common_fail for what the program itself has found. */
int common_refuse(const command *self, const common *o, dpl_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** The folder that --gallery, $DOPPEL_GALLERY or the user's data folder names; NULL after a message
 * when there is none. Freed by free(). */
char *common_gallery_dir(const command *self, const common *o);

/** The folder that holds the gallery's, where that is not there yet and is to be made; else NULL.
 * Freed by free(): what common.tidies is of a command that may make a gallery for nothing. */
char *common_above_new_gallery(const command *self, const common *o);

/** Open it. Returns 0, or an exit code after a message. The gallery's notice goes to stderr. */
int common_open_gallery(dpl_gallery **out, const command *self, const common *o,
                        dpl_gallery_mode mode);

/** Tell what the last call on the gallery has to say, if anything. */
void common_notice(const command *self, const common *o, const dpl_gallery *gallery);

/** A model's path, freed by free(): as given, or found by its name; NULL after a message that names
 * the option. */
char *common_model_path(const command *self, const common *o, const char *given, const char *name,
                        const char *option);

/** What a model may take. */
dpl_net_options common_model_limits(const common *o);

/**
 * Open the models that the options name.
 * @param gallery  may be NULL; the models, preset and --detect that made it serve where none is
 *                 given
 */
int common_open_pipeline(dpl_pipeline **out, const command *self, const common *o,
                         dpl_gallery *gallery, double min_quality);

/** From here on only what the command reads, the models, the gallery (may be NULL) and the page are
 * touched. Nothing is restricted where the command has not said what it reads. */
void common_enter_sandbox(const common *o, dpl_gallery *gallery,
                          const dpl_pipeline_options *models);

/** The same where the command runs no pipeline: what it reads beside its inputs, each NULL or with
 * what lies beside it as PATH.json. */
void common_enter_sandbox_with(const common *o, dpl_gallery *gallery, const char *const *models,
                               size_t n_models);

/** Where the model of sentences is: as given, else as the gallery (may be NULL) remembers it, else
 * of a gallery DPL_MODEL_SENTENCE. Both freed by free(); *merges may be NULL. Returns 0, or an exit
 * code after a message. */
int common_find_text_model(char **path, char **merges, const command *self, const common *o,
                           dpl_gallery *gallery);

/** The same where a command can do without: *path NULL, and 0 is returned, when none is given (or
 * "none") and the gallery remembers none. */
int common_find_any_text_model(char **path, char **merges, const command *self, const common *o,
                               dpl_gallery *gallery);

/** Open it. */
int common_open_text(dpl_text_pipeline **out, const command *self, const common *o,
                     const char *path, const char *merges);

/**
 * Open the model that made the gallery, without a detector: for what it decided.
 * @param given     its file; NULL: where the gallery says
 * @param[out] out  NULL, and 0 is returned, when it is not given and not there any more
 */
int common_open_former(dpl_pipeline **out, const command *self, const common *o,
                       dpl_gallery *gallery, const char *given);

/* What messages call the photo on standard input. */
#define INPUT_NAME "standard input"

/** Whether a word is "-", the photo on standard input. */
bool common_is_input(const char *word);

/** dpl_photo_open of it. */
dpl_status common_open_input(dpl_photo *out, const common *o, const dpl_pipeline *pipeline,
                             dpl_scratch *scratch, dpl_error *err);

/** A command as it was typed, freed by free(). Before options_read, which puts options first. */
char *common_typed(int argc, char **argv);

/** From now on SIGINT and SIGTERM set the flag returned, the first time; the second time they end
 * the program. */
const volatile int *common_watch_signals(void);

/** Set that flag without a signal: there is no use in going on. */
void common_stop(void);

/** Whether a person of this name is in the gallery. Returns 0, or an exit code after a message. */
int common_has_person(bool *has, const command *self, const common *o, dpl_gallery *gallery,
                      const char *name);

/** Say that nobody of this name is in the gallery, and who is of a name like it. Returns the exit
 * code. */
int common_no_person(const command *self, const common *o, dpl_gallery *gallery, const char *name);

/** The same of what may be a photo, too, where it is neither; so is what came of it, or "". */
int common_no_person_or_photo(const command *self, const common *o, dpl_gallery *gallery,
                              const char *typed, const char *so);

/** What common.inputs is of a command that walks folders: these, with what is beside them and says
 * what is left out; all there is where links are followed. Freed by common_inputs_free. */
const char **common_inputs(size_t *n_inputs, const char *const *paths, size_t n, bool follow_links);
/** And what may lie beside a photo that was given by name and say what it shows. */
const char **common_add_sidecars(const char **inputs, size_t *n_inputs, const char *const *paths,
                                 size_t n);
void common_inputs_free(const char **inputs, size_t n_inputs);

/** A path as short as it is still right from here: the end of what was given. */
const char *common_from_here(const char *path);

/** Ask on the terminal; whether the answer was yes. Where there is no terminal, it is no. */
bool common_confirm(const char *question);

/** The absolute path that the ledger would have for a path as typed, also of a file that is gone.
 * Freed by free(). */
char *common_full_path(const char *path);

#endif
