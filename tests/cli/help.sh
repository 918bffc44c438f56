# Help and the manual page tell the same of every command, and the page in docs is the one made now.
. "$SRCDIR/tests/cli/lib.sh"

exits 0 help
cp out overview
exits 0 --help
"$DOPPEL" -h >short
cmp -s out short || fail "-h is not --help"
exits 0 help --manual
cp out manual
cmp manual "$SRCDIR/docs/doppel.1" ||
    fail "docs/doppel.1 is old: doppel help --manual >docs/doppel.1"

commands=$(sed -n 's/^  \([a-z]*\) .*/\1/p' overview)
[ "$(echo "$commands" | wc -l)" -ge 10 ] || fail "commands: $commands"
for name in $commands; do
    exits 0 help "$name"
    cp out help
    exits 0 "$name" --help
    cmp -s out help || fail "doppel $name --help is not doppel help $name"
    says help "usage: doppel $name"
    sed -n 's/^  \(-[a-z],\|   \) --\([a-z0-9-]*\).*/\2/p' help | grep -vx help | sort >in-help
    awk -v name="$name" '/^\.S[HS] / { mine = ($1 == ".SS" && $3 == name) }
        mine && /^(\\fB\\-[a-z]\\fR, )?\\fB\\-\\-/' manual |
        sed 's/^.*\\fB\\-\\-\([^ ]*\)\\fR.*/\1/; s/\\f.*//; s/\\-/-/g' | sort >in-manual
    diff in-help in-manual || fail "options of $name differ between help and manual"
done
for line in "DOPPEL_GALLERY" "arcface-112" "130 "; do
    exits 0 help
    says out "$line"
done
