/*
 * text.c - words for people.
 *
 * A file name is bytes that somebody else chose: it reaches a terminal only through text_put.
 */
#include "app/text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/utf8.h"

void text_start(void)
{
    /* We print UTF-8 whatever the user's locale is, so the widths are those of UTF-8. */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
}

bool text_is_unsafe(uint32_t c)
{
    return dpli_utf8_is_unsafe(c);
}

/* Where the next address of a database begins, behind "://"; NULL: there is none. */
static char *next_address(char *text)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};
    char *first = NULL;

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        char *at = strstr(text, schemes[i]);

        if (at && (!first || at < first))
            first = at + strlen(schemes[i]);
    }
    return first;
}

static void cut(char *from, const char *to)
{
    memmove(from, to, strlen(to) + 1);
}

char *text_public(const char *bytes)
{
    char *text, *at;

    /* Nearly every text is none. */
    if (!strstr(bytes, "postgres"))
        return NULL;
    text = text_format("%s", bytes);
    at = next_address(text);
    if (!at) {
        free(text);
        return NULL;
    }
    for (; at; at = next_address(at)) {
        static const char key[] = "password=";
        size_t n = strcspn(at, " \t\n\"'");
        char *colon = memchr(at, ':', n), *end = memrchr(at, '@', n), *value;

        if (end && colon && colon < end)
            cut(colon, end);
        n = strcspn(at, " \t\n\"'");
        for (value = memmem(at, n, key, sizeof key - 1); value;
             value = memmem(value, strcspn(value, " \t\n\"'"), key, sizeof key - 1)) {
            value += sizeof key - 1;
            cut(value, value + strcspn(value, "& \t\n\"'"));
        }
    }
    return text;
}

void text_put(FILE *f, const char *bytes)
{
    char *public = text_public(bytes);
    const char *s = public ? public : bytes;

    while (*s) {
        uint32_t c = 0;
        const size_t n = dpli_utf8_next(&c, s);
        if (n == 0) {
            fprintf(f, "\\x%02x", (unsigned char)*s++);
            continue;
        }
        if (!text_is_unsafe(c))
            fwrite(s, 1, n, f);
        else if (c < 0x80)
            fprintf(f, "\\x%02x", c);
        else
            fprintf(f, "\\u{%04x}", c);
        s += n;
    }
    free(public);
}

void text_put_field(FILE *f, const char *bytes)
{
    char *public = text_public(bytes);
    const char *s = public ? public : bytes;

    while (*s) {
        uint32_t c = 0;
        const size_t n = dpli_utf8_next(&c, s);

        if (n == 1 && strchr("\t\n\\", *s))
            fprintf(f, "\\%c", *s == '\t' ? 't' : *s == '\n' ? 'n' : '\\');
        else if (n > 0 && !text_is_unsafe(c))
            fwrite(s, 1, n, f);
        else
            for (size_t i = 0; i < (n ? n : 1); i++)
                fprintf(f, "\\x%02x", (unsigned char)s[i]);
        s += n ? n : 1;
    }
    free(public);
}

void *text_need(void *p)
{
    if (!p) {
        fputs("doppel: out of memory\n", stderr);
        exit(5);
    }
    return p;
}

char *text_shown(const char *bytes)
{
    char *shown = NULL;
    size_t n;
    FILE *f = text_need(open_memstream(&shown, &n));

    text_put(f, bytes);
    if (fclose(f) != 0)
        text_need(NULL);
    return shown;
}

char *text_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text_need(NULL);
    va_end(args);
    return text;
}

char *text_try_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

int text_width(const char *shown)
{
    const char *s = shown;
    int width = 0;

    while (*s) {
        uint32_t c = 0;
        size_t n = dpli_utf8_next(&c, s);
        const int w = n ? wcwidth((wchar_t)c) : 1;
        width += w >= 0 ? w : 1;
        s += n ? n : 1;
    }
    return width;
}

bool text_has_color(FILE *f, color_when when)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

    if (when != COLOR_AUTO)
        return when == COLOR_ALWAYS;
    return !(no && no[0]) && !(terminal && strcmp(terminal, "dumb") == 0) && isatty(fileno(f));
}

void text_tone(FILE *f, color_when when, tone t, const char *shown)
{
    static const char *const codes[] = {"", "32", "31", "33", "2"};

    if (t == TONE_PLAIN || !text_has_color(f, when))
        fputs(shown, f);
    else
        fprintf(f, "\033[%sm%s\033[0m", codes[t], shown);
}

