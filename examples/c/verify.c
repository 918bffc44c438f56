/* verify.c A B - do two photos show the same person? 0: a match, 1: none, 6: it cannot be told. */
#include <doppel/doppel.h>
#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    dpl_pipeline *pipeline = NULL;
    dpl_scratch *scratch = NULL;
    dpl_photo a = DPL_PHOTO_INIT, b = DPL_PHOTO_INIT;
    dpl_policy policy;
    dpl_verdict verdict;
    dpl_error err;
    dpl_status status;
    int result = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: verify A B\n");
        return 2;
    }
    status = dpl_pipeline_open(&pipeline, NULL, &err); /* the models that come with doppel */
    if (status == DPL_OK)
        status = dpl_scratch_new(&scratch, 0, &err);
    /* Strangers are to match once in 10,000 pairs at most: the default, as neither is given. */
    if (status == DPL_OK)
        status = dpl_policy_make(&policy, dpl_pipeline_calibration(pipeline), NAN, NAN, &err);
    if (status == DPL_OK)
        status = dpl_photo_open(&a, pipeline, scratch, argv[1], &err);
    if (status == DPL_OK)
        status = dpl_photo_open(&b, pipeline, scratch, argv[2], &err);
    if (status == DPL_OK)
        status = dpl_verify(&verdict, pipeline, &policy, &a, &b, NULL, &err);
    if (status == DPL_OK) {
        printf("%s: score %.3f, strangers come so far once in %.0f pairs\n",
               dpl_decision_words(verdict.decision), (double)verdict.score, 1 / verdict.rate.rate);
        result = verdict.decision == DPL_DECISION_MATCH          ? 0
                 : verdict.decision == DPL_DECISION_INCONCLUSIVE ? 6
                                                                 : 1;
    } else {
        fprintf(stderr, "verify: %s\n", err.message);
        result = dpl_status_exit_code(status);
    }
    dpl_photo_clear(&a);
    dpl_photo_clear(&b);
    dpl_scratch_free(scratch);
    dpl_pipeline_close(pipeline);
    return result;
}
