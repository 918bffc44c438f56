/*
 * test_metrics.c - figures against their definitions written out pair by pair, on random scores
 * with many ties; worked examples; lists of pairs read or refused by line; drawn pairs and trials
 * that keep to what they promise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "doppel/eval.h"

#define SEED 20260704

/* Fails on NaN, too. */
static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, not %.12g", got, want);
}

/* ------------------------------------------------------------------ a data set of the test's own
 */

/* Classes by group, items by class, put in place of the data set's by the linker. */
static struct {
    int32_t n_classes, n_groups, n_items;
    int32_t group[64], first[64], n[64];
} set;

static void add_class(int32_t group, int32_t n)
{
    set.group[set.n_classes] = group;
    set.first[set.n_classes] = set.n_items;
    set.n[set.n_classes++] = n;
    set.n_items += n;
    if (group >= set.n_groups)
        set.n_groups = group + 1;
}

int32_t __wrap_dpl_dataset_n_items(const dpl_dataset *d);
int32_t __wrap_dpl_dataset_n_classes(const dpl_dataset *d);
int32_t __wrap_dpl_dataset_n_groups(const dpl_dataset *d);
int32_t __wrap_dpl_dataset_group_of(const dpl_dataset *d, int32_t cls);
int32_t __wrap_dpl_dataset_class_items(const dpl_dataset *d, int32_t cls, int32_t *n);

int32_t __wrap_dpl_dataset_n_items(const dpl_dataset *d)
{
    (void)d;
    return set.n_items;
}
int32_t __wrap_dpl_dataset_n_classes(const dpl_dataset *d)
{
    (void)d;
    return set.n_classes;
}
int32_t __wrap_dpl_dataset_n_groups(const dpl_dataset *d)
{
    (void)d;
    return set.n_groups;
}
int32_t __wrap_dpl_dataset_group_of(const dpl_dataset *d, int32_t cls)
{
    (void)d;
    return set.group[cls];
}
int32_t __wrap_dpl_dataset_class_items(const dpl_dataset *d, int32_t cls, int32_t *n)
{
    (void)d;
    *n = set.n[cls];
    return set.first[cls];
}

static int32_t class_of(int32_t item)
{
    for (int32_t c = 0; c < set.n_classes; c++)
        if (item >= set.first[c] && item < set.first[c] + set.n[c])
            return c;
    fail_msg("item %d is in no class", (int)item);
    return -1;
}

/* ------------------------------------------------------------------ figures by their definitions
 */

enum { N = 400 };

static float scores[N];
static uint8_t same[N];
static int32_t folds[N];

/* Few different scores, so that most are tied; some pairs have none. */
static void random_pairs(dpli_rng *rng, int levels)
{
    for (int i = 0; i < N; i++) {
        same[i] = dpli_rng_below(rng, 3) == 0;
        scores[i] = (float)dpli_rng_below(rng, (uint64_t)levels) / 8 + (same[i] ? 1.0f : 0.0f);
        if (dpli_rng_below(rng, 40) == 0)
            scores[i] = dpli_rng_below(rng, 2) ? NAN : INFINITY;
        folds[i] = i * 10 / N;
    }
}

static double level(int i)
{
    return isfinite(scores[i]) ? (double)scores[i] : -INFINITY;
}

/* Compared pair by pair: half the ties, and the components of the variance. */
static double naive_auc(double *se)
{
    double sum = 0, ng = 0, ni = 0, var_g = 0, var_i = 0;

    for (int i = 0; i < N; i++)
        *(same[i] ? &ng : &ni) += 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (same[i] && !same[j])
                sum += level(i) > level(j) ? 1 : level(i) == level(j) ? 0.5 : 0;
    const double auc = sum / ng / ni;
    for (int i = 0; i < N; i++) {
        double v = 0;
        for (int j = 0; j < N; j++)
            if (same[j] != same[i]) {
                const double above = same[i] ? level(i) - level(j) : level(j) - level(i);
                v += above > 0 ? 1 : above < 0 ? 0 : 0.5;
            }
        v = v / (same[i] ? ni : ng) - auc;
        *(same[i] ? &var_g : &var_i) += v * v;
    }
    *se = sqrt(var_g / (ng - 1) / ng + var_i / (ni - 1) / ni);
    return auc;
}

