#!/bin/sh
# enroll_ab.sh - `doppel enroll` of a folder by two programs, or by one in two ways, alternating: processor time
# (user and system, all threads) and wall time, and the ratio of A's to B's.
#
# usage: bench/enroll_ab.sh FOLDER RUNS A B [OPTION...]
#
#   A, B     each what stands before "enroll": a program's path, or "env NAME=VALUE PROGRAM"
#   OPTION   of enroll, for both (--threads 1)
#
# Each run enrols into an empty gallery. A's and B's runs are neighbours in time, and which comes first changes from
# round to round, so that what else the machine does falls on both; the ratio is the median over the rounds. A first
# round is not counted.
set -eu

[ $# -ge 4 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1 runs=$2 a=$3 b=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# one NAME COMMAND OPTION... - a line "NAME cpu wall", in seconds.
one() {
    name=$1 how=$2
    shift 2
    rm -rf "$work/gallery"
    # shellcheck disable=SC2086 # a list of words
    bash -c 'TIMEFORMAT="%U %S %R"; out=$1; shift; time "$@" >"$out" 2>&1' bash "$work/out" \
        $how enroll "$folder" --gallery "$work/gallery" --quiet "$@" 2>"$work/time" || {
        status=$?
        # 3: some photos were refused.
        [ $status -eq 3 ] || { cat "$work/out" "$work/time" >&2; exit 1; }
    }
    awk -v name="$name" 'END { print name, $1 + $2, $3 }' "$work/time"
}

round=0
while [ $round -le "$runs" ]; do
    if [ $((round % 2)) -eq 0 ]; then
        one a "$a" "$@" && one b "$b" "$@"
    else
        one b "$b" "$@" && one a "$a" "$@"
    fi >"$work/round"
    [ $round -eq 0 ] || tr '\n' ' ' <"$work/round" >>"$work/rounds"
    [ $round -eq 0 ] || echo >>"$work/rounds"
    round=$((round + 1))
done

awk '
    function median(v, n,   i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    { for (i = 1; i <= 4; i += 3) { cpu[$i] = $(i + 1); wall[$i] = $(i + 2) }
      n++; ac[n] = cpu["a"]; bc[n] = cpu["b"]; aw[n] = wall["a"]; bw[n] = wall["b"]
      rc[n] = cpu["a"] / cpu["b"]; rw[n] = wall["a"] / wall["b"] }
    END {
        printf "%d rounds   A       B       A/B, median (least to most)\n", n
        m = median(rc, n)
        printf "cpu, s    %7.3f %7.3f  %.4f (%.3f to %.3f)\n", median(ac, n), median(bc, n), m, rc[1], rc[n]
        m = median(rw, n)
        printf "wall, s   %7.3f %7.3f  %.4f (%.3f to %.3f)\n", median(aw, n), median(bw, n), m, rw[1], rw[n]
    }' "$work/rounds"
