# A photo on standard input, and a page on standard output.
. "$SRCDIR/tests/cli/lib.sh"
exits 0 enroll "$demo/people"

# from FILE CODE WORD… - exits, with the file on standard input.
from() {
    file=$1
    shift
    exits "$@" <"$file"
}

# The answer is that of the file, whichever of the two it is, and the photo is called "-".
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --json
score=$("$JSON" out score)
from "$demo/congress.jpg" 0 verify - "$obama" --threshold 0.5 --json
is "$("$JSON" out score)|$("$JSON" out a.photo)" "$score|-"
from "$obama" 0 verify "$demo/congress.jpg" - --threshold 0.5 --json
is "$("$JSON" out score)|$("$JSON" out b.photo)" "$score|-"
from "$demo/congress.jpg" 0 verify - --as "Barack Obama" --threshold 0.5
says out "standard input shows Barack Obama"
from "$demo/congress.jpg" 0 verify - "$obama" --threshold 0.5
says out "standard input and $obama show the same person"
exits 0 query "$demo/congress.jpg" --threshold 0.5 --lines
sed "s|^[^	]*	|-	|" out >lines
from "$demo/congress.jpg" 0 query - --threshold 0.5 --lines
cmp out lines || fail "another answer from standard input"
from "$demo/congress.jpg" 0 query - --threshold 0.5 --json
is "$("$JSON" out photo)" "-"
# From a pipe, slowly.
{
    head -c 1000 "$demo/congress.jpg"
    sleep 0.2 # however long: there is the rest, sooner or later
    tail -c +1001 "$demo/congress.jpg"
} |
    "$DOPPEL" verify - "$obama" --threshold 0.5 --json >out
is "$("$JSON" out score)" "$score"

# What is no photo is told as one that is a file, by the name of standard input.
from /dev/null 3 verify - "$obama"
says err '"standard input"'
"$DOPPEL" verify - "$obama" <&- 2>err && fail "a closed input is a photo"
says err '"standard input"'
echo "not a photo" >note
from note 3 query - --json
is "$("$JSON" out schema)" "doppel.query/1"
says err '"standard input"'
from /dev/zero 3 query - --max-memory 1M
says err 'has more than 1048576 bytes (--max-memory)'
from . 3 verify - "$obama"
says err 'cannot be read'
# A file of that name has a path.
cp "$demo/congress.jpg" ./-
from /dev/null 0 verify ./- "$obama" --threshold 0.5

# Twice, or beside others, it would be another photo each time; a gallery knows photos by their path.
exits 2 verify - -
exits 2 query - "$obama"
for command in enroll scan; do
    exits 2 $command - --json
    says err "known by its path"
done

# The page is all that comes.
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html page.html
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html -
is "$(head -n 1 out)|$(tail -n 1 out)" "<!doctype html>|</html>"
says out "congress.jpg"
lacks out "match: "
is "$(grep -c '<h1' out)" "$(grep -c '<h1' page.html)"
from "$demo/congress.jpg" 0 query - --threshold 0.5 --html -
is "$(tail -n 1 out)" "</html>"
exits 0 enroll "$demo/people" --html -
is "$(head -n 1 out)|$(tail -n 1 out)" "<!doctype html>|</html>"
exits 2 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html - --json
is "$("$JSON" out schema)" "doppel.error/1"
exits 3 verify "$demo/congress.jpg" nowhere.jpg --html -
is "$(cat out)" ""
status=0
"$DOPPEL" verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html - >/dev/full 2>err || status=$?
is "$status" "5"
says err 'cannot write "-"'
[ ! -e ./-.html ] || fail "a file was made"
exit 0
