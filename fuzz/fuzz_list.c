/*
 * fuzz_list.c - any bytes as a list or an array (.npy): a data set whose items and pairs are all
 * there, or an error that names the file.
 *
 * The first byte chooses the options.
 */
#include <math.h>
#include <string.h>

#include "doppel/dataset.h"
#include "fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void check_item(const dpl_dataset *d, int side, int32_t item)
{
    int32_t n;

    fuzz_require(dpl_dataset_item_name(d, item) != NULL);
    switch (dpl_dataset_side_kind(d, side)) {
    case DPL_ITEM_PICTURE: break;
    case DPL_ITEM_SENTENCE: {
        const char *sentence = dpl_dataset_sentence(d, item);
        fuzz_require(sentence && *sentence);
        break;
    }
    case DPL_ITEM_VECTOR: {
        const float *vector = dpl_dataset_vector(d, item);
        fuzz_require(vector != NULL);
        for (int32_t i = 0; i < dpl_dataset_side_dim(d, side); i++)
            fuzz_require(isfinite(vector[i]));
        break;
    }
    case DPL_ITEM_CODES: {
        const int32_t *codes = dpl_dataset_codes(d, item, &n);
        fuzz_require(codes && n > 0 && n <= dpl_dataset_side_dim(d, side));
        for (int32_t i = 0; i < n; i++)
            fuzz_require(codes[i] >= 0 && codes[i] < dpl_dataset_side_codes(d, side));
        break;
    }
    }
}

static void check_pair(const dpl_dataset *d, int32_t i)
{
    const dpl_given_pair *p = dpl_dataset_pair(d, i);

    for (int side = 0; side < 2; side++) {
        int32_t n;
        const int32_t first = dpl_dataset_side_items(d, side, &n);
        const int32_t item = side == 0 ? p->a : p->b;
        fuzz_require(item >= first && item - first < n);
    }
    fuzz_require(p->grade >= 0 && p->grade <= 1 && p->line > 0 && isfinite(p->given));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};
    dpl_dataset *d;

    if (n_bytes == 0)
        return 0;
    options.plain = data[0] & 1;
    options.scale_high = data[0] & 2 ? 5 : 0;
    options.kinds[0] = data[0] & 4 ? data[0] >> 3 & 3 : -1;
    options.kinds[1] = data[0] & 32 ? data[0] >> 6 & 3 : -1;
    options.root = "/nonexistent";
    if (dpl_dataset_open(&d, fuzz_file("list", data + 1, n_bytes - 1), &options, &err) != DPL_OK) {
        fuzz_require(err.message[0] == '"' && !d);
        return 0;
    }
    fuzz_require(dpl_dataset_n_items(d) > 0);
    for (int side = 0; side < 2; side++) {
        int32_t n;
        const int32_t first = dpl_dataset_side_items(d, side, &n);
        fuzz_require(first >= 0 && n > 0 && first + n <= dpl_dataset_n_items(d));
        for (int32_t i = first; i < first + n; i++)
            check_item(d, side, i);
    }
    for (int32_t i = 0; i < dpl_dataset_n_pairs(d); i++)
        check_pair(d, i);
    dpl_dataset_close(d);
    return 0;
}
