/*
 * json_print.c - JSON for programs: one object a line on stdout, safe on a terminal, too.
 */
#include "app/json_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/json.h"
#include "app/text.h"
#include "base/utf8.h"

void json_print(json_t *object)
{
    /* Nine digits give a float32 back exactly. */
    char *line = json_text(text_need(object), JSON_REAL_PRECISION(9));
    const char *s = text_need(line);

    while (*s) {
        uint32_t c = 0;
        const size_t n = dpli_utf8_next(&c, s);

        if (!text_is_unsafe(c))
            fwrite(s, 1, n, stdout);
        else if (c < 0x10000)
            printf("\\u%04x", (unsigned)c);
        else
            printf("\\u%04x\\u%04x", 0xd7c0u + (unsigned)(c >> 10),
                   0xdc00u + (unsigned)(c & 0x3ff));
        s += n;
    }
    putchar('\n');
    fflush(stdout);
    free(line);
    json_decref(object);
}
