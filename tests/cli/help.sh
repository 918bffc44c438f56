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
    sed -n 's/^  \(-[a-z],\|   \) --\([a-z0-9-]*\).*/\2/p' help | grep -vx -e help -e version | sort >in-help
    awk -v name="$name" '/^\.S[HS] / { mine = ($1 == ".SS" && $3 == name) }
        mine && /^(\\fB\\-[a-z]\\fR, )?\\fB\\-\\-/' manual |
        sed 's/^.*\\fB\\-\\-\([^ ]*\)\\fR.*/\1/; s/\\f.*//; s/\\-/-/g' | sort >in-manual
    diff in-help in-manual || fail "options of $name differ between help and manual"
    is "$(sed -n '/^Examples:$/,$p' help | grep -c '^  doppel .*# ')" "3"
    exits 0 --help "$name"
    cmp -s out help || fail "doppel --help $name is not doppel help $name"
done
# What is seldom needed comes under headings of its own.
exits 0 help verify
sed -n '/^Models:$/,/^$/p' out >models
says models "--detector FILE"
sed -n '/^Limits:$/,/^$/p' out >limits
says limits "--max-pixels N"
sed '/^Models:$/,$d' out >usual
says usual "--fmr RATE"
lacks usual "--detector"

# The version, anywhere.
exits 0 --version
cp out version
for words in version "verify a -V" "list -q --version"; do
    # shellcheck disable=SC2086 # a list of words
    exits 0 $words
    cmp -s out version || fail "doppel $words is not doppel --version"
done
exits 2 verify a b --vers
exits 2 verify a b --hel

for line in "FPIR  " "template  " "inconclusive  " "XDG_CONFIG_HOME" "DOPPEL_GALLERY" "arcface-112" "130 "; do
    exits 0 help
    says out "$line"
done
