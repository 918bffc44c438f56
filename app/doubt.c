/*
 * doubt.c - references that may be wrong, in words and as JSON.
 */
#include "app/doubt.h"

#include <stdlib.h>

#include "app/common.h"
#include "app/json.h"
#include "app/text.h"

char *doubt_words(const dpl_doubt *d)
{
    char rate[64], count[64], *words;

    if (d->kind == DPL_DOUBT_SHARED)
        return text_format(
            "%s is enrolled as %s, and the same file as %s (%s): one of them is wrong", d->photo,
            d->person, d->other_person, d->other_photo);
    text_rate(rate, d->rate);
    if (d->kind == DPL_DOUBT_PAIR)
        words =
            text_format("%s and %s, both of %s, are unlike each other", common_from_here(d->photo),
                        common_from_here(d->other_photo), d->person);
    else
        words = text_format("%s is unlike the other %s of %s", common_from_here(d->photo),
                            text_counted(count, d->n_others, "photo"), d->person);
    char *line = text_format("%s (score %.3f, which strangers reach %s): is it somebody else?",
                             words, (double)d->score, rate);
    free(words);
    return line;
}

json_t *doubt_json(const dpl_doubt *d)
{
    static const char *const kinds[] = {"unlike", "pair", "shared"};
    json_t *doubt = json_object();

    json_put_text(&doubt, "kind", kinds[d->kind]);
    json_put_text(&doubt, "person", d->person);
    json_put_text(&doubt, "photo", d->photo);
    json_put_text(&doubt, "other_person", d->other_person);
    json_put_text(&doubt, "other_photo", d->other_photo);
    if (d->kind == DPL_DOUBT_UNLIKE)
        json_put_int(&doubt, "n_others", d->n_others);
    json_put_real(&doubt, "score", (double)d->score);
    json_put_rate(&doubt, d->rate);
    return doubt;
}

/* Takes both. */
static void add(doubt_list *list, char *line, json_t *json)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 8;
        list->lines = text_need(reallocarray(list->lines, list->cap, sizeof *list->lines));
    }
    list->lines[list->n++] = line;
    if (!list->json)
        list->json = text_need(json_array());
    json_add(&list->json, json);
}

void doubt_gather(void *ctx, const dpl_doubt *doubt)
{
    add(ctx, doubt_words(doubt), doubt_json(doubt));
}

void doubt_add_all(doubt_list *to, const doubt_list *from)
{
    for (size_t i = 0; i < from->n; i++)
        add(to, text_format("%s", from->lines[i]), json_incref(json_array_get(from->json, i)));
}

void doubt_list_clear(doubt_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->lines[i]);
    free(list->lines);
    json_decref(list->json);
    *list = (doubt_list){0};
}
