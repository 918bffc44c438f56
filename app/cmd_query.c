/*
 * cmd_query.c - `doppel query`: who is in the photos, and what looks like them.
 *
 * Photos are opened several at a time, answered one by one and told as they come, so that no number
 * of them needs more memory than a few. A photo that cannot be answered has its own status and
 * reason, and the worst exit code of all wins.
 */
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/answer_query.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/doubt.h"
#include "app/html.h"
#include "app/json_print.h"
#include "app/progress.h"
#include "app/query_lines.h"
#include "app/query_page.h"
#include "app/query_person.h"
#include "app/query_table.h"
#include "app/query_text.h"
#include "app/query_words.h"

#define DEFAULT_K     5
#define PREVIEW_PX    2048 /* of a photo for the page: enough for the faces of a group */
#define SKETCH_PX     512  /* of one that may be laid over whole pictures */
#define PAGE_PHOTOS   100  /* photos that the page shows */
#define PAGE_FAILURES 100  /* photos without an answer that it names */

/* Behind those of dpl_query_by. */
enum { BY_CAPTION = DPL_QUERY_IMAGE + 1 };

typedef struct query_options {
    common common;
    double fmr, fpir, threshold, min_fmr;
    const char *person;
    int k; /* 0: not given */
    int by;
    bool lines, nul, tables, text;
} query_options;

#define AT(member) offsetof(query_options, member)

static const char *const by_choices[] = {"auto", "face", "image", "caption", NULL};

static const option_spec own[] = {
    {.name = "k",
     .letter = 'k',
     .kind = OPTION_INT,
     .offset = AT(k),
     .value = "N",
     .instead = "lines null",
     .help = "tell the N most alike of each face (default 5; of unknowns in a group, 1)",
     .low = 1,
     .high = 10000},
    {.name = "by",
     .kind = OPTION_CHOICE,
     .offset = AT(by),
     .value = "auto|face|image|caption",
     .once = true,
     .help = "search by faces, by the whole picture, with --text by captions, or by what there is "
             "(default auto)",
     .choices = by_choices},
    {.name = "fpir",
     .kind = OPTION_REAL,
     .offset = AT(fpir),
     .value = "RATE",
     .instead = "fmr threshold",
     .help = "name a stranger in at most this share of searches (default 1e-2)",
     .low = 0,
     .high = 1},
    {.name = "fmr",
     .kind = OPTION_REAL,
     .offset = AT(fmr),
     .value = "RATE",
     .instead = "fpir threshold",
     .help = "decide by how often two strangers score this high, instead",
     .low = 0,
     .high = 1},
    {.name = "threshold",
     .kind = OPTION_REAL,
     .offset = AT(threshold),
     .value = "SCORE",
     .instead = "fmr fpir",
     .help = "decide by this score, instead",
     .low = -1e6,
     .high = 1e6},
    {.name = "min-fmr",
     .kind = OPTION_REAL,
     .offset = AT(min_fmr),
     .value = "RATE",
     .help =
         "leave out what strangers reach more often than this (default what half of them reach; 1: "
         "nothing)",
     .low = 0,
     .high = 1},
    {.name = "person",
     .kind = OPTION_TEXT,
     .offset = AT(person),
     .value = "NAME",
     .once = true,
     .help = "list the photos of the gallery in which this person is, instead"},
    {.name = "text",
     .kind = OPTION_FLAG,
     .offset = AT(text),
     .once = true,
     .help = "what is asked for are sentences: which photos show it, by their captions and by the "
             "pictures?"},
    {.name = "lines",
     .kind = OPTION_FLAG,
     .offset = AT(lines),
     .instead = "null table json k",
     .help = "print a line a face for programs (default where the output is no terminal)"},
    {.name = "null",
     .letter = '0',
     .kind = OPTION_FLAG,
     .offset = AT(nul),
     .once = true,
     .help = "--lines that end with NUL, with paths as they are"},
    {.name = "table",
     .kind = OPTION_FLAG,
     .offset = AT(tables),
     .instead = "lines null json",
     .help = "print tables for people (default on a terminal, and with -k)"},
    {0}};

