# Standard output that cannot be written is an error, colours are asked for, pages replace whole.
. "$SRCDIR/tests/cli/lib.sh"
exits 0 enroll "$demo/people"

# full WORD… - with a full disk as standard output the exit status is 5, and it is told.
full() {
    status=0
    "$DOPPEL" "$@" >/dev/full 2>err || status=$?
    [ "$status" -eq 5 ] || fail "exit status $status, not 5, on a full disk: doppel $*"
    [ -s err ] || fail "no word about a full disk: doppel $*"
}
: >out
full --version
full help
full help --manual
full list
full list --json
full info
full enroll "$demo/people"
full rename "Joe Biden" "Joe"
full rename Joe "Joe Biden"
full forget "Joe Biden" --dry-run
full export -
full verify "$demo/congress.jpg" "$obama" --threshold 0.5
full verify "$demo/congress.jpg" "$obama" --threshold 0.5 --json
full query "$demo/congress.jpg" --threshold 0.5 --json
full query "$demo/congress.jpg" --threshold 0.5
full query "$demo/congress.jpg" --threshold 0.5 --table
full query --person "Barack Obama"

# A reader that goes away is no crash; output that the caller has closed is no file of ours.
{
    status=0
    "$DOPPEL" list 2>err || status=$?
    echo $status >status
} | :
is "$(cat status)" "5"
status=0
"$DOPPEL" list >&- 2>err || status=$?
is "$status" "5"
says err "cannot write to standard output"
"$DOPPEL" list >out
says out "Joe Biden"

printf '\033' >escape
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5
grep -qf escape out && fail "colours without a terminal"
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --color always
grep -qf escape out || fail "no colours with --color always"
# Where there is a "script" that gets a terminal: a bare chroot has none to give.
if script -qec true typescript >/dev/null 2>&1; then
    script -qec "'$DOPPEL' verify '$demo/congress.jpg' '$obama' --threshold 0.5" typescript >out 2>err
    grep -qf escape out || fail "no colours on a terminal"
    NO_COLOR=1 script -qec "'$DOPPEL' verify '$demo/congress.jpg' '$obama' --threshold 0.5" typescript >out 2>err
    grep -qf escape out && fail "colours with NO_COLOR"
    script -qec "'$DOPPEL' enroll '$demo/people' --force" typescript >out 2>err
    says out " of 5 photos, "
    script -qec "'$DOPPEL' enroll '$demo/people' --force --quiet" typescript >out 2>err
    lacks out " of 5 photos, "
    # So do all that go through a whole gallery, and leave no line when they are done.
    for words in check "check --html checked.html" "export -" "migrate --to copied" \
        "encrypt --key-file key" "rekey --key-file key --new-key-file key2" "decrypt --key-file key2"; do
        script -qec "'$DOPPEL' $words" typescript >out 2>err || :
        says out " rows, "
        script -qec "'$DOPPEL' $words --quiet" typescript >out 2>err || :
        lacks out " rows, "
    done
    script -qec "'$DOPPEL' check" typescript >out 2>err
    says out " people, "
fi

# A page is written aside and only then put in place; it is its owner's.
echo old >page.html
exits 3 verify "$demo/congress.jpg" nowhere.jpg --html page.html
is "$(cat page.html)" "old"
exits 5 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html nowhere/page.html
says err 'cannot write "nowhere/page.html"'
exits 5 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html .
exits 5 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html /dev/full
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html fresh.html
is "$(stat -c %a fresh.html)" "600"
is "$(ls | grep -c 'html\.')" "0"

# A file that may not grow so far is a full disk: told, with nothing left beside it, and no end by a
# signal.
exits 0 enroll "$demo/group.jpg" --name Group --faces all --gallery wide
limited() {
    status=0
    (
        ulimit -f 80
        exec "$DOPPEL" "$@" >out 2>err
    ) || status=$?
    [ "$status" -eq 5 ] || fail "exit status $status, not 5, past the limit of a file: doppel $*"
}
limited export all.jsonl --gallery wide
says err "File too large"
limited verify "$demo/congress.jpg" "$obama" --threshold 0.5 --html limited.html
says err 'cannot write "limited.html": File too large'
limited enroll "$demo/stranger.jpg" --gallery wide --force
is "$(find . -name '*.jsonl*' ! -name audit.jsonl -o -name 'limited*')" ""
exits 0 info --gallery wide
says out "0 people, 1 photo"

# Its memory holds vectors: no core file of it is left lying, where one of another program is.
ulimit -c unlimited 2>/dev/null || :
sh -c 'kill -ABRT $$' &
wait $! 2>ended || :
rm -f core core.*
if grep -q "core dumped" ended; then
    holds "read:$obama" verify "$demo/congress.jpg" "$obama"
    goes_on ABRT 2>ended
    is $status 134
    lacks ended "core dumped"
    [ -z "$(ls | grep '^core')" ] || fail "it leaves a core file"
fi
