/*
 * sidecar.c - facts about a model that stand in a JSON file beside it.
 */
#include "net/sidecar.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/fail.h"
#include "net/json_text.h"

/* A string as it is, numbers as JSON writes them, a list with commas between. */
static bool value_text(const json_t *value, dpli_buf *text)
{
    if (json_is_string(value)) {
        dpli_buf_str(text, json_string_value(value));
    } else if (json_is_integer(value)) {
        dpli_buf_printf(text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        dpli_buf_printf(text, "%.9g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        dpli_buf_str(text, json_is_true(value) ? "true" : "false");
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *part = json_array_get(value, i);

            if (json_is_array(part))
                return false;
            dpli_buf_str(text, i ? "," : "");
            if (!value_text(part, text))
                return false;
        }
    } else {
        return false;
    }
    return true;
}

dpl_status dpli_sidecar_read(dpli_graph *g, const char *bytes, size_t n_bytes, dpl_error *err)
{
    json_error_t problem;
    bool is_short;
    json_t *root = dpli_json_read(&is_short, bytes, n_bytes, &problem), *value;
    dpl_status status = DPL_OK;
    const char *key;

    if (is_short)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory reading its facts");
    if (!root)
        return dpli_fail(err, DPL_E_MODEL, "line %d: %s", problem.line, problem.text);
    if (!json_is_object(root))
        status = dpli_fail(err, DPL_E_MODEL, "is not a JSON object");
    for (void *at = json_object_iter(root); at && status == DPL_OK;
         at = json_object_iter_next(root, at)) {
        dpli_buf text = {0};

        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        dpli_buf_str(&text, "");
        if (!value_text(value, &text))
            status = dpli_fail(err, DPL_E_MODEL,
                               "\"%.60s\" is not a string, a number or a list of them", key);
        if (status == DPL_OK)
            status = dpli_buf_check(&text, err);
        if (status == DPL_OK)
            status = dpli_graph_set_meta(g, key, text.data, err);
        dpli_buf_clear(&text);
    }
    json_decref(root);
    return status;
}