const option_spec *const options_of_query[] = {
    own,           options_walk,    options_threads, options_text,   options_html,
    options_audit, options_gallery, options_models,  options_output, NULL};

typedef struct query {
    const command *self;
    const query_options *o;
    query_form form;
    dpl_gallery *gallery;
    dpl_pipeline *pipeline;
    dpl_policy policy;
    progress progress;
    int64_t n_persons;
    int64_t n_photos;            /* files; 0: not known yet */
    int64_t n_known, n_no_face;  /* photos in which somebody was found; without a face */
    int64_t n_asked, n_searched; /* faces; of them, those that were compared with somebody */
    int worst;                   /* exit code */
    void *doubted;               /* tree of those whose references have been looked at */
    html page;
    int64_t n_page_failures;
} query;

/* A person, with the doubts of their references. */
typedef struct doubted {
    int64_t person_id;
    doubt_list doubts;
} doubted;

/* A photo and its answers. */
typedef struct answered {
    const char *name;
    const dpl_photo *photo;
    dpl_answer *answers;
    size_t n;
    doubt_list doubts; /* of the references of who was named */
    doubt_list news;   /* of these, those that no photo before had */
} answered;

/* ------------------------------------------------------------------ answering */

static int make_policy(query *q)
{
    const query_options *o = q->o;
    dpl_error err;
    const dpl_status status = query_policy(&q->policy, &q->n_persons, q->gallery, q->pipeline,
                                           o->fmr, o->fpir, o->threshold, o->min_fmr, &err);

    return status == DPL_OK ? 0 : common_fail(q->self, &o->common, &err);
}

static int by_person_id(const void *a, const void *b)
{
    const doubted *x = a, *y = b;

    return (x->person_id > y->person_id) - (x->person_id < y->person_id);
}

static void free_doubted(void *p)
{
    doubt_list_clear(&((doubted *)p)->doubts);
    free(p);
}

/* Of a person's references. Looked for once, however many photos they are in: all their rows are
 * read for it. */
static dpl_status add_doubts(answered *a, query *q, const dpl_candidate *c, dpl_error *err)
{
    doubted *d = text_need(calloc(1, sizeof *d)), **slot;
    dpl_status status = DPL_OK;

    d->person_id = c->person_id;
    slot = text_need(tsearch(d, &q->doubted, by_person_id));
    if (*slot == d) {
        status =
            dpl_gallery_doubts(q->gallery, q->pipeline, c->person, doubt_gather, &d->doubts, err);
        doubt_add_all(&a->news, &d->doubts);
    } else {
        free(d);
    }
    doubt_add_all(&a->doubts, &(*slot)->doubts);
    return status;
}

/* Of the people whom the i-th face was named as, each once a photo. */
static dpl_status doubt_references(answered *a, query *q, size_t i, dpl_error *err)
{
    const dpl_answer *answer = &a->answers[i];
    dpl_status status = DPL_OK;

    for (size_t j = 0; j < query_n_matches(answer) && status == DPL_OK; j++) {
        const int64_t id = answer->candidates[j].person_id;
        bool seen = false;

        for (size_t k = 0; k < i && !seen; k++)
            for (size_t m = 0; m < query_n_matches(&a->answers[k]) && !seen; m++)
                seen = a->answers[k].candidates[m].person_id == id;
        if (!seen)
            status = add_doubts(a, q, &answer->candidates[j], err);
    }
    return status;
}

static dpl_status answer(answered *a, query *q, dpl_error *err)
{
    dpl_search_options search = DPL_SEARCH_OPTIONS_INIT;
    dpl_status status;

    search.k = q->o->k > 0 ? q->o->k : DEFAULT_K;
    status = dpl_query(&a->answers, &a->n, q->gallery, q->pipeline, &q->policy, a->photo,
                       (dpl_query_by)q->o->by, &search, err);
    if (status != DPL_OK && err->status == status && !strstr(err->message, a->name)) {
        dpl_error named = *err;
        snprintf(err->message, sizeof err->message, "\"%.200s\": %.300s", a->name, named.message);
    }
    for (size_t i = 0; i < a->n && status == DPL_OK; i++)
        status = doubt_references(a, q, i, err);
    return status;
}

