/*
 * cmd_train.c - `doppel train`: pictures, sentences, codes or vectors to an encoder.
 *
 * The options are the library's settings by name; what they mean together is checked there, so that
 * config.json is held to the same.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/answer_train.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/train_page.h"

typedef struct train_options {
    common common;
    dpl_train_options t;
    option_list freeze, layer, share, teacher, hold_group;
    const char *batch, *resume, *detector, *grades;
    size_t max_memory_bytes; /* 0: not given */
    bool align, batch_norm, plain, rotate_classes, case_matters;
} train_options;

#define AT(member)  offsetof(train_options, member)
#define SET(member) offsetof(train_options, t.member)

#define TEXT(name_, field, value_, help_)                                                          \
    {                                                                                              \
        .name = name_, .kind = OPTION_TEXT, .offset = SET(field), .value = value_, .help = help_   \
    }
#define FLAG(name_, field, help_)                                                                  \
    {                                                                                              \
        .name = name_, .kind = OPTION_FLAG, .offset = AT(field), .help = help_                     \
    }
#define LIST(name_, field, value_, help_)                                                          \
    {                                                                                              \
        .name = name_, .kind = OPTION_LIST, .offset = AT(field), .value = value_, .help = help_    \
    }
#define INT(name_, field, value_, low_, help_)                                                     \
    {                                                                                              \
        .name = name_, .kind = OPTION_INT, .offset = SET(field), .value = value_, .help = help_,   \
        .low = low_, .high = 1e9                                                                   \
    }
#define LIMIT(name_, field, value_, low_, help_)                                                   \
    {                                                                                              \
        .name = name_, .kind = OPTION_INT, .offset = SET(field), .value = value_, .help = help_,   \
        .low = low_, .high = 1e9, .group = OPTION_LIMITS                                           \
    }
#define REAL(name_, field, value_, high_, help_)                                                   \
    {                                                                                              \
        .name = name_, .kind = OPTION_REAL, .offset = SET(field), .value = value_, .help = help_,  \
        .low = 0, .high = high_                                                                    \
    }

