/*
 * json.c - what the command tests need of JSON: "json FILE" fails unless every line of FILE is one
 * JSON object with a schema; "json FILE PATH" also prints, for each line that has it, the value at
 * a path like "faces.0.person", strings without quotes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *at(const json_t *value, const char *path)
{
    while (value && *path) {
        const size_t n = strcspn(path, ".");
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        value = json_is_array(value) ? json_array_get(value, (size_t)strtoul(key, NULL, 10))
                                     : json_object_get(value, key);
        path += n + (path[n] == '.');
    }
    return value;
}

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    char *line = NULL;
    size_t cap = 0, n_lines = 0;

    while (f && getline(&line, &cap, f) > 0) {
        json_error_t error;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        const char *schema = json_string_value(json_object_get(object, "schema"));
        const json_t *value = argc > 2 ? at(object, argv[2]) : NULL;
        n_lines++;
        if (!schema || strncmp(schema, "doppel.", 7) != 0) {
            fprintf(stderr, "%s:%zu: %s\n", argv[1], n_lines, object ? "no schema" : error.text);
            return 1;
        }
        if (json_is_string(value)) {
            puts(json_string_value(value));
        } else if (value) {
            json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
            putchar('\n');
        }
        json_decref(object);
    }
    free(line);
    if (!f || n_lines == 0) {
        fprintf(stderr, "%s: nothing to read\n", argc > 1 ? argv[1] : "no file");
        return 1;
    }
    fclose(f);
    return 0;
}
