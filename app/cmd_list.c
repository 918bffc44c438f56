/*
 * cmd_list.c - `doppel list`: the people in the gallery.
 */
#include <stdio.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

const option_spec *const options_of_list[] = {options_gallery, options_output, NULL};

typedef struct listing {
    const command *self;
    bool json;
    table table;
    int64_t n_people, n_photos;
} listing;

static dpl_status take_person(void *ctx, const dpl_person *row)
{
    listing *l = ctx;
    char photos[32], templates[32];

    l->n_people++;
    l->n_photos += row->n_photos;
    if (l->json) {
        json_print(list_json(row));
    } else {
        const char *cells[] = {row->name, text_count(photos, row->n_photos),
                               text_count(templates, row->n_templates)};
        table_add(&l->table, TONE_PLAIN, cells);
    }
    return DPL_OK;
}

int cmd_list(const command *self, int argc, char **argv)
{
    static const char *const heads[] = {"person", "photos", "templates"};
    common o = COMMON_INIT;
    listing l = {.self = self, .table = {.align = "lrr"}};
    dpl_gallery *gallery = NULL;
    char people[64], photos[64];
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 0)
        code = options_usage(self, "it takes no \"%s\"; doppel info PERSON tells of one", argv[1]);
    if (!code)
        code = common_open_gallery(&gallery, self, &o, DPL_GALLERY_READ);
    if (code)
        return code;
    l.json = o.json;
    table_add(&l.table, TONE_FAINT, heads);
    if (dpl_gallery_each_person(gallery, take_person, &l, &err) != DPL_OK) {
        code = common_fail(self, &o, &err);
    } else if (!o.json) {
        if (l.n_people > 0)
            table_print(&l.table, stdout, (color_when)o.color, 0);
        printf("%s, %s\n", text_counted(people, l.n_people, "person"),
               text_counted(photos, l.n_photos, "photo"));
    }
    table_clear(&l.table);
    dpl_gallery_close(gallery);
    return code;
}
