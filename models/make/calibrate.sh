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
#                 600; UTKFace's photos 4, 8, 12, …: 1,200
#     strata      people of celeba.csv; spoilt copies of their photos; UTKFace's photos 2, 6, 10, …
#                 by age and by group
#     measures    celeba-test's split "dev", UTKFace's odd photos, LFW's development set: not here
#
# An encoder that was trained on celeba-test's people by name needs other people for its spoilt
# photos: what a network has learnt of them is no measure of strangers.
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
        function age(a) {
            return a < 4 ? "0 to 3" : a < 9 ? "4 to 8" : a < 13 ? "9 to 12" : a < 18 ? "13 to 17" \
                 : a < 41 ? "18 to 40" : a < 61 ? "41 to 60" : "61 and more"
        }
        NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
        '"$*" "$list"
}
spoilt_rows() { # folder, prefix of the class, stratum, role
    find "$1" -name '*.jpg' | LC_ALL=C sort |
        awk -F/ -v OFS=, -v prefix="$2" -v stratum="$3" -v role="$4" \
            '{ print $0, prefix $(NF - 1), stratum, role }'
}
{
    echo file,class,stratum,role
    rows "$faces/celeba.csv" '{ print faces $c["chip"], $c["identity"], "CelebA", "calibrate" }'
    spoilt_rows "$work/spoilt" "" "CelebA spoilt" calibrate
    rows "$faces/celeba-test.csv" \
        '$c["split"] == "train" { print faces $c["chip"], "train-" $c["identity"], "people", "cohort" }'
    spoilt_rows "$work/spoilt-train" train- spoilt cohort
    rows "$faces/utkface.csv" '
        {
            n = $c["chip"]; sub(/.*\//, "", n); sub(/[.].*/, "", n); n += 0
            split("White,Black,East Asian,Indian,other", group, ",")
            name = "UTKFace age " age($c["age"])
            if ($c["age"] >= 18)
                name = name ";UTKFace adults " group[$c["race"] + 1]
            if (n % 4 == 0)
                print faces $c["chip"], "utk-" n, "ages and groups", "cohort"
            else if (n % 4 == 2 && $c["age"] != "")
                print faces $c["chip"], "utk-" n, name, "calibrate"
        }'
} >"$work/calibrate.csv"

cat "$make/celeba-reviewed.txt" "$make/utkface-reviewed.txt" >"$work/reviewed.txt"

"${DOPPEL:-doppel}" calibrate "$work/calibrate.csv" --model "$model" --into "$model" \
    ${DETECTOR:+--detector "$DETECTOR"} --min-score 0.3 --review "$work/reviewed.txt" \
    --cohort "people=600,spoilt=600,ages and groups=1200" \
    --source "CelebA (photos of small faces) and spoilt copies, UTKFace by age and group; bounds of \
95 % by bootstrap over people, for each stratum" "$@"