/* ------------------------------------------------------------------ for programs */

static query_facts facts_of(const query *q, const answered *a)
{
    return (query_facts){
        .pipeline = q->pipeline,
        .policy = &q->policy,
        .judges_pictures = !isnan(q->o->threshold),
        .min_fmr = q->o->min_fmr,
        .name = a->name,
        .photo = a->photo,
        .answers = a->answers,
        .n = a->n,
        .doubts = a->doubts.json,
    };
}

/* ------------------------------------------------------------------ for people */

/* What decides, in words. Freed by free(). */
static char *explain_policy(const query *q)
{
    const dpl_policy *p = &q->policy;
    char pairs[64], people[64];
    double fpir;

    if (!p->decides)
        return text_format("%s", "The model has no calibration: nobody is named without "
                                 "--threshold");
    const bool by_evidence = p->calibration && dpl_calibration_has_cohort(p->calibration);
    const bool by_mean = dpl_head_get_kind(dpl_pipeline_head(q->pipeline)) == DPL_HEAD_COSINE;
    if (isnan(p->fmr))
        return text_format("A face is named from score %.3f on, the threshold given",
                           (double)p->threshold);
    fpir = -expm1((double)q->n_persons * log1p(-p->fmr));
    return text_format(
        "A face is named from %s %.3f on, which two strangers reach at most %s; against "
        "%s, each by %s photos, a stranger is named in up to %.2g %% of searches%s",
        by_evidence ? "evidence" : "score", (double)p->threshold, text_fmr(pairs, p->fmr),
        text_counted(people, q->n_persons, "person"),
        by_mean ? "the mean of their" : "the best of their", 100 * fpir,
        isnan(q->o->fmr) && fpir > (isnan(q->o->fpir) ? DPL_DEFAULT_FPIR : q->o->fpir)
            ? ", more than asked for: the model's calibration supports no lower rate"
            : "");
}

static void page_how(const query *q, const char *explained)
{
    html_made(&q->page, &q->o->common, q->pipeline);
    if (explained)
        html_row(&q->page, "names", "%s", explained);
    html_made_end(&q->page);
}

/* ------------------------------------------------------------------ the command */

/* Of a photo that was answered: 0 when somebody was found; else what there is for want of them. */
static int code_of(const answered *a)
{
    size_t n_unsure = 0, n_too_poor = 0;

    for (size_t i = 0; i < a->n; i++) {
        if (query_is_found(&a->answers[i]))
            return 0;
        n_unsure += a->answers[i].decision == DPL_DECISION_INCONCLUSIVE;
        n_too_poor += a->answers[i].decision == DPL_DECISION_TOO_POOR;
    }
    if (n_unsure > 0)
        return INCONCLUSIVE_EXIT;
    return n_too_poor > 0 && n_too_poor == a->n ? dpl_status_exit_code(DPL_E_QUALITY) : 1;
}

/* A photo that could not be answered is worse than one whose answer is open, and that than a no. */
static int worse(int a, int b)
{
    const int x = a == INCONCLUSIVE_EXIT ? 3 : 2 * a, y = b == INCONCLUSIVE_EXIT ? 3 : 2 * b;

    return x > y ? a : b;
}

/* Tell of a photo that there is no answer for; returns its exit code. */
static int tell_failure(query *q, const char *name, const dpl_error *err)
{
    const bool is_line = q->form == QUERY_LINES || q->form == QUERY_NUL;

    if (is_line && err->status == DPL_E_NO_FACE)
        query_line_of_none(name, q->form == QUERY_NUL);
    else
        common_say(q->self, err);
    if (q->form == QUERY_JSON)
        json_print(query_failure_json(name, err));
    if (q->page.f && q->n_page_failures++ < PAGE_FAILURES)
        query_page_failure(&q->page, name, err);
    return dpl_status_exit_code(err->status);
}

