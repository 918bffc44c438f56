/*
 * common.c - the options that commands share, and opening what they name.
 */
#include "app/common.h"

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/json.h"
#include "app/json_print.h"
#include "app/keys.h"
#include "app/nearest.h"
#include "app/sandbox.h"
#include "app/settings.h"

/* Where the build found FAISS, when libdoppel.so loads it late. */
#if !defined(DPL_LATE_DIR)
#define DPL_LATE_DIR NULL
#endif

/* ------------------------------------------------------------------ options */

/* By dpl_precision. */
static const char *const precision_choices[] = {"f32", "bf16", "auto", "int8", "bf16x3", NULL};
static const char *const detect_choices[] = {"faces", "none", NULL};
static const char *const color_choices[] = {"auto", "always", "never", NULL};

#define AT(member) offsetof(common, member)

const option_spec options_gallery[] = {
    {.name = "gallery",
     .kind = OPTION_TEXT,
     .offset = AT(gallery),
     .value = "DIR",
     .help = "the gallery: a folder, or a PostgreSQL database (postgresql://user@host/database); "
             "default $DOPPEL_GALLERY, else ~/.local/share/doppel",
     .environment = "DOPPEL_GALLERY",
     .asked_for = true},
    {.name = "key-file",
     .kind = OPTION_TEXT,
     .offset = AT(key_file),
     .value = "FILE",
     .help = "the key of an encrypted gallery (default gallery.keys in its folder)"},
    {.name = "passphrase-file",
     .kind = OPTION_TEXT,
     .offset = AT(passphrase_file),
     .value = "FILE",
     .help = "a file whose first line is its passphrase (/dev/fd/N: a descriptor; default: asked)"},
    {0}};

const option_spec options_models[] = {
    {.name = "model",
     .kind = OPTION_TEXT,
     .offset = AT(model),
     .value = "FILE",
     .is_model = true,
     .group = OPTION_MODELS,
     .help = "the encoder (ONNX; default the one that made the gallery, else " DPL_MODEL_ENCODER
             "; " DPL_MODEL_ENCODER_LARGE " errs less, in twice the time)"},
    {.name = "preset",
     .kind = OPTION_TEXT,
     .offset = AT(preset),
     .value = "NAME",
     .group = OPTION_MODELS,
     .help =
         "what --model expects, where its file does not say (doppel help lists them; default as "
         "the gallery was made)"},
    {.name = "detector",
     .kind = OPTION_TEXT,
     .offset = AT(detector),
     .value = "FILE",
     .is_model = true,
     .group = OPTION_MODELS,
     .help = "the face detector (ONNX; default " DPL_MODEL_DETECTOR ")"},
    {.name = "image-model",
     .kind = OPTION_TEXT,
     .offset = AT(image_model),
     .value = "FILE",
     .is_model = true,
     .group = OPTION_MODELS,
     .help =
         "an encoder for whole pictures (ONNX; default the gallery's; enroll and scan otherwise "
         "take " DPL_MODEL_IMAGE " where it is installed; none: no vectors of pictures)"},
    {.name = "image-preset",
     .kind = OPTION_TEXT,
     .offset = AT(image_preset),
     .value = "NAME",
     .group = OPTION_MODELS,
     .help = "what --image-model expects, where its file does not say (default as the gallery was "
             "made)"},
    {.name = "detect",
     .kind = OPTION_CHOICE,
     .offset = AT(detect),
     .value = "faces|none",
     .group = OPTION_MODELS,
     .help = "find faces, or take each picture whole (default as the gallery was made, else faces)",
     .choices = detect_choices},
    {.name = "detect-side",
     .kind = OPTION_INT,
     .offset = AT(detect_side_px),
     .value = "PX",
     .group = OPTION_MODELS,
     .help = "bring the photo's larger side down to this to find faces (default 1280)",
     .low = 64,
     .high = 8192},
    {.name = "min-score",
     .kind = OPTION_REAL,
     .offset = AT(min_score),
     .value = "SCORE",
     .group = OPTION_MODELS,
     .help = "the detector's score from which it is a face, 0 to 1 (default 0.6)",
     .low = 0,
     .high = 1},
    {.name = "max-pixels",
     .kind = OPTION_INT,
     .offset = AT(max_pixels),
     .value = "N",
     .group = OPTION_LIMITS,
     .help = "refuse photos of more pixels than this (default 256000000)",
     .low = 1,
     .high = INT_MAX},
    {.name = "max-memory",
     .kind = OPTION_BYTES,
     .offset = AT(max_memory_bytes),
     .value = "BYTES",
     .group = OPTION_LIMITS,
     .help = "memory for photos in work, of all threads together; one that needs more to decode "
             "is refused (256M, 1G; default 768M)"},
    {.name = "model-memory",
     .kind = OPTION_BYTES,
     .offset = AT(model_memory_bytes),
     .value = "BYTES",
     .group = OPTION_LIMITS,
     .help = "refuse models that need more memory for a run, weights not counted (default 256M)"},
    {.name = "precision",
     .kind = OPTION_CHOICE,
     .offset = AT(precision),
     .value = "f32|bf16x3|bf16|int8|auto",
     .group = OPTION_MODELS,
     .help =
         "numbers that networks compute in: float32; float32 whose products are made of three of "
         "bfloat16, where the processor has AMX; bfloat16 where the processor multiplies it; eight "
         "bits where the model has ranges for them; or the fastest in which the model was measured "
         "to decide the same (default auto)",
     .choices = precision_choices},
    {.name = "model-operations",
     .kind = OPTION_REAL,
     .offset = AT(model_operations),
     .value = "N",
     .group = OPTION_LIMITS,
     .help = "refuse models that need more multiply-adds for a run (default 1e11)",
     .low = 1,
     .high = 1e18},
    {0}};

