/*
 * test_near.c - a gallery whose database finds the candidates (pgvector): what it finds is what an
 * index in memory finds, scored to the bit alike, and stays so when vectors come, go and come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/score.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"
#include "tests/postgres/postgres_kit.h"

enum { N_PHOTOS = 60, K = 10 };

static dpl_gallery *filled(const char *dir)
{
    dpl_gallery *gallery = kit_new(dir);

    for (uint64_t i = 0; i < N_PHOTOS; i++) {
        char path[32], person[32];

        snprintf(path, sizeof path, "/%d.jpg", (int)i);
        snprintf(person, sizeof person, "person %d", (int)i % 40);
        kit_put_well(gallery, 2 + i, path, person, 4);
    }
    return gallery;
}

/* Once more, by whoever may make tables. */
static dpl_gallery *migrated(dpl_gallery *gallery, const char *dir)
{
    dpl_gallery_close(gallery);
    return kit_open(dir, DPL_GALLERY_MIGRATE);
}

typedef struct probes {
    float rows[N_PHOTOS][KIT_DIM];
    size_t n;
} probes;

static dpl_status keep(void *ctx, const dpl_template_row *row)
{
    probes *p = ctx;

    if (row->is_face && p->n < N_PHOTOS)
        memcpy(p->rows[p->n++], row->vector, sizeof p->rows[0]);
    return DPL_OK;
}

/* The share of hits that an index in memory finds and the database, too: with the same score. */
static double found_share(dpl_gallery *gallery, const probes *p, dpl_search_info *info)
{
    dpl_hit *here = calloc(p->n * K, sizeof *here), *there = calloc(p->n * K, sizeof *there);
    dpl_head *head = NULL;
    dpl_error err;
    size_t n = 0;

    assert_true(here && there);
    kit_expect(DPL_OK, dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &err), &err);
    dpl_gallery_set_index_memory(gallery, 0);
    kit_expect(DPL_OK,
               dpl_gallery_search(here, gallery, head, "face", &p->rows[0][0], p->n, KIT_DIM, NULL,
                                  info, &err),
               &err);
    assert_string_equal(info->index, "flat");
    dpl_gallery_set_index_memory(gallery, 1);
    kit_expect(DPL_OK,
               dpl_gallery_search(there, gallery, head, "face", &p->rows[0][0], p->n, KIT_DIM, NULL,
                                  info, &err),
               &err);
    for (size_t i = 0; i < p->n * K; i++)
        for (size_t j = i / K * K; j < i / K * K + K; j++) {
            if (here[i].template_id != there[j].template_id)
                continue;
            n++;
            assert_memory_equal(&here[i].score, &there[j].score, sizeof here[i].score);
            assert_int_equal(here[i].person_id, there[j].person_id);
            assert_int_equal(here[i].photo_id, there[j].photo_id);
        }
    dpl_head_free(head);
    free(here);
    free(there);
    return (double)n / (double)(p->n * K);
}

static void what_the_database_finds_is_what_an_index_finds(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery;
    dpl_search_info info;
    dpl_near_info near;
    probes p = {.n = 0};
    double share;
    dpl_error err;
    (void)state;

    postgres_kit_run(dir, "CREATE EXTENSION vector");
    gallery = migrated(filled(dir), dir);
    kit_expect(DPL_OK, dpl_gallery_near(&near, gallery, "face", &err), &err);
    assert_true(near.is_there && near.n_templates > N_PHOTOS);
    assert_true(near.recall >= 0.99);
    kit_expect(DPL_OK, dpl_gallery_each_template(gallery, NULL, "face", keep, &p, &err), &err);
    share = found_share(gallery, &p, &info);
    if (share < 0.98)
        fail_msg("the database finds %.4f of what an index finds, and says %.4f", share,
                 near.recall);
    assert_string_equal(info.index, "pgvector");
    assert_false(info.exact);
    assert_true(info.recall == near.recall);
    kit_end(gallery, dir);
}

static void candidates_come_go_and_come_back_with_their_vectors(void **state)
{
    static const char off[] = "SELECT count(*) FROM embedding AS e FULL JOIN near AS n USING"
                              " (template_id) WHERE e.template_id IS NULL OR n.v IS NULL OR"
                              " n.v::text <> doppel_floats(e.bytes)::halfvec::text";
    char *dir = kit_folder(), *text;
    dpl_gallery *gallery;
    dpl_forget_report report;
    dpl_error err;
    (void)state;

    postgres_kit_run(dir, "CREATE EXTENSION vector");
    /* Made before there are vectors, and after. */
    gallery = migrated(kit_new(dir), dir);
    kit_put_well(gallery, 2, "/a.jpg", "Ann", 3);
    kit_put_well(gallery, 4, "/b.jpg", "Bob", 3);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Bob", "Ben", &err), &err);
    kit_put_well(gallery, 6, "/a.jpg", "Ann", 2);
    kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
    text = postgres_kit_ask(dir, off);
    assert_string_equal(text, "0");
    free(text);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Ann", NULL, 0, false, &err), &err);
    text = postgres_kit_ask(dir, "SELECT count(*) FROM near");
    assert_string_equal(text, "3");
    free(text);
    kit_end(gallery, dir);
}

static void without_the_extension_an_index_is_made_and_that_is_said(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = migrated(kit_new(dir), dir);
    dpl_head *head = NULL;
    dpl_search_info info;
    dpl_near_info near;
    probes p = {.n = 0};
    dpl_hit hits[K];
    dpl_error err;
    (void)state;

    kit_put_well(gallery, 3, "/a.jpg", "Ann", 2);
    kit_expect(DPL_OK, dpl_gallery_near(&near, gallery, "face", &err), &err);
    assert_false(near.is_there);
    kit_expect(DPL_OK, dpl_gallery_each_template(gallery, NULL, "face", keep, &p, &err), &err);
    kit_expect(DPL_OK, dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &err), &err);
    dpl_gallery_set_index_memory(gallery, 1);
    kit_expect(
        DPL_OK,
        dpl_gallery_search(hits, gallery, head, "face", p.rows[0], 1, KIT_DIM, NULL, &info, &err),
        &err);
    assert_string_equal(info.index, "flat");
    assert_non_null(strstr(dpl_gallery_notice(gallery), "pgvector"));
    dpl_head_free(head);
    kit_end(gallery, dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_database_finds_is_what_an_index_finds),
        cmocka_unit_test(candidates_come_go_and_come_back_with_their_vectors),
        cmocka_unit_test(without_the_extension_an_index_is_made_and_that_is_said),
    };

    return kit_is_database() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
