/*
 * values.c - the fields of a list that hold numbers: vectors, written out or a row of an .npy, and
 * codes.
 */
#include "data/values.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/mem.h"
#include "data/npy.h"

enum { MAX_CODES = 1024, MAX_DIM = 1 << 20 };

static const char blanks[] = " \t\r\n";

bool dpli_read_number(double *out, const char *text)
{
    const char *word = text + (*text == '-' || *text == '+');
    char *end;

    /* what strtod also takes: blanks before, hexadecimal, other spellings */
    if (strcasecmp(word, "nan") == 0 || strcasecmp(word, "inf") == 0 ||
        strcasecmp(word, "infinity") == 0) {
        *out = NAN;
        return true;
    }
    *out = 0;
    if (!*text || text[strspn(text, "0123456789+-.eE")])
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

void dpli_squeeze(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (!strchr(blanks, *from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    }
    if (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
}

/* Cut the next word off; NULL after the last. */
static const char *next_word(char **rest)
{
    return *rest && **rest ? strsep(rest, " ") : NULL;
}

static size_t count_words(const char *squeezed)
{
    size_t n = *squeezed != '\0';

    for (; *squeezed; squeezed++)
        n += *squeezed == ' ';
    return n;
}

static dpl_status read_codes(dpli_found *f, char *words, size_t n, dpl_error *err)
{
    int32_t *codes;
    const char *word;
    size_t i = 0;

    if (n > MAX_CODES)
        return dpli_fail(err, DPL_E_LIMIT, "%zu codes, limit is %d", n, MAX_CODES);
    codes = dpli_alloc(n, sizeof *codes, err);
    if (!codes)
        return DPL_E_MEMORY;
    f->own = codes;
    f->values = codes;
    f->n_values = (int32_t)n;
    for (word = next_word(&words); word; word = next_word(&words)) {
        int64_t code = 0;
        const char *digit = word;
        for (; *digit >= '0' && *digit <= '9' && code < INT32_MAX; digit++)
            code = 10 * code + (*digit - '0');
        if (*digit || digit == word || code >= INT32_MAX)
            return dpli_fail(err, DPL_E_INPUT, "\"%.40s\" is no code (a whole number from 0)",
                             word);
        codes[i++] = (int32_t)code;
    }
    return DPL_OK;
}

static dpl_status read_numbers(dpli_found *f, char *words, size_t n, dpl_error *err)
{
    float *numbers;
    const char *word;
    size_t i = 0;

    if (n > MAX_DIM)
        return dpli_fail(err, DPL_E_LIMIT, "a vector of %zu numbers, limit is %d", n, MAX_DIM);
    numbers = dpli_alloc(n, sizeof *numbers, err);
    if (!numbers)
        return DPL_E_MEMORY;
    f->own = numbers;
    f->values = numbers;
    f->n_values = (int32_t)n;
    for (word = next_word(&words); word; word = next_word(&words)) {
        double number;
        if (!dpli_read_number(&number, word))
            return dpli_fail(err, DPL_E_INPUT, "\"%.40s\" is no number", word);
        if (!isfinite((float)number))
            return dpli_fail(err, DPL_E_INPUT, "\"%.40s\" is no finite number", word);
        numbers[i++] = (float)number;
    }
    return DPL_OK;
}

/* The array in a file, read when it is met first. */
static dpl_status find_array(const dpli_array **out, dpli_list *list, const char *name,
                             dpl_error *err)
{
    const size_t n_root = strlen(list->root);
    const char *slash = n_root == 0 || list->root[n_root - 1] == '/' ? "" : "/";
    dpli_array *arrays, a = {0};
    dpl_status status;

    a.path = *name == '/' ? dpli_strdup(name, err)
                          : dpli_asprintf(err, "%s%s%s", list->root, slash, name);
    if (!a.path)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < list->n_arrays; i++)
        if (strcmp(list->arrays[i].path, a.path) == 0) {
            *out = &list->arrays[i];
            free(a.path);
            return DPL_OK;
        }
    status = dpli_npy_vectors(&a.values, &a.n, &a.dim, a.path, err);
    if (status != DPL_OK) {
        dpli_fail_in(err, status, a.path);
        free(a.path);
        return status;
    }
    arrays = dpli_grow(list->arrays, &list->cap_arrays, list->n_arrays + 1, sizeof a, err);
    if (!arrays) {
        free(a.path);
        free(a.values);
        return DPL_E_MEMORY;
    }
    list->arrays = arrays;
    list->arrays[list->n_arrays] = a;
    *out = &list->arrays[list->n_arrays++];
    return DPL_OK;
}

/* "FILE.npy:ROW": where the row begins; NULL when it is none. */
static const char *row_of(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon && colon - name > 4 && strncmp(colon - 4, ".npy", 4) == 0 && colon[1] &&
                   strspn(colon + 1, "0123456789") == strlen(colon + 1)
               ? colon + 1
               : NULL;
}

static dpl_status read_row(dpli_found *f, dpli_list *list, const char *row, dpl_error *err)
{
    const dpli_array *array;
    char *name = dpli_asprintf(err, "%.*s", (int)(row - f->name - 1), f->name);
    dpl_status status = name ? find_array(&array, list, name, err) : DPL_E_MEMORY;
    int64_t at = 0;

    free(name);
    if (status != DPL_OK)
        return status;
    for (const char *digit = row; *digit && at < array->n; digit++)
        at = 10 * at + (*digit - '0');
    if (at >= array->n)
        return dpli_fail(err, DPL_E_INPUT, "\"%s\": the rows are 0 to %d", f->name,
                         (int)array->n - 1);
    f->values = array->values + (size_t)at * (size_t)array->dim;
    f->n_values = array->dim;
    return DPL_OK;
}

dpl_status dpli_read_values(dpli_found *f, dpli_list *list, dpl_item_kind kind, int32_t *dim,
                            dpl_error *err)
{
    const char *row = kind == DPL_ITEM_VECTOR ? row_of(f->name) : NULL;
    char *words = NULL;
    dpl_status status;
    size_t n;

    if (row) {
        status = read_row(f, list, row, err);
    } else {
        n = count_words(f->name);
        words = dpli_strdup(f->name, err);
        status = !words                   ? DPL_E_MEMORY
                 : kind == DPL_ITEM_CODES ? read_codes(f, words, n, err)
                                          : read_numbers(f, words, n, err);
        free(words);
    }
    if (status != DPL_OK || kind == DPL_ITEM_CODES)
        return status;
    if (*dim == 0)
        *dim = f->n_values;
    if (f->n_values != *dim)
        return dpli_fail(err, DPL_E_INPUT, "a vector of %d numbers, another has %d",
                         (int)f->n_values, (int)*dim);
    return DPL_OK;
}
