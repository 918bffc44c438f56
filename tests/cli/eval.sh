# eval measures an encoder: pairs of a list and drawn ones, one-shot trials drawn and Lake's; what gives no
# vector is told and counted; what is not there is named by file and line.
. "$SRCDIR/tests/cli/lib.sh"
image="$SRCDIR/tests/standins/image.onnx"
pictures="$SRCDIR/tests/fixtures/image"

# ---------------------------------------------------------------- pairs, faces found
mkdir -p faces/Obama faces/Biden faces/Curie
cp "$demo/congress.jpg" faces/Obama/Obama_0001.jpg
cp "$obama" faces/Obama/Obama_0002.jpg
cp "$biden" faces/Biden/Biden_0001.jpg
cp "$pictures/grey.jpg" faces/Curie/Curie_0001.jpg # no face in it
printf '1\nObama\t1\t2\nObama\t1\tBiden\t1\n' >one.txt
printf '2\nObama\t1\t2\nObama\t2\t1\nObama\t1\tBiden\t1\nCurie\t1\tObama\t1\n' >two.txt
exits 0 eval pairs one.txt --dir faces
says out "2 pairs: 1 of one, 1 of two"
says out "3 pictures"
says out "AUC          1.0000 (0.0250 to 1.0000)"
says out "none: two pairs of either kind are needed"
exits 3 eval pairs two.txt --dir faces --threshold-from one.txt --json --html page.html
says err "no vector: "
says err "Curie_0001.jpg"
is "$("$JSON" out schema)" "doppel.eval/1"
is "$("$JSON" out n_pictures)" "4"
is "$("$JSON" out n_unscored)" "1"
is "$("$JSON" out failed.0.status)" "E_NO_FACE"
is "$("$JSON" out accuracy.n)" "4"
is "$("$JSON" out threshold_from)" "one.txt"
says page.html "DET: false non-matches over false matches"
says page.html '<td class="num" data-name="true match rate">' # a card a row on a narrow screen
says page.html '<th class="num">false non-match rate</th><th class="num">95 %</th>' # behind the plot
says page.html "<th>command</th><td>doppel eval pairs two.txt"
says page.html "no face found"
lacks page.html "<script"
lacks page.html "http:"
lacks page.html "https:"

# Pairs that cannot be scored are no match: a wrong answer where it is one person.
printf 'a,b,same\nObama/Obama_0001.jpg,Obama/Obama_0002.jpg,1\nObama/Obama_0001.jpg,Curie/Curie_0001.jpg,1\nObama/Obama_0001.jpg,Biden/Biden_0001.jpg,0\nObama/Obama_0002.jpg,Biden/Biden_0001.jpg,0\n' >faces/list.csv
exits 3 eval pairs faces/list.csv --json
is "$("$JSON" out n_false_non_matches)" "1"
is "$("$JSON" out tar.0.tar.n)" "1"
is "$("$JSON" out tar.0.tar.of)" "2"

# ---------------------------------------------------------------- whole pictures
exits 0 eval pairs faces/list.csv --encoder "$image" --json --html worst.html
is "$("$JSON" out n_unscored)" "0"
[ -z "$("$JSON" out detector.name)" ] || fail "faces were looked for"
says worst.html "data:image/jpeg;base64,"
exits 0 eval pairs faces/list.csv --aligned --json
[ -z "$("$JSON" out detector.name)" ] || fail "faces were looked for"

# Four pictures, each unlike the others.
cp "$demo/congress.jpg" 1.jpg
cp "$obama" 2.jpg
cp "$biden" 3.jpg
cp "$pictures/grey.jpg" 4.jpg

# A data set whose classes are one picture each, three times over: nothing is easier.
for group in x y; do
    for k in 1 2 3 4; do
        mkdir -p "set/$group/c$k"
        for item in 1 2 3; do
            cp "$k.jpg" "set/$group/c$k/$item.jpg"
        done
    done
