# docs/sentences.md's commands run as written, in order, on the examples of the project and a stand-in for
# photos with captions; what they make has learnt.
. "$SRCDIR/tests/cli/lib.sh"
unset DOPPEL_GALLERY XDG_DATA_HOME
mkdir bin
ln -s "$DOPPEL" bin/doppel
ln -s "$SRCDIR/examples" examples
ln -s "$SRCDIR/models" models
"$SCENES" .
export HOME="$PWD" PATH="$PWD/bin:$PATH"

# block.1, block.2, …: the blocks marked sh.
awk '/^```sh$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > ("block." n) }' \
    "$SRCDIR/docs/sentences.md"
n=0
while [ -e "block.$((n + 1))" ]; do
    n=$((n + 1))
    sh -eu "block.$n" >out 2>err </dev/null || fail "block $n: $(cat "block.$n")"
    cp out "out.$n"
done
[ $n -eq 8 ] || fail "$n blocks are found, not 8"
[ -s house/best.onnx ] || fail "there is no model"
# Learnt: guessing has half of them right.
grep -qE "^accuracy +(0\.9[5-9]|1\.0)" out.2 || fail "not learnt: $(cat out.2)"
says out.3 "asked with"
grep -q "^match: " out.4 || fail "no match: $(cat out.4)"
grep -q "^no match: " out.5 || fail "a match: $(cat out.5)"
# Pictures that the tower has not seen, by chance among the first ten in .42; and the scene that was asked for.
grep -qE "^sentences +R@1 (0\.[5-9]|1\.).* R@10 (0\.9|1\.)" out.7 || fail "not learnt: $(cat out.7)"
says out.6 "trained on 224 sentences of 112 pictures; validated on 48 sentences of 24 pictures"
wanted=$(sed -n 's/^test,\([0-9]*.png\),snow: a red big ball at the left$/\1/p' album/captions.csv)
grep -q "/$wanted" out.8 || fail "$wanted is not found: $(cat out.8)"