const option_spec options_output[] = {
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = AT(json),
     .help = "print JSON, one object a line",
     .instead = "lines null table"},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPTION_FLAG,
     .offset = AT(quiet),
     .help = "no progress and no notes; problems are still told"},
    {.name = "color",
     .kind = OPTION_CHOICE,
     .offset = AT(color),
     .value = "auto|always|never",
     .help = "colours (default auto: on a terminal, unless $NO_COLOR is set)",
     .choices = color_choices,
     .environment = "NO_COLOR"},
    {0}};

const option_spec options_threads[] = {
    {.name = "threads",
     .kind = OPTION_INT,
     .offset = AT(n_threads),
     .value = "N",
     .group = OPTION_LIMITS,
     .help = "what is worked on at the same time (default 0: one a core)",
     .low = 0,
     .high = 1024},
    {0}};

const option_spec options_walk[] = {{.name = "follow-links",
                                     .kind = OPTION_FLAG,
                                     .offset = AT(follow_links),
                                     .help = "follow links that lead out of these folders, too"},
                                    {0}};

const option_spec options_text[] = {
    {.name = "text-model",
     .kind = OPTION_TEXT,
     .offset = AT(text_model),
     .value = "FILE",
     .is_model = true,
     .group = OPTION_MODELS,
     .once = true,
     .help =
         "the encoder of sentences (ONNX; default the gallery's, for query else " DPL_MODEL_SENTENCE
         ")"},
    {.name = "merges",
     .kind = OPTION_TEXT,
     .offset = AT(merges),
     .value = "FILE",
     .group = OPTION_MODELS,
     .once = true,
     .help = "the list of byte-pair merges of a --text-model that has no tokens of its own (as "
             "CLIP's)"},
    {0}};

const option_spec options_sides[] = {
    {.name = "second-text-model",
     .kind = OPTION_TEXT,
     .offset = AT(second_text_model),
     .value = "FILE",
     .is_model = true,
     .group = OPTION_MODELS,
     .once = true,
     .help = "the encoder of the second of two sentences, where each side of a pair has its own "
             "(best.a.onnx and best.b.onnx of a training)"},
    {0}};

const option_spec options_html[] = {
    {.name = "html",
     .kind = OPTION_TEXT,
     .offset = AT(html),
     .value = "FILE",
     .help = "also write the answer as a page for the browser, photos inside (-: to standard "
             "output, instead)",
     .once = true},
    {0}};

const option_spec options_audit[] = {
    {.name = "audit",
     .kind = OPTION_FLAG,
     .offset = AT(audit),
     .help = "note in the gallery's audit that it was asked (doppel audit)"},
    {0}};