static const option_spec own[] = {
    TEXT("run", run, "DIR", "the run's folder, which is made"),
    {.name = "resume",
     .kind = OPTION_TEXT,
     .offset = AT(resume),
     .value = "DIR",
     .once = true,
     .help = "go on with the run in this folder, from its last checkpoint"},
    TEXT("arch", arch, "NAME", "a network by name (default koch2015; see below)"),
    TEXT("second-arch", second_arch, "NAME",
         "of pairs of two kinds: the second side's network by name, beside --arch for the first"),
    {.name = "init",
     .kind = OPTION_TEXT,
     .offset = SET(init),
     .value = "MODEL",
     .is_model = true,
     .help = "go on from this model (ONNX) instead"},
    INT("channels", channels, "1|3", 1, "grey or colour input of a named network (default 1)"),
    INT("side", side, "PX", 8, "side of a named network's input (default 105)"),
    INT("dim", dim, "N", 1, "length of a named network's embedding (default its own)"),
    FLAG("batch-norm", batch_norm,
         "of koch2015: batch norm behind every layer in training, folded into the layers of the "
         "networks written"),
    TEXT("init-weights", init_weights, "koch|koch-wide|he|glorot",
         "first weights of a named network (default koch for koch2015, glorot for sentences and "
         "vectors, else he)"),
    TEXT("tokens", tokens, "KIND",
         "of sentences: characters, words, or a file of byte-pair merges (default words)"),
    FLAG("case-matters", case_matters, "sentences are not lower-cased"),
    INT("max-words", max_words, "N", 3,
        "rows of the table of words at most: the most frequent ones of DATA, then those that only "
        "--vectors has (default 30000)"),
    INT("length", length, "N", 1, "tokens of a sentence at most (default 128)"),
    TEXT(
        "vectors", vectors, "FILE",
        "vectors of words in word2vec's text form: where the table of words begins (--freeze words "
        "keeps it so)"),
    LIST("share", share, "PATTERN",
         "layers that the networks of both sides have in common (default the named network's own); "
         "may be repeated"),
    LIST("freeze", freeze, "PATTERN",
         "layers that stay as they are, as \"conv*\"; may be repeated"),
    LIST("layer", layer, "PATTERN:rate=F,l2=P",
         "for these layers, a factor on the rate and their own penalty; may be repeated, the first "
         "that fits counts"),
    {.name = "align",
     .kind = OPTION_FLAG,
     .offset = AT(align),
     .help = "the face in each picture is found and laid on the network's template, as enroll does "
             "(else pictures are taken whole)"},
    {.name = "detector",
     .kind = OPTION_TEXT,
     .offset = AT(detector),
     .value = "FILE",
     .once = true,
     .group = OPTION_MODELS,
     .help = "of --align: the face detector (ONNX; default " DPL_MODEL_DETECTOR ")"},
    TEXT("second-tower", second_data, "DATA",
         "pictures of another kind with the same class names: two networks with weights of their "
         "own, pairs are one picture of each"),
    FLAG("plain", plain,
         "DATA has no classes: for --loss distil, or to learn without labels that distortions of a "
         "picture are the same and pictures differ"),
    INT("min-items", min_items, "N", 1, "leave out classes with fewer pictures (default 2)"),
    TEXT("validate", validate, "DATA", "validate on these pictures"),
    INT("hold-groups", hold_groups, "N", 0,
        "hold so many groups (folders of classes, as alphabets) out of training, chosen by the "
        "seed, and validate on them"),
    LIST("hold-group", hold_group, "NAME", "hold out this group; may be repeated"),
    INT("hold-classes", hold_classes, "N", 0,
        "hold out so many classes (default a tenth, at most 200, unless something else is)"),
    TEXT("kinds", kinds, "KIND[,KIND]",
         "what DATA's items are, or either side of its pairs: pictures, sentences, vectors, codes "
         "(default as the list says; vectors for a network of vectors)"),
    TEXT("classes", classes, "FILE",
         "of vectors in an .npy or a table without a column of classes: theirs, a line each or an "
         ".npy of whole numbers"),
    TEXT("split", split, "NAME", "of a list: train on its rows of this split only"),
    TEXT("validate-split", validate_split, "NAME",
         "validate on the rows of this split, of the list or of --validate"),
    INT("hold-pairs", hold_pairs, "N", 0,
        "of pairs that DATA gives: hold out so many, drawn by the seed (default a tenth, at most "
        "1000, unless --validate is given)"),
    {.name = "grades",
     .kind = OPTION_TEXT,
     .offset = AT(grades),
     .value = "LOW..HIGH",
     .help = "pairs have grades on this scale, as 1..5, not labels 0 and 1"},
    INT("hold-items", hold_items, "N", 0, "hold out the last pictures of every class (as drawers)"),
    INT("validate-trials", validate_trials, "N", 1,
        "one-shot trials of a validation (default 400)"),
    INT("validate-ways", validate_ways, "N", 2, "candidates of a trial (default 20)"),
    INT("validate-steps", validate_steps, "N", 1, "steps between validations (default an epoch)"),
    TEXT(
        "best", best, "FIGURE",
        "the figure that decides which weights are best: oneshot, auc, accuracy, eer, tar; of "
        "pairs that DATA gives also correct, pearson, spearman; of pictures with sentences r1, r5, "
        "r10, rank (default oneshot; of given pairs accuracy, of grades pearson; of pictures with "
        "sentences r10)"),
    INT("patience", patience, "N", 0,
        "stop after so many validations without a better figure (default 0: never)"),
    TEXT("loss", loss, "NAME",
         "contrastive, l1-sigmoid, l1-similarity, distance-sigmoid, manhattan-ce, manhattan-se, "
         "cosine, cosine-se, triplet, arc, distil; for pictures with sentences info-nce, ranking "
         "(default the named network's own, else contrastive)"),
    REAL("margin", margin, "M", 1e6, "of contrastive (default 1), cosine, triplet, arc, ranking"),
    REAL("scale", scale, "S", 1e6, "of arc"),
    REAL("temperature", temperature, "T", 10, "of info-nce (default learnt, from 0.07 on)"),
    {.name = "teacher",
     .kind = OPTION_LIST,
     .offset = AT(teacher),
     .value = "MODEL",
     .is_model = true,
     .help =
         "an encoder to learn from, for distil, where it may be repeated; for info-nce and ranking "
         "the encoder of the pictures, at whose vectors sentences come to lie"},
    {.name = "batch",
     .kind = OPTION_TEXT,
     .offset = AT(batch),
     .value = "CLASSESxITEMS",
     .help = "pictures of a step, all of whose pairs are used (default 16x4)"},
    INT("batch-pairs", batch_pairs, "N", 2,
        "independent random pairs a step instead, half of them same, as Koch 2015; or so many of "
        "those that DATA gives (default 64, of pictures with a sentence each 128)"),
    REAL("within-group", within_group, "SHARE", 1,
         "share of the batches whose classes are all of one group: harder pairs (default 0)"),
    FLAG("rotate-classes", rotate_classes,
         "each class also turned by 90, 180 and 270 degrees, as classes of their own"),
    TEXT("augment", augment, "NAME",
         "distortions: none, koch, drawing, face, photo (default koch for a named network of one "
         "channel, else face)"),
    TEXT("optimizer", optimizer, "NAME", "sgd, adam, nadam, adamw (default adam)"),
    REAL("rate", rate, "RATE", 1e3, "learning rate (default the optimizer's usual)"),
    TEXT("schedule", schedule, "NAME", "of the rate: constant, decay, cosine (default constant)"),
    REAL("decay", decay, "FACTOR", 1, "of schedule decay, an epoch (default 0.99)"),
    REAL("floor", floor, "SHARE", 1, "of schedule cosine, where it ends (default 0.01)"),
    INT("warmup-steps", warmup_steps, "N", 0, "the rate rises from 0 at first (default 0)"),
    REAL("momentum", momentum, "M", 1, "of sgd, at the start"),
    REAL("momentum-end", momentum_end, "M", 1, "of sgd, at the end, reached linearly"),
    REAL("l2", l2, "P", 1e3, "penalty on weights"),
    REAL("clip", clip, "LENGTH", 1e9, "of the gradient, at most (default 0: any)"),
    REAL("ema", ema, "DECAY", 1,
         "average the weights with this decay a step, validate and write the average (default 0: "
         "none)"),
    {.name = "precision",
     .kind = OPTION_TEXT,
     .offset = SET(precision),
     .value = "f32|bf16",
     .once = true, /* of a run, not of the other commands' networks */
     .help = "what products round their factors to: nothing, or bfloat16 where the processor "
             "multiplies it; sums and weights stay float32 (default f32)"},
    INT("epochs", epochs, "N", 1, "times through the pictures (default 50)"),
    INT("steps", steps, "N", 1, "how many steps, instead of epochs"),
    INT("epoch-steps", epoch_steps, "N", 1,
        "steps that count as an epoch (default as many as the pictures fill)"),
    INT("seed", seed, "N", 0, "of everything random (default 1)"),
    LIMIT("threads", threads, "N", 0, "default 0: one a core"),
    INT("log-steps", log_steps, "N", 1, "steps between lines of the log (default 20)"),
    REAL("checkpoint-minutes", checkpoint_minutes, "MINUTES", 1e5,
         "a checkpoint at least so often (default 5), and at every validation"),
    {.name = "max-memory-gib",
     .kind = OPTION_REAL,
     .offset = SET(max_memory_gib),
     .value = "GIB",
     .group = OPTION_LIMITS,
     .help = "refuse a network and batch that need more (default 16)",
     .low = 0,
     .high = 1e5},
    LIMIT("max-pixels", max_pixels, "N", 1,
          "leave out pictures of more pixels than this (default 256000000)"),
    {.name = "max-memory",
     .kind = OPTION_BYTES,
     .offset = AT(max_memory_bytes),
     .value = "BYTES",
     .group = OPTION_LIMITS,
     .help = "memory to read and decode pictures in, of all threads together; one that needs more "
             "is left out (256M, 1G; default 768M)"},
    {0}};

