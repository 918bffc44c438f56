# verify --text compares sentences by a model of sentences, whatever they and it are.
. "$SRCDIR/tests/cli/lib.sh"
standins=$SRCDIR/tests/standins
model=$standins/sentences.onnx

exits 0 verify --text "Two dogs on a beach" "2 puppy at the SEA." --text-model "$model" --threshold 0.9 \
    --html page.html
says out "match: both say the same"
says out "  score 1.000; a match from 0.900 on, the threshold given"
says page.html "2 puppy at the SEA."
says page.html "verify --text"
exits 1 verify --text "Two dogs on a beach" "a cat" --text-model "$model" --threshold 0.9 --json
is "$("$JSON" out schema)" "doppel.verify/1"
is "$("$JSON" out decision)" "no match"
is "$("$JSON" out threshold)" "0.899999976"
is "$("$JSON" out a.text)" "Two dogs on a beach"
is "$("$JSON" out a.n_tokens)" "5"
is "$("$JSON" out model.name)" "stand-in sentences"
is "$("$JSON" out metric)" "cosine"
# Without a calibration nothing is decided, and that is no match.
exits 1 verify --text "two dogs" "two dogs" --text-model "$model"
says out "no decision: without a calibration in the model, --threshold must say"
exits 2 verify --text "two dogs" "two dogs" --text-model "$model" --fmr 1e-3
says err "calibration"
# What the model does not see is said.
exits 1 verify --text "two axolotls" "a a a a a a a a a a a a dog and a cat" --text-model "$model" \
    --threshold 0.99
says out "the first sentence: 1 of its words not known to the model"
says out "the second sentence: 4 past the 12 tokens that it reads"

# What is no sentence, and what no model of sentences.
exits 3 verify --text "two dogs" " " --text-model "$model" --threshold 0.9 --json
says err "text 2: text is empty"
is "$("$JSON" out status)" "E_INPUT"
exits 3 verify --text "two dogs" "$(printf 'two \377')" --text-model "$model" --threshold 0.9
says err "text 2: text is not UTF-8 at byte 4"
exits 3 verify --text "$(head -c 100000 /dev/zero | tr '\0' a)" a --text-model "$model" --threshold 0.9
says err "text 1: text is 100000 bytes, limit is 65536"
exits 4 verify --text a b --text-model "$standins/image.onnx" --threshold 0.9
says err 'the model is a "image-encoder", not a "text-encoder"'
exits 4 verify --text a b --threshold 0.9
says err "which model of sentences? --text-model FILE says it"
exits 2 verify --text a b --text-model "$model" --merges nowhere --threshold 0.9
says err "the model has tokens of its own, and takes no list of merges"
cp "$model" bare.onnx
printf '{"tokens": "words", "tokens.list": "a"}' >bare.onnx.json
exits 4 verify --text a b --text-model bare.onnx --threshold 0.9
says err '"bare.onnx": facts "doppel.tokens": unknown id is 1, the vocabulary is 1 tokens'
exits 2 verify --text a --text-model "$model"
exits 2 verify --text a b --as Ann --text-model "$model"
exits 2 verify a b --text-model "$model"
says err "--text-model and --merges are of --text"

# Where each side of a pair has a model of its own, both are given, and one is not taken for the other.
for side in a b; do
    cp "$model" side.$side.onnx
    printf '{"side": "%s"}' $side >side.$side.onnx.json
done
exits 4 verify --text "two dogs" "2 puppy" --text-model side.a.onnx --threshold 0.9
says err '"side.a.onnx" is the model of side a of a pair, and the other'
exits 0 verify --text "two dogs" "2 puppy" --text-model side.a.onnx --second-text-model side.b.onnx \
    --threshold 0.9
exits 4 verify --text "two dogs" "2 puppy" --text-model side.b.onnx --second-text-model side.a.onnx \
    --threshold 0.9
says err "are not the sides a and b of a pair"
exits 4 verify --text a b --text-model side.a.onnx --second-text-model "$standins/colours.onnx" \
    --threshold 0.9
says err "gives 9 numbers and"

# A calibration of pairs, which then decides; too few, or a list of something else, say so.
cp "$model" model.onnx
chmod u+w model.onnx
awk 'BEGIN {
    split("dog cat beach run woman red two portrait", w)
    print "a,b,label"
    for (i = 1; i <= 8; i++) for (j = 1; j <= 8; j++) for (k = 1; k <= 8; k++)
        if (i != j && i != k) print "a " w[i] " and a " w[k] ",the " w[j] " in the " w[k] ",0"
    for (i = 1; i <= 8; i++) for (j = 1; j <= 8; j++)
        if (i != j) print "a " w[i] " and a " w[j] ",the " w[j] " on a " w[i] ",1"
}' >pairs.csv
exits 3 calibrate --text pairs.csv --text-model model.onnx --into model.onnx
says err "for a false match rate of 0.01 about 1840 pairs that are not the same are needed, the 392 here"
exits 0 calibrate --text pairs.csv --text-model model.onnx --fmr 0.2 --dry-run
says out "392 pairs that do not say the same, 56 that do"
says out "nothing was written"
exits 1 verify --text "a dog and a cat" "the cat on a puppy" --text-model model.onnx
exits 0 calibrate --text pairs.csv --text-model model.onnx --fmr 0.2 --into model.onnx --json
is "$("$JSON" out schema)" "doppel.calibrate/1"
is "$("$JSON" out n_pairs)" "392"
is "$("$JSON" out written)" "model.onnx"
exits 0 verify --text "a dog and a cat" "the cat on a puppy" --text-model model.onnx --fmr 0.2
says out "match: both say the same"
says out "which others reach at most in 20 % of pairs"
exits 1 verify --text "a dog and a cat" "the beach on a cat" --text-model model.onnx --fmr 0.2 --json
is "$("$JSON" out calibration.source)" "pairs.csv"
is "$("$JSON" out calibration.pairs)" "392"
is "$("$JSON" out wanted_fmr)" "0.2"
exits 2 verify --text "a dog" "a dog" --text-model model.onnx
says err "rate"
exits 4 calibrate --text pairs.csv --text-model side.a.onnx --fmr 0.2 --dry-run
says err "--second-text-model says the other's"
exits 0 calibrate --text pairs.csv --text-model side.a.onnx --second-text-model side.b.onnx --fmr 0.2 \
    --dry-run
says out "392 pairs that do not say the same, 56 that do"
exits 3 calibrate --text "$SRCDIR/README.md" --text-model model.onnx --dry-run
exits 2 calibrate --text pairs.csv --text-model model.onnx
exits 2 calibrate --text pairs.csv --text-model model.onnx --gallery g
exits 4 calibrate --text pairs.csv --text-model model.onnx --fmr 0.2 --into "$standins/colours.onnx"
says err "is another model than --text-model"
