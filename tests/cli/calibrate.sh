# calibrate: a table of rates from classes or the gallery's own people, kept in the model or beside the
# gallery, and decided by; what is missing is said with numbers, and nothing is written then.
. "$SRCDIR/tests/cli/lib.sh"
"$DRAWINGS" .
# Four drawers are enough, and four alphabets to learn from are.
rm -r drawings/E* drawings/Gee drawings/Aitch
find drawings evaluation -name '*_0[5-9].png' -exec rm {} +
find drawings evaluation -name '*_10.png' -exec rm {} +
cp "$SRCDIR/models/drawing-64.onnx" m.onnx
chmod u+w m.onnx

# ---------------------------------------------------------------- wrong calls
for call in "a b" "evaluation" "evaluation --into m.onnx --gallery g" "--cohort 40" \
    "evaluation --gallery g --cohort 40" "evaluation --dry-run --too-poor 0.6" \
    "evaluation --dry-run --fmr 0"; do
    # shellcheck disable=SC2086 # the words of the call
    exits 2 calibrate $call --model m.onnx
    says err "doppel calibrate: "
    is "$(cat out)" ""
done
exits 3 calibrate nowhere --model m.onnx --dry-run
says err nowhere
exits 4 calibrate evaluation --model m.onnx --into "$SRCDIR/models/face-105.onnx"
says err "is another model than the one that made the vectors"

# ---------------------------------------------------------------- what is missing
exits 3 calibrate evaluation/Angelic --model m.onnx --into m.onnx
says err "a calibration needs 50 people or more, there are 20"
exits 3 calibrate evaluation --model m.onnx --into m.onnx --fmr 1e-6 --json
says err "for a false match rate of 1e-06 about "
says err "pairs of strangers are needed, the 50560 pairs of 80 people support "
is "$("$JSON" out schema)" "doppel.error/1"
is "$("$JSON" out status)" "E_INPUT"
cmp -s m.onnx "$SRCDIR/models/drawing-64.onnx" || fail "a refusal has written"

# ---------------------------------------------------------------- into the model, and decided by
same=evaluation/Angelic/character01/0965_01.png
also=evaluation/Angelic/character01/0965_02.png
other=evaluation/Zed/character05/0989_03.png
exits 0 calibrate evaluation --model m.onnx --dry-run --fmr 1e-2
says out "80 people, 320 pictures"
says out "50,560 pairs of strangers, 480 pairs of one person, head cosine"
says out "nothing was written"
cmp -s m.onnx "$SRCDIR/models/drawing-64.onnx" || fail "--dry-run has written"
exits 0 calibrate evaluation --model m.onnx --into m.onnx --fmr 1e-2 --threads 1
says out "written to m.onnx"
cp m.onnx once.onnx
exits 0 calibrate evaluation --model m.onnx --into m.onnx --fmr 1e-2 --threads 3
cmp -s m.onnx once.onnx || fail "the same again is not the same"
exits 0 verify $same $also --model m.onnx --detect none --fmr 1e-2
says out "match"
exits 1 verify $same $other --model m.onnx --detect none --fmr 1e-2
says out "no match"
exits 0 calibrate evaluation --model m.onnx --dry-run --fmr 1e-2 --json
is "$("$JSON" out people)" "80"
is "$("$JSON" out pairs)" "50560"
is "$("$JSON" out points.1.fmr)" "0.2"
is "$("$JSON" out written)" ""

# Vectors, and with them a gallery, are those of before.
mkdir people
for folder in evaluation/*/character*; do
    alphabet=${folder#evaluation/}
    cp -r "$folder" "people/${alphabet%%/*} ${folder##*/}"
done
exits 0 enroll people --gallery g --model "$SRCDIR/models/drawing-64.onnx" --detect none
exits 0 query $same --gallery g --model m.onnx --threshold 0.5

# ---------------------------------------------------------------- beside the gallery
exits 0 calibrate --gallery g --model m.onnx --fmr 1e-2
says out "80 people, 320 pictures"
says out "written to g/calibration.json"
is "$(stat -c %a g/calibration.json)" "600"
lacks g/calibration.json character
exits 0 calibrate drawings --gallery g --model m.onnx --fmr 1e-2
says out "80 people, 320 pictures"