/* Best share of genuine pairs accepted by any threshold with at most far of the others. */
static double naive_tar(double far)
{
    double best = 0;

    for (int k = 0; k < N; k++) {
        double accepted = 0, falsely = 0, ng = 0, ni = 0;
        if (!isfinite(scores[k]))
            continue;
        for (int i = 0; i < N; i++) {
            const int accept = isfinite(scores[i]) && scores[i] >= scores[k];
            ng += same[i];
            ni += !same[i];
            accepted += accept && same[i];
            falsely += accept && !same[i];
        }
        if (falsely / ni <= far + 1e-9)
            best = fmax(best, accepted / ng);
    }
    return best;
}

static void auc_and_tar_are_what_pairs_compared_one_by_one_give(void **state)
{
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    for (int round = 0; round < 20; round++) {
        dpl_metrics m;
        double se;
        random_pairs(&rng, 4 + 3 * round);
        assert_int_equal(dpl_metrics_make(&m, scores, same, N, 1, NULL), DPL_OK);
        near(m.auc, naive_auc(&se), 1e-12);
        /* The interval is symmetric in the logit. */
        const double low = log(m.auc_low / (1 - m.auc_low));
        const double high = log(m.auc_high / (1 - m.auc_high));
        near((low + high) / 2, log(m.auc / (1 - m.auc)), 1e-9);
        near((high - low) / 2 * m.auc * (1 - m.auc) / 1.959963984540054, se, 1e-9);
        for (int i = 0; i < DPL_N_TAR; i++) {
            near(m.tar[i].tar.rate, naive_tar(m.tar[i].far), 1e-12);
            /* The threshold printed gives the counts printed. */
            int64_t accepted = 0, falsely = 0;
            for (int k = 0; k < N; k++)
                if (isfinite(scores[k]) && (double)scores[k] >= m.tar[i].threshold)
                    ++*(same[k] ? &accepted : &falsely);
            assert_int_equal(accepted, m.tar[i].tar.n);
            assert_int_equal(falsely, m.tar[i].reached.n);
        }
        assert_true(m.eer_low <= m.eer && m.eer <= m.eer_high);
        dpl_metrics_clear(&m);
    }
}

static void the_equal_error_rate_lies_on_the_roc_and_where_errors_are_equal(void **state)
{
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED + 1);
    for (int round = 0; round < 20; round++) {
        dpl_metrics m;
        int crossed = 0;
        random_pairs(&rng, 4 + 5 * round);
        assert_int_equal(dpl_metrics_make(&m, scores, same, N, 1, NULL), DPL_OK);
        near(m.roc[0].fmr, 0, 0);
        near(m.roc[0].fnmr, 1, 0);
        for (size_t i = 1; i < m.n_roc; i++) {
            const dpl_roc_point *a = &m.roc[i - 1], *b = &m.roc[i];
            assert_true(b->threshold < a->threshold && b->fmr >= a->fmr && b->fnmr <= a->fnmr);
            if (a->fmr < m.eer && b->fmr >= m.eer && a->fnmr >= m.eer) {
                const double t = (m.eer - a->fmr) / (b->fmr - a->fmr);
                near(a->fnmr + t * (b->fnmr - a->fnmr), m.eer, 1e-9);
                crossed = 1;
            }
        }
        assert_true(crossed);
        dpl_metrics_clear(&m);
    }
}

static void a_pair_without_a_score_is_no_match_at_any_threshold(void **state)
{
    const float s[] = {0.9f, NAN, 0.1f, INFINITY};
    const uint8_t kind[] = {1, 1, 0, 0};
    dpl_metrics m;

    (void)state;
    assert_int_equal(dpl_metrics_make(&m, s, kind, 4, 1, NULL), DPL_OK);
    assert_int_equal(m.n_unscored, 2);
    near(m.tar[0].tar.rate, 0.5, 0);
    near(m.auc, (1 + 1 + 0 + 0.5) / 4, 1e-12);
    near(m.roc[m.n_roc - 1].fnmr, 0.5, 0);
    near(m.roc[m.n_roc - 1].fmr, 0.5, 0);
    near(dpl_accuracy_at(s, kind, 4, -1e9).rate, 0.5, 0);
    near(dpl_accuracy_at(s, kind, 4, 0.5).rate, 0.75, 0);
    dpl_metrics_clear(&m);
}