done
exits 0 eval oneshot set --encoder "$image" --within-group --way 4 --trials 50 --html shot.html
says out "50 trials of 4 ways within a group, drawn from seed 1"
says out "accuracy     50 of 50 = 100.0 % (92.9 to 100.0)"
lacks out "lost"
says shot.html "50 of 50"
exits 0 eval oneshot set --encoder "$image" --way 8 --trials 50 --json
is "$("$JSON" out n_tied)" "50"
is "$("$JSON" out accuracy.n)" "0"
exits 0 eval pairs set --random 60 --within-group --encoder "$image" --json
is "$("$JSON" out accuracy.value)" "1.0"
is "$("$JSON" out n_genuine)" "30"
exits 3 eval oneshot set --encoder "$image" --way 9
says err "there are 8"
exits 3 eval oneshot set --encoder "$image" --way 5 --within-group
says err "there are 4"

# ---------------------------------------------------------------- Lake's runs
for run in run01 run02; do
    mkdir -p "runs/$run/test" "runs/$run/training"
    : >"runs/$run/class_labels.txt"
    for k in 1 2 3 4; do
        cp "$k.jpg" "runs/$run/test/item0$k.jpg"
        cp "$k.jpg" "runs/$run/training/class0$((5 - k)).jpg"
        echo "$run/test/item0$k.jpg $run/training/class0$((5 - k)).jpg" >>"runs/$run/class_labels.txt"
    done
done
exits 0 eval oneshot --runs runs --encoder "$image"
says out "8 trials of 2 runs, 4 ways"
says out "accuracy     8 of 8 = 100.0 %"
says out "run02      4 of 4"
sed -i '1s/class04/class01/' runs/run02/class_labels.txt
exits 0 eval oneshot --runs runs --encoder "$image" --json
is "$("$JSON" out accuracy.n)" "7"
is "$("$JSON" out runs.1.accuracy.n)" "3"
echo "run02/test/item09.jpg run02/training/class01.jpg" >>runs/run02/class_labels.txt
exits 3 eval oneshot --runs runs --encoder "$image"
says err '"run02/class_labels.txt" line 5: there is no picture "run02/test/item09.jpg"'
rm runs/run02/class_labels.txt
exits 3 eval oneshot --runs runs --encoder "$image"
says err "run02/class_labels.txt"

# A picture that cannot be read loses its trials, by name.
echo nothing >set/x/c1/2.jpg
exits 3 eval oneshot set --encoder "$image" --within-group --way 4 --trials 50
says err "2.jpg"
says out "to pictures without a vector; they count as wrong"

# ---------------------------------------------------------------- what is refused
exits 2 eval
exits 2 eval pears one.txt
says err '"pairs", "oneshot" or "retrieval"'
exits 2 eval pairs one.txt two.txt
exits 2 eval pairs one.txt --way 5
exits 2 eval pairs set --random 5 --encoder "$image"
exits 2 eval oneshot set --dir faces
exits 2 eval oneshot --runs runs --way 5
exits 2 eval pairs one.txt --aligned --detect faces
exits 3 eval pairs nowhere.txt
says err '"nowhere.txt"'
exits 3 eval pairs one.txt --dir set
says err '"one.txt" line 2: "set/Obama/Obama_0001.jpg"'
printf '1\nObama\t1\t2\nObama\t1\n' >bad.txt
exits 3 eval pairs bad.txt --dir faces
says err '"bad.txt" line 3'
exits 3 eval oneshot nowhere --encoder "$image"
says err "nowhere"
exits 4 eval oneshot set --encoder "$SRCDIR/README.md"
exits 4 eval pairs one.txt --dir faces --encoder "$SRCDIR/README.md"
exits 4 eval pairs one.txt --dir faces --encoder "$SRCDIR/tests/standins/koch.onnx"
says err "template"
printf 'a,b,same\nObama/Obama_0001.jpg,Obama/Obama_0002.jpg,1\n' >faces/list.csv
exits 3 eval pairs faces/list.csv
says err "there is no pair of two"
