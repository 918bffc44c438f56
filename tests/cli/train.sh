# doppel train: a run in a folder, gone on with when resumed, interrupted with 130, wrong calls refused.
. "$SRCDIR/tests/cli/lib.sh"

n=0
for class in a b c d; do
    mkdir -p data/$class
    for photo in "$obama" "$biden"; do
        cp "$photo" data/$class/$n.jpg
        n=$((n + 1))
    done
done
small="--arch resnet-drawing --side 24 --dim 8 --loss contrastive --batch 2x2 --threads 2 --log-steps 1"

# Wrong calls, before anything is made.
for call in "data" "--run r" "data more --run r" "--resume r --run r" "data --resume r" \
    "data --run r --batch 4" "data --run r --batch 4x" "data --run r --batch 4x4x4" \
    "data --run r --batch 1x4" "data --run r --batch -4x4" "data --run r --arch nothing" \
    "data --run r --loss l2" "data --run r --rate 0" "data --run r --loss arc --batch-pairs 4" \
    "data --run r --init m.onnx --arch koch2015" "data --run r --teacher m.onnx --loss cosine" \
    "data --run r --steps 0" "data --run r --freeze="; do
    # shellcheck disable=SC2086 # the words of the call
    exits 2 train $call
    says err "doppel train: "
    is "$(cat out)" ""
done
[ ! -e r ] || fail "a wrong call left a run"
exits 3 train nowhere --run r0
says err nowhere
[ ! -e r0 ] || fail "a run that could not begin left a folder"
exits 4 train --resume nowhere
says err nowhere

# shellcheck disable=SC2086 # the words of the options
exits 0 train data --run run $small --hold-classes 2 --validate-ways 2 --validate-trials 4 --steps 4 \
    --validate-steps 2
says out "parameters"
says out "4 pictures of 2 classes"
says out "MiB"
says out "one-shot"
says out "done after step 4"
for file in config.json log.jsonl report.html start.onnx best.onnx last.onnx checkpoint.bin; do
    [ -s run/$file ] || fail "no run/$file"
done
# The page: curves in the look of the other pages, nothing from the network, no word of faces.
lacks run/report.html "http://"
lacks run/report.html "https://"
lacks run/report.html "pictures of faces"
says run/report.html "<th>command</th><td>doppel train "
says run/report.html "<summary>the numbers</summary>"
for part in '<polyline class="s0" points="' "Loss, at the end" "one-shot accuracy" "4 of 4" \
    "best oneshot" "hold-classes" "color-scheme:light dark" "</html>"; do
    says run/report.html "$part"
done
is "$(grep -c '"loss"' run/log.jsonl)" 4
is "$(grep -c '"validation"' run/log.jsonl)" 2

# It is there already; resumed, it takes more steps, and no other rate.
# shellcheck disable=SC2086
exits 2 train data --run run $small
says err "holds a run already"
exits 2 train --resume run --rate 0.5
says err '"rate"'
exits 0 train --resume run --steps 5 --json
says out '"schema": "doppel.train/1"'
says out '"event": "done"'
"$JSON" out || fail "a line is not JSON"
cp run/checkpoint.bin whole
head -c 1000 whole >run/checkpoint.bin
exits 4 train --resume run --steps 6
says err "checkpoint.prev.bin"

# SIGINT saves, and what was saved is gone on with.
# shellcheck disable=SC2086
interrupt_training 2 cut data $small --hold-classes 0 --steps 100000
exits 0 train --resume cut --steps $((step + 1))
says out "$step done"
says out "done after step $((step + 1))"

# Faces are found and laid on the network's template; a photo without one is left out, and said.
mkdir -p faces/a faces/b
cp "$obama" faces/a/0.jpg
cp "$obama" faces/a/1.jpg
cp "$biden" faces/b/0.jpg
cp "$biden" faces/b/1.jpg
cp "$SRCDIR/tests/fixtures/image/rgb.jpg" faces/b/plain.jpg
exits 0 train faces --run aligned --align --init "$SRCDIR/models/face-105.onnx" --loss cosine \
    --batch 2x2 --hold-classes 0 --steps 1 --threads 2
says err "plain.jpg"
says err "no face found"
says out "4 pictures of 2 classes"
# shellcheck disable=SC2086
exits 2 train faces --run flat $small --align --hold-classes 0 --steps 1
says err "template"
# shellcheck disable=SC2086
exits 2 train faces --run flat $small --detector x.onnx

# Without classes, what is the same are distortions of one picture.
# shellcheck disable=SC2086
exits 0 train data --run alone $small --plain --channels 3 --augment photo --validate data \
    --validate-ways 2 --validate-trials 4 --steps 2
says out "8 pictures"
says out "one-shot"
# shellcheck disable=SC2086
exits 2 train data --run alone2 $small --plain --augment none --steps 1
says err "distortions"

# Pairs of sentences that a list gives: one file of a model, curves of its own figures.
i=0
while [ $i -lt 20 ]; do
    printf 'the %s bank\ta %s bank\t%d\n' $((i % 5)) $(((i + i % 2) % 5)) $((1 - i % 2))
    i=$((i + 1))
done >pairs.tsv
exits 0 train pairs.tsv --run pairs --arch malstm --dim 8 --length 6 --batch-pairs 4 --hold-pairs 4 \
    --steps 4 --validate-steps 2 --threads 2
says out "words "
says out "16 pairs of"
says out "validated on 4 pairs by accuracy"
says out "Spearman"
for part in "Validation on given pairs" "on the right side" "best accuracy"; do
    says pairs/report.html "$part"
done
lacks pairs/report.html "one-shot accuracy"
exits 0 train pairs.tsv --json --run towers --arch two-inputs --batch-pairs 4 --hold-pairs 4 --steps 1
says out '"held_pairs": 4'
says out '"spearman": '
[ -s towers/best.a.onnx ] && [ -s towers/best.b.onnx ] || fail "not a model for each side"
for grades in 1 5..1 1..x ..5 1.. 1...5; do
    exits 2 train pairs.tsv --run graded --grades $grades
    says err "LOW..HIGH"
done
exits 2 train pairs.tsv --run other --arch koch2015
says err "takes pictures"
exits 3 train pairs.tsv --run other --arch malstm --vectors pairs.tsv
says err "line 1"
[ ! -e other ] || fail "a run that could not begin left a folder"
