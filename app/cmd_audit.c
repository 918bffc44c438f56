/*
 * cmd_audit.c - `doppel audit`: who changed the gallery, whether that is unbroken, and whether
 * receipts are of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_audit.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

const option_spec *const options_of_audit[] = {options_gallery, options_output, NULL};

typedef struct auditing {
    const command *self;
    const common *o;
    dpl_gallery *gallery;
} auditing;

static dpl_status on_line(void *ctx, const dpl_audit_line *line)
{
    const auditing *a = ctx;
    json_t *object = audit_line_json(line);
    char when[32];

    if (a->o->json) {
        json_print(object);
        return DPL_OK;
    }
    printf("%6lld  %s  ", (long long)line->n, text_when(when, line->unix_s));
    text_put(stdout, line->user);
    fputs("  ", stdout);
    text_put(stdout, line->what);
    audit_put_counts(stdout, object);
    putchar('\n');
    json_decref(object);
    return DPL_OK;
}

static int tell_all(const auditing *a)
{
    dpl_audit_report r;
    char lines[64];
    dpl_error err;

    if (dpl_gallery_audit(&r, a->gallery, on_line, (void *)(uintptr_t)a, &err) != DPL_OK)
        return common_fail(a->self, a->o, &err);
    if (a->o->json)
        json_print(audit_json(&r));
    if (r.broken_at)
        return a->o->json ? dpl_status_exit_code(DPL_E_GALLERY)
                          : common_refuse(a->self, a->o, DPL_E_GALLERY,
                                          "the audit is broken at line %lld: %s",
                                          (long long)r.broken_at, r.why);
    if (!a->o->json && !a->o->quiet)
        fprintf(stderr, "%s, unbroken%s\n", text_counted(lines, r.n_lines, "line"),
                r.n_waiting ? "; the line of the last change is still to be written" : "");
    return 0;
}

/* A line of a file of receipts. */
static int check_receipt(const auditing *a, const char *path, const char *text, size_t n)
{
    char why[256];
    dpl_error err;

    if (dpl_gallery_check_receipt(why, a->gallery, text, n, &err) != DPL_OK)
        return common_refuse(a->self, a->o, err.status, "\"%s\": %s", path, err.message);
    if (a->o->json)
        json_print(receipt_check_json(path, why));
    if (*why)
        return a->o->json ? dpl_status_exit_code(DPL_E_GALLERY)
                          : common_refuse(a->self, a->o, DPL_E_GALLERY, "\"%s\": %s", path, why);
    if (!a->o->json) {
        text_put(stdout, path);
        puts(": right");
    }
    return 0;
}

/* The worst of its receipts. */
static int check_file(const auditing *a, const char *path)
{
    FILE *file = fopen(path, "r");
    int worst = 0, n_receipts = 0;
    char *line = NULL;
    size_t size = 0;
    ssize_t n;

    if (!file)
        return common_refuse(a->self, a->o, DPL_E_INPUT, "\"%s\" cannot be opened: %s", path,
                             strerror(errno));
    for (n = getline(&line, &size, file); n > 0; n = getline(&line, &size, file)) {
        const int code = check_receipt(a, path, line, (size_t)n);

        n_receipts++;
        worst = code > worst ? code : worst;
    }
    if (ferror(file))
        worst = common_refuse(a->self, a->o, DPL_E_INPUT, "\"%s\" cannot be read: %s", path,
                              strerror(errno));
    else if (n_receipts == 0)
        worst = common_refuse(a->self, a->o, DPL_E_INPUT, "\"%s\" is empty", path);
    free(line);
    fclose(file);
    return worst;
}

int cmd_audit(const command *self, int argc, char **argv)
{
    common o = COMMON_INIT;
    auditing a = {self, &o, NULL};
    int n, worst = 0, code = options_read(self, &o, argc, argv, &n);

    if (!code)
        code = common_open_gallery(&a.gallery, self, &o, DPL_GALLERY_READ);
    if (code)
        return code;
    if (n == 0)
        worst = tell_all(&a);
    for (int i = 1; i <= n; i++) {
        code = check_file(&a, argv[i]);
        worst = code > worst ? code : worst;
    }
    dpl_gallery_close(a.gallery);
    return worst;
}
