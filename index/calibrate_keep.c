/*
 * calibrate_keep.c - what stands around the making of a calibration: who was found to be the same
 * person, and where the result is kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"
#include "doppel/calibrate.h"
#include "index/gallery.h"
#include "net/model_meta.h"

#define MAX_REVIEW_BYTES ((size_t)16 << 20)
#define MAX_MODEL_BYTES  ((size_t)2 << 30)

/* ------------------------------------------------------------------ who is the same */

typedef struct named {
    const char *name;
    int32_t person;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

typedef struct review {
    named *names;
    int32_t n, *into; /* into [n]: the person that each is, itself or another */
    int32_t *judged;  /* [n_judged, 2] */
    size_t n_judged, cap;
} review;

/* A line's three words: parted by tabs if it has any, else by spaces. false when it has not three
 * and is not empty. */
static bool part(char *word[3], int *n, char *line)
{
    const char *between = strchr(line, '\t') ? "\t\r" : " \r";
    char *rest = NULL, *comment = line;

    /* A name may hold the sign, but does not begin with it. */
    for (; *comment; comment++)
        if (*comment == '#' && (comment == line || comment[-1] == ' ' || comment[-1] == '\t')) {
            *comment = '\0';
            break;
        }
    *n = 0;
    for (char *at = strtok_r(line, between, &rest); at; at = strtok_r(NULL, between, &rest)) {
        size_t length = strlen(at);

        while (length > 0 && at[length - 1] == ' ')
            at[--length] = '\0';
        if (length == 0)
            continue;
        if (*n == 3)
            return false;
        word[(*n)++] = at;
    }
    return *n == 0 || *n == 3;
}

static int32_t find_person(const review *r, const char *name)
{
    const named wanted = {name, 0};
    const named *at = bsearch(&wanted, r->names, (size_t)r->n, sizeof wanted, by_name);

    return at ? at->person : -1;
}

static int32_t root(const review *r, int32_t person)
{
    while (r->into[person] != person)
        person = r->into[person];
    return person;
}

static dpl_status read_line(review *r, char *line, size_t number, int64_t *n_merged, dpl_error *err)
{
    char *word[3];
    int32_t who[2];
    int n;

    if (!part(word, &n, line) || (n == 3 && strcmp(word[0], "same") != 0 &&
                                  strcmp(word[0], "unsure") != 0 && strcmp(word[0], "alike") != 0))
        return dpli_fail(err, DPL_E_INPUT,
                         "line %zu: not \"same A B\", \"unsure A B\" or \"alike A B\"", number);
    if (n == 0)
        return DPL_OK;
    for (int i = 0; i < 2; i++) {
        who[i] = find_person(r, word[i + 1]);
        if (who[i] < 0)
            return dpli_fail(err, DPL_E_INPUT, "line %zu: nobody is called \"%s\"", number,
                             word[i + 1]);
        who[i] = root(r, who[i]);
    }
    if (strcmp(word[0], "same") == 0 && who[0] != who[1]) {
        r->into[who[1]] = who[0];
        ++*n_merged;
        return DPL_OK;
    }
    int32_t *judged = dpli_grow(r->judged, &r->cap, r->n_judged + 1, 2 * sizeof *judged, err);
    if (!judged)
        return DPL_E_MEMORY;
    r->judged = judged;
    memcpy(judged + 2 * r->n_judged++, who, sizeof who);
    return DPL_OK;
}

dpl_status dpl_review_apply(int32_t *people, size_t n, const char *const *people_names,
                            int32_t n_people, const char *path, int64_t *n_merged, int32_t **judged,
                            size_t *n_judged, dpl_error *err)
{
    review r = {.n = n_people};
    uint8_t *text = NULL;
    size_t n_text = 0, number = 0;
    dpl_status status;

    *n_merged = 0;
    *judged = NULL;
    *n_judged = 0;
    r.names = dpli_alloc((size_t)n_people, sizeof *r.names, err);
    r.into = dpli_alloc((size_t)n_people, sizeof *r.into, err);
    status = r.names && r.into ? dpli_file_read(&text, &n_text, path, MAX_REVIEW_BYTES, err)
                               : DPL_E_MEMORY;
    if (status != DPL_OK)
        goto done;
    for (int32_t i = 0; i < n_people; i++) {
        r.names[i] = (named){people_names[i], i};
        r.into[i] = i;
    }
    qsort(r.names, (size_t)n_people, sizeof *r.names, by_name);
    dpli_lines_end((char *)text, n_text);
    for (char *line = (char *)text, *next; line && status == DPL_OK; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        status = read_line(&r, line, ++number, n_merged, err);
    }
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        people[i] = root(&r, people[i]);
    if (status == DPL_OK) {
        /* Whom they were merged into later. */
        for (size_t i = 0; i < 2 * r.n_judged; i++)
            r.judged[i] = root(&r, r.judged[i]);
        *judged = r.judged;
        *n_judged = r.n_judged;
        r.judged = NULL;
    }
done:
    free(r.judged);
    free(r.names);
    free(r.into);
    free(text);
    return status == DPL_OK ? DPL_OK : dpli_fail_in(err, status, path);
}

/* ------------------------------------------------------------------ beside a gallery */

dpl_status dpl_calibration_beside(const dpl_gallery *gallery, const char *json, dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *path;
    dpl_status status;

    if (s->ops->set_beside)
        return s->ops->set_beside(s, DPLI_CALIBRATION_FILE, json, strlen(json), err);
    path = dpli_asprintf(err, "%s/" DPLI_CALIBRATION_FILE, s->folder);
    status = path ? dpli_file_replace(path, json, strlen(json), err) : DPL_E_MEMORY;

    free(path);
    return status;
}

/* ------------------------------------------------------------------ into a model */

/* A file beside the model whose calibration would win over the one in it. */
static dpl_status check_beside(const char *path, dpl_error *err)
{
    char *beside = dpli_asprintf(err, "%s.json", path);
    uint8_t *text = NULL;
    size_t n;
    dpl_status status = DPL_OK;

    if (!beside)
        return DPL_E_MEMORY;
    if (access(beside, F_OK) == 0) {
        status = dpli_file_read(&text, &n, beside, MAX_REVIEW_BYTES, err);
        if (status != DPL_OK)
            status = dpli_fail_in(err, status, beside);
        else if (strstr((const char *)text, "calibration\"") ||
                 strstr((const char *)text, "cohort\""))
            status = dpli_fail(err, DPL_E_MODEL,
                               "\"%s\" has a calibration, which would win over one in the model: "
                               "take it out of that file first",
                               beside);
    }
    free(text);
    free(beside);
    return status;
}

dpl_status dpl_calibration_into_model(const char *path, const char *json, const char *cohort,
                                      dpl_error *err)
{
    const dpli_meta metas[] = {{"doppel.calibration", json}, {"doppel.cohort", cohort}};
    uint8_t *bytes = NULL, *changed = NULL;
    size_t n, n_changed;
    dpl_status status = check_beside(path, err);

    if (status != DPL_OK)
        return status;
    status = dpli_file_read(&bytes, &n, path, MAX_MODEL_BYTES, err);
    if (status == DPL_OK)
        status = dpli_model_set_meta(&changed, &n_changed, bytes, n, metas, cohort ? 2 : 1, err);
    if (status != DPL_OK)
        status = dpli_fail_in(err, status == DPL_E_INPUT ? DPL_E_MODEL : status, path);
    else
        status = dpli_file_replace(path, changed, n_changed, err);
    free(bytes);
    free(changed);
    return status;
}
