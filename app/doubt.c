/*
 * doubt.c - references that may be wrong, in words and as JSON.
 */
#include "app/doubt.h"

#include <stdlib.h>

#include "app/common_face.h"
#include "app/json.h"
#include "app/text.h"

/* "; it matches Bob (score 0.7, which strangers …)", or nothing. */
static char *match_words(const dpl_doubt *d)
{
    char rate[64];

    if (d->kind != DPL_DOUBT_UNLIKE || !d->other_person)
        return text_format("%s", "");
    text_rate(rate, d->other_rate);
    return text_format(" It matches %s (score %.3f, which strangers reach %s).", d->other_person,
                       (double)d->other_score, rate);
}

/* Of what shows only beside all others. */
static char *words_of_two(const dpl_doubt *d)
{
    char rate[64], others[64], n[32];
    const char *photo = common_from_here(d->photo);

    text_rate(rate, d->rate);
    if (d->kind == DPL_DOUBT_SAME)
        return text_format("%s of %s and %s of %s show one picture (score %.3f): one of the names "
                           "is wrong",
                           photo, d->person, common_from_here(d->other_photo), d->other_person,
                           (double)d->score);
    if (d->kind == DPL_DOUBT_ALIKE)
        return text_format("%s and %s match (score %.3f, which strangers reach %s): they are one "
                           "person, or will be confused. Most alike are %s and %s.",
                           d->person, d->other_person, (double)d->score, rate, photo,
                           common_from_here(d->other_photo));
    return text_format("%s of %s is like %s of %s, as one stranger in a hundred is: it attracts "
                       "everyone",
                       photo, d->person, text_count(n, d->n_like),
                       text_counted(others, d->n_others, "other"));
}

char *doubt_words(const dpl_doubt *d)
{
    char rate[64], count[64], *words, *match, *line;

    if (d->kind > DPL_DOUBT_SHARED)
        return words_of_two(d);
    if (d->kind == DPL_DOUBT_SHARED)
        return text_format(
            "%s is enrolled as %s, and the same file as %s (%s): one of them is wrong",
            common_from_here(d->photo), d->person, d->other_person,
            common_from_here(d->other_photo));
    text_rate(rate, d->rate);
    if (d->kind == DPL_DOUBT_PAIR)
        words =
            text_format("%s and %s, both of %s, are unlike each other", common_from_here(d->photo),
                        common_from_here(d->other_photo), d->person);
    else
        words = text_format("%s is unlike the other %s of %s", common_from_here(d->photo),
                            text_counted(count, d->n_others, "photo"), d->person);
    match = match_words(d);
    line = text_format("%s (score %.3f, which strangers reach %s): is it somebody else?%s", words,
                       (double)d->score, rate, match);
    free(words);
    free(match);
    return line;
}

json_t *doubt_json(const dpl_doubt *d)
{
    static const char *const kinds[] = {"unlike", "pair", "shared", "same", "alike", "hub"};
    json_t *doubt = json_object();

    json_put_text(&doubt, "kind", kinds[d->kind]);
    json_put_text(&doubt, "person", d->person);
    json_put_text(&doubt, "photo", d->photo);
    json_put_text(&doubt, "other_person", d->other_person);
    json_put_text(&doubt, "other_photo", d->other_photo);
    if (d->kind == DPL_DOUBT_UNLIKE)
        json_put_int(&doubt, "n_others", d->n_others);
    if (d->kind == DPL_DOUBT_HUB) {
        json_put_int(&doubt, "n_others", d->n_others);
        json_put_int(&doubt, "n_like", d->n_like);
    }
    json_put_real(&doubt, "score", (double)d->score);
    json_put_rate(&doubt, d->rate);
    if (d->kind == DPL_DOUBT_UNLIKE && d->other_person)
        json_put_real(&doubt, "other_score", (double)d->other_score);
    return doubt;
}

/* ------------------------------------------------------------------ what mends it */

/* Words beside each other; "--" before the first that a command would take for an option. */
static char *command_of(const char *verb, const char *const *words, size_t n)
{
    char *line = text_format("doppel %s", verb);
    bool ended = false;

    for (size_t i = 0; i < n; i++) {
        const bool end = !ended && words[i][0] == '-';
        char *longer = text_format("%s%s %s", line, end ? " --" : "", words[i]);

        ended |= end;
        free(line);
        line = longer;
    }
    return line;
}

/* What doppel forget takes for a photo and no person. */
static char *photo_typed(const char *photo)
{
    const char *here = common_from_here(photo);
    char *word = text_format("%s%s", here[0] == '/' ? "" : "./", here), *quoted;

    quoted = common_quoted(word);
    free(word);
    return quoted;
}

typedef struct words {
    char *face, *other_face;     /* as they can be typed; NULL: not known */
    char *person, *other_person; /* quoted */
    char *photo, *other_photo;   /* of forget */
} words;

