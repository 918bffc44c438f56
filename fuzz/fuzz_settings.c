/*
 * fuzz_settings.c - any bytes as the config.json of a run: refused with words, or read and written
 * again as the same settings.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/file.h"
#include "train/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    const dpl_train_options given = DPL_TRAIN_OPTIONS_INIT;
    char *text = malloc(n_bytes + 1), *first = NULL, *second = NULL;
    dpl_error err = {DPL_OK, ""};
    dpli_settings settings, again;

    fuzz_require(text != NULL);
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    if (dpli_settings_read(&settings, &given, text, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0');
    } else {
        fuzz_require(dpli_settings_text(&first, &settings, NULL) == DPL_OK);
        fuzz_require(dpli_settings_read(&again, &given, first, NULL) == DPL_OK);
        fuzz_require(dpli_settings_text(&second, &again, NULL) == DPL_OK);
        fuzz_require(strcmp(first, second) == 0);
        dpli_settings_clear(&again);
        dpli_settings_clear(&settings);
    }
    free(first);
    free(second);
    free(text);
    return 0;
}
