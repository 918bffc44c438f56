# Names are bytes that somebody else chose: they align, drive no terminal and break no page or JSON.
. "$SRCDIR/tests/cli/lib.sh"

esc=$(printf 'red\033[31m')
rtl=$(printf 'left\342\200\256right')
raw=$(printf 'caf\351')
tag='<b onclick="x">&'
mkdir -p people/Ann people/Zoë "people/李小龙" "people/$esc" "people/$rtl" "people/$raw" "people/$tag"
for folder in people/*; do
    cp "$biden" "$folder/p.jpg"
done
exits 0 enroll people -v
is "$(tr -d '\n -~' <err | LC_ALL=C tr -d '\200-\377')" ""
lacks err "$esc"

exits 0 list
says out 'red\x1b[31m'
says out 'left\u{202e}right'
says out 'caf\xe9'
LC_ALL=C grep -q "$(printf '[\001-\011\013-\037\177]')" out && fail "control characters in a table"
# The longest name, as shown, is 17 wide; the wide characters take two columns each.
says out "left\u{202e}right       1          2"
says out "Ann                     1          2"
says out "Zoë                     1          2"
says out "李小龙                  1          2"

exits 0 list --json
is "$("$JSON" out person | grep -c "$(printf 'caf\357\277\275')")" "1"
exits 0 query "people/$tag/p.jpg" "people/$raw/p.jpg" --threshold 0.5 -k 7 --html "$tag.html" --json
"$JSON" out >checked
grep -qF 'onclick="x"' "$tag.html" && fail "a name became markup"
says "$tag.html" '&lt;b onclick=&quot;x&quot;&gt;&amp;'
exits 3 query "$(printf 'no\033]0;such\007')"
says err '\x1b]0;such\x07'