void text_put_decision(FILE *f, color_when when, dpl_decision decision)
{
    static const tone tones[] = {
        [DPL_DECISION_NONE] = TONE_WARN,     [DPL_DECISION_MATCH] = TONE_GOOD,
        [DPL_DECISION_NO_MATCH] = TONE_BAD,  [DPL_DECISION_INCONCLUSIVE] = TONE_WARN,
        [DPL_DECISION_TOO_POOR] = TONE_WARN,
    };

    text_tone(f, when, tones[decision],
              decision == DPL_DECISION_NONE ? "no decision" : dpl_decision_words(decision));
}

void text_put_note(FILE *f, char *line)
{
    if (!line)
        return;
    fputs("  ", f);
    text_put(f, line);
    fputc('\n', f);
    free(line);
}

char *text_when(char buffer[32], int64_t unix_s)
{
    const time_t t = (time_t)unix_s;
    struct tm tm;

    buffer[0] = '\0';
    if (unix_s > 0 && localtime_r(&t, &tm))
        strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return buffer;
}

char *text_count(char buffer[32], int64_t n)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, n);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        buffer[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
            buffer[at++] = ',';
    }
    buffer[at] = '\0';
    return buffer;
}

char *text_counted(char buffer[64], int64_t n, const char *word)
{
    char count[32];

    /* "person" is the one word here whose plural is its own */
    if (n != 1 && strcmp(word, "person") == 0)
        snprintf(buffer, 64, "%s people", text_count(count, n));
    else
        snprintf(buffer, 64, "%s %.16s%s", text_count(count, n), word, n == 1 ? "" : "s");
    return buffer;
}

/* x to two digits, downwards: what is said must not promise more than was measured. */
static double two_digits_down(double x)
{
    const double unit = pow(10, floor(log10(x)) - 1);

    return x < 10 ? floor(x) : floor(x / unit + 1e-9) * unit;
}

static const char *in_pairs(char buffer[64], const char *before, double rate)
{
    char count[32];

    if (rate > 0.1)
        snprintf(buffer, 64, "in %s%.0f %% of pairs", before, 100 * rate);
    else if (rate > 1e-15)
        snprintf(buffer, 64, "%sonce in %s pairs", before,
                 text_count(count, (int64_t)two_digits_down(1 / rate)));
    else
        snprintf(buffer, 64, "next to never");
    return buffer;
}

const char *text_fmr(char buffer[64], double fmr)
{
    buffer[0] = '\0';
    return isfinite(fmr) ? in_pairs(buffer, "", fmr) : buffer;
}

const char *text_rate(char buffer[64], dpl_rate rate)
{
    buffer[0] = '\0';
    if (!isfinite(rate.rate))
        return buffer;
    if (!rate.beyond)
        return in_pairs(buffer, "", rate.rate);
    if (rate.rate < 1)
        return in_pairs(buffer, rate.rate > 0.1 ? "at most " : "less than ", rate.rate);
    if (rate.low > 0.1)
        return in_pairs(buffer, "at least ", rate.low);
    snprintf(buffer, 64, "often");
    return buffer;
}

/* ------------------------------------------------------------------ tables */

void table_add(table *t, tone row_tone, const char *const *cells)
{
    const size_t n = strlen(t->align);

    if (t->n_rows == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 32;
        t->cells = text_need(reallocarray(t->cells, t->cap * n, sizeof *t->cells));
        t->tones = text_need(reallocarray(t->tones, t->cap, sizeof *t->tones));
    }
    for (size_t i = 0; i < n; i++)
        t->cells[t->n_rows * n + i] = text_shown(cells[i]);
    t->tones[t->n_rows++] = row_tone;
}

static void put_spaces(FILE *f, int n)
{
    for (int i = 0; i < n; i++)
        fputc(' ', f);
}

void table_print(const table *t, FILE *f, color_when when, int indent)
{
    const size_t n = strlen(t->align);
    int *widths = text_need(calloc(n + 1, sizeof *widths));

    for (size_t i = 0; i < t->n_rows * n; i++) {
        const int width = text_width(t->cells[i]);
        if (width > widths[i % n])
            widths[i % n] = width;
    }
    int owed = 0; /* spaces, printed only when something follows them */
    for (size_t i = 0; i < t->n_rows * n; i++) {
        const size_t column = i % n;
        const int room = widths[column] - text_width(t->cells[i]);
        owed = column ? owed + 2 : indent;
        owed += t->align[column] == 'r' ? room : 0;
        if (t->cells[i][0]) {
            put_spaces(f, owed);
            text_tone(f, when, t->tones[i / n], t->cells[i]);
            owed = 0;
        }
        owed += t->align[column] == 'l' ? room : 0;
        if (column + 1 == n)
            fputc('\n', f);
    }
    free(widths);
}

void table_clear(table *t)
{
    for (size_t i = 0; i < t->n_rows * strlen(t->align); i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->tones);
    *t = (table){.align = t->align};
}