static void tell_answers(query *q, const answered *a)
{
    const color_when color = (color_when)q->o->common.color;
    const query_facts facts = facts_of(q, a);

    for (size_t i = 0; i < a->n; i++) {
        q->n_asked += a->answers[i].face >= 0;
        q->n_searched += a->answers[i].face >= 0 && a->answers[i].search.n_templates > 0;
    }
    switch (q->form) {
    case QUERY_TEXT: query_table(&facts, &a->news, q->o->k > 0, color); break;
    case QUERY_LINES:
    case QUERY_NUL:
        query_lines(&facts, q->form == QUERY_NUL);
        if (!q->o->common.quiet) {
            char *where = text_format("%s, ", a->name);
            query_notes(&facts, &a->news, color, stderr, "", where);
            free(where);
        }
        break;
    case QUERY_JSON: json_print(query_json(&facts)); break;
    }
    q->page.n_photos++;
    if (q->page.f && q->page.n_photos <= PAGE_PHOTOS)
        query_page(&q->page, &facts, &a->doubts, q->n_photos == 1);
}

static void on_photo(void *ctx, const dpl_photos_event *event)
{
    query *q = ctx;
    answered a = {.name = event->path, .photo = event->photo};
    dpl_error err = {event->status, ""};
    dpl_status status;
    int code = 1;

    if (q->n_photos == 0) {
        q->n_photos = event->n_total;
        if (q->n_photos > 1)
            html_heading(&q->page, "Who is in the photos?");
    }
    snprintf(err.message, sizeof err.message, "%s", event->message);
    status = event->photo ? answer(&a, q, &err) : event->status;
    if (!event->passed_over) {
        progress_wipe(&q->progress);
        if (status != DPL_OK) {
            code = tell_failure(q, event->path, &err);
        } else {
            code = code_of(&a);
            tell_answers(q, &a);
        }
        q->n_known += code == 0;
        q->n_no_face +=
            status == DPL_E_NO_FACE ||
            (status == DPL_OK && event->photo->n_faces == 0); /* answered as a picture */
        q->worst = worse(code, q->worst);
    }
    if (ferror(stdout)) /* nobody reads on, or there is no room: main.c says so */
        common_stop();
    if (q->n_photos > 1)
        progress_step(&q->progress, event->n_done, event->n_total);
    doubt_list_clear(&a.doubts);
    doubt_list_clear(&a.news);
    dpl_answers_free(a.answers, a.n);
}

/* The one photo on standard input, told as one of many is. */
static dpl_status ask_input(dpl_photos_report *report, query *q, dpl_error *err)
{
    const bool for_people = q->form == QUERY_TEXT;
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_scratch *scratch = NULL;
    dpl_photos_event event = {.path = for_people ? INPUT_NAME : "-", .n_done = 1, .n_total = 1};
    dpl_status status = dpl_scratch_new(&scratch, 0, err);

    *report = (dpl_photos_report){.n_files = 1};
    if (status == DPL_OK)
        status = dpl_scratch_set_threads(scratch, q->o->common.n_threads, err);
    if (status == DPL_OK) {
        event.status = common_open_input(&photo, &q->o->common, q->pipeline, scratch, err);
        event.photo = event.status == DPL_OK ? &photo : NULL;
        event.message = event.status == DPL_OK ? photo.image.warning : err->message;
        on_photo(q, &event);
    }
    dpl_photo_clear(&photo);
    dpl_scratch_free(scratch);
    return status;
}

/* How it went with the files of folders: what a list of answers does not say. */
static void sum_up(const query *q, const dpl_photos_report *r, const char *explained)
{
    char a[64], b[64];

    fprintf(stderr, "%s: ", text_counted(a, r->n_files, "photo"));
    fprintf(stderr, "%s with somebody known", text_count(a, q->n_known));
    if (q->n_no_face)
        fprintf(stderr, ", %s without a face", text_count(b, q->n_no_face));
    if (r->n_failed)
        fprintf(stderr, ", %s refused", text_count(b, r->n_failed));
    fprintf(stderr, "; %.1f s", r->seconds);
    if (r->n_files > 1 && r->seconds > 0)
        fprintf(stderr, ", %.1f a second", (double)r->n_files / r->seconds);
    fputc('\n', stderr);
    if (r->n_left_out)
        fprintf(stderr, "  %s left out: what machines put aside, or an ignore file names\n",
                text_counted(a, r->n_left_out, "name"));
    if (r->n_passed_over)
        fprintf(stderr, "  %s passed over: no pictures\n",
                text_counted(a, r->n_passed_over, "file"));
    if (r->n_links)
        fprintf(stderr, "  %s out of these folders not followed (--follow-links follows them)\n",
                text_counted(a, r->n_links, "link"));
    if (explained && q->form != QUERY_TEXT)
        fprintf(stderr, "  %s\n", explained);
}