static void add_mend(doubt_mend *out, char *when, const char *verb, const char *a, const char *b)
{
    const char *const typed[] = {a, b};

    out->when = when;
    out->command = command_of(verb, typed, b ? 2 : 1);
}

/* A face that has two names is one of theirs. */
static void mend_two_names(doubt_mend out[DOUBT_MENDS], const dpl_doubt *d, const words *w)
{
    if (w->face && w->other_face) {
        add_mend(&out[0], text_format("if it is %s", d->person), "assign", w->other_face,
                 w->person);
        add_mend(&out[1], text_format("if it is %s", d->other_person), "assign", w->face,
                 w->other_person);
        return;
    }
    add_mend(&out[0], text_format("if it is %s", d->person), "forget", w->other_photo, NULL);
    add_mend(&out[1], text_format("if it is %s", d->other_person), "forget", w->photo, NULL);
}

static void mend(doubt_mend out[DOUBT_MENDS], const dpl_doubt *d, const words *w)
{
    const char *both[] = {w->face, w->other_face, w->person};

    switch (d->kind) {
    case DPL_DOUBT_SHARED:
    case DPL_DOUBT_SAME: mend_two_names(out, d, w); return;
    case DPL_DOUBT_ALIKE:
        add_mend(&out[0], text_format("if they are one"), "merge", w->person, w->other_person);
        add_mend(&out[1], text_format("if they are two"), "reject --people", w->person,
                 w->other_person);
        return;
    case DPL_DOUBT_HUB:
        add_mend(&out[0], text_format("if it is poor"), "forget", w->photo, NULL);
        break;
    case DPL_DOUBT_UNLIKE:
        if (d->other_person && w->face)
            add_mend(&out[0], text_format("if it is %s", d->other_person), "assign", w->face,
                     w->other_person);
        else if (w->face)
            add_mend(&out[0], text_format("if it is not %s", d->person), "reject", w->face,
                     w->person);
        break;
    case DPL_DOUBT_PAIR:
        if (!w->face || !w->other_face)
            return;
        add_mend(&out[0], text_format("if the first is not %s", d->person), "reject", w->face,
                 w->person);
        add_mend(&out[1], text_format("if the second is not"), "reject", w->other_face, w->person);
        out[2] = (doubt_mend){text_format("if both are"), command_of("assign", both, 3)};
        return;
    }
    if (w->face)
        add_mend(&out[1], text_format("if it is right"), "assign", w->face, w->person);
}

void doubt_mends(doubt_mend out[DOUBT_MENDS], dpl_gallery *gallery, const dpl_doubt *d)
{
    words w = {
        .face = d->template_id ? common_template_typed(gallery, d->template_id) : NULL,
        .other_face = d->other_id ? common_template_typed(gallery, d->other_id) : NULL,
        .person = common_quoted(d->person),
        .other_person = d->other_person ? common_quoted(d->other_person) : NULL,
        .photo = photo_typed(d->photo),
        .other_photo = d->other_photo ? photo_typed(d->other_photo) : NULL,
    };

    for (int i = 0; i < DOUBT_MENDS; i++)
        out[i] = (doubt_mend){NULL, NULL};
    mend(out, d, &w);
    free(w.face);
    free(w.other_face);
    free(w.person);
    free(w.other_person);
    free(w.photo);
    free(w.other_photo);
}

void doubt_mends_clear(doubt_mend mends[DOUBT_MENDS])
{
    for (int i = 0; i < DOUBT_MENDS; i++) {
        free(mends[i].when);
        free(mends[i].command);
    }
}

json_t *doubt_check_json(const dpl_doubt *d, const doubt_mend mends[DOUBT_MENDS])
{
    json_t *object = json_answer("check"), *doubt = doubt_json(d), *array = json_array();

    if (!object || !doubt || json_object_update(object, doubt) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(doubt);
    for (int i = 0; i < DOUBT_MENDS; i++) {
        json_t *item;

        if (!mends[i].command)
            continue;
        item = json_object();
        json_put_text(&item, "when", mends[i].when);
        json_put_text(&item, "command", mends[i].command);
        json_add(&array, item);
    }
    json_put(&object, "mend", array);
    return object;
}

void doubt_gather(void *ctx, const dpl_doubt *doubt)
{
    doubt_list *list = ctx;

    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 8;
        list->lines = text_need(reallocarray(list->lines, list->cap, sizeof *list->lines));
    }
    list->lines[list->n++] = doubt_words(doubt);
    if (!list->json)
        list->json = text_need(json_array());
    json_add(&list->json, doubt_json(doubt));
}

void doubt_list_clear(doubt_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->lines[i]);
    free(list->lines);
    json_decref(list->json);
    *list = (doubt_list){0};
}
