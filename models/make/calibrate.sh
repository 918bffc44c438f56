#!/bin/sh
# calibrate.sh - make the calibration of a face encoder, cohort and all, into its file.
#
#     models/make/calibrate.sh MODEL FACES WORK [OPTION…]
#
# FACES holds celeba.csv (chip, identity), celeba-test.csv (chip, identity, split) and utkface.csv
# (chip, age, race), with the photos that they name below it; WORK is made and holds what is spoilt
# and the list of all (calibrate.csv). Options go to `doppel calibrate` (--dry-run, --json). $DOPPEL
# is the program, $PYTHON one with numpy and Pillow, $DETECTOR the detector's file if it is not found
# by name.
#
# Who is in what, so that nothing that sets the table has made the cohort, and nothing of both
# measures the result (docs/decisions.md):
#
#     cohort      people of celeba-test's split "train": 600 centres; spoilt copies of their photos:
#                 600; UTKFace's even photos: 2,460
#     strata      people of celeba.csv; spoilt copies of their photos
#     measures    celeba-test's split "dev", UTKFace's odd photos, LFW's development set: not here
#
# UTKFace has no part in the table: each doubling of its share of the cohort takes a third off what
# the oldest and single groups exceed the rate by, while bounds over its small strata would cost a
# tenth of all genuine pairs.
#
# The encoder has been trained on photos of the cohort's people, and the trainings knew which are of one person
# (train_face.py); on nobody of celeba.csv, who set the table.
set -eu
[ $# -ge 3 ] || { echo "usage: $0 MODEL FACES WORK [OPTION…]" >&2; exit 2; }
model=$1
faces=$(cd "$2" && pwd)
mkdir -p "$3"
work=$(cd "$3" && pwd)
shift 3
make=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

[ -d "$work/spoilt-train" ] ||
    "$python" "$make/spoil.py" "$faces/celeba-test.csv" "$work/spoilt-train" 5000 --split train --seed 11
[ -d "$work/spoilt" ] || "$python" "$make/spoil.py" "$faces/celeba.csv" "$work/spoilt" 5000 --seed 12

# The columns of a list by name; $1 the list, the rest an awk program with its columns in c.
rows() {
    list=$1
    shift
    awk -F, -v OFS=, -v faces="$faces/" '
        NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
        '"$*" "$list"
}
spoilt_rows() { # folder, prefix of the class, stratum, role
    find "$1" -name '*.jpg' | LC_ALL=C sort |
        awk -F/ -v OFS=, -v prefix="$2" -v stratum="$3" -v role="$4" '{ print $0, prefix $(NF - 1), stratum, role }'
}
{
    echo file,class,stratum,role
    rows "$faces/celeba.csv" '{
        print faces $c["chip"], $c["identity"], "CelebA", "calibrate" }'
    spoilt_rows "$work/spoilt" "" "CelebA spoilt" calibrate
    rows "$faces/celeba-test.csv" \
        '$c["split"] == "train" { print faces $c["chip"], "train-" $c["identity"], "people", "cohort" }'
    spoilt_rows "$work/spoilt-train" train- spoilt cohort
    rows "$faces/utkface.csv" '
        {
            n = $c["chip"]; sub(/.*\//, "", n); sub(/[.].*/, "", n); n += 0
            if (n % 2 == 0)
                print faces $c["chip"], "utk-" n, "ages and groups", "cohort"
        }'
} >"$work/calibrate.csv"

"${DOPPEL:-doppel}" calibrate "$work/calibrate.csv" --model "$model" --into "$model" \
    ${DETECTOR:+--detector "$DETECTOR"} --min-score 0.3 --review "$make/celeba-reviewed.txt" \
    --cohort "people=600,spoilt=600,ages and groups=2460" --strata-within 1 \
    --source "CelebA (photos of small faces) and spoilt copies of them; bounds of 95 % by bootstrap over \
people, for each of both" "$@"
