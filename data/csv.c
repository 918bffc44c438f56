/*
 * csv.c - comma-separated values as RFC 4180 has them, and tab-separated ones, with LF or CRLF,
 * or with CR alone.
 *
 * A field is moved to the front of what it took in the text and ended by a NUL there: it never
 * needs more room than its quotes and its comma did.
 */
#include "data/csv.h"

#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/lines.h"

void dpli_csv_init(dpli_csv *csv, char *text, size_t n)
{
    *csv = (dpli_csv){.text = text, .n = n, .next_line = 1, .separator = ',', .quotes = true};
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        csv->at = 3;
    dpli_lines_end(text, n);
}

/* Whether the n bytes of a field are quoted to their end: no quote within but doubled. */
static bool is_quoted(const char *field, size_t n)
{
    size_t i = 1;

    while (i < n && (field[i] != '"' || (i + 1 < n && field[i + 1] == '"')))
        i += field[i] == '"' ? 2 : 1;
    return i + 1 == n;
}

void dpli_tsv_init(dpli_csv *tsv, char *text, size_t n)
{
    dpli_csv_init(tsv, text, n);
    tsv->separator = '\t';
    for (size_t i = tsv->at, end; i < n && tsv->quotes; i = end + 1) {
        for (end = i; end < n && text[end] != '\t' && text[end] != '\n'; end++)
            continue;
        const bool last = end == n || text[end] == '\n';
        const size_t n_field = end - i - (last && end > i && text[end - 1] == '\r');
        tsv->quotes = n_field == 0 || text[i] != '"' || is_quoted(text + i, n_field);
    }
}

/* Bytes of the line end at i: 0, 1 or 2. */
static size_t line_end(const dpli_csv *csv, size_t i)
{
    if (csv->text[i] == '\n')
        return 1;
    return csv->text[i] == '\r' && (i + 1 == csv->n || csv->text[i + 1] == '\n')
               ? 1 + (i + 1 < csv->n)
               : 0;
}

/* From at to behind the closing quote; *to is where the next byte of the field goes. */
static dpl_status take_quoted(dpli_csv *csv, size_t *to, dpl_error *err)
{
    for (csv->at++; csv->at < csv->n; csv->at++) {
        const char c = csv->text[csv->at];
        if (c == '"' && csv->text[++csv->at] != '"')
            return DPL_OK;
        csv->next_line += c == '\n';
        csv->text[(*to)++] = c;
    }
    return dpli_fail(err, DPL_E_INPUT, "line %zu: a quote is not closed", csv->line);
}

static dpl_status add_field(dpli_csv *csv, char *field, dpl_error *err)
{
    if (csv->n_fields == DPLI_CSV_FIELDS)
        return dpli_fail(err, DPL_E_INPUT, "line %zu: more than %d fields", csv->line,
                         DPLI_CSV_FIELDS);
    csv->field[csv->n_fields++] = field;
    return DPL_OK;
}

dpl_status dpli_csv_row(dpli_csv *csv, dpl_error *err)
{
    char *const text = csv->text;

    csv->n_fields = 0;
    while (csv->at < csv->n && line_end(csv, csv->at)) {
        csv->at += line_end(csv, csv->at);
        csv->next_line++;
    }
    csv->line = csv->next_line;
    while (csv->at < csv->n) {
        size_t to = csv->at, end = 0;
        const bool quoted = csv->quotes && text[csv->at] == '"';

        dpl_status status = add_field(csv, text + to, err);
        if (status == DPL_OK && quoted)
            status = take_quoted(csv, &to, err);
        if (status != DPL_OK)
            return status;
        while (csv->at < csv->n && text[csv->at] != csv->separator) {
            end = line_end(csv, csv->at);
            if (end != 0)
                break;
            if (csv->separator == ',' && (quoted || text[csv->at] == '"'))
                return dpli_fail(err, DPL_E_INPUT, "line %zu: a quote within a field", csv->line);
            text[to++] = text[csv->at++];
        }
        const bool more = csv->at < csv->n && text[csv->at] == csv->separator;
        csv->at += more ? 1 : end;
        text[to] = '\0';
        if (more && csv->at == csv->n) {
            status = add_field(csv, text + csv->n, err);
            if (status != DPL_OK)
                return status;
        }
        if (!more) {
            csv->next_line += end > 0;
            break;
        }
    }
    return DPL_OK;
}
