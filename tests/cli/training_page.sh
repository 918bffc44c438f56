# docs/training.md's commands run as written, in order, on a stand-in for Omniglot; what they make is there,
# and has learnt.
. "$SRCDIR/tests/cli/lib.sh"
unset DOPPEL_GALLERY
mkdir bin
ln -s "$DOPPEL" bin/doppel
export HOME="$PWD" PATH="$PWD/bin:$PATH"
unset XDG_DATA_HOME
"$DRAWINGS" .

# block.1, block.2, …: the blocks marked sh.
awk '/^```sh$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > ("block." n) }' \
    "$SRCDIR/docs/training.md"
n=0
while [ -e "block.$((n + 1))" ]; do
    n=$((n + 1))
    sh -eu "block.$n" >out 2>err </dev/null || fail "block $n: $(cat "block.$n")"
    cp out "out.$n"
    case $(cat "block.$n") in
    *seeds.csv*) seeds=out.$n ;;
    *twins.csv* | *marked.csv*) ;;
    *"doppel eval"*) evaluated=out.$n ;;
    *"doppel verify"*) used=out.$n ;;
    *"--resume"*) resumed=out.$n ;;
    esac
done
[ $n -ge 12 ] || fail "only $n blocks are found"

# The CSV is the folder: the same pictures of the same classes.
says out.1 "of 144 classes"
# Learnt: on alphabets never seen, where guessing finds 5 in 100 and untrained weights find about 30.
for line in "(2[4-9]|3[0-9])[0-9] of 400 =" "(2[4-9]|3[0-9]) of 40 =" "0\.(8[5-9]|9)"; do
    grep -qE "^accuracy     $line" "$evaluated" || fail "not learnt: $line in $(cat "$evaluated")"
done
grep -qE "^AUC +(0\.9|1\.0)" "$seeds" || fail "seeds are not told apart: $(cat "$seeds")"
says "$used" "20 people"
grep -q "^match: " "$used" || fail "no match: $(cat "$used")"
grep -q "	character02	" "$used" || fail "not found: $(cat "$used")"
says "$resumed" "150 done"
says "$resumed" "done after step 170"
for page in first/report.html first/oneshot.html first/pairs.html; do
    says $page "</html>"
done
for model in first/best small/last alone/last towers/best.a towers/best.b koch/best koch-l1/best \
    drawing/best seeds/best twins/last marked/best.a marked/best.b; do
    [ -s $model.onnx ] || fail "there is no $model.onnx"
done
# Batch norm is folded away.
says koch-arc/start.onnx "conv1/bn.mean"
lacks koch-arc/best.onnx "conv1/bn.mean"