const option_spec *const options_of_train[] = {own, options_output, NULL};

/* What the events are told through. */
typedef struct train {
    const command *self;
    const train_options *o;
    bool drawn;      /* a line of progress stands on the terminal */
    int64_t n_steps; /* of the whole run; 0 before it is planned */
    int page_code;   /* of the last page of curves */
} train;

/* ------------------------------------------------------------------ telling */

static void wipe(train *t)
{
    if (t->drawn)
        fputs("\r\033[K", stderr);
    t->drawn = false;
}

static void draw_progress(train *t, const dpl_train_event *e)
{
    const long long left = (long long)(e->eta_s + 0.5);

    if (t->o->common.quiet || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[Kstep %lld of %lld, loss %.4f, %.1f images/s, %lld:%02lld:%02lld left",
            (long long)e->step, (long long)e->plan->n_steps, e->loss, e->images_per_s, left / 3600,
            left / 60 % 60, left % 60);
    fflush(stderr);
    t->drawn = true;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 0x1p20;
}

static void tell_classes(const dpl_train_plan *p, const char *item)
{
    char items[64], held[64], classes[32], held_classes[32];

    printf("trained on %s", text_counted(items, p->n_items, item));
    if (p->n_classes)
        printf(" of %s classes", text_count(classes, p->n_classes));
    if (p->n_held_classes)
        printf("; validated on %s of %s classes, not trained on, by %s\n",
               text_counted(held, p->n_held_items, item),
               text_count(held_classes, p->n_held_classes), p->best);
    else
        printf("; nothing to validate on\n");
}

static void tell_captions(const dpl_train_plan *p)
{
    char sentences[64], held[64], pictures[64], held_pictures[64];

    printf("trained on %s of %s", text_counted(sentences, p->n_items, "sentence"),
           text_counted(pictures, p->n_classes, "picture"));
    if (p->n_held_classes)
        printf("; validated on %s of %s, not trained on, by %s\n",
               text_counted(held, p->n_held_items, "sentence"),
               text_counted(held_pictures, p->n_held_classes, "picture"), p->best);
    else
        printf("; nothing to validate on\n");
}

static void tell_plan(const dpl_train_plan *p)
{
    const char *item = p->captions ? "sentence" : p->steps ? "item" : "picture";
    const char *towers = p->n_towers > 1 ? " in two towers" : "";
    char count[32], items[64], held[64], classes[64];

    printf("network    ");
    text_put(stdout, p->arch);
    if (p->steps)
        printf(", rows of up to %d numbers to %d, %s parameters%s\n", (int)p->steps, (int)p->dim,
               text_count(count, (int64_t)p->n_parameters), towers);
    else
        printf(", %dx%dx%d pixels to %d numbers, %s parameters%s\n", (int)p->width_px,
               (int)p->height_px, (int)p->channels, (int)p->dim,
               text_count(count, (int64_t)p->n_parameters), towers);
    if (p->n_words && p->n_missing)
        printf("words      %s, %s of them without a vector\n", text_count(count, p->n_words),
               text_count(held, p->n_missing));
    else if (p->n_words)
        printf("words      %s\n", text_count(count, p->n_words));
    printf("loss       %s; compared by %s\n", p->loss, p->head);
    if (p->n_pairs) {
        printf("trained on %s of %s", text_counted(items, p->n_pairs, "pair"),
               text_counted(classes, p->n_items, item));
        if (p->n_held_pairs)
            printf("; validated on %s by %s\n", text_counted(held, p->n_held_pairs, "pair"),
                   p->best);
        else
            printf("; nothing to validate on\n");
    } else if (p->captions) {
        tell_captions(p);
    } else {
        tell_classes(p, item);
    }
    printf("memory     %.0f MiB: activations and gradients %.0f, optimizer %.0f, %ss %.0f, "
           "batches ahead %.0f, weights and their gradients %.0f\n",
           mib(p->tape_bytes + p->optimizer_bytes + p->pixel_bytes + p->loader_bytes +
               8 * p->n_parameters),
           mib(p->tape_bytes), mib(p->optimizer_bytes), item, mib(p->pixel_bytes),
           mib(p->loader_bytes), mib(8 * p->n_parameters));
    printf("steps      %s of %d %ss, %lld an epoch, on %d threads", text_count(count, p->n_steps),
           (int)p->rows, item, (long long)p->epoch_steps, (int)p->n_threads);
    if (p->start_step)
        printf("; %lld done", (long long)p->start_step);
    putchar('\n');
    fflush(stdout);
}

static void tell_figures(const dpl_train_event *e)
{
    const dpl_train_figures *f = &e->figures;

    if (f->n_sentences) {
        printf("step %lld, epoch %.2f: among %lld pictures R@1 %.4f, R@5 %.4f, R@10 %.4f, median "
               "rank %g%s\n",
               (long long)e->step, e->epoch, (long long)f->n_pictures, f->recall_1, f->recall_5,
               f->recall_10, f->median_rank, e->is_best ? " (best)" : "");
        fflush(stdout);
        return;
    }
    if (f->n_pairs) {
        printf("step %lld, epoch %.2f: loss %.4f, correct %.4f, accuracy %.4f, AUC %.4f, EER %.4f, "
               "Pearson %.4f, Spearman %.4f%s\n",
               (long long)e->step, e->epoch, f->loss, f->correct, f->accuracy, f->auc, f->eer,
               f->pearson, f->spearman, e->is_best ? " (best)" : "");
        fflush(stdout);
        return;
    }
    printf("step %lld, epoch %.2f: %d-way one-shot %.4f, AUC %.4f, accuracy %.4f, EER %.4f, TAR at "
           "FAR 0.01 %.4f%s\n",
           (long long)e->step, e->epoch, (int)f->n_ways, f->oneshot, f->auc, f->accuracy, f->eer,
           f->tar, e->is_best ? " (best)" : "");
    fflush(stdout);
}

static void on_event(void *ctx, const dpl_train_event *e)
{
    train *t = ctx;

    if (e->kind == DPL_TRAIN_STEPPED) {
        draw_progress(t, e);
        return;
    }
    wipe(t);
    if (e->kind == DPL_TRAIN_WARNED) {
        fprintf(stderr, "doppel %s: ", t->self->name);
        text_put(stderr, e->text);
        fputc('\n', stderr);
    }
    if (e->kind == DPL_TRAIN_PLANNED)
        t->n_steps = e->plan->n_steps;
    if (e->kind == DPL_TRAIN_VALIDATED)
        t->page_code = train_page_write(t->self, &t->o->common, t->o->t.run, e->step, t->n_steps);
    if (t->o->common.json)
        json_print(train_event_json(e));
    else if (e->kind == DPL_TRAIN_PLANNED && !t->o->common.quiet)
        tell_plan(e->plan);
    else if (e->kind == DPL_TRAIN_VALIDATED)
        tell_figures(e);
}

static void tell_end(const train *t, const dpl_train_report *r)
{
    if (t->o->common.json) {
        json_print(train_report_json(r, t->o->t.run));
        return;
    }
    printf("%s after step %lld; ", r->stopped_early ? "no longer better, stopped" : "done",
           (long long)r->n_steps);
    if (isfinite(r->best))
        printf("best %.4f at step %lld; ", r->best, (long long)r->best_step);
    fputs("models and curves are in ", stdout);
    text_put(stdout, t->o->t.run);
    putchar('\n');
}

/* ------------------------------------------------------------------ the command */

/* "16x4" into classes and items. */
static int read_batch(const command *self, train_options *o)
{
    char rest;

    if (!o->batch)
        return 0;
    if (strspn(o->batch, "0123456789x") != strlen(o->batch) || strlen(o->batch) > 9 ||
        sscanf(o->batch, "%4dx%4d%c", &o->t.batch_classes, &o->t.batch_items, &rest) != 2)
        return options_usage(self, "--batch takes CLASSESxITEMS as 16x4, not \"%s\"", o->batch);
    return 0;
}

/* "1..5" into a scale. */
static int read_grades(const command *self, train_options *o)
{
    if (!o->grades || options_range(&o->t.scale_low, &o->t.scale_high, o->grades))
        return 0;
    return options_usage(self, "--grades takes LOW..HIGH as 1..5, not \"%s\"", o->grades);
}

static const char *const *given(const option_list *list)
{
    return list->n ? list->items : NULL;
}

static int train_as_told(const command *self, int argc, char **argv, char *typed)
{
    train_options o = {.common = COMMON_INIT, .t = DPL_TRAIN_OPTIONS_INIT};
    train t = {.self = self, .o = &o};
    dpl_train_report report;
    dpl_error err;
    char *detector = NULL;
    options_given given_ones;
    int n, code = options_parse(self, &o, argc, argv, &n, &given_ones);

    /* A run that is resumed knows how it is made. */
    if (!code)
        options_settle(self, &o, &given_ones, o.resume ? 1 : 0);
    o.common.typed = typed;
    if (!code)
        code = read_batch(self, &o);
    if (!code)
        code = read_grades(self, &o);
    if (code)
        return code;
    if (o.detector && !o.align)
        return options_usage(self, "--detector is for --align");
    if (n > 1 || (n == 0 && !o.resume))
        return options_usage(self, "it takes one folder, list or zip of what to train on");
    if (o.resume && (o.t.run || n > 0))
        return options_usage(self, "--resume DIR names the run, which knows its data");
    if (!o.resume && !o.t.run)
        return options_usage(self, "--run DIR is needed: where the models and curves go");
    if (n > 0)
        o.t.data = argv[1];
    if (o.resume) {
        o.t.run = o.resume;
        o.t.resume = true;
    }
    /* Unset ones stay unset: they are the run's own when it is resumed. */
    if (o.batch_norm)
        o.t.batch_norm = 1;
    if (o.max_memory_bytes > 0)
        o.t.max_picture_bytes = fmin((double)o.max_memory_bytes, 0x1p53);
    if (o.plain)
        o.t.plain = 1;
    if (o.rotate_classes)
        o.t.rotate_classes = 1;
    o.t.freeze = given(&o.freeze);
    o.t.layer = given(&o.layer);
    o.t.share = given(&o.share);
    if (o.case_matters)
        o.t.lower = 0;
    o.t.teacher = given(&o.teacher);
    o.t.hold_group = given(&o.hold_group);
    if (o.align) {
        detector = common_model_path(self, &o.common, o.detector, DPL_MODEL_DETECTOR, "detector");
        if (!detector)
            return dpl_status_exit_code(DPL_E_MODEL);
    }
    o.t.detector = detector;
    o.t.cancel = common_watch_signals();
    o.t.on_event = on_event;
    o.t.ctx = &t;
    const dpl_status status = dpl_train(&report, &o.t, &err);
    wipe(&t);
    free(detector);
    if (t.n_steps > 0)
        t.page_code = train_page_write(self, &o.common, o.t.run, report.n_steps, t.n_steps);
    if (status != DPL_OK)
        return common_fail(self, &o.common, &err);
    tell_end(&t, &report);
    return t.page_code;
}

int cmd_train(const command *self, int argc, char **argv)
{
    char *typed = common_typed(argc, argv);
    const int code = train_as_told(self, argc, argv, typed);

    free(typed);
    return code;
}
