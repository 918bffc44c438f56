/*
 * answer_audit.c - a gallery's audit and receipts, as JSON, text and a page.
 */
#include "app/answer_audit.h"

#include <string.h>

#include "app/json.h"
#include "app/text.h"

/* What a line may count, in the order in which it is told. */
static const struct {
    const char *key, *word, *how;
} counts[] = {
    {"asked", "question", "asked"},
    {"persons_added", "person", "added"},
    {"persons_changed", "person", "renamed"},
    {"persons_removed", "person", "removed"},
    {"photos_added", "photo", "added"},
    {"photos_changed", "photo", "changed"},
    {"photos_removed", "photo", "removed"},
    {"templates_added", "template", "added"},
    {"templates_changed", "template", "changed"},
    {"templates_removed", "template", "removed"},
    {"owners_changed", "face", "given to somebody else"},
};
enum { N_COUNTS = sizeof counts / sizeof counts[0] };

json_t *audit_line_json(const dpl_audit_line *line)
{
    return json_loads(line->text, 0, NULL);
}

json_t *audit_json(const dpl_audit_report *r)
{
    json_t *object = json_answer("audit");

    json_put_bool(&object, "unbroken", r->broken_at == 0);
    json_put_int(&object, "n_lines", r->n_lines);
    json_put_int(&object, "n_waiting", r->n_waiting);
    if (r->broken_at) {
        json_put_int(&object, "broken_at", r->broken_at);
        json_put_text(&object, "why", r->why);
    }
    json_put_text(&object, "hash", r->hash);
    return object;
}

json_t *receipt_check_json(const char *path, const char *why)
{
    json_t *object = json_answer("audit");

    json_put_text(&object, "receipt", path);
    json_put_bool(&object, "right", !*why);
    if (*why)
        json_put_text(&object, "why", why);
    return object;
}

void audit_put_counts(FILE *f, const json_t *line)
{
    const char *before = ": ";
    char count[64];

    for (size_t i = 0; i < N_COUNTS; i++) {
        const int64_t n = json_integer_value(json_object_get(line, counts[i].key));

        if (n == 0)
            continue;
        fprintf(f, "%s%s %s", before, text_counted(count, n, counts[i].word), counts[i].how);
        before = ", ";
    }
}

static void put_number(const html *page, const char *name, const json_t *receipt, const char *key)
{
    html_fact(page, name, "%lld", (long long)json_integer_value(json_object_get(receipt, key)));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

void receipt_put_html(const html *page, const char *person, const char *receipt)
{
    json_t *r = page->f ? json_loads(receipt, 0, NULL) : NULL;
    const json_t *audit = json_object_get(r, "audit"), *photos = json_object_get(r, "photos");

    if (!r)
        return;
    fputs("<section class=\"card\">\n<h2>", page->f);
    html_text(page, person ? person : "Photos");
    fputs("</h2>\n<dl class=\"facts\">\n", page->f);
    for (size_t i = 0; i < json_array_size(photos); i++)
        html_fact(page, "Photo", "%s", text_of(json_array_get(photos, i), "path"));
    html_fact(page, "Forgotten", "%s", text_of(r, "time"));
    html_fact(page, "By", "%s", text_of(r, "user"));
    put_number(page, "Photos removed", r, "photos_removed");
    put_number(page, "Vectors removed", r, "templates_removed");
    put_number(page, "Searched for: vectors", r, "vectors_searched");
    put_number(page, "Found of them", r, "vectors_left");
    put_number(page, "Searched for: names, paths, hashes", r, "strings_searched");
    put_number(page, "Found of them", r, "strings_left");
    put_number(page, "Line of the audit", audit, "n");
    html_fact(page, "Its SHA-256", "%s", text_of(audit, "hash"));
    fputs("</dl>\n</section>\n", page->f);
    json_decref(r);
}
