#!/bin/sh
# lfw_pairs.sh - `doppel verify` over a list of LFW pairs: accuracy, and TAR at FAR 1e-1, 1e-2 and 1e-3.
#
# usage: bench/lfw_pairs.sh IMAGES LIST [TUNING-LIST]
#
#   IMAGES       folder NAME/NAME_0001.jpg
#   LIST         LFW's format: a line with the number n, then n lines "NAME i j" (the same person) and n lines
#                "NAME i NAME j" (two people)
#   TUNING-LIST  another list, whose best threshold is applied to LIST; without it only the accuracy at the
#                program's own threshold is given
#
# Every pair goes through the program as a user would call it. A pair without a score (no face found, photo not
# read) counts as "no match" and is reported. DOPPEL is the program, JOBS how many run at once.
set -eu

[ $# -ge 2 ] || { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
images=$1 list=$2 tuning=${3:-}
DOPPEL=${DOPPEL:-build/release/bin/doppel}
JOBS=${JOBS:-$(nproc)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOPPEL

# scores LIST OUT - lines "same decision score": same 1 or 0, decision as the program's, score "-" when none.
scores() {
    awk -v d="$images" -F '\t' '
        NR > 1 && NF == 3 { printf "1\n%s/%s/%s_%04d.jpg\n%s/%s/%s_%04d.jpg\n", d, $1, $1, $2, d, $1, $1, $3 }
        NR > 1 && NF == 4 { printf "0\n%s/%s/%s_%04d.jpg\n%s/%s/%s_%04d.jpg\n", d, $1, $1, $2, d, $3, $3, $4 }
    ' "$1" | tr '\n' '\0' | xargs -0 -n 3 -P "$JOBS" sh -c '
        json=$("$DOPPEL" verify --quiet --json "$2" "$3" 2>/dev/null) || :
        decision=$(printf %s "$json" | sed -n "s/.*\"decision\": *\"\([a-z ]*\)\".*/\1/p" | tr " " _)
        score=$(printf %s "$json" | sed -n "s/.*\"score\": *\(-\{0,1\}[0-9.e+-]*\).*/\1/p")
        printf "%s %s %s\n" "$1" "${decision:--}" "${score:--}"
    ' sh >"$2"
}

scores "$list" "$work/test"
if [ -n "$tuning" ]; then
    scores "$tuning" "$work/tuning"
else
    : >"$work/tuning"
fi

awk '
    function reach(s) { return s == "-" ? -9 : s + 0 }
    FILENAME ~ /tuning$/ { tune_same[++m] = $1; tune_score[m] = reach($3); next }
    { same[++n] = $1; score[n] = reach($3); genuine += $1
      none += $3 == "-"; right += ($2 == "match") == $1
      false_match += $2 == "match" && !$1; miss += $2 != "match" && $1; open += $2 == "inconclusive" }
    function accuracy(t, a, s, k,   i, c) { for (i = 1; i <= k; i++) c += (s[i] >= t) == a[i]; return c / k }
    END {
        strangers = n - genuine
        printf "pairs %d (%d of one person, %d of two), without a score %d\n", n, genuine, strangers, none
        printf "at the program'"'"'s threshold: accuracy %.4f, false matches %d, misses %d, inconclusive %d\n", \
            right / n, false_match, miss, open
        if (m) {
            for (i = 1; i <= m; i++) {
                a = accuracy(tune_score[i], tune_same, tune_score, m)
                if (a > best) { best = a; at = tune_score[i] }
            }
            a = accuracy(at, same, score, n)
            printf "at the tuning list'"'"'s best threshold %.4f: accuracy %.4f +- %.4f\n", at, a, sqrt(a * (1 - a) / n)
        }
        for (far = 0.1; far > 0.0005; far /= 10) {
            # the lowest score with at most far * strangers false matches
            t = 9
            for (i = 1; i <= n; i++) {
                fm = 0
                for (j = 1; j <= n; j++) fm += !same[j] && score[j] >= score[i]
                if (fm <= far * strangers && score[i] < t) t = score[i]
            }
            tar = 0
            for (i = 1; i <= n; i++) tar += same[i] && score[i] >= t
            tar /= genuine
            printf "TAR at FAR %g: %.4f +- %.4f (threshold %.4f)\n", far, tar, sqrt(tar * (1 - tar) / genuine), t
        }
    }
' "$work/tuning" "$work/test"