/* ------------------------------------------------------------------ messages */

int common_say(const command *self, const dpl_error *err)
{
    fprintf(stderr, "doppel %s: ", self->name);
    text_put(stderr, err->message);
    fputc('\n', stderr);
    return dpl_status_exit_code(err->status);
}

int common_fail(const command *self, const common *o, const dpl_error *err)
{
    if (o->json)
        json_print(json_failure(self->name, err));
    return common_say(self, err);
}

int common_refuse(const command *self, const common *o, dpl_status status, const char *format, ...)
{
    dpl_error err = {.status = status};
    va_list args;

    va_start(args, format);
    vsnprintf(err.message, sizeof err.message, format, args);
    va_end(args);
    return common_fail(self, o, &err);
}

void common_notice(const command *self, const common *o, const dpl_gallery *gallery)
{
    const char *notice = dpl_gallery_notice(gallery);

    if (o->quiet || !notice[0])
        return;
    fprintf(stderr, "doppel %s: note: ", self->name);
    text_put(stderr, notice);
    fputc('\n', stderr);
}

char *common_typed(int argc, char **argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_~";
    char *typed = NULL;
    size_t n;
    FILE *f = text_need(open_memstream(&typed, &n));

    fputs("doppel", f);
    for (int i = 0; i < argc; i++) {
        char *public = text_public(argv[i]);
        const char *word = public ? public : argv[i];
        const bool bare = word[0] && word[strspn(word, plain)] == '\0';

        fprintf(f, bare ? " %s" : " \"%s\"", word);
        free(public);
    }
    if (fclose(f) != 0)
        text_need(NULL);
    return typed;
}

/* ------------------------------------------------------------------ gallery */

