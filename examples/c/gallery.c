/* gallery.c GALLERY PEOPLE PHOTO - enrol a folder a person, then say who is in a photo. */
#include <doppel/doppel.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    dpl_error err = {DPL_E_ARGUMENT, "usage: gallery GALLERY PEOPLE PHOTO"};
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_pipeline *pipeline = NULL;
    dpl_scratch *scratch = NULL;
    dpl_gallery *gallery = NULL;
    dpl_answer *answers = NULL;
    dpl_enroll_report report;
    dpl_gallery_counts counts;
    dpl_policy policy;
    size_t n = 0, i;
    int ok =
        argc == 4 && !dpl_pipeline_open(&pipeline, NULL, &err) &&
        !dpl_scratch_new(&scratch, 0, &err) &&
        !dpl_gallery_open(&gallery, argv[1], DPL_GALLERY_CREATE, &err) &&
        !dpl_enroll(&report, gallery, pipeline, (const char *const *)&argv[2], 1, NULL, &err) &&
        !dpl_gallery_count(&counts, gallery, &err) &&
        /* A stranger is named in at most one of a hundred searches, of so many people. */
        !dpl_policy_for_search(&policy, dpl_pipeline_calibration(pipeline), DPL_DEFAULT_FPIR,
                               counts.n_persons, &err) &&
        !dpl_photo_open(&photo, pipeline, scratch, argv[3], &err) &&
        !dpl_query(&answers, &n, gallery, pipeline, &policy, &photo, DPL_QUERY_AUTO, NULL, &err);

    for (i = 0; i < n; i++)
        printf("face %zu: %s\n", i + 1, answers[i].person ? answers[i].person : "unknown");
    if (!ok)
        fprintf(stderr, "gallery: %s\n", err.message);
    dpl_answers_free(answers, n);
    dpl_photo_clear(&photo);
    dpl_gallery_close(gallery);
    dpl_scratch_free(scratch);
    dpl_pipeline_close(pipeline);
    return ok ? 0 : dpl_status_exit_code(err.status);
}
