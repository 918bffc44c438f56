# Every command with --json has its schema, and the check of answers by them refuses what is none.
. "$SRCDIR/tests/cli/lib.sh"
exits 0 help --manual
awk '$1 == ".SS" { command = $3 } /^\\fB\\-\\-json\\fR/ { print command }' out | sort -u >commands
[ "$(wc -l <commands)" -ge 20 ] || fail "only so many commands were found: $(cat commands)"
while read -r command; do
    [ -s "$SRCDIR/docs/schema/$command.json" ] || fail "docs/schema has no $command.json"
done <commands

# checked WORD LINE - whether it is an answer: right or wrong; without a checker nothing is known.
checked() {
    status=0
    echo "$2" | python3 "$SRCDIR/tests/schema/check.py" "$SRCDIR/docs/schema" >out 2>err || status=$?
    [ "$status" -ne 77 ] || exit 0
    is "$status $2" "$1 $2"
}
list='"schema":"doppel.list/1","person":"Ann","n_photos":1'
checked 0 "{$list,\"n_templates\":1}"
checked 1 "{$list}"
checked 1 "{$list,\"n_templates\":-1}"
checked 1 "{$list,\"n_templates\":\"1\"}"
checked 1 "{$list,\"n_templates\":1,\"more\":1}"
checked 1 '{"schema":"doppel.nothing/1"}'
checked 1 '{"person":"Ann"}'
checked 1 '[]'
checked 1 ''
error='"schema":"doppel.error/1","command":"list","status":"E_GALLERY","message":"there is none"'
checked 0 "{$error,\"exit\":4}"
checked 1 "{$error}"
checked 1 "{$error,\"exit\":0}"
checked 1 '{"schema":"doppel.query/1","photo":"a","status":"E_NOTHING"}'
checked 0 '{"schema":"doppel.query/1","photo":"a","status":"E_NO_FACE"}'