static void perfect_separation_claims_no_more_than_its_pairs_show(void **state)
{
    const float s[] = {3, 4, 5, 1, 2, 0, -1, -2};
    const uint8_t kind[] = {1, 1, 1, 0, 0, 0, 0, 0};
    dpl_metrics m;

    (void)state;
    assert_int_equal(dpl_metrics_make(&m, s, kind, 8, 1, NULL), DPL_OK);
    near(m.auc, 1, 0);
    near(m.auc_low, pow(0.025, 1.0 / 3), 1e-6); /* Clopper and Pearson's, 3 of 3 */
    near(m.auc_high, 1, 0);
    near(m.eer, 0, 0);
    near(m.eer_low, 0, 0);
    near(m.eer_high, 1 - pow(0.025, 1.0 / 3), 1e-6);
    dpl_metrics_clear(&m);
    assert_int_equal(dpl_metrics_make(&m, s, kind, 3, 1, NULL), DPL_E_INPUT);
    assert_int_equal(dpl_metrics_make(&m, s + 3, kind + 3, 3, 1, NULL), DPL_E_INPUT);
}

/* ------------------------------------------------------------------ accuracy */

/* Pairs judged rightly outside a fold. */
static int64_t right_outside(double threshold, int32_t fold)
{
    int64_t right = 0;

    for (int i = 0; i < N; i++)
        if (folds[i] != fold)
            right += (isfinite(scores[i]) && (double)scores[i] >= threshold) == same[i];
    return right;
}

static void every_fold_is_judged_at_the_best_threshold_of_the_others(void **state)
{
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED + 2);
    for (int round = 0; round < 10; round++) {
        dpl_folds f;
        double mean = 0, spread = 0;
        random_pairs(&rng, 6 + 4 * round);
        assert_int_equal(dpl_folds_make(&f, scores, same, folds, N, 10, NULL), DPL_OK);
        for (int32_t k = 0; k < 10; k++) {
            const int64_t chosen = right_outside(f.thresholds[k], k);
            int64_t right = 0;
            for (int i = 0; i < N; i++) {
                const int better =
                    isfinite(scores[i]) && folds[i] != k && (double)scores[i] > f.thresholds[k];
                assert_true(!isfinite(scores[i]) || folds[i] == k ||
                            right_outside((double)scores[i], k) <= chosen);
                /* None that is stricter is as good, but for the gap that it lies in. */
                if (better && right_outside(nextafter((double)scores[i], INFINITY), k) == chosen)
                    fail_msg("fold %d: %g is as good as %g and stricter", (int)k, (double)scores[i],
                             f.thresholds[k]);
                if (folds[i] == k)
                    right +=
                        (isfinite(scores[i]) && (double)scores[i] >= f.thresholds[k]) == same[i];
            }
            assert_int_equal(right, f.accuracies[k].n);
            assert_int_equal(N / 10, f.accuracies[k].of);
            mean += (double)right / (N / 10) / 10;
        }
        for (int k = 0; k < 10; k++)
            spread += pow(f.accuracies[k].rate - mean, 2);
        near(f.mean, mean, 1e-12);
        near(f.standard_error, sqrt(spread / 9) / sqrt(10), 1e-12);
    }
}

