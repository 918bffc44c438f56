/*
 * keep.c - a tokenizer into a model's file, whatever else is in that.
 */
#include <stdlib.h>

#include "base/fail.h"
#include "base/file.h"
#include "net/model_meta.h"
#include "text/facts.h"

#define MAX_MODEL_BYTES ((size_t)2 << 30)

dpl_status dpl_tokenizer_into_model(const dpl_tokenizer *t, const char *path, int32_t side,
                                    dpl_error *err)
{
    dpli_token_fact facts[DPLI_N_TOKEN_FACTS];
    dpli_meta metas[DPLI_N_TOKEN_FACTS];
    uint8_t *bytes = NULL, *changed = NULL;
    size_t n, n_changed;
    dpl_status status = dpli_token_facts(facts, t, side, err);

    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < DPLI_N_TOKEN_FACTS; i++)
        metas[i] = (dpli_meta){facts[i].key, facts[i].text};
    status = dpli_file_read(&bytes, &n, path, MAX_MODEL_BYTES, err);
    if (status == DPL_OK)
        status =
            dpli_model_set_meta(&changed, &n_changed, bytes, n, metas, DPLI_N_TOKEN_FACTS, err);
    if (status != DPL_OK)
        status = dpli_fail_in(err, status == DPL_E_INPUT ? DPL_E_MODEL : status, path);
    else
        status = dpli_file_replace(path, changed, n_changed, err);
done:
    free(bytes);
    free(changed);
    dpli_token_facts_clear(facts);
    return status;
}