static bool has_folder(const char *const *paths, size_t n)
{
    struct stat st;

    for (size_t i = 0; i < n; i++)
        if (stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode))
            return true;
    return false;
}

static void page_rest(const query *q)
{
    char all[64];

    if (q->page.n_photos > PAGE_PHOTOS)
        fprintf(q->page.f,
                "<p class=\"soft\">The first %d of %s with an answer; --lines or --json "
                "tell of all.</p>\n",
                PAGE_PHOTOS, text_counted(all, q->page.n_photos, "photo"));
    if (q->n_page_failures > PAGE_FAILURES)
        fprintf(q->page.f, "<p class=\"soft\">The first %d of %s without one.</p>\n", PAGE_FAILURES,
                text_counted(all, q->n_page_failures, "photo"));
}

static int run(query *q, size_t n, const char *const *paths)
{
    const common *o = &q->o->common;
    dpl_photos_options options = DPL_PHOTOS_OPTIONS_INIT;
    dpl_photos_report report;
    dpl_status status;
    char *explained;
    dpl_error err;
    int code = common_open_gallery(&q->gallery, q->self, o, DPL_GALLERY_READ);

    if (!code)
        code = common_open_pipeline(&q->pipeline, q->self, o, q->gallery, 0);
    if (!code)
        code = make_policy(q);
    if (!code)
        code = html_open(&q->page, q->self, o, "Who is in the photos?");
    if (code)
        return code;
    options.cancel = common_watch_signals();
    options.follow_links = q->o->common.follow_links;
    options.n_threads = q->o->common.n_threads;
    options.preview_px = q->page.f ? PREVIEW_PX : q->o->by == DPL_QUERY_FACE ? 0 : SKETCH_PX;
    options.on_photo = on_photo;
    options.ctx = q;
    progress_start(&q->progress, "photos", o->quiet);
    status = common_is_input(paths[0])
                 ? ask_input(&report, q, &err)
                 : dpl_photos_each(&report, q->pipeline, paths, n, &options, &err);
    progress_wipe(&q->progress);
    common_notice(q->self, o, q->gallery);
    explained = q->n_searched > 0 ? explain_policy(q)
                : q->n_asked > 0 ? text_format("The gallery holds no faces to compare with (doppel "
                                               "enroll adds them)")
                                 : NULL;
    if (explained && q->form == QUERY_TEXT && !o->quiet)
        printf("%s.\n", explained);
    if (q->page.f) {
        page_rest(q);
        page_how(q, explained);
    }
    if (!o->quiet && has_folder(paths, n))
        sum_up(q, &report, explained);
    free(explained);
    if (report.n_files == 0) /* nobody was found */
        q->worst = worse(1, q->worst);
    if (status == DPL_E_CANCELLED && ferror(stdout))
        q->worst = dpl_status_exit_code(DPL_E_SYSTEM);
    else if (status != DPL_OK)
        q->worst = worse(common_fail(q->self, o, &err), q->worst);
    code = html_close(&q->page, q->self, o);
    return worse(code, q->worst);
}