# ---------------------------------------------------------------- strata, roles, a cohort
(
    echo file,class,stratum,role
    find drawings -name '*.png' | sort |
        awk -F/ -v OFS=, '{ print $0, $2 "/" $3, $2 < "D" ? "first;all" : "all", "calibrate" }'
    find evaluation -name '*.png' | sort | awk -F/ -v OFS=, '{ print $0, $2 "/" $3, "others", "cohort" }'
) >list.csv
exits 0 calibrate list.csv --model m.onnx --into m.onnx --fmr 1e-2 --cohort 100 --json
is "$("$JSON" out people)" "80"
is "$("$JSON" out strata.0.name)" "first"
is "$("$JSON" out strata.0.people)" "60"
is "$("$JSON" out strata.1.people)" "80"
grep -q doppel.cohort m.onnx || fail "there is no cohort"
exits 0 verify $same $also --model m.onnx --detect none --fmr 1e-2
exits 1 verify $same $other --model m.onnx --detect none --fmr 1e-2
exits 2 calibrate list.csv --model m.onnx --into m.onnx --fmr 1e-2 --cohort nobody=100
says err "in stratum \"nobody\""
exits 2 calibrate list.csv --model m.onnx --into m.onnx --fmr 1e-2 --cohort 100x
# The cohort that the model has now serves a gallery, too.
exits 0 calibrate --gallery g --model m.onnx --fmr 1e-2
says g/calibration.json '"cohort":{"top":40'
sed 's/,cohort$/,both/' list.csv >bad.csv
exits 3 calibrate bad.csv --model m.onnx --dry-run --fmr 1e-2
says err 'the role "both" of '
awk -F, -v OFS=, 'NR == 2 { $3 = "" } { print }' list.csv >bad.csv
exits 3 calibrate bad.csv --model m.onnx --dry-run --fmr 1e-2
says err "is in no stratum, others are"
sed '2s/calibrate$/cohort/' list.csv >bad.csv
exits 3 calibrate bad.csv --model m.onnx --dry-run --fmr 1e-2
says err "is of the cohort and is calibrated with"

# ---------------------------------------------------------------- one person under two names
cp -r evaluation twice
mkdir twice/Twin
cp -r evaluation/Angelic/character03 twice/Twin/character03
exits 0 calibrate twice --model m.onnx --dry-run --fmr 1e-2
says out "perhaps one person under two names"
says out "Angelic/character03"
says out "81 people"
printf 'same Angelic/character03 Twin/character03 # looked at\n' >review.txt
exits 0 calibrate twice --model m.onnx --dry-run --fmr 1e-2 --review review.txt
says out "80 people, 324 pictures"
printf 'same Angelic/character03 nobody\n' >review.txt
exits 3 calibrate twice --model m.onnx --dry-run --fmr 1e-2 --review review.txt
says err 'line 1: nobody is called "nobody"'

# ---------------------------------------------------------------- a picture that gives no vector; a signal
echo no picture >twice/Twin/character03/0000_11.png
exits 3 calibrate twice --model m.onnx --into once.onnx --fmr 1e-2
says err "no vector: "
says out "written to once.onnx"
cp m.onnx before.onnx
"$DOPPEL" calibrate drawings --model m.onnx --into m.onnx --fmr 1e-2 --threads 1 >out 2>err &
pid=$!
# A shell's background process ignores the signal until it asks for it.
for _ in $(seq 200); do
    if grep -q '^SigCgt:.*[2367abef]$' /proc/$pid/status; then break; fi
    sleep 0.05
done
kill -INT $pid || fail "it was over before the signal came"
status=0
wait $pid || status=$?
[ $status -eq 130 ] || fail "exit status $status, not 130"
cmp -s m.onnx before.onnx || fail "interrupted, it has written"
for aside in .m.onnx.* m.onnx.*; do
    [ ! -e "$aside" ] || fail "it left $aside"
done
