# docs/archive.md's commands run as written, in order, and do what the page says.
. "$SRCDIR/tests/cli/lib.sh"
mkdir bin
ln -s "$DOPPEL" bin/doppel
ln -s "$SRCDIR/demo" demo
export PATH="$PWD/bin:$PATH"

# block.1, block.2, …: the blocks marked sh.
awk '/^```sh$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > ("block." n) }' \
    "$SRCDIR/docs/archive.md"
n=0
while [ -e "block.$((n + 1))" ]; do
    n=$((n + 1))
    sh -eu "block.$n" >out 2>err </dev/null || fail "block $n: $(cat "block.$n")"
    cp out "out.$n"
    cp err "err.$n"
done
is "$n" "3"
says out.1 "nothing is changed; 5 photos: 5 added"
says out.1 "4 people, 5 photos"
says err.2 "it stays Joe Biden's"
says out.2 "5 photos not there any more: what was enrolled stays"
says err.2 "is empty, and 5 photos were enrolled from it"
says out.2 "and nothing is pruned"
says out.2 "enrolled as Joe Biden"
says out.3 "Barack Obama is now Obama"
says out.3 'the last change: rename "Barack Obama" to "Obama"'
says out.3 "taken back"
tail -5 out.3 | grep -q "Barack Obama" || fail "he is not called so again"
