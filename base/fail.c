/*
 * fail.c - filling in a dpl_error, and what a status is called.
 */
#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The longest part of a name that a message shows, so that the reason after it is never cut off. */
enum { NAME_SHOWN = 240 };

/* Shorten s [n bytes] by the bytes of a character that was cut in two. */
static void end_on_character(char *s, size_t n)
{
    size_t start = n;
    size_t want;
    unsigned char lead;

    while (start > 0 && n - start < 4 && ((unsigned char)s[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    lead = (unsigned char)s[--start];
    want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (n - start < want)
        s[start] = '\0';
}

/* Through a buffer of its own, because the arguments may point into err->message. */
__attribute__((format(printf, 3, 0))) static dpl_status fill(dpl_error *err, dpl_status status,
                                                             const char *format, va_list args)
{
    char text[sizeof err->message];
    int n = vsnprintf(text, sizeof text, format, args);

    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof text)
        end_on_character(text, sizeof text - 1);
    err->status = status;
    memcpy(err->message, text, sizeof text);
    return status;
}

dpl_status dpli_fail(dpl_error *err, dpl_status status, const char *format, ...)
{
    va_list args;

    if (!err)
        return status;
    va_start(args, format);
    fill(err, status, format, args);
    va_end(args);
    return status;
}

dpl_status dpli_fail_errno(dpl_error *err, dpl_status status, int saved_errno, const char *format,
                           ...)
{
    char reason[128];
    char text[sizeof err->message];
    va_list args;

    if (saved_errno == ENOMEM)
        status = DPL_E_MEMORY;
    if (!err)
        return status;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    return dpli_fail(err, status, "%s: %s", text, strerror_r(saved_errno, reason, sizeof reason));
}

dpl_status dpli_fail_in(dpl_error *err, dpl_status status, const char *name)
{
    size_t n = strlen(name);
    const char *cut = "";

    if (!err)
        return status;
    if (n > NAME_SHOWN) {
        /* The end of a path says more than its beginning. */
        name += n - NAME_SHOWN;
        while (((unsigned char)*name & 0xC0) == 0x80)
            name++;
        cut = "...";
    }
    return dpli_fail(err, status, "\"%s%s\": %s", cut, name, err->message);
}

const char *dpl_status_words(dpl_status status)
{
    switch (status) {
#define STATUS_WORDS(number, name, words, exit_code)                                               \
    case DPL_##name: return words;
        DPL_STATUS_LIST(STATUS_WORDS)
#undef STATUS_WORDS
    }
    return "unknown status";
}

const char *dpl_status_name(dpl_status status)
{
    switch (status) {
#define STATUS_NAME(number, name, words, exit_code)                                                \
    case DPL_##name: return #name;
        DPL_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "E_UNKNOWN";
}

int dpl_status_exit_code(dpl_status status)
{
    switch (status) {
#define STATUS_EXIT_CODE(number, name, words, exit_code)                                           \
    case DPL_##name: return exit_code;
        DPL_STATUS_LIST(STATUS_EXIT_CODE)
#undef STATUS_EXIT_CODE
    }
    return dpl_status_exit_code(DPL_E_BUG);
}
