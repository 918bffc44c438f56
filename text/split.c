/*
 * split.c - a sentence to pieces: characters, words, or what the byte pairs of GPT-2 and CLIP are
 * merged within.
 *
 * Source of the last two: the regular expressions of their publishers' tokenizers,
 *
 *     GPT-2  's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *     CLIP   's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
 *
 * We differ: CLIP's also undoes broken encodings and HTML's entities first, and its special tokens,
 * written out in a text, are text here.
 */
#include "text/split.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/unicode.h"
#include "base/utf8.h"

/* ------------------------------------------------------------------ one form */

static dpl_status check(const char *text, size_t n, dpl_error *err)
{
    for (size_t at = 0, step; at < n; at += step) {
        uint32_t point;

        step = dpli_utf8_next(&point, text + at);
        if (step == 0)
            return dpli_fail(err, DPL_E_INPUT, "text is not UTF-8 at byte %zu", at);
        if (point == 0)
            return dpli_fail(err, DPL_E_INPUT, "text has a NUL at byte %zu", at);
    }
    return DPL_OK;
}

dpl_status dpli_text_prepare(char **out, dpl_token_kind kind, bool lower, const char *text,
                             size_t n_bytes, dpl_error *err)
{
    char *copy = NULL, *lowered = NULL;
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (n_bytes > DPL_MAX_SENTENCE_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "text is %zu bytes, limit is %d", n_bytes,
                         DPL_MAX_SENTENCE_BYTES);
    copy = dpli_alloc(n_bytes + 1, 1, err);
    if (!copy)
        goto done;
    if (n_bytes > 0)
        memcpy(copy, text, n_bytes);
    copy[n_bytes] = '\0';
    status = check(copy, n_bytes, err);
    if (status != DPL_OK)
        goto done;
    if (kind != DPL_TOKENS_BYTE_PAIRS) {
        char *composed = dpli_compose(&n_bytes, copy, n_bytes, err);

        status = composed ? DPL_OK : DPL_E_MEMORY;
        if (!composed)
            goto done;
        free(copy);
        copy = composed;
    }
    if (lower || kind == DPL_TOKENS_CLIP || kind == DPL_TOKENS_WORDS) {
        char *to;

        /* A code point of one byte or more becomes one of four at most. */
        lowered = to = dpli_alloc(4 * n_bytes + 1, 1, err);
        status = lowered ? DPL_OK : DPL_E_MEMORY;
        if (!lowered)
            goto done;
        for (const char *at = copy; *at;) {
            uint32_t point;

            at += dpli_utf8_next(&point, at);
            /* Two ways of writing one apostrophe. */
            if (kind == DPL_TOKENS_WORDS && point == 0x2019)
                point = '\'';
            const bool lowers = lower || kind == DPL_TOKENS_CLIP;
            to += dpli_utf8_put(to, lowers ? dpli_lower(point) : point);
            /* The one letter whose small one is two code points, wherever it stands. */
            if (lowers && point == 0x130)
                to += dpli_utf8_put(to, 0x307);
        }
        *to = '\0';
        free(copy);
        copy = lowered;
        lowered = NULL;
    }
    *out = copy;
    copy = NULL;
done:
    free(copy);
    return status;
}

/* ------------------------------------------------------------------ pieces */

/* The character at this place, its bytes, and its kind; at the end 0 bytes. */
static size_t look(uint32_t *point, dpli_character *kind, const char *at)
{
    if (!*at)
        return 0;
    const size_t n = dpli_utf8_next(point, at);
    *kind = dpli_character_of(*point);
    return n;
}

/* As look, for characters and words: nobody sees control characters, so they part words as white
 * space does. Those that join or part letters within a word belong to it. */
static size_t look_seen(uint32_t *point, dpli_character *kind, const char *at)
{
    const size_t n = look(point, kind, at);

    if (n && *kind == DPLI_CHARACTER_CONTROL)
        *kind = *point == 0x200c || *point == 0x200d ? DPLI_CHARACTER_MARK : DPLI_CHARACTER_SPACE;
    return n;
}

/* Past white space: bytes of the character behind it, 0 at the end. */
static size_t skip_space(uint32_t *point, dpli_character *kind, dpli_splitter *s)
{
    size_t n = look_seen(point, kind, s->at);

    while (n && *kind == DPLI_CHARACTER_SPACE) {
        s->at += n;
        n = look_seen(point, kind, s->at);
    }
    return n;
}

static bool next_character(dpli_splitter *s, const char **piece, size_t *n_bytes)
{
    const char *from = s->at;
    dpli_character kind;
    uint32_t point;
    const size_t n = skip_space(&point, &kind, s);

    if (n == 0)
        return false;
    if (s->begun && s->at > from) {
        *piece = " ";
        *n_bytes = 1;
        return true;
    }
    s->begun = true;
    *piece = s->at;
    *n_bytes = n;
    s->at += n;
    return true;
}

/* Scripts that write words without spaces, whose characters stand for words or syllables: Han and
 * its marks of iteration, kana, Bopomofo. */
