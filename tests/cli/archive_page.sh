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
is "$n" "8"
says out.1 "4 photos: 4 added"
says out.1 "24 faces nobody's"
says out.2 "1 group of 3 faces"
says out.2 "group 1: 3 faces named Barack Obama"
says out.2 "2 people, 4 photos"
says out.2 "library/2012/01/IMG_0002.jpg"
says out.2 "not everybody is known"
is "$(grep -c "	Barack Obama	" out.2) $(grep -c "	Joe Biden	" out.2)" "2 1"
says out.3 "IMG_0002.jpg#2' is now Anne's"
says out.3 "IMG_0002.jpg#2' is not Anne's"
says out.3 "Barack is now Barack Obama: 1 photo"
says out.3 "taken back"
says out.3 "nothing is damaged"
says out.3 "nothing is in doubt"
says out.4 "4 photos not there any more: what was enrolled stays"
says out.4 "and nothing is pruned"
says err.4 "is empty, and 4 photos were enrolled from it"
says out.4 "5 photos: 1 added, 2 moved, 2 unchanged"
says out.4 'the last change: scan "library"'
says out.5 "nothing is changed; 5 photos: 5 added"
says out.5 "5 people, 10 photos"
says err.6 "it stays Joe Biden's"
says out.6 "5 photos not there any more: what was enrolled stays"
says err.6 "is empty, and 5 photos were enrolled from it"
says out.6 "and nothing is pruned"
says out.6 "enrolled as Joe Biden"
says out.7 "Barack Obama is now Obama"
says out.7 'the last change: rename "Barack Obama" to "Obama"'
says out.7 "taken back"
tail -5 out.7 | grep -q "Barack Obama" || fail "he is not called so again"
says out.8 "5 photos: wrote 5 new and 0 existing sidecars"
says out.8 "named 0 faces by their regions"
says out.8 "3 photos of 3 pictures beside what to keep"
