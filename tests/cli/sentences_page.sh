# docs/sentences.md's commands run as written, in order, on the examples of the project; what they make has
# learnt.
. "$SRCDIR/tests/cli/lib.sh"
unset DOPPEL_GALLERY XDG_DATA_HOME
mkdir bin
ln -s "$DOPPEL" bin/doppel
ln -s "$SRCDIR/examples" examples
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
[ $n -eq 5 ] || fail "$n blocks are found, not 5"
[ -s house/best.onnx ] || fail "there is no model"
# Learnt: guessing has half of them right.
grep -qE "^accuracy +(0\.9[5-9]|1\.0)" out.2 || fail "not learnt: $(cat out.2)"
says out.3 "asked with"
grep -q "^match: " out.4 || fail "no match: $(cat out.4)"
grep -q "^no match: " out.5 || fail "a match: $(cat out.5)"