static bool stands_alone(uint32_t c)
{
    return (c >= 0x3005 && c <= 0x3007) || (c >= 0x3040 && c <= 0x312f) ||
           (c >= 0x31a0 && c <= 0x31bf) || (c >= 0x31f0 && c <= 0x31ff) ||
           (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0xff66 && c <= 0xff9d) ||
           (c >= 0x1b000 && c <= 0x1b16f) || (c >= 0x20000 && c <= 0x3ffff);
}

static bool in_word(uint32_t point, dpli_character kind)
{
    return (kind == DPLI_CHARACTER_LETTER || kind == DPLI_CHARACTER_NUMBER ||
            kind == DPLI_CHARACTER_MARK) &&
           !stands_alone(point);
}

static bool next_word(dpli_splitter *s, const char **piece, size_t *n_bytes)
{
    dpli_character kind = DPLI_CHARACTER_SPACE, next_kind;
    uint32_t point = 0, next;
    size_t n = skip_space(&point, &kind, s);

    if (n == 0)
        return false;
    *piece = s->at;
    s->at += n;
    if (in_word(point, kind))
        for (bool letter = kind == DPLI_CHARACTER_LETTER;;) {
            n = look_seen(&next, &next_kind, s->at);
            if (n && in_word(next, next_kind)) {
                s->at += n;
                letter = next_kind == DPLI_CHARACTER_LETTER;
                continue;
            }
            /* don't */
            if (!n || next != '\'' || !letter)
                break;
            n = look_seen(&next, &next_kind, s->at + 1);
            if (!n || next_kind != DPLI_CHARACTER_LETTER || !in_word(next, next_kind))
                break;
            s->at += 1 + n;
        }
    else
        /* with what stands on it */
        for (;;) {
            n = look_seen(&next, &next_kind, s->at);
            if (!n || next_kind != DPLI_CHARACTER_MARK)
                break;
            s->at += n;
        }
    *n_bytes = (size_t)(s->at - *piece);
    return true;
}

/* What \p{L}, \p{N}, \s and the rest are to the two expressions. */
static dpli_character sort_of(dpli_character kind)
{
    return kind == DPLI_CHARACTER_MARK || kind == DPLI_CHARACTER_CONTROL ? DPLI_CHARACTER_OTHER
                                                                         : kind;
}

static const char *skip_run(const char *at, dpli_character sort)
{
    dpli_character kind;
    uint32_t point;
    size_t n;

    for (;;) {
        n = look(&point, &kind, at);
        if (n == 0 || sort_of(kind) != sort)
            return at;
        at += n;
    }
}

/* The bytes of 's, 't, 're, 've, 'm, 'll, 'd; 0. */
static size_t contraction(const char *at)
{
    static const char *const ends[] = {"s", "t", "re", "ve", "m", "ll", "d"};

    if (*at != '\'')
        return 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strncmp(at + 1, ends[i], strlen(ends[i])) == 0)
            return 1 + strlen(ends[i]);
    return 0;
}

static bool next_of_gpt2(dpli_splitter *s, const char **piece, size_t *n_bytes)
{
    const char *from = s->at, *end = from + contraction(from), *last;
    dpli_character kind;
    uint32_t point;

    if (!look(&point, &kind, from))
        return false;
    if (end == from) {
        const char *at = from;

        if (point == ' ') {
            if (look(&point, &kind, from + 1) && kind != DPLI_CHARACTER_SPACE)
                at++;
            else
                kind = DPLI_CHARACTER_SPACE;
        }
        end = skip_run(at, sort_of(kind));
        if (kind == DPLI_CHARACTER_SPACE && *end) {
            /* The run's last one is left for what comes behind, unless it is alone. */
            for (last = end - 1; (*last & 0xc0) == 0x80; last--)
                ;
            if (last > from)
                end = last;
        }
    }
    *piece = from;
    *n_bytes = (size_t)(end - from);
    s->at = end;
    return true;
}

static bool next_of_clip(dpli_splitter *s, const char **piece, size_t *n_bytes)
{
    const char *from = skip_run(s->at, DPLI_CHARACTER_SPACE), *end = from + contraction(from);
    dpli_character kind;
    uint32_t point;
    const size_t n = look(&point, &kind, from);

    if (n == 0)
        return false;
    if (end == from)
        end = kind == DPLI_CHARACTER_NUMBER ? from + n : skip_run(from, sort_of(kind));
    *piece = from;
    *n_bytes = (size_t)(end - from);
    s->at = end;
    return true;
}

bool dpli_split_next(dpli_splitter *s, const char **piece, size_t *n_bytes)
{
    switch (s->kind) {
    case DPL_TOKENS_CHARACTERS: return next_character(s, piece, n_bytes);
    case DPL_TOKENS_WORDS: return next_word(s, piece, n_bytes);
    case DPL_TOKENS_BYTE_PAIRS: return next_of_gpt2(s, piece, n_bytes);
    case DPL_TOKENS_CLIP: return next_of_clip(s, piece, n_bytes);
    }
    return false;
}