static void a_fold_has_no_say_in_its_own_threshold(void **state)
{
    /* Fold 0's own best threshold is 5.5; the other fold's is between 1 and 2. */
    const float s[] = {6, 5, 2, 1};
    const uint8_t kind[] = {1, 0, 1, 0};
    const int32_t fold[] = {0, 0, 1, 1}, empty[] = {0, 0, 0, 2};
    dpl_folds f;
    double best;

    (void)state;
    assert_int_equal(dpl_folds_make(&f, s, kind, fold, 4, 2, NULL), DPL_OK);
    near(f.thresholds[0], 1.5, 0);
    near(f.thresholds[1], 5.5, 0);
    near(f.mean, 0.5, 0);
    near(f.standard_error, 0, 0);
    assert_int_equal(dpl_folds_make(&f, s, kind, empty, 4, 3, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_folds_make(&f, s, kind, empty, 4, 2, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_folds_make(&f, s, kind, fold, 4, 1, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_best_threshold(&best, s, kind, 4, NULL), DPL_OK);
    near(best, 5.5, 0); /* 1.5 is as good; the strictest is taken */
    assert_int_equal(dpl_best_threshold(&best, s, kind, 0, NULL), DPL_E_ARGUMENT);
}

/* ------------------------------------------------------------------ lists */

static char folder[] = "/tmp/doppel-pairs-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* Ann has pictures 1 to 3, Bob 1 and 2. */
static int make_people(void **state)
{
    char path[256];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (int person = 0; person < 2; person++) {
        snprintf(path, sizeof path, "%s/%s", folder, person ? "Bob" : "Ann");
        mkdir(path, 0700);
    }
    write_file("Ann/Ann_0001.jpg", "");
    write_file("Ann/Ann_0002.jpg", "");
    write_file("Ann/Ann_0003.jpg", "");
    write_file("Bob/Bob_0001.jpg", "");
    write_file("Bob/Bob_0002.jpg", "");
    return 0;
}

static int remove_people(void **state)
{
    static const char *const names[] = {"Ann/Ann_0001.jpg",
                                        "Ann/Ann_0002.jpg",
                                        "Ann/Ann_0003.jpg",
                                        "Bob/Bob_0001.jpg",
                                        "Bob/Bob_0002.jpg",
                                        "list",
                                        "Ann",
                                        "Bob",
                                        ""};
    char path[256];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

static dpl_status read_list(dpl_pairs *p, const char *text, dpl_error *err)
{
    char path[256];

    write_file("list", text);
    snprintf(path, sizeof path, "%s/list", folder);
    return dpl_pairs_read(p, path, folder, err);
}

static void is_pair(const dpl_pairs *p, size_t i, const char *a, const char *b, int one)
{
    assert_string_equal(p->names[p->pairs[i].a], a);
    assert_string_equal(p->names[p->pairs[i].b], b);
    assert_int_equal(p->pairs[i].same, one);
}

static void lists_of_either_view_and_csv_are_read(void **state)
{
    dpl_error err = {0};
    dpl_pairs p;

    (void)state;
    if (read_list(&p, "2\nAnn\t1\t2\nBob\t1\t2\nAnn\t1\tBob\t1\nBob\t2\tAnn\t3\n", &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.n, 4);
    assert_int_equal(p.n_pictures, 5);
    assert_int_equal(p.folds_given, 0);
    assert_int_equal(p.n_folds, 2); /* as many as there are pairs of either kind */
    assert_int_equal(p.pairs[0].fold + 10 * p.pairs[1].fold, 10);
    assert_int_equal(p.pairs[2].fold + 10 * p.pairs[3].fold, 10);
    assert_int_equal(p.pairs[3].line, 5);
    is_pair(&p, 0, "Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", 1);
    is_pair(&p, 3, "Bob/Bob_0002.jpg", "Ann/Ann_0003.jpg", 0);
    dpl_pairs_clear(&p);

    static const char *const ended[] = {
        "2 1\r\nAnn 1 2\r\nAnn 1 Bob 1\r\nBob 1 2\r\nAnn 3 Bob 2\r\n\r\n",
        "2 1\rAnn 1 2\rAnn 1 Bob 1\rBob 1 2\rAnn 3 Bob 2\r\r"};
    for (int i = 0; i < 2; i++) {
        if (read_list(&p, ended[i], &err) != DPL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(p.n_folds, 2);
        assert_int_equal(p.folds_given, 1);
        assert_int_equal(p.pairs[1].fold, 0);
        assert_int_equal(p.pairs[2].fold, 1);
        is_pair(&p, 3, "Ann/Ann_0003.jpg", "Bob/Bob_0002.jpg", 0);
        dpl_pairs_clear(&p);
    }

    if (read_list(&p,
                  "\xef\xbb\xbfnote,same,b,a,fold\n\"x, \"\"y\"\"\",1,Ann/Ann_0002.jpg,"
                  "\"Ann/Ann_0001.jpg\",1\n,0,Bob/Bob_0001.jpg,Ann/Ann_0001.jpg,0\n",
                  &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.n_pictures, 3);
    assert_int_equal(p.pairs[0].fold, 1);
    is_pair(&p, 0, "Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", 1);
    dpl_pairs_clear(&p);

    if (read_list(&p,
                  "a\tb\tsame\r\nAnn/Ann_0001.jpg\tBob/Bob_0001.jpg\t0\r\n\r\n"
                  "Ann/Ann_0001.jpg\tAnn/Ann_0003.jpg\t1",
                  &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.n_pictures, 3);
    assert_int_equal(p.folds_given, 0);
    assert_int_equal(p.pairs[1].line, 4);
    is_pair(&p, 0, "Ann/Ann_0001.jpg", "Bob/Bob_0001.jpg", 0);
    is_pair(&p, 1, "Ann/Ann_0001.jpg", "Ann/Ann_0003.jpg", 1);
    dpl_pairs_clear(&p);
}

static void a_bad_list_is_refused_by_its_line(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"hello world there\n", "line 1: neither"},
        {"0\n", "line 1: no number of pairs"},
        {"1 1\nAnn 1 2\nAnn 1 Bob 1\n", "line 1: the number of folds"},
        {"99999999999999999999\n", "line 1: no number"},
        {"1\nAnn 1 2\n", "ends at line 2, after 1 of 2 pairs"},
        {"1\nAnn 1 2\nAnn 1 Bob 1\nAnn 2 Bob 1\n", "line 4: more pairs"},
        {"1\nAnn 1 Bob 1\nAnn 1 2\n", "line 2: not \"NAME i j\""},
        {"1\nAnn 1 2\nAnn 1 Bob 1 2\n", "line 3: not \"NAME i NAME j\""},
        {"1\nAnn 1 2\nAnn 1 Ann 2\n", "line 3: a pair of two people names one twice"},
        {"1\nAnn 1 -2\nAnn 1 Bob 1\n", "line 2: no person"},
        {"1\n../Ann 1 2\nAnn 1 Bob 1\n", "line 2: no person"},
        {"1\n.. 1 2\nAnn 1 Bob 1\n", "line 2: no person"},
        {"1\nAnn 1 2\nAnn 1 Bob 7\n", "line 3: \"/tmp/"},
        {"a,b\n", "line 1: no column \"label\", \"same\""},
        {"x,y\n", "line 1: no column \"path\" or \"file\""},
        {"a,b,same\n", "list\": no pairs of pictures"},
        {"path,caption\nx.jpg,a word\n", "line 1: no columns \"a\" and \"b\""},
        {"test\tx.jpg\t0\ta word\n", "list\": no pairs of pictures"},
        {"a,b,same\nx,y\n", "line 2: 2 fields, the header has 3"},
        {"a,b,same\nx,y,2\n", "line 2: the label \"2\" is neither 0 nor 1"},
        {"a,b,same\nx,y,\n", "line 2: the label \"\" is no number"},
        {"a,b,same\n\"x,y,1\n", "line 2: a quote is not closed"},
        {"a,b,same\n\"x\"z,y,1\n", "line 2: a quote within a field"},
        {"a,b,same\n,y,1\n", "line 2: the path is empty"},
        {"a,b,same,fold\nx,y,1,100\n", "line 2: the fold \"100\" is not 0 to 99"},
        {"a,b,same,fold\nx,y,1,\n", "line 2: the fold \"\" is not 0 to 99"},
        {"a\tb\tsame\nx\ty\n", "line 2: 2 fields, the header has 3"},
        {"a,b,same,fold\nx,y,1,0\n", "one fold"},
        {"a,b,same,fold\nx,y,1,0\nx,y,0,2\n", "fold 1 of 0 to 2 has no pair"},
        {"a,b,same\nnowhere.jpg,y,1\n", "line 2: \"/tmp/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpl_error err = {0};
        dpl_pairs p;
        assert_int_equal(read_list(&p, cases[i].text, &err), DPL_E_INPUT);
        if (!strstr(err.message, cases[i].says))
            fail_msg("case %zu says \"%s\", not \"%s\"", i, err.message, cases[i].says);
        assert_null(p.pairs);
    }
}

static void a_list_cut_at_any_byte_is_refused_or_read(void **state)
{
    static const char list[] = "2 1\nAnn 1 2\nAnn 1 Bob 1\nBob 1 2\nAnn 3 Bob 2\n";
    char cut[sizeof list];

    (void)state;
    for (size_t n = 0; n < sizeof list; n++) {
        dpl_pairs p;
        memcpy(cut, list, n);
        cut[n] = '\0';
        const dpl_status status = read_list(&p, cut, NULL);
        assert_int_equal(status, n >= sizeof list - 2 ? DPL_OK : DPL_E_INPUT);
        dpl_pairs_clear(&p);
    }
}

/* ------------------------------------------------------------------ drawing */

static int32_t item_of(const dpl_pairs *p, int32_t picture)
{
    assert_true(picture >= 0 && (size_t)picture < p->n_pictures);
    return p->items[picture];
}

static void drawn_pairs_are_half_of_one_class_and_reach_all_of_them(void **state)
{
    enum { PAIRS = 4000 };

    (void)state;
    set.n_classes = set.n_groups = set.n_items = 0;
    add_class(0, 3);
    add_class(0, 2);
    add_class(0, 1); /* too small for a pair of one, so of none */
    add_class(1, 5);
    add_class(1, 2);
    add_class(1, 2);
    add_class(2, 4); /* alone in its group */
    for (int within = 0; within < 2; within++) {
        int one = 0, across = 0, drawn[8] = {0};
        dpl_pairs p, again;
        assert_int_equal(dpl_pairs_draw(&p, NULL, PAIRS, within, 7, NULL), DPL_OK);
        for (size_t i = 0; i < PAIRS; i++) {
            const int32_t a = item_of(&p, p.pairs[i].a), b = item_of(&p, p.pairs[i].b);
            const int32_t ca = class_of(a), cb = class_of(b);
            assert_int_equal(p.pairs[i].same, ca == cb);
            assert_int_not_equal(a, b);
            assert_true(set.n[ca] >= 2 && set.n[cb] >= 2);
            one += ca == cb;
            across += set.group[ca] != set.group[cb];
            if (ca == cb)
                drawn[ca]++;
        }
        assert_int_equal(one, PAIRS / 2);
        assert_int_equal(across > 0, !within);
        /* A group of three is drawn as often as another: its lone class a third of the time. */
        near(drawn[6], PAIRS / 6.0, 5 * sqrt(PAIRS / 2.0 * (1 / 3.0) * (2 / 3.0)));
        near(drawn[0], PAIRS / 12.0, 5 * sqrt(PAIRS / 2.0 * (1 / 6.0) * (5 / 6.0)));
        assert_int_equal(p.n_folds, 10);
        assert_int_equal(dpl_pairs_draw(&again, NULL, PAIRS, within, 7, NULL), DPL_OK);
        for (size_t i = 0; i < PAIRS; i++) {
            assert_int_equal(item_of(&p, p.pairs[i].a), item_of(&again, again.pairs[i].a));
            assert_int_equal(item_of(&p, p.pairs[i].b), item_of(&again, again.pairs[i].b));
        }
        dpl_pairs_clear(&p);
        dpl_pairs_clear(&again);
    }
}

static void drawn_trials_show_one_item_of_each_class_and_test_by_another(void **state)
{
    enum { TRIALS = 1000, WAY = 3 };

    (void)state;
    set.n_classes = set.n_groups = set.n_items = 0;
    for (int c = 0; c < 5; c++)
        add_class(0, 6);
    for (int c = 0; c < 4; c++)
        add_class(1, 4);
    for (int c = 0; c < 2; c++)
        add_class(2, 6); /* too few for a trial within the group */
    for (int within = 0; within < 2; within++) {
        int answers[WAY] = {0}, groups[3] = {0}, across = 0;
        dpl_trials t;
        assert_int_equal(dpl_trials_draw(&t, NULL, WAY, TRIALS, within, 3, NULL), DPL_OK);
        for (size_t i = 0; i < TRIALS; i++) {
            const dpl_trial *trial = &t.trials[i];
            const int32_t *shown = t.candidates + trial->first;
            const int32_t test = t.items[trial->test], c = class_of(test);
            int32_t number = -1;
            assert_int_equal(trial->way, WAY);
            for (int k = 0; k < WAY; k++) {
                const int32_t item = t.items[shown[k]], ck = class_of(item);
                assert_int_equal(ck == c, k == trial->answer);
                for (int other = 0; other < k; other++)
                    assert_int_not_equal(ck, class_of(t.items[shown[other]]));
                if (k > 0) /* one drawer's */
                    assert_int_equal(item - set.first[ck], number);
                number = item - set.first[ck];
                across += set.group[ck] != set.group[c];
            }
            assert_int_not_equal(test - set.first[c], number);
            answers[trial->answer]++;
            groups[set.group[c]]++;
        }
        for (int k = 0; k < WAY; k++)
            near(answers[k], TRIALS / 3.0, 5 * sqrt(TRIALS * (1 / 3.0) * (2 / 3.0)));
        if (within) {
            assert_int_equal(across, 0);
            assert_int_equal(groups[2], 0);
            near(groups[1], TRIALS / 2.0, 5 * sqrt(TRIALS / 4.0));
        } else {
            assert_true(across > 0 && groups[2] > 0);
        }
        dpl_trials_clear(&t);
    }
}

static void what_cannot_be_drawn_is_refused_with_the_number_there_is(void **state)
{
    dpl_error err;
    dpl_trials t;
    dpl_pairs p;

    (void)state;
    set.n_classes = set.n_groups = set.n_items = 0;
    add_class(0, 2);
    add_class(1, 2);
    add_class(1, 1);
    assert_int_equal(dpl_trials_draw(&t, NULL, 3, 1, 0, 1, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "there are 2"));
    assert_int_equal(dpl_trials_draw(&t, NULL, 2, 1, 1, 1, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "there are 1"));
    assert_int_equal(dpl_trials_draw(&t, NULL, 1, 1, 0, 1, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_trials_draw(&t, NULL, 10000, 1000000, 0, 1, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_pairs_draw(&p, NULL, 2, 1, 1, &err), DPL_E_INPUT);
    assert_int_equal(dpl_pairs_draw(&p, NULL, 3, 0, 1, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_pairs_draw(&p, NULL, 2, 0, 1, &err), DPL_OK);
    dpl_pairs_clear(&p);
}

/* ------------------------------------------------------------------ one-shot scoring */

static void the_nearest_wins_ties_and_failures_lose(void **state)
{
    /* Pictures on a line; the sigmoid of the first two distances from 0 is 1 in float32. */
    float vectors[] = {0, 0.001f, 0.002f, 50, 60, 50};
    const float weight = -1;
    dpl_error failure = {DPL_E_INPUT, "broken"}, *errors[6] = {NULL};
    dpl_embeddings e = {.n = 6, .dim = 1, .vectors = vectors, .errors = errors};
    int32_t candidates[] = {2, 1, 3, 5, 4};
    dpl_trial list[] = {{0, 1, 0, 2, 0}, {0, 0, 0, 2, 0}, {0, 0, 2, 3, 1}, {4, 2, 2, 3, 1}};
    dpl_trials t = {
        .n = 4, .n_candidates = 5, .trials = list, .candidates = candidates, .n_runs = 2};
    dpl_oneshot o;
    dpl_head *head;

    (void)state;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_L1_SIGMOID, 1, &weight, 40, NULL), DPL_OK);
    assert_true(dpl_head_score(head, vectors, vectors + 1) ==
                dpl_head_score(head, vectors, vectors + 2));
    assert_int_equal(dpl_trials_score(&o, &t, head, &e, NULL), DPL_OK);
    assert_int_equal(o.accuracy.n, 2); /* the first and the last */
    assert_int_equal(o.n_tied, 1);     /* the third */
    assert_int_equal(o.runs[0].n, 1);
    assert_int_equal(o.runs[1].n, 1);
    near(o.mean, 0.5, 0);
    near(o.standard_error, 0, 0);
    dpl_oneshot_clear(&o);
    errors[3] = &failure;
    assert_int_equal(dpl_trials_score(&o, &t, head, &e, NULL), DPL_OK);
    assert_int_equal(o.accuracy.n, 1);
    assert_int_equal(o.n_failed, 2);
    assert_int_equal(o.chosen[3], -1);
    dpl_oneshot_clear(&o);
    dpl_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auc_and_tar_are_what_pairs_compared_one_by_one_give),
        cmocka_unit_test(the_equal_error_rate_lies_on_the_roc_and_where_errors_are_equal),
        cmocka_unit_test(a_pair_without_a_score_is_no_match_at_any_threshold),
        cmocka_unit_test(perfect_separation_claims_no_more_than_its_pairs_show),
        cmocka_unit_test(every_fold_is_judged_at_the_best_threshold_of_the_others),
        cmocka_unit_test(a_fold_has_no_say_in_its_own_threshold),
        cmocka_unit_test(lists_of_either_view_and_csv_are_read),
        cmocka_unit_test(a_bad_list_is_refused_by_its_line),
        cmocka_unit_test(a_list_cut_at_any_byte_is_refused_or_read),
        cmocka_unit_test(drawn_pairs_are_half_of_one_class_and_reach_all_of_them),
        cmocka_unit_test(drawn_trials_show_one_item_of_each_class_and_test_by_another),
        cmocka_unit_test(what_cannot_be_drawn_is_refused_with_the_number_there_is),
        cmocka_unit_test(the_nearest_wins_ties_and_failures_lose),
    };

    printf("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, make_people, remove_people);
}
