#!/bin/sh
# decisions.sh - whether stated rates hold for every kind of face: enrols what bench_decisions counts over, then prints
# its tables (docs/decisions.md says what they came to).
#
# usage: bench/decisions.sh DATA [PART...]
#
#   DATA   folder with lfw-dev/images, lfw-dev/pairsDevTest.txt, faces-train/{celeba-test,utkface} and their .csv,
#          faces-train/celeba-dev-pairs.csv
#   PART   lfw, utkface, celeba, turned, genuine, claim, query, sizes; all unless told
#
# From the top of the tree, after ./dev build and ninja -C build/release bench_decisions. BUILD is the build folder,
# MODEL the encoder, WORK keeps the galleries (some 12 minutes of work on two processors, 200 MB; only what is missing
# is made again), BEFORE the calibration that decided before.
set -eu

[ $# -ge 1 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1
shift
BUILD=${BUILD:-build/release}
MODEL=${MODEL:-models/face-105.onnx}
WORK=${WORK:-$BUILD/decisions}
BEFORE=${BEFORE:-bench/decisions-before.json}
bench=$BUILD/bench/bench_decisions
[ -x "$bench" ] || { echo "decisions.sh: no $bench: ninja -C $BUILD bench_decisions builds it" >&2; exit 2; }
mkdir -p "$WORK/turned"

# enroll NAME WORD... - into WORK/NAME, unless that has been done.
enroll() {
    name=$1
    shift
    [ -e "$WORK/$name.done" ] && return
    rm -rf "${WORK:?}/$name"
    # some photos are refused, which is status 3
    "$BUILD/bin/doppel" enroll "$@" --gallery "$WORK/$name" --model "$MODEL" --detector models/face-detect.onnx \
        --min-quality 0 --quiet >"$WORK/$name.log" 2>&1 || [ $? -eq 3 ] || { cat "$WORK/$name.log" >&2; exit 5; }
    touch "$WORK/$name.done"
}

enroll lfw "$data/lfw-dev/images" --faces all
enroll ctest "$data/faces-train/celeba-test" --faces largest
enroll utk "$data/faces-train/utkface" --faces largest
for degrees in 30 45 90 180; do
    folder=$WORK/turned/$degrees
    if [ ! -e "$WORK/turned-$degrees.done" ]; then
        rm -rf "$folder"
        mkdir "$folder"
        # the first photo of every sixth person
        find "$data/lfw-dev/images" -name '*.jpg' | LC_ALL=C sort |
            awk -F / '$(NF - 1) != last && n++ % 6 == 0 && n <= 3000; { last = $(NF - 1) }' | tr '\n' '\0' | xargs -0 "$bench" turn "$degrees" "$folder"
    fi
    enroll "turned-$degrees" "$folder" --faces all
done
exec "$bench" "$MODEL" "$WORK" "$data" "$BEFORE" "$@"
