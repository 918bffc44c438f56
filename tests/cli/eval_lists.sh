# eval reads pairs of sentences, vectors and codes, with labels or grades, judges them by one model or one a
# side, and tells how far down right answers stand; what is wrong is named by file and line.
. "$SRCDIR/tests/cli/lib.sh"

# ---------------------------------------------------------------- vectors
# Two places, and what is near to them.
printf 'x,y,label\n1,0,p\n0.9,0.1,p\n1,0.2,p\n0,1,q\n0.1,1,q\n0.2,0.9,q\n' >vectors.csv
exits 0 eval pairs vectors.csv --random 40
says out "items        6 vectors"
says out "accuracy     1.0000"
printf 'a,b,label\n1 0,0.9 0.1,1\n1 0,1 0.2,1\n0 1,0.1 1,1\n1 0,0 1,0\n0.9 0.1,0.1 1,0\n1 0.2,0 1,0\n' >pairs.csv
exits 0 eval pairs pairs.csv --kinds vectors --json
is "$("$JSON" out n_items)" "5"
is "$("$JSON" out kinds.1)" "vector"
is "$("$JSON" out metric)" "cosine"
is "$("$JSON" out auc.value)" "1.0"
is "$("$JSON" out accuracy.value)" "1.0"
exits 0 eval pairs pairs.csv --kinds vectors --threshold 0.99 --json
is "$("$JSON" out accuracy.n)" "5" # 1 0 and 1 0.2 are at .98
is "$("$JSON" out n_false_non_matches)" "1"
[ -z "$("$JSON" out threshold_from)" ] || fail "the threshold is from nowhere"
exits 0 eval pairs pairs.csv --kinds vectors --threshold-from pairs.csv
says out "the best on pairs.csv"
exits 0 eval retrieval pairs.csv --kinds vectors
says out "a            R@1 1.0000"
says out "2 asked with, among 5 vectors"

# Grades: the cosines are 1, 0 and .8, and so are these but for the last.
printf 'a,b,score\n1 0,2 0,5\n1 0,0 3,1\n1 0,4 3,3.2\n' >graded.csv
exits 0 eval pairs graded.csv --kinds vectors --grades 1..5
says out "pairs        3 pairs with grades from 1 to 5"
says out "Spearman     1.0000"
says out "squared error 0.3333, the score from 0 to 1 laid onto the scale"
exits 0 eval pairs graded.csv --kinds vectors --grades 1..5 --threshold-from graded.csv --json
is "$("$JSON" out spearman.value)" "1.0"
is "$("$JSON" out line.from)" "graded.csv"
is "$("$JSON" out scale.1)" "5.0"
exits 3 eval pairs graded.csv --kinds vectors
says err '"graded.csv": line 2: the label "5" is neither 0 nor 1'
exits 3 eval pairs graded.csv --kinds vectors --grades 1..4.5
says err '"graded.csv": line 2: the label "5" is off the scale 1 to 4.5'

# ---------------------------------------------------------------- sentences
awk 'BEGIN {
    split("red green blue white black", colour); split("cat dog bird fish horse", animal)
    for (i = 1; i <= 5; i++) for (j = 1; j <= 5; j++) {
        printf "a %s %s\tone %s that is %s\t1\n", colour[i], animal[j], animal[j], colour[i]
        printf "a %s %s\tone %s that is %s\t0\n", colour[i], animal[j], animal[j % 5 + 1], colour[(i + j) % 5 + 1]
    }
}' >sentences.tsv
exits 4 eval pairs sentences.tsv --model nowhere.onnx
says err nowhere.onnx
for list in nowhere.tsv empty.tsv; do # told before there is a word of models
    [ $list = nowhere.tsv ] || : >$list
    exits 3 eval pairs $list --model nowhere.onnx
    says err "\"$list\": "
done
says err "is empty"
exits 4 eval pairs sentences.tsv
says err "which model of sentences? --model FILE says it"
exits 0 train sentences.tsv --arch mean-embedding --run one --steps 120 --rate 0.01 --batch-pairs 16 --hold-pairs 10 --seed 1 --quiet
exits 0 eval pairs sentences.tsv --model one/last.onnx
says out "50 pairs: 25 of one, 25 of two"
says out "items        50 sentences"
grep -qE "^AUC +(0\.[89]|1\.)" out || fail "not learnt: $(cat out)"
exits 0 eval retrieval sentences.tsv --model one/last.onnx --json
is "$("$JSON" out a.n)" "25"
is "$("$JSON" out a.n_candidates)" "50"
# The same list with the header that says so, and fields in quotes.
{ echo '"sentence1","sentence2","label"'; awk -F'\t' '{ printf "\"%s\",\"%s\",%s\n", $1, $2, $3 }' sentences.tsv; } >sentences.csv
mv out first
exits 0 eval retrieval sentences.csv --model one/last.onnx --json
is "$("$JSON" out a.mean_rank)" "$("$JSON" first a.mean_rank)"
# ---------------------------------------------------------------- two kinds, two models
awk 'BEGIN { print "sentence,codes,label"; split("red green blue", colour)
    for (i = 1; i <= 3; i++) for (j = 0; j < 12; j++)
        printf "the %s thing number %d,%d %d,%d\n", colour[i], j, j % 2 ? i - 1 : i % 3, 3 + j % 5, j % 2 }' >codes.csv
exits 0 train codes.csv --arch two-inputs --run towers --steps 150 --rate 0.01 --batch-pairs 16 --hold-pairs 6 --seed 1 --quiet
exits 4 eval pairs codes.csv --model towers/last.a.onnx
says err "which model of codes"
exits 0 eval pairs codes.csv --model towers/last.a.onnx --second-model towers/last.b.onnx
says out "items        36 sentences and "
exits 0 eval retrieval codes.csv --model towers/last.a.onnx --second-model towers/last.b.onnx --json
is "$("$JSON" out kinds.0)" "sentence"
is "$("$JSON" out kinds.1)" "list of codes"

# ---------------------------------------------------------------- what is refused
exits 2 eval pairs pairs.csv --kinds words
says err "--kinds takes one or two of"
exits 2 eval pairs pairs.csv --grades 5..1
exits 2 eval pairs pairs.csv --grades 1..5 --threshold 0
exits 2 eval pairs pairs.csv --threshold 0 --threshold-from pairs.csv
exits 2 eval oneshot pairs.csv --kinds vectors
exits 2 eval retrieval pairs.csv --way 3
exits 2 eval retrieval
exits 2 eval pairs pairs.csv --kinds vectors --html page.html
says err "--html shows pictures"
[ ! -e page.html ] || fail "a page of nothing is left"
printf 'x\ty\t1\nx\t\t0\n' >bad.tsv
exits 3 eval pairs bad.tsv --model one/last.onnx
says err '"bad.tsv": line 2: the sentence is empty'
printf 'a\303(\ty\t1\n' >bad.tsv
exits 3 eval pairs bad.tsv --model one/last.onnx
says err '"bad.tsv": line 1: the sentence is not UTF-8'
exits 3 eval retrieval graded.csv --kinds vectors --split test
says err '"graded.csv": line 1: no column "split"'
