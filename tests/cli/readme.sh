# The README's commands run as written.
. "$SRCDIR/tests/cli/lib.sh"
unset DOPPEL_GALLERY
mkdir -p bin people/Ann people/Bob photos
ln -s "$DOPPEL" bin/doppel
export HOME="$PWD" PATH="$PWD/bin:$PATH"
unset XDG_DATA_HOME
cp "$demo"/people/Barack*/*.jpg people/Ann
cp "$biden" people/Bob
cp "$obama" a.jpg
cp "$demo/congress.jpg" b.jpg
cp "$demo/congress.jpg" door.jpg
cp "$demo/group.jpg" party.jpg
cp "$obama" scan.jpg
cp "$obama" photos/1.jpg
cp "$obama" photos/2.jpg

sed -n 's/^\$ \(doppel [^#]*\).*/\1/p' "$SRCDIR/README.md" >commands
[ "$(wc -l <commands)" -ge 5 ] || fail "the README's commands are not found"
while read -r line; do
    sh -c "$line" >out 2>err </dev/null || fail "$line"
done <commands
says party.html "known: Ann"
[ -s party.html ] || fail "there is no party.html"
[ -d .local/share/doppel ] || fail "the gallery is not where the README says"
