# A tower of sentences learnt into the space of an encoder of pictures: doppel train, eval retrieval, and
# photos found by query --text; interrupted and gone on with, it ends to the bit as what was not.
. "$SRCDIR/tests/cli/lib.sh"
standins=$SRCDIR/tests/standins
cp "$standins/image.onnx" .
"$SCENES" .
list=album/captions.csv
small="--arch mean-words --teacher image.onnx --batch-pairs 32 --length 16 --rate 1e-2 --threads 2"
splits="--split train --validate-split dev"

# shellcheck disable=SC2086 # the words of the options
exits 0 train $list $splits $small --loss info-nce --epochs 20 --best r1 --run tower
says out "network    mean-words, rows of up to 16 numbers to 48, 18,992 parameters"
says out "words      26"
says out "loss       info-nce; compared by cosine"
says out "trained on 224 sentences of 112 pictures; validated on 48 sentences of 24 pictures, not trained on, by r1"
says out "steps      140 of 32 sentences, 7 an epoch, on 2 threads"
is "$(grep -c "among 24 pictures R@1 " out)" 20
says out "done after step 140; best "
for part in "R@10" "Median rank of the right picture" "<dt>best r1</dt>" "</html>"; do
    says tower/report.html "$part"
done
# Learnt: by chance 10 of 24 pictures hold the right one.
exits 0 eval retrieval $list --split test --model image.onnx --text-model tower/best.onnx
says out "items        24 pictures and 48 sentences"
grep -qE "^sentences +R@1 .* R@10 (0\.9|1\.0).*: 48 asked with, among 24 pictures" out || fail "not learnt: $(cat out)"
grep -qE "^pictures +R@1 .*: 24 asked with, among 48 sentences" out || fail "pictures did not ask: $(cat out)"
exits 0 eval retrieval $list --split test --model image.onnx --text-model tower/start.onnx --json
awk -v rank="$("$JSON" out a.median_rank)" 'BEGIN { exit !(rank > 4) }' || fail "known before it was learnt"
exits 0 eval retrieval $list --split dev --model image.onnx --text-model tower/best.onnx --json
mv out dev
# What the run said of the pictures held out is what eval says.
says tower/log.jsonl "\"sentences\":$("$JSON" dev b.n),\"pictures\":$("$JSON" dev b.n_candidates)}"
best=$(sed -n 's/.*"r1":\([0-9.]*\),.*"best":true.*/\1/p' tower/log.jsonl | tail -n 1)
awk -v run="$best" -v eval="$("$JSON" dev b.recall.0.recall.rate)" \
    'BEGIN { exit !(run - eval < 1e-6 && eval - run < 1e-6) }' || fail "the run said $best, eval: $(cat dev)"

# shellcheck disable=SC2086
exits 0 train $list $splits $small --loss ranking --epochs 4 --best rank --run ranked --json
says ranked/report.html "<dt>best rank</dt>"
is "$(sed -n 1p out | "$JSON" /dev/stdin sentences)" 224
is "$(sed -n 1p out | "$JSON" /dev/stdin held_pictures)" 24
exits 0 eval retrieval $list --split test --model image.onnx --text-model ranked/best.onnx --json
awk -v rank="$("$JSON" out b.median_rank)" 'BEGIN { exit !(rank <= 4) }' || fail "not learnt: $(cat out)"

# Photos by a sentence: the model says for which pictures it is made, and finds one that it was not trained on
# among all. Another model's pictures are refused.
exits 0 scan album --model image.onnx --detect none --text-model none
exits 0 query --text "on the left of the snow a big red ball" --text-model tower/best.onnx -k 16 --json
is "$("$JSON" out by.0)" "picture"
want=$(sed -n 's/^[a-z]*,\([0-9]*.png\),snow: a red big ball at the left$/\1/p' $list)
grep -q "^test,$want" $list || fail "$want is trained on: say another sentence"
"$JSON" out hits | grep -q "album/$want" || fail "$want is not found: $(cat out)"
exits 0 query --text "night" --text-model tower/best.onnx -k 5 --table
exits 4 query --text "night" --by image --text-model tower/best.onnx --image-model "$SRCDIR/models/image-105.onnx"
says err "did not make the vectors of pictures"

# SIGINT saves, and what goes on from there ends as what was never interrupted.
: >out
# shellcheck disable=SC2086
"$DOPPEL" train $list $splits $small --loss info-nce --log-steps 1 --steps 100000 --run cut >out 2>err &
pid=$!
tries=0
while [ "$(cat cut/log.jsonl 2>/dev/null | wc -l)" -lt 12 ] && [ $tries -lt 3000 ]; do
    sleep 0.02
    tries=$((tries + 1))
done
kill -INT $pid || fail "it was over before the signal came"
status=0
wait $pid || status=$?
is $status 130
step=$(sed -n 's/.*after step \([0-9]*\), which is saved.*/\1/p' err)
exits 0 train --resume cut --steps $((step + 10))
says out "$step done"
# shellcheck disable=SC2086
exits 0 train $list $splits $small --loss info-nce --log-steps 1 --steps $((step + 10)) --run whole --quiet
for file in checkpoint.bin best.onnx last.onnx; do
    cmp cut/$file whole/$file || fail "cut/$file is not whole/$file"
done
for run in cut whole; do
    sed -n '/"validation"/p' $run/log.jsonl >$run.figures
done
cmp cut.figures whole.figures || fail "they were judged differently"

# Without a split, pictures are held out. One that is not there is left out with its sentences, and named.
grep -v "^test,001" $list | sed 's/^[a-z]*,//' >all.csv
sed -i 's/^000.png/gone.png/' all.csv
mv all.csv album/
# shellcheck disable=SC2086
exits 0 train album/all.csv $small --loss info-nce --steps 2 --hold-classes 20 --run held
says err "gone.png"
says out "trained on 278 sentences of 139 pictures; validated on 40 sentences of 20 pictures, not trained on, by r10"

# What cannot be learnt from, before anything is made.
exits 2 train $list $splits --arch mean-words --loss info-nce --run bad
says err "teacher"
printf 'a\tb\t1\nc\td\t0\n' >pairs.tsv
# shellcheck disable=SC2086
exits 3 train pairs.tsv $small --loss info-nce --run bad
says err "the loss info-nce learns from pairs of a picture and a sentence, \"$PWD/pairs.tsv\" has none"
exits 4 train $list $splits --arch mean-words --loss info-nce --teacher "$SRCDIR/models/face-105.onnx" --run bad
says err "is no encoder of whole pictures"
# shellcheck disable=SC2086
exits 2 train $list $splits $small --loss info-nce --dim 8 --run bad
says err "vectors of length 8 cannot be compared with vectors of length 48"
# shellcheck disable=SC2086
exits 2 train $list $splits $small --loss ranking --temperature 0.1 --hold-items 1 --run bad
# shellcheck disable=SC2086
exits 3 train $list --split nothing $small --loss info-nce --run bad
says err 'no row of the split "nothing"'
[ ! -e bad ] || fail "a run that could not begin left a folder"