/* What an option cannot be said with. Returns 0 or the exit code 2 after a message. */
static int check_options(const command *self, const query_options *o, int n,
                         const char *const *paths)
{
    const bool lines = o->lines || o->nul;
    const bool asks = o->k || o->by || !isnan(o->fmr) || !isnan(o->fpir) || !isnan(o->threshold) ||
                      !isnan(o->min_fmr) || o->common.follow_links || o->common.n_threads ||
                      o->common.html;

    if (o->person && (n > 0 || asks))
        return options_usage(self, "--person lists what is enrolled: it takes no photo, and no "
                                   "option that says how to look at one");
    if (o->text && (o->person || o->by == DPL_QUERY_FACE || !isnan(o->fpir) || !isnan(o->min_fmr)))
        return options_usage(self,
                             "--person, --by face, --fpir and --min-fmr are of photos, not of "
                             "--text");
    if (o->text && n < 1)
        return options_usage(self,
                             "it takes a sentence, or several, each as one word for the shell");
    if (!o->text && (o->by == BY_CAPTION || o->common.text_model || o->common.merges))
        return options_usage(self, "--by caption, --text-model and --merges are of --text");
    if (!o->person && n < 1)
        return options_usage(self, "it takes a photo, or several, or folders of them");
    for (int i = 0; !o->text && n > 1 && i < n; i++)
        if (common_is_input(paths[i]))
            return options_usage(self, "- is one photo, on standard input: it is asked alone");
    if (lines + o->tables + o->common.json > 1)
        return options_usage(self, "--lines (-0), --table and --json exclude each other");
    if (lines && o->k && !o->common.html && !o->text)
        return options_usage(self, "-k is of --table, --json and --html: a face has one line");
    if (!isnan(o->fmr) + !isnan(o->fpir) + !isnan(o->threshold) > 1)
        return options_usage(self, "--fmr, --fpir and --threshold exclude each other");
    return 0;
}

static query_form form_of(const query_options *o, bool asks_k)
{
    if (o->common.json)
        return QUERY_JSON;
    if (o->nul)
        return QUERY_NUL;
    if (o->lines)
        return QUERY_LINES;
    return o->tables || (asks_k && !o->text) || isatty(STDOUT_FILENO) ? QUERY_TEXT : QUERY_LINES;
}

static int ask_sentences(const command *self, query_options *o, query_form form,
                         const char *const *texts, size_t n)
{
    const query_text_options asked = {
        .k = o->k > 0 ? o->k : DEFAULT_K,
        .by = o->by == BY_CAPTION        ? DPL_TEXT_BY_CAPTIONS
              : o->by == DPL_QUERY_IMAGE ? DPL_TEXT_BY_PICTURES
                                         : DPL_TEXT_BY_ALL,
        .fmr = o->fmr,
        .threshold = o->threshold,
        .form = form,
    };

    o->common.inputs = texts;
    o->common.n_inputs = 0;
    return query_text(self, &o->common, &asked, texts, n);
}

int cmd_query(const command *self, int argc, char **argv)
{
    query_options o = {
        .common = COMMON_INIT, .fmr = NAN, .fpir = NAN, .threshold = NAN, .min_fmr = NAN};
    query q = {.self = self, .o = &o};
    char *typed = common_typed(argc, argv);
    const char *const *paths = (const char *const *)(argv + 1);
    const char **inputs = NULL;
    options_given given;
    int n, code = options_parse(self, &o, argc, argv, &n, &given);
    const bool asks_k = o.k > 0;

    if (!code)
        code = check_options(self, &o, n, paths);
    if (code)
        goto done;
    options_settle(self, &o, &given, 0);
    q.form = form_of(&o, asks_k);
    o.common.n_asked = (size_t)n;
    if (o.person) {
        code = query_person(self, &o.common, o.person, q.form);
        goto done;
    }
    if (o.text) {
        o.common.typed = typed;
        code = ask_sentences(self, &o, q.form, paths, (size_t)n);
        goto done;
    }
    inputs = common_inputs(&o.common.n_inputs, paths, (size_t)n, o.common.follow_links);
    o.common.typed = typed;
    o.common.faces_only = o.by == DPL_QUERY_FACE;
    o.common.inputs = inputs;
    code = run(&q, (size_t)n, paths);
done:
    free(typed);
    common_inputs_free(inputs, o.common.n_inputs);
    tdestroy(q.doubted, free_doubted);
    dpl_pipeline_close(q.pipeline);
    dpl_gallery_close(q.gallery);
    return code;
}
