/*
 * fuzz_tokens.c - any bytes as what a model says of its tokens, and a text for them: refused with
 * words, or a tokenizer whose ids are all within its vocabulary and which its own facts give again.
 *
 * The first byte says of which kind; then come the list and the text, with a NUL between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/file.h"
#include "net/graph.h"
#include "net/net.h"
#include "text/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void encode(const dpl_tokenizer *t, const char *text, size_t n)
{
    static int64_t ids[DPL_MAX_TOKENS_LENGTH];
    const dpl_tokenizer_facts *a = dpl_tokenizer_about(t);
    dpl_error err = {DPL_OK, ""};
    dpl_sentence about;

    if (dpl_tokenizer_encode(ids, &about, t, text, n, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0');
        return;
    }
    fuzz_require(about.n >= 1 && about.n <= a->length && about.n_unknown >= 0 && about.n_cut >= 0);
    for (int32_t i = 0; i < a->length; i++)
        fuzz_require(ids[i] >= 0 && ids[i] < a->n_tokens && (i < about.n || ids[i] == a->padding));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const char *const kinds[] = {"characters", "words", "byte-pairs", "clip"};
    const int kind = n_bytes > 0 ? data[0] & 3 : 0;
    char *list = malloc(n_bytes + 1), text[16];
    dpl_error err = {DPL_OK, ""};
    struct dpl_net net = {0}, again = {0};
    dpl_tokenizer *t = NULL, *same = NULL;
    size_t n_list;

    fuzz_require(list != NULL);
    if (n_bytes > 0)
        memcpy(list, data + 1, n_bytes - 1);
    list[n_bytes > 0 ? n_bytes - 1 : 0] = '\0';
    n_list = strlen(list);
    snprintf(text, sizeof text, "%d", n_bytes > 0 ? data[0] >> 2 : 0);
    fuzz_require(dpli_graph_set_meta(&net.graph, "tokens", kinds[kind], NULL) == DPL_OK &&
                 dpli_graph_set_meta(&net.graph, "tokens.list", list, NULL) == DPL_OK &&
                 dpli_graph_set_meta(&net.graph, "tokens.merges", list, NULL) == DPL_OK &&
                 dpli_graph_set_meta(&net.graph, "tokens.length", text, NULL) == DPL_OK);
    if (kind < 2)
        fuzz_require(dpli_graph_set_meta(&net.graph, "tokens.padding", "0", NULL) == DPL_OK);
    if (dpl_tokenizer_from_net(&t, &net, 0, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0');
    } else {
        if (n_bytes > n_list + 2)
            encode(t, list + n_list + 1, n_bytes - n_list - 2);
        fuzz_require(dpli_tokenizer_into_graph(t, &again.graph, 0, NULL) == DPL_OK);
        fuzz_require(dpl_tokenizer_from_net(&same, &again, 0, NULL) == DPL_OK);
        fuzz_require(memcmp(dpl_tokenizer_about(t), dpl_tokenizer_about(same),
                            sizeof(dpl_tokenizer_facts)) == 0);
        for (int32_t i = 0; i < dpl_tokenizer_about(t)->n_tokens; i++)
            fuzz_require(strcmp(dpl_tokenizer_token(t, i), dpl_tokenizer_token(same, i)) == 0);
    }
    dpl_tokenizer_free(t);
    dpl_tokenizer_free(same);
    dpli_graph_clear(&net.graph);
    dpli_graph_clear(&again.graph);
    free(list);
    return 0;
}