char *common_gallery_dir(const command *self, const common *o)
{
    const char *named = getenv("DOPPEL_GALLERY"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    const setting *kept = NULL;

    if (o->gallery)
        return text_format("%s", o->gallery);
    if (named && named[0])
        return text_format("%s", named);
    if (self->call && self->call->settings)
        kept = settings_find(self->call->settings, self, options_gallery);
    if (kept)
        return text_format("%s", kept->value);
    /* The XDG rule: a path that is not absolute counts as unset. */
    if (data && data[0] == '/')
        return text_format("%s/doppel", data);
    if (home && home[0] == '/')
        return text_format("%s/.local/share/doppel", home);
    common_refuse(self, o, DPL_E_ARGUMENT,
                  "where is the gallery? --gallery DIR says it, as there is no $HOME");
    return NULL;
}

/* $DOPPEL_INDEX_MEMORY in MiB; 0 when it says no number. */
static uint64_t index_memory(void)
{
    const char *said = getenv("DOPPEL_INDEX_MEMORY");
    char *end = NULL;
    const unsigned long long mib = said ? strtoull(said, &end, 10) : 0;

    return said && end != said && *end == '\0' && said[0] != '-' && mib <= UINT64_MAX >> 20
               ? (uint64_t)mib << 20
               : 0;
}

int common_open_gallery(dpl_gallery **out, const command *self, const common *o,
                        dpl_gallery_mode mode)
{
    char *dir = common_gallery_dir(self, o);
    keys k = {.twice = false};
    dpl_error err;
    dpl_status status;

    *out = NULL;
    if (!dir)
        return dpl_status_exit_code(DPL_E_ARGUMENT);
    status = keys_of_gallery(&k, o, &err);
    if (status != DPL_OK) {
        keys_clear(&k);
        free(dir);
        return common_fail(self, o, &err);
    }
    /* What SQLite puts aside (when a gallery is vacuumed, all of it) has no business elsewhere. An
       address of a database may hold a password, which is nobody else's to read. */
    if (!strstr(dir, "://"))
        (void)setenv("SQLITE_TMPDIR", dir, 0);
    status = dpl_gallery_open_with_key(out, dir, mode, &k.key, &err);
    keys_clear(&k);
    free(dir);
    if (status != DPL_OK)
        return common_fail(self, o, &err);
    dpl_gallery_set_index_memory(*out, index_memory());
    common_notice(self, o, *out);
    if (!o->audit || dpl_gallery_audit_query(*out, self->name, (int64_t)o->n_asked, &err) == DPL_OK)
        return 0;
    dpl_gallery_close(*out);
    *out = NULL;
    return common_fail(self, o, &err);
}

char *common_above_new_gallery(const command *self, const common *o)
{
    char *dir = common_gallery_dir(self, o), *above = NULL;
    struct stat st;
    size_t n;

    if (dir && !strstr(dir, "://") && lstat(dir, &st) != 0) {
        for (n = strlen(dir); n > 0 && dir[n - 1] == '/'; n--)
            ;
        while (n > 0 && dir[n - 1] != '/')
            n--;
        above = n > 0 ? text_format("%.*s", (int)n, dir) : text_format(".");
    }
    free(dir);
    return above;
}

static dpl_status note_photo(void *ctx, const dpl_photo_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return DPL_OK;
}

int common_has_person(bool *has, const command *self, const common *o, dpl_gallery *gallery,
                      const char *name)
{
    dpl_error err;

    *has = false;
    if (dpl_gallery_each_photo(gallery, name, note_photo, has, &err) != DPL_OK)
        return common_fail(self, o, &err);
    return 0;
}

typedef struct likeness {
    const char *typed;
    nearest near;
} likeness;

static dpl_status see_person(void *ctx, const dpl_person *row)
{
    likeness *l = ctx;

    nearest_see(&l->near, l->typed, row->name);
    return DPL_OK;
}

/* Who is of a name like it, as the end of a sentence; NULL when the gallery cannot be read. */
static char *near_people(dpl_gallery *gallery, const char *name, dpl_error *err)
{
    likeness l = {.typed = name};
    char *words = text_format("%s", "");

    if (dpl_gallery_each_person(gallery, see_person, &l, err) != DPL_OK) {
        free(words);
        words = NULL;
    }
    for (size_t i = 0; words && i < l.near.n; i++) {
        char *longer =
            text_format("%s%s\"%.80s\"", words, i ? ", " : "; nearest: ", l.near.names[i]);
        free(words);
        words = longer;
    }
    nearest_clear(&l.near);
    return words;
}

int common_no_person(const command *self, const common *o, dpl_gallery *gallery, const char *name)
{
    dpl_error err;
    char *near = near_people(gallery, name, &err);
    int code;

    if (!near)
        return common_fail(self, o, &err);
    code = common_refuse(
        self, o, DPL_E_NO_PERSON, "the gallery \"%.100s\" knows nobody called \"%.80s\"%s",
        dpl_gallery_dir(gallery), name, near[0] ? near : " (doppel list names whom it knows)");
    free(near);
    return code;
}

int common_no_person_or_photo(const command *self, const common *o, dpl_gallery *gallery,
                              const char *typed, const char *so)
{
    dpl_error err;
    char *near = near_people(gallery, typed, &err);
    int code;

    if (!near)
        return common_fail(self, o, &err);
    code = common_refuse(self, o, DPL_E_NOT_FOUND,
                         "\"%s\" is no person and no photo in the gallery%s%s", typed, so, near);
    free(near);
    return code;
}

const char **common_inputs(size_t *n_inputs, const char *const *paths, size_t n, bool follow_links)
{
    const char **inputs = text_need(calloc(2 * n + 1, sizeof *inputs));

    *n_inputs = 2 * n;
    for (size_t i = 0; i < n; i++) {
        char *full = common_full_path(paths[i]), *slash = strrchr(full, '/');

        inputs[i] = text_format("%s", paths[i]);
        /* Where a shell has listed a folder, its ignore file counts, too. */
        inputs[n + i] = text_format("%.*s/.doppelignore", (int)(slash ? slash - full : 0), full);
        free(full);
    }
    if (follow_links)
        inputs[(*n_inputs)++] = text_format("/");
    return inputs;
}

const char **common_add_sidecars(const char **inputs, size_t *n_inputs, const char *const *paths,
                                 size_t n)
{
    inputs = text_need(reallocarray(inputs, *n_inputs + 3 * n + 1, sizeof *inputs));
    for (size_t i = 0; i < n; i++) {
        const char *slash = strrchr(paths[i], '/'), *dot = strrchr(paths[i], '.');

        inputs[(*n_inputs)++] = text_format("%s.txt", paths[i]);
        inputs[(*n_inputs)++] = text_format("%s.xmp", paths[i]);
        if (dot && (!slash || dot > slash))
            inputs[(*n_inputs)++] = text_format("%.*s.xmp", (int)(dot - paths[i]), paths[i]);
    }
    return inputs;
}

void common_inputs_free(const char **inputs, size_t n_inputs)
{
    for (size_t i = 0; i < n_inputs; i++)
        free((void *)(uintptr_t)inputs[i]);
    free(inputs);
}

const char *common_from_here(const char *path)
{
    char *cwd = getcwd(NULL, 0);
    const size_t n = cwd ? strlen(cwd) : 0;
    const bool below = n > 1 && strncmp(path, cwd, n) == 0 && path[n] == '/' && path[n + 1];

    free(cwd);
    return below ? path + n + 1 : path;
}

bool common_confirm(const char *question)
{
    char line[16];

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

char *common_full_path(const char *path)
{
    char *folder = text_format("%s%s", path[0] == '/' ? "" : "./", path), *full = NULL;
    size_t n = strlen(folder), end = n;

    /* The file is gone, and perhaps the folders that held it; the nearest one that is there says
       what the path really is. */
    while (!full && end > 0) {
        const char cut = folder[end];
        char *real;

        folder[end] = '\0';
        real = realpath(folder, NULL);
        folder[end] = cut;
        if (real)
            full = text_format("%s%s", real[1] || !cut ? real : "", folder + end);
        free(real);
        while (end > 0 && folder[--end] != '/')
            ;
    }
    if (!full)
        full = text_format("%s", path);
    free(folder);
    return full;
}

/* ------------------------------------------------------------------ standard input */

bool common_is_input(const char *word)
{
    return strcmp(word, "-") == 0;
}

static dpl_status fail_input(dpl_error *err, dpl_status status, const char *why)
{
    err->status = status;
    snprintf(err->message, sizeof err->message, "\"" INPUT_NAME "\": %s", why);
    return status;
}

dpl_status common_open_input(dpl_photo *out, const common *o, const dpl_pipeline *pipeline,
                             dpl_scratch *scratch, dpl_error *err)
{
    size_t n = 0, cap = 1 << 16;
    uint8_t *bytes = text_need(malloc(cap));
    dpl_status status = DPL_OK;
    char why[64];

    if (isatty(STDIN_FILENO))
        status = fail_input(err, DPL_E_INPUT, "is a terminal, not a photo");
    while (status == DPL_OK && !feof(stdin) && !ferror(stdin)) {
        n += fread(bytes + n, 1, cap - n, stdin);
        if (n > o->max_memory_bytes) {
            snprintf(why, sizeof why, "has more than %zu bytes (--max-memory)",
                     o->max_memory_bytes);
            status = fail_input(err, DPL_E_LIMIT, why);
        } else if (n == cap) {
            cap *= 2;
            bytes = text_need(realloc(bytes, cap));
        }
    }
    if (status == DPL_OK && ferror(stdin))
        status = fail_input(err, DPL_E_INPUT, "cannot be read");
    if (status == DPL_OK)
        status = dpl_photo_from_bytes(out, pipeline, scratch, INPUT_NAME, bytes, n, err);
    free(bytes);
    return status;
}

/* ------------------------------------------------------------------ models */

char *common_model_path(const command *self, const common *o, const char *given, const char *name,
                        const char *option)
{
    char *found, *path;
    dpl_error err;

    if (given)
        return text_format("%s", given);
    if (dpl_models_find(&found, name, &err) != DPL_OK) {
        common_refuse(self, o, DPL_E_MODEL, "%s; --%s FILE or $DOPPEL_MODELS says where it is",
                      err.message, option);
        return NULL;
    }
    path = text_format("%s", found);
    dpl_bytes_free(found);
    return path;
}

dpl_net_options common_model_limits(const common *o)
{
    dpl_net_options limits = DPL_NET_OPTIONS_INIT;

    limits.max_arena_bytes = o->model_memory_bytes;
    limits.max_operations = o->model_operations;
    limits.precision = (dpl_precision)o->precision;
    return limits;
}

/* The folder of libdoppel, in or below which a FAISS lies that came with it: it is loaded late.
 * Freed by free(); NULL: not known. */
static char *library_folder(void)
{
    char *file = NULL, *slash;
    Dl_info info;

    if (dladdr((void *)(uintptr_t)dpl_version, &info) && info.dli_fname)
        file = realpath(info.dli_fname, NULL);
    slash = file ? strrchr(file, '/') : NULL;
    if (slash)
        *slash = '\0';
    return file;
}

/* Certificates and the like, of which libpq reads so many. */
enum { N_CONNECTION_FILES = 8 };

/* The photos, the models with what lies beside them, the gallery, the page. */
void common_enter_sandbox_with(const common *o, dpl_gallery *gallery, const char *const *models,
                               size_t n_models)
{
    if (!o->inputs)
        return;
    const size_t n_named = o->n_inputs + 2 * n_models;
    const char **read = text_need(calloc(n_named + 3 + N_CONNECTION_FILES, sizeof *read));
    const char **write = text_need(calloc(o->n_writes + 2, sizeof *write));
    char **beside = text_need(calloc(n_models + 1, sizeof *beside));
    const char *html = o->html && !common_is_input(o->html) ? o->html : NULL;
    char *page = html ? realpath(html, NULL) : NULL, *slash;
    char *libraries = library_folder();

    if (o->n_writes)
        memcpy(write, o->writes, o->n_writes * sizeof *write);
    write[o->n_writes] = gallery ? dpl_gallery_folder(gallery) : NULL;
    read[n_named] = libraries;
    read[n_named + 1] = DPL_LATE_DIR;
    memcpy(read, o->inputs, o->n_inputs * sizeof *read);
    for (size_t i = 0; i < n_models; i++) {
        beside[i] = models[i] ? text_format("%s.json", models[i]) : NULL;
        read[o->n_inputs + 2 * i] = models[i];
        read[o->n_inputs + 2 * i + 1] = beside[i];
    }
    if (html) {
        /* A page is written aside and renamed. */
        page = page ? page : text_format("%s", html);
        slash = strrchr(page, '/');
        if (slash)
            slash[slash == page] = '\0';
        write[o->n_writes + 1] = slash ? page : ".";
    }
    if (gallery) {
        dpl_encryption is;

        /* It is looked at again when somebody has been forgotten meanwhile. */
        dpl_gallery_encryption(&is, gallery);
        read[n_named + 2] = is.key_file;
        for (size_t i = 0; i < N_CONNECTION_FILES && dpl_gallery_connection_file(gallery, i); i++)
            read[n_named + 3 + i] = dpl_gallery_connection_file(gallery, i);
    }
    sandbox_enter(&(sandbox_paths){
        .read = read,
        .n_read = n_named + 3 + N_CONNECTION_FILES,
        .write = write,
        .n_write = o->n_writes + 2,
        .tidies = o->tidies,
        .connects = gallery && o->stays && strstr(dpl_gallery_dir(gallery), "://"),
    });
    for (size_t i = 0; i < n_models; i++)
        free(beside[i]);
    free(beside);
    free(libraries);
    free(page);
    free(write);
    free(read);
}

void common_enter_sandbox(const common *o, dpl_gallery *gallery, const dpl_pipeline_options *models)
{
    const char *const paths[] = {models->encoder_path, models->detector_path, models->image_path,
                                 o->beside[0],         o->beside[1],          o->beside[2],
                                 o->beside[3]};

    common_enter_sandbox_with(o, gallery, paths, sizeof paths / sizeof *paths);
}

/* What the gallery remembers of how its vectors were made, each freed by free(), or NULL. */
typedef struct memory {
    char *detect, *model, *preset, *image_model, *image_preset;
} memory;

static dpl_status recall(char **value, dpl_gallery *gallery, const char *key, dpl_error *err)
{
    const char *text;
    const dpl_status status = dpl_gallery_setting(&text, gallery, key, err);

    *value = text && text[0] ? text_format("%s", text) : NULL;
    return status;
}

static dpl_status recall_all(memory *m, dpl_gallery *gallery, dpl_error *err)
{
    char *faces;
    dpl_status status = recall(&faces, gallery, "model.face.hash", err);
    /* A gallery of whole pictures alone was made by --model; one of faces, too, has theirs from it
       and the pictures' from --image-model. */
    const bool by_faces = faces != NULL;

    free(faces);
    if (status == DPL_OK)
        status = recall(&m->detect, gallery, "detect", err);
    if (status == DPL_OK)
        status = recall(&m->model, gallery, by_faces ? "model.face.path" : "model.image.path", err);
    if (status == DPL_OK)
        status =
            recall(&m->preset, gallery, by_faces ? "model.face.preset" : "model.image.preset", err);
    if (status == DPL_OK && by_faces)
        status = recall(&m->image_model, gallery, "model.image.path", err);
    if (status == DPL_OK && by_faces)
        status = recall(&m->image_preset, gallery, "model.image.preset", err);
    return status;
}

static void forget_memory(memory *m)
{
    free(m->detect);
    free(m->model);
    free(m->preset);
    free(m->image_model);
    free(m->image_preset);
}

/* A model's path, freed by free(): as given, else as the gallery remembers it, else (with a name)
 * the one of that name. NULL after a message. */
static char *find_model(const command *self, const common *o, const dpl_gallery *gallery,
                        const char *given, const char *remembered, const char *name,
                        const char *option)
{
    if (given || !remembered)
        return common_model_path(self, o, given, name, option);
    if (!strchr(remembered, '/'))
        return common_model_path(self, o, NULL, remembered, option);
    if (access(remembered, F_OK) == 0)
        return text_format("%s", remembered);
    common_refuse(self, o, DPL_E_MODEL,
                  "the model \"%.200s\" that made gallery \"%.100s\" is not there; --%s FILE says "
                  "where it is now, and \"doppel migrate --%s FILE\" goes over to another",
                  remembered, dpl_gallery_dir(gallery), option, option);
    return NULL;
}

int common_open_pipeline(dpl_pipeline **out, const command *self, const common *o,
                         dpl_gallery *gallery, double min_quality)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    char *encoder = NULL, *detector = NULL, *image = NULL, *calibration = NULL;
    memory m = {NULL};
    dpl_error err;
    int code = dpl_status_exit_code(DPL_E_MODEL);
    bool whole, wants_image;

    *out = NULL;
    if (gallery && (recall_all(&m, gallery, &err) != DPL_OK ||
                    dpl_gallery_calibration(&calibration, gallery, &err) != DPL_OK)) {
        code = common_fail(self, o, &err);
        goto done;
    }
    whole = o->detect >= 0 ? o->detect == 1 : m.detect && strcmp(m.detect, "none") == 0;
    wants_image =
        o->image_model ? strcmp(o->image_model, "none") != 0 : m.image_model && !o->faces_only;
    encoder = find_model(self, o, gallery, o->model, m.model, DPL_MODEL_ENCODER, "model");
    if (!encoder)
        goto done;
    if (wants_image) {
        image = find_model(self, o, gallery, o->image_model, m.image_model, NULL, "image-model");
        if (!image)
            goto done;
    } else if (o->adds_pictures && !o->image_model && !whole) {
        (void)dpl_models_find(&image, DPL_MODEL_IMAGE, NULL);
    }
    if (!whole) {
        detector = common_model_path(self, o, o->detector, DPL_MODEL_DETECTOR, "detector");
        if (!detector)
            goto done;
    }
    options.calibration_path = o->going_over ? NULL : calibration;
    options.encoder_path = encoder;
    options.detector_path = detector;
    options.preset = o->preset || (o->going_over && o->model) ? o->preset : m.preset;
    options.image_path = image;
    options.image_preset = o->image_preset || o->image_model ? o->image_preset : m.image_preset;
    options.decode.max_pixels = (uint64_t)o->max_pixels;
    options.decode.max_bytes = o->max_memory_bytes;
    options.detect.max_side_px = o->detect_side_px;
    options.detect.min_score = (float)o->min_score;
    options.min_quality = (float)min_quality;
    options.net = common_model_limits(o);
    common_enter_sandbox(o, gallery, &options);
    code = dpl_pipeline_open(out, &options, &err) == DPL_OK ? 0 : common_fail(self, o, &err);
done:
    forget_memory(&m);
    dpl_bytes_free(calibration);
    free(encoder);
    free(image);
    free(detector);
    return code;
}

int common_find_any_text_model(char **path, char **merges, const command *self, const common *o,
                               dpl_gallery *gallery)
{
    char *kept_path = NULL, *kept_merges = NULL;
    dpl_error err;

    *path = *merges = NULL;
    if (gallery && !o->text_model &&
        (recall(&kept_path, gallery, "model.text.path", &err) != DPL_OK ||
         recall(&kept_merges, gallery, "model.text.preset", &err) != DPL_OK)) {
        free(kept_path);
        return common_fail(self, o, &err);
    }
    if (o->text_model ? strcmp(o->text_model, "none") == 0 : !kept_path) {
        free(kept_path);
        free(kept_merges);
        return 0;
    }
    *path = find_model(self, o, gallery, o->text_model, kept_path, NULL, "text-model");
    *merges = o->merges ? text_format("%s", o->merges) : kept_merges;
    if (*merges != kept_merges)
        free(kept_merges);
    free(kept_path);
    return *path ? 0 : dpl_status_exit_code(DPL_E_MODEL);
}

int common_open_text(dpl_text_pipeline **out, const command *self, const common *o,
                     const char *path, const char *merges)
{
    dpl_text_pipeline_options options = DPL_TEXT_PIPELINE_OPTIONS_INIT;
    dpl_error err;

    options.encoder_path = path;
    options.merges_path = merges;
    options.second_path = o->second_text_model;
    options.net = common_model_limits(o);
    return dpl_text_pipeline_open(out, &options, &err) == DPL_OK ? 0 : common_fail(self, o, &err);
}

int common_find_text_model(char **path, char **merges, const command *self, const common *o,
                           dpl_gallery *gallery)
{
    const int code = common_find_any_text_model(path, merges, self, o, gallery);

    if (!code && !*path && gallery && !o->text_model)
        (void)dpl_models_find(path, DPL_MODEL_SENTENCE, NULL);
    if (!code && !*path)
        return common_refuse(self, o, DPL_E_MODEL,
                             gallery ? "the gallery has no model of sentences; --text-model FILE "
                                       "says one"
                                     : "which model of sentences? --text-model FILE says it");
    return code;
}

static int refuse_former(const command *self, const common *o, const char *given, const char *hash)
{
    return common_refuse(self, o, DPL_E_MISMATCH,
                         "--former-model \"%.200s\" did not make the gallery (%.12s)", given, hash);
}

int common_open_former(dpl_pipeline **out, const command *self, const common *o,
                       dpl_gallery *gallery, const char *given)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    char *path = NULL, *calibration = NULL, *hash = NULL, *found = NULL;
    memory m = {NULL};
    dpl_error err;
    int code = 0;

    *out = NULL;
    if (recall_all(&m, gallery, &err) != DPL_OK ||
        recall(&hash, gallery, "model.face.hash", &err) != DPL_OK ||
        dpl_gallery_calibration(&calibration, gallery, &err) != DPL_OK) {
        code = common_fail(self, o, &err);
        goto done;
    }
    if (!given && m.model && !strchr(m.model, '/') &&
        dpl_models_find(&found, m.model, NULL) == DPL_OK)
        path = text_format("%s", found);
    else if (given || m.model)
        path = text_format("%s", given ? given : m.model);
    if (!path || !hash)
        goto done;
    options.encoder_path = path;
    options.preset = m.preset;
    options.calibration_path = calibration;
    options.net = common_model_limits(o);
    /* What is there now may be the new model, which is not told of here. */
    if (dpl_pipeline_open(out, &options, &err) != DPL_OK) {
        code = given ? common_fail(self, o, &err) : 0;
    } else if (strcmp(dpl_encoder_hash(dpl_pipeline_encoder(*out)), hash) != 0) {
        dpl_pipeline_close(*out);
        *out = NULL;
        code = given ? refuse_former(self, o, given, hash) : 0;
    }
done:
    forget_memory(&m);
    dpl_bytes_free(calibration);
    dpl_bytes_free(found);
    free(hash);
    free(path);
    return code;
}

/* ------------------------------------------------------------------ signals */

static volatile int interrupted;

static void on_signal(int number)
{
    (void)number;
    dpl_cancel(&interrupted);
}

void common_stop(void)
{
    dpl_cancel(&interrupted);
}

const volatile int *common_watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}
