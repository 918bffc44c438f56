/*
 * json_text.c - what jansson does not say of lack of memory.
 *
 * Reading, a string that could not be kept is "invalid token" to it. A text that is wrong is so
 * again; and where there is no memory at all, the second attempt fails before it has read anything,
 * which is no error of the text. Writing, it does not look whether a name was taken (jansson 2.14,
 * do_dump), so that is kept in mind here.
 */
#include "net/json_text.h"

#include "base/buf.h"

json_t *dpli_json_read(bool *no_memory, const char *text, size_t n, json_error_t *why)
{
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, why);

    if (!root)
        root = json_loadb(text, n, JSON_REJECT_DUPLICATES, why);
    *no_memory = !root && (json_error_code(why) == json_error_out_of_memory || !why->text[0]);
    return root;
}

static int take(const char *bytes, size_t n, void *buf)
{
    dpli_buf_add(buf, bytes, n);
    return 0;
}

char *dpli_json_write(const json_t *json, size_t flags)
{
    dpli_buf text = {0};

    if (json_dump_callback(json, take, &text, flags) == 0 && dpli_buf_check(&text, NULL) == DPL_OK)
        return text.data;
    dpli_buf_clear(&text);
    return NULL;
}
